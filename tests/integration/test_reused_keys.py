"""Keys that lead to reservations of two homes: no gateway remembers, the audit reports."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors import reused
from actors.client import Client
from engine import commands
from engine.commands import Reply
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.cluster import SHARDS, Cluster, asked, on_cluster, skus_on, until

Buy = Callable[[Client, str, str], Awaitable[None]]


async def buy(cluster: Cluster, client: Client, key: str, sku: str) -> None:
    """One unit through one of several gateways' clients."""
    request = asked(key, [sku, None, 1])
    command = commands.reserve(key, request.digest, request.lines, request.hold_ms, None)
    reply: Reply = await client.call(shard_of(sku, SHARDS), command, cluster.deadline())
    assert reply[0] == Outcome.OK


async def found(cluster: Cluster) -> list[dict[str, Any]]:
    audit = await cluster.client.audit()
    assert audit.clean == (not audit.findings)
    return audit.findings


@pytest.mark.parametrize("round_keys_max", [1, 2, 1_000_000])
def test_a_key_with_two_homes_is_found(
    monkeypatch: pytest.MonkeyPatch, round_keys_max: int
) -> None:
    """Sent through two gateways for SKUs of two shards; however few keys are compared at a time."""
    monkeypatch.setattr(reused, "_ROUND_KEYS_MAX", round_keys_max)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
        await cluster.stock(dict.fromkeys(skus, 50))
        other = Client(str(cluster.supervisor._lane.path))
        await other.start()
        for n in range(20):
            await buy(cluster, cluster.client, f"once-{n}", skus[n % SHARDS])
        assert (await cluster.reserve("basket", *[[sku, None, 1] for sku in skus]))[0] == 0
        await buy(cluster, cluster.client, "twice", skus[1])
        assert await found(cluster) == []
        await buy(cluster, other, "twice", skus[3])
        await buy(cluster, other, "thrice", skus[0])
        await buy(cluster, cluster.client, "thrice", skus[1])
        await buy(cluster, other, "thrice", skus[2])
        await other.stop()
        expected = {"kind": "key-reused", "sku": None, "node": None, "store": None}
        told = await found(cluster)
        assert all("release" in finding["advice"] for finding in told)
        names = {*expected, "shard", "reservation", "owner"}
        assert [{name: finding[name] for name in names} for finding in told] == [
            {**expected, "shard": 0, "reservation": "thrice",
             "owner": ["000.thrice", "001.thrice", "002.thrice"]},
            {**expected, "shard": 1, "reservation": "twice", "owner": ["001.twice", "003.twice"]},
        ]  # fmt: skip

    test()


@on_cluster
async def test_ended_reservations_count_until_their_window_is_over(cluster: Cluster) -> None:
    """They still answer for their key, at every owner to come."""
    skus = [skus_on(shard, 1)[0] for shard in (0, 2)]
    await cluster.stock(dict.fromkeys(skus, 5))
    for sku in skus:
        await buy(cluster, cluster.client, "k1", sku)
        assert (await cluster.call(sku, commands.release("k1")))[0] == Outcome.OK
    assert [finding["owner"] for finding in await found(cluster)] == [["000.k1", "002.k1"]]
    victim = cluster.owner_of(skus[0])
    await victim.die()
    await until(lambda: victim.name not in cluster.client.map.owners)
    await until(lambda: not cluster.client.readiness())
    assert [finding["owner"] for finding in await found(cluster)] == [["000.k1", "002.k1"]]


def test_named_are_not_more_than_an_answer_may_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is found by the next audit."""
    monkeypatch.setattr(reused, "_NAMED_MAX", 3)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        skus = [skus_on(shard, 1)[0] for shard in (0, 2)]
        await cluster.stock(dict.fromkeys(skus, 9))
        for n in range(5):
            for sku in skus:
                await buy(cluster, cluster.client, f"k{n}", sku)
        assert len(await found(cluster)) == 3

    test()
