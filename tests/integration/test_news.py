"""What home owes its pieces: brought to every shard, once that can be, whatever it has lost."""

import asyncio

import pytest

from actors import news
from engine import commands
from engine.ids import shard_of
from engine.limits import QUEUE_COMMANDS_MAX
from engine.outcome import Outcome
from tests.baskets import (
    HOME,
    SKUS,
    away_from_home,
    everywhere,
    held,
    others_of,
    owner_of,
    stocked,
)
from tests.cluster import SHARDS, Cluster, on_cluster, until


def disowned(cluster: Cluster, sku: str) -> None:
    """Nobody is said to own a SKU's shard any more."""
    owners = list(cluster.supervisor.map.owners)
    owners[shard_of(sku, SHARDS)] = None
    cluster.supervisor._assigning.add(shard_of(sku, SHARDS))
    cluster.supervisor._publish(tuple(owners))


@on_cluster
async def test_an_overloaded_home_does_not_forget_what_it_owes(cluster: Cluster) -> None:
    """Its record cannot be read for a while; the news are brought when it can."""
    await stocked(cluster)
    await held(cluster, "k1")
    participant = owner_of(cluster, away_from_home(cluster))
    home = owner_of(cluster, HOME)
    participant.paused = True
    home.queued = QUEUE_COMMANDS_MAX
    assert (await cluster.call(HOME, commands.confirm("k1")))[0] == Outcome.OK
    home.queued = QUEUE_COMMANDS_MAX
    await asyncio.sleep(0.5)
    assert home.ledger.owing == {"k1"}
    home.queued = 0
    participant.paused = False
    participant.pump()
    await everywhere(cluster, reserved=0, committed=2)
    await until(lambda: not home.ledger.owing)


def test_news_for_a_shard_that_is_away_keep_no_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debts take turns, however many of them cannot be paid now."""
    monkeypatch.setattr(news, "_ROUND_MAX", 2)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await stocked(cluster, 100)
        away = away_from_home(cluster)
        there = next(sku for sku in SKUS if sku not in (away, HOME))
        home = owner_of(cluster, HOME)
        baskets = {f"away-{n}": away for n in range(12)} | {f"there-{n}": there for n in range(4)}
        for key, sku in baskets.items():
            assert (await cluster.reserve(key, [HOME, None, 1], [sku, None, 1]))[0] == Outcome.OK
        whose = cluster.owner_of(away).name
        disowned(cluster, away)
        for key in baskets:
            assert (await cluster.call(HOME, commands.confirm(key)))[0] == Outcome.OK
        await until(lambda: len(home.ledger.owing) == 12)
        assert (await cluster.position(there))["committed"] == 4
        cluster.supervisor._assigning.discard(shard_of(away, SHARDS))
        cluster.supervisor._set_owner(shard_of(away, SHARDS), whose)
        await until(lambda: not home.ledger.owing)
        await cluster.audit_is_clean()

    test()


def piece_lost(cluster: Cluster, sku: str, name: str, units: int) -> None:
    """A participant's store comes back without a piece, as one that does not fsync may."""
    hashes = cluster.server.shards[shard_of(sku, SHARDS)].hashes
    del hashes["reservations"][f"/{name}"]
    hashes["free"][f"{sku}|w1"] += units


async def next_owner(cluster: Cluster, sku: str) -> None:
    other = others_of(cluster, cluster.owner_of(sku))
    await cluster.supervisor.move(shard_of(sku, SHARDS), other.name)


@pytest.mark.parametrize("resold", [False, True])
@pytest.mark.parametrize("verb", ["paid", "shipped", "cancelled", "released"])
def test_a_piece_that_its_store_has_lost_is_made_good(resold: bool, verb: str) -> None:
    """Paid for, its units are promised again; sold twice, they are a shortfall with a deadline.

    What was given back needs nothing to be made good.
    """

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await stocked(cluster)
        await held(cluster, "k1")
        victim = away_from_home(cluster)
        piece_lost(cluster, victim, f"{shard_of(HOME, SHARDS):03x}.k1", 2)
        await next_owner(cluster, victim)
        if resold:
            assert (await cluster.reserve("others", [victim, None, 10]))[0] == Outcome.OK
        undo = commands.release if verb == "released" else commands.confirm
        assert (await cluster.call(HOME, undo("k1")))[0] == Outcome.OK
        if verb == "shipped":
            command = commands.fulfil("k1", "p1", b"d" * 16, None, over_shards=True)
            assert (await cluster.call(HOME, command))[0] == Outcome.OK
        elif verb == "cancelled":
            assert (await cluster.call(HOME, commands.cancel("k1")))[0] == Outcome.OK
        await until(lambda: not owner_of(cluster, HOME).ledger.owing)
        position = await cluster.position(victim)
        left = {"paid": 2}.get(verb, 0)
        assert position["committed"] == left
        assert position["on_hand"] == (8 if verb == "shipped" else 10)
        missing = 10 * resold + left - position["on_hand"]
        shortfalls = (await cluster.call(victim, commands.stock(victim)))[3]
        assert [row[4:6] for row in shortfalls] == (
            [[missing, "lost piece"]] if missing > 0 else []
        )
        assert all(row[8] for row in shortfalls), "it names the promises that break"
        await cluster.audit_is_clean()
        await next_owner(cluster, victim)
        assert await cluster.position(victim) == position
        await cluster.audit_is_clean()

    test()
