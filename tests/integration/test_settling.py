"""Owners that end, move or lose their store in awkward moments: callers hear the truth."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from actors import chores
from actors.jobs import Job
from actors.owner import ShardOwner
from engine import commands
from engine.commands import Reply
from engine.effects import Sealed
from engine.errors import StoreLost, StoreRefused
from engine.ids import shard_of
from engine.outcome import Outcome
from engine.record import Reservation, Status
from engine.store.protocol import Acquired, Right
from tests.cluster import SHARDS, Cluster, LocalHost, on_cluster, skus_on, until


def others_of(cluster: Cluster, host: LocalHost) -> LocalHost:
    return next(other for other in cluster.hosts.values() if other is not host)


def owner_of(cluster: Cluster, sku: str) -> ShardOwner:
    return cluster.owner_of(sku).core.owners[shard_of(sku, SHARDS)]


async def stolen(cluster: Cluster, sku: str) -> None:
    """Another host acquires a SKU's shard behind everybody's back."""
    shard = shard_of(sku, SHARDS)
    right = Right(shard, cluster.supervisor._new_right(shard).epoch, "stolen")
    await others_of(cluster, cluster.owner_of(sku)).core.assign(right, cluster.supervisor._term)


async def undecided(cluster: Cluster, host: LocalHost) -> "asyncio.Task[Reply]":
    """A reservation whose commit the store refuses for the time being."""
    host.store.refuse_with = "LOADING"
    sent = host.store.commits
    reply = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 1]))
    await until(lambda: host.store.commits > sent)
    return reply


@on_cluster
async def test_a_shard_moves_though_the_store_refuses_for_a_moment(cluster: Cluster) -> None:
    """What was decided is sent again by the owner that is on its way out."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    reply = await undecided(cluster, host)
    other = others_of(cluster, host)
    moving = asyncio.ensure_future(cluster.supervisor.move(shard_of("A", SHARDS), other.name))
    sent = host.store.commits
    await until(lambda: host.store.commits > sent + 1)
    host.store.refuse_with = None
    await moving
    assert (await reply)[0] == Outcome.OK
    assert cluster.owner_of("A") is other
    assert not cluster.supervisor.reasons()
    await cluster.audit_is_clean()


@on_cluster
async def test_a_shard_moves_though_its_owner_is_fenced_already(cluster: Cluster) -> None:
    """Giving back a right that is lost anyway stops nobody."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    await stolen(cluster, "A")
    await cluster.supervisor.move(shard_of("A", SHARDS), others_of(cluster, host).name)
    assert not cluster.supervisor.reasons()
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_an_owner_that_is_fenced_while_it_moves_lets_the_move_go_on(
    cluster: Cluster,
) -> None:
    """Nobody waits for a commit that will never be answered."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    reply = await undecided(cluster, host)
    other = others_of(cluster, host)
    moving = asyncio.ensure_future(cluster.supervisor.move(shard_of("A", SHARDS), other.name))
    host.store.refuse_with = "FENCED"
    await moving
    assert (await reply)[0] == Outcome.OK, "not done by the first, done by the second"
    assert (await cluster.position("A"))["reserved"] == 1


@pytest.mark.parametrize("applied", [True, False])
def test_an_owner_without_a_new_right_does_not_say_that_nothing_was_done(applied: bool) -> None:
    """Its commit's answer was lost, its shard is somebody else's: only its successor knows."""

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10})
        host = cluster.owner_of("A")
        owner = owner_of(cluster, "A")
        if applied:
            host.store.lose_applied = 1
        else:
            host.store.lose_unsent = 1

        async def refused(name: str, shards: list[int]) -> list[Right]:
            return []

        host.core._renew = refused
        told: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        command = commands.reserve("k1", b"d" * 16, [["A", None, 1]], 900_000, None)
        owner.submit(Job([command], told.set_result))
        assert (await told)[0][0] == Outcome.IN_DOUBT
        await cluster.supervisor._assign(shard_of("A", SHARDS), others_of(cluster, host).name)
        reply = await cluster.call("A", command)
        assert reply[0] == (Outcome.REPEATED if applied else Outcome.OK)
        assert (await cluster.position("A"))["reserved"] == 1

    test()


@on_cluster
async def test_a_store_that_is_lost_again_while_it_is_settled(cluster: Cluster) -> None:
    """Owners that were back already begin anew with the others; nobody is fenced by himself."""
    await cluster.stock({"A": 100})
    host = cluster.owner_of("A")
    owners = dict(host.core.owners)
    assert len(owners) > 1
    acquire, failures = host.store.acquire, [3, 2, 3]

    async def shaky(right: Right, term: int, owner: str) -> Acquired:
        if failures:
            failures[0] -= 1
            if not failures[0]:
                del failures[0]
                raise StoreLost("again")
        return await acquire(right, term, owner)

    host.store.acquire = shaky  # type: ignore[method-assign]
    host.store.lose_applied = 1
    replies = await asyncio.gather(*(cluster.reserve(f"k{n}", ["A", None, 1]) for n in range(20)))
    assert {reply[0] for reply in replies} == {Outcome.OK}
    await until(lambda: not failures and not host.core.health()["settling"])
    assert host.core.owners == owners, "an owner was replaced"
    assert (await cluster.position("A"))["reserved"] == 20
    await cluster.audit_is_clean()


