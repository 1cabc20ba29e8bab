"""Stock rebuilt from events equals the live state; what somebody changed by hand is found."""

import asyncio
from typing import Any

import pytest

from actors import audit, chores, folding, rebuilding
from actors.lane import LineLost
from engine import commands
from engine.commands import supplies
from engine.events import Event
from engine.ids import shard_of
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.rebuild import Rebuilt
from engine.record import Durability, pack
from engine.stock import SupplyMembers
from engine.store.memory import MemoryServer
from engine.store.protocol import Right, StreamEntry
from tests.builders import adjust, count, fulfil, receive, reserve
from tests.cluster import SHARDS as CLUSTER_SHARDS
from tests.cluster import Cluster, eventually, on_cluster, skus_on
from tests.scripts import SHARDS
from tests.warehouse_scripts import WarehouseScript

RIGHT = Right(0, 1, "token")


@pytest.mark.parametrize("seed", range(12))
def test_every_commit_can_be_rebuilt(seed: int) -> None:
    """With every command there is: receipts, transfers, moves, parcels, counts."""
    server = MemoryServer(SHARDS)
    acquired = server.acquire(RIGHT, 1)
    ledger = Ledger(0, SHARDS, Durability.MEMORY)
    ledger.seq, ledger.head = acquired.seq, acquired.head
    rebuilt = Rebuilt(lambda sku: sku in ledger.books)
    for now_ms, batch in WarehouseScript(seed).batches(150):
        ledger.effects.now_ms = now_ms
        ledger.decide_all(batch, now_ms)
        sealed = ledger.seal()
        if sealed is None:
            continue
        server.commit(RIGHT, sealed)
        entry = StreamEntry(sealed.seq, sealed.events, sealed.hash_after)
        assert rebuilt.follows(entry)
        rebuilt.take(entry)
        live = {
            position.backing: (position.on_hand, position.quarantined, position.damaged)
            for book in ledger.books.values()
            for position in book.positions.values()
        }
        nothing = (0, 0, 0)
        for backing in live.keys() | rebuilt.stock.keys():
            assert live.get(backing, nothing) == rebuilt.stock.get(backing, nothing), backing


def test_an_unknown_event_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="250 is not a valid Event"):
        Rebuilt(lambda _: True).take(StreamEntry(1, pack([1, 0, 0, [250, "A", None]]), b""))


def test_a_supply_that_is_forgotten_leaves_nothing() -> None:
    """Nor does a base keep it for ever."""
    rebuilt = Rebuilt(lambda _: True)
    facts = [Event.SUPPLY_OPENED, "A|w1|po-1", [5, []], Event.FORGOTTEN, "u|A|w1|po-1", None]
    rebuilt.take(StreamEntry(1, pack([1, 0, 0, facts[:3]]), b""))
    assert rebuilt.stock == {"A|w1|po-1": (5, 0, 0)}
    rebuilt.take(StreamEntry(2, pack([1, 0, 0, facts[3:]]), b""))
    assert rebuilt.stock == {}
    assert dict(rebuilt.changes()) == {"q|A|w1|po-1": None}


def owner_of(cluster: Cluster, sku: str) -> Any:
    """Whoever has the SKU in his books."""
    owners = [owner for host in cluster.hosts.values() for owner in host.core.owners.values()]
    return next(owner for owner in owners if sku in owner.ledger.books)


@on_cluster
async def test_a_hand_in_the_books_is_found(cluster: Cluster) -> None:
    """Owner and store agree, and both are wrong: only the events tell."""
    sku = skus_on(0, 1)[0]
    await cluster.stock({sku: 7})
    found = await audit.run(cluster.client, events=True)
    assert found.clean
    assert {shard["rebuilt"]["source"] for shard in found.shards} == {"stream"}
    owner_of(cluster, sku).ledger.books[sku].positions["w1"].on_hand = 9
    found = await audit.run(cluster.client, events=True)
    events = [finding for finding in found.findings if finding["kind"] == "events"]
    assert [(at["sku"], at["node"], at["owner"], at["store"]) for at in events] == [
        (sku, "w1", [9, 0, 0], [7, 0, 0]),
    ]  # fmt: skip


