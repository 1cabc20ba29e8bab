"""Pieces and homes of paid orders over several shards: one without the other is found."""

from typing import Any

import pytest

from actors import audit, pairs
from engine import commands
from engine.ids import reservation_id
from engine.outcome import Outcome
from engine.record import Status, status_of
from engine.state import PIECE
from tests.cluster import SHARDS, Cluster, eventually, on_cluster, skus_on


def owner_at(cluster: Cluster, shard: int) -> Any:
    """The owner of a shard."""
    name = cluster.supervisor.map.owners[shard]
    assert name is not None
    return cluster.hosts[name].core.owners[shard]


async def stocked(cluster: Cluster) -> list[str]:
    """SKUs of shards 1 and 2."""
    skus = [skus_on(shard, 1)[0] for shard in (1, 2)]
    await cluster.stock(dict.fromkeys(skus, 50))
    return skus


async def paid(cluster: Cluster, key: str) -> tuple[str, int, int]:
    """An order over shards 1 and 2, paid, its piece told: its id, home and the piece's shard."""
    skus = [skus_on(shard, 1)[0] for shard in (1, 2)]
    assert (await cluster.reserve(key, *[[sku, None, 1] for sku in skus]))[0] == Outcome.OK
    home, other = (1, 2) if skus[0] < skus[1] else (2, 1)
    home_sku = skus[home - 1]
    assert (await cluster.call(home_sku, commands.confirm(key)))[0] == Outcome.OK
    name = reservation_id(home, key)

    async def is_told() -> bool:
        piece = owner_at(cluster, other).ledger.reservations[f"{PIECE}{name}"]
        owing = owner_at(cluster, home).ledger.owing
        return status_of(piece) == Status.CONFIRMED and not owing

    await eventually(is_told)
    return name, home, other


def forget(cluster: Cluster, shard: int, field: str) -> None:
    """As if owner and store had never heard of a record."""
    del owner_at(cluster, shard).ledger.reservations[field]
    del cluster.server.shards[shard].hashes["reservations"][field]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_PAUSE_S", 0.01)


async def found(cluster: Cluster) -> list[Any]:
    """Shard, order, what its piece's shard says and what home says."""
    told = (await audit.run(cluster.client)).findings
    assert all(finding["advice"] and finding["repair"] is None for finding in told)
    return [
        [at["shard"], at["reservation"], at["owner"], at["store"]]
        for at in told
        if at["kind"] == "piece"
    ]


@on_cluster
async def test_a_piece_without_home_and_a_home_without_piece_are_found(cluster: Cluster) -> None:
    await stocked(cluster)
    first, home, other = await paid(cluster, "k1")
    second, _, _ = await paid(cluster, "k2")
    assert await found(cluster) == []
    forget(cluster, home, "k1")
    assert await found(cluster) == [[other, first, "confirmed", None]]
    forget(cluster, other, f"{PIECE}{second}")
    assert sorted(await found(cluster)) == [
        [other, first, "confirmed", None], [other, second, None, "confirmed"],
    ]  # fmt: skip


@on_cluster
async def test_news_on_their_way_are_no_finding(cluster: Cluster) -> None:
    """A home that has not told yet, and one whose piece ends meanwhile."""
    skus = await stocked(cluster)
    _, home, _ = await paid(cluster, "k1")
    for n in range(20):
        await cluster.reserve(f"n{n}", *[[sku, None, 1] for sku in skus])
        await cluster.call(skus[home - 1], commands.confirm(f"n{n}"))
        if n % 5 == 0:
            assert await found(cluster) == []
    for n in range(20):
        await cluster.call(skus[home - 1], commands.release(f"n{n}"))
        if n % 5 == 0:
            assert await found(cluster) == []
    assert await found(cluster) == []


@on_cluster
async def test_news_that_a_shard_has_not_heard_are_no_finding(cluster: Cluster) -> None:
    """The piece is held, home is paid and owes; then the piece is told, and home not settled."""
    await stocked(cluster)
    name, home, other = await paid(cluster, "k1")
    lists = [await pairs.told(owner_at(cluster, shard), {}) for shard in range(SHARDS)]
    assert [len(at["piece"]) for at in lists] == [int(shard == other) for shard in range(SHARDS)]
    assert [len(at["told"]) for at in lists] == [int(shard == home) for shard in range(SHARDS)]
    (known_as,) = lists[other]["piece"]
    assert lists[home]["told"] == [known_as]
    named = (await pairs.told(owner_at(cluster, home), {"wanted": [known_as]}))["named"]
    assert [pair[1] for pair in named] == [name]

    async def says(piece: bool, side: str) -> list[Any]:
        """What the auditor makes of a shard with or without the piece, and of home's side."""
        nonce = named[0][2]

        async def ask(shard: int, question: dict[str, Any]) -> dict[str, Any]:
            sides = ["piece"] if piece and shard == other else []
            sides += [side] if side and shard == home else []
            if "wanted" in question:
                return {"named": [[known_as, name, nonce, other, at] for at in sides]}
            return {at: [known_as] if at in sides else [] for at in ("piece", "told", "known")}

        return await pairs.find(ask, SHARDS)

    assert await says(True, "told") == await says(True, "known") == []
    assert await says(False, "known") == []
    assert len(await says(False, "told")) == len(await says(True, "")) == 1