@on_cluster
async def test_two_audits_at_once_under_load_find_nothing(cluster: Cluster) -> None:
    """They take turns; selling goes on between their portions."""
    await cluster.stock({"A": 10_000})
    stop = asyncio.Event()

    async def buy(who: int) -> None:
        number = 0
        while not stop.is_set():
            await cluster.reserve(f"k{who}-{number}", ["A", None, 1])
            await cluster.call("A", commands.release(f"k{who}-{number}"))
            number += 1

    buyers = [asyncio.ensure_future(buy(who)) for who in range(4)]
    for _ in range(5):
        await asyncio.gather(*(cluster.audit_is_clean() for _ in range(3)))
    stop.set()
    await asyncio.gather(*buyers)


@on_cluster
async def test_an_audit_ends_though_its_owner_is_replaced(cluster: Cluster) -> None:
    """It waits for a commit on its way; that one is fenced; the next owner is asked."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    other = others_of(cluster, host)
    reply = await undecided(cluster, host)
    audit = asyncio.ensure_future(cluster.client.audit())
    await until(lambda: owner_of(cluster, "A").paused)
    await stolen(cluster, "A")
    cluster.supervisor._set_owner(shard_of("A", SHARDS), other.name)
    host.store.refuse_with = None
    assert (await audit).clean
    assert (await reply)[0] == Outcome.OK


@on_cluster
async def test_an_older_right_never_replaces_a_newer_owner(cluster: Cluster) -> None:
    """Two assignments to one host cross: the later right stays, whoever is loaded first."""
    await cluster.stock({"A": 10})
    shard = shard_of("A", SHARDS)
    host = cluster.owner_of("A")
    older, newer = (cluster.supervisor._new_right(shard) for _ in range(2))
    scan, loading = host.store.scan, asyncio.Event()
    newer_is_there = asyncio.Event()
    term = cluster.supervisor._term

    async def gated(shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        if not loading.is_set():
            loading.set()
            await newer_is_there.wait()
        async for portion in scan(shard, name):
            yield portion

    host.store.scan = gated  # type: ignore[method-assign]
    first = asyncio.ensure_future(host.core.assign(older, term))
    await loading.wait()
    await host.core.assign(newer, term)
    newer_is_there.set()
    await first
    assert host.core.owners[shard].right == newer
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK


def test_holds_do_not_end_at_once_after_a_takeover(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers get a chance to confirm what ended while nobody was there."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 1_000)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10})
        for key, hold_ms in (("k1", 300), ("k2", 300)):
            command = commands.reserve(key, b"d" * 16, [["A", None, 1]], hold_ms, None)
            assert (await cluster.call("A", command))[0] == Outcome.OK
        other = others_of(cluster, cluster.owner_of("A"))
        await cluster.supervisor.move(shard_of("A", SHARDS), other.name)
        taken_over_at = asyncio.get_running_loop().time()
        owner = owner_of(cluster, "A")
        await until(lambda: "k1" not in owner.ledger.reservations)
        assert asyncio.get_running_loop().time() - taken_over_at >= 0.99
        reply = await cluster.call("A", commands.read("k1"))
        assert Reservation(reply[1]).status is Status.EXPIRED
        assert (await cluster.position("A"))["sellable"] == 10

    test()


@on_cluster
async def test_a_host_that_waits_for_the_store_is_a_reason_not_to_be_ready(
    cluster: Cluster,
) -> None:
    """Everybody is told, and told again when the store is back."""
    host = cluster.hosts["host-0"]
    reconnect = host.store.reconnect

    async def away() -> None:
        raise StoreLost("away")

    host.store.reconnect = away  # type: ignore[method-assign]
    host.core.settle()
    await until(lambda: cluster.client.readiness() == ["host-0: waiting for the store"])
    host.store.reconnect = reconnect  # type: ignore[method-assign]
    await until(lambda: not cluster.client.readiness())


@on_cluster
async def test_a_host_that_ended_while_it_waited_is_no_reason_any_more(cluster: Cluster) -> None:
    """Its successors have the store."""
    cluster.supervisor._note_settling("host-0", settling=True)
    await cluster.hosts["host-0"].die()
    await until(lambda: "host-0" not in cluster.supervisor._hosts)
    await until(lambda: not cluster.client.readiness())


@on_cluster
async def test_the_networks_shard_is_named_in_reasons(cluster: Cluster) -> None:
    """It has a number only inside."""
    cluster.supervisor._assigning.add(SHARDS)
    assert cluster.supervisor.reasons() == ["shard net: recovering"]
    cluster.supervisor._assigning.discard(SHARDS)


@on_cluster
async def test_what_the_guard_refuses_twice_is_not_sold_any_more(cluster: Cluster) -> None:
    """The first time the shard is loaded anew and decides once more; other SKUs go on."""
    other = next(sku for sku in skus_on(shard_of("A", SHARDS), 2) if sku != "A")
    await cluster.stock({"A": 10, other: 10})
    host = cluster.owner_of("A")
    commit, refusals = host.store.commit, 0

    def guarded(right: Right, sealed: Sealed) -> "asyncio.Future[None]":
        nonlocal refusals
        if b"A|w1" not in sealed.changes or sealed.returning or refusals == allowed:
            return commit(right, sealed)
        refusals += 1
        return host.store._failed(StoreRefused("OVERSELL", "A|w1"))

    host.store.commit = guarded  # type: ignore[method-assign]
    allowed = 1
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK, "decided once more"
    allowed = 2
    assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.SHORT
    assert refusals == 2
    assert (await cluster.reserve("k3", [other, None, 1]))[0] == Outcome.OK
    report = (await cluster.client.shard_reports())[shard_of("A", SHARDS)]
    assert report["stopped_skus"] == 1
    assert (await cluster.call("A", commands.confirm("k1")))[0] == Outcome.OK
    await cluster.audit_is_clean()