@on_cluster
async def test_a_hand_in_the_books_is_found_behind_what_came_and_went(cluster: Cluster) -> None:
    """A receipt, a move, a transfer and a parcel tell changes; a count says what is there."""
    sku = skus_on(0, 1)[0]
    await cluster.stock({sku: 7})
    owner_of(cluster, sku).ledger.books[sku].positions["w1"].on_hand = 9
    sent = [
        receive(sku, 3),
        adjust((sku, "w1", None, None, None, None, None, ["on_hand", "damaged", 1])),
        adjust((sku, "w1", None, None, 1)),
        supplies.open_supply(
            sku, "w1", "t-1", SupplyMembers("transfer", 1, 0, "d" * 32, from_node="w1")
        ),
        reserve("k", (sku, 1)), commands.confirm("k"), fulfil("k", "parcel"),
    ]  # fmt: skip
    for command in sent:
        assert (await cluster.call(sku, command))[0] == Outcome.OK
    found = await audit.run(cluster.client, events=True)
    events = {at["node"]: (at["owner"], at["store"]) for at in found.findings
              if at["kind"] == "events"}  # fmt: skip
    assert events == {"w1": ([9, 0, 1], [7, 0, 1])}
    assert (await cluster.call(sku, count(sku, 7)))[0] == Outcome.OK
    found = await audit.run(cluster.client, events=True)
    assert [at for at in found.findings if at["kind"] == "events"] == []


def test_what_older_versions_told_is_still_read() -> None:
    """They said how much there was, not by how much it had changed."""
    rebuilt = Rebuilt(lambda _: True)
    payloads = [[5, 0, 1, "po-1", None], [5, 0, 1, "check-1", "wet", 2],
                [9, 0, 1, "po-2", None, 2, [3, 0, 0, False]],
                [9, 0, 1, "count-1", None, 2, [1, 0, -1, True]]]  # fmt: skip
    stocks = []
    for number, payload in enumerate(payloads, start=1):
        facts = [Event.ADJUSTED, "A|w1", payload]
        entry = StreamEntry(number, pack([1, 0, 0, facts]), b"")
        assert rebuilt.needs(entry) == {"q|A|w1"}
        rebuilt.take(entry)
        stocks.append(rebuilt.stock["A|w1"])
    assert stocks == [(5, 1, 0), (5, 1, 2), (8, 1, 2), (9, 1, 1)]


def test_audits_while_all_is_sold_folded_and_trimmed_are_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing stops for them, and no entry goes that one of them is about to read."""
    monkeypatch.setattr(folding, "EVENTS_KEPT_MAX", 10)
    for each in (folding, rebuilding):
        monkeypatch.setattr(each, "ENTRIES", 4)
    monkeypatch.setattr(chores, "_WEIGH_EVERY_S", 0.1)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10_000})
        sources: set[str] = set()

        async def sell(buyer: int) -> None:
            n = 0
            while len(sources) < 2 or n < 20:
                key, n = f"k{buyer}-{n}", n + 1
                assert (await cluster.reserve(key, ["A", None, 1]))[0] == Outcome.OK
                await cluster.call("A", commands.confirm(key))
                assert (await cluster.call("A", fulfil(key, f"p-{key}")))[0] == Outcome.OK

        selling = [asyncio.ensure_future(sell(buyer)) for buyer in range(4)]
        while not all(one.done() for one in selling):
            found = await audit.run(cluster.client, events=True)
            assert found.clean, found.findings
            shard = found.shards[shard_of("A", CLUSTER_SHARDS)]
            sources.add(shard["rebuilt"]["source"])
        await asyncio.gather(*selling)
        assert sources == {"stream", "base"}

    test()


@on_cluster
async def test_an_owner_whose_memory_is_wrong_is_mended_by_his_end(cluster: Cluster) -> None:
    """As the advice says: his successor loads what the store has."""
    await cluster.stock({"A": 7})
    host = cluster.owner_of("A")
    owner_of(cluster, "A").ledger.books["A"].positions["w1"].on_hand = 9
    found = await audit.run(cluster.client, events=True)
    assert len(found.findings) == 3
    assert all("the store's copy is loaded" in at["advice"] for at in found.findings)
    await host.die()

    async def mended() -> bool:
        try:
            return (await audit.run(cluster.client, events=True)).clean
        except LineLost:
            return False

    await eventually(mended)
