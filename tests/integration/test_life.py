"""Ends, hours, slices, reports and the feed: what happens around owners that just go on."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgpack
import pytest

from actors import chores, feed, folding, stockroom
from actors.lane import LineLost
from actors.shard_host import HostProcess, HostSettings
from actors.waves.agenda import Automatic
from engine import commands
from engine.commands import Op, Reply
from engine.errors import StoreLost
from engine.ids import shard_of
from engine.limits import CLOSED_BUCKET_MS, CLOSED_WINDOW_MS, DEADLINE_MS_DEFAULT
from engine.outcome import Outcome
from engine.record import Durability, Reservation, Status
from tests.builders import define_node, put_node
from tests.cluster import SHARDS, Cluster, LocalHost, eventually, on_cluster, skus_on, until


def others_of(cluster: Cluster, host: LocalHost) -> LocalHost:
    return next(other for other in cluster.hosts.values() if other is not host)


async def moved(cluster: Cluster, sku: str) -> None:
    """Another host owns a SKU's shard from here on."""
    other = others_of(cluster, cluster.owner_of(sku))
    await cluster.supervisor.move(shard_of(sku, SHARDS), other.name)


def test_holds_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their units are sold again; a payment comes too late once somebody else has them."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 0)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 1})
        brief = commands.reserve("k1", b"d" * 16, [["A", None, 1]], 200, None)
        assert (await cluster.call("A", brief))[0] == Outcome.OK
        assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.SHORT

        async def sold_again() -> bool:
            return bool((await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.OK)

        await eventually(sold_again)
        late = await cluster.call("A", commands.confirm("k1"))
        assert late[:2] == [Outcome.NOT_HELD, Status.EXPIRED]
        assert (await cluster.call("A", commands.release("k2")))[0] == Outcome.OK
        late = await cluster.call("A", commands.confirm("k1"))
        assert (late[0], Reservation(late[1]).status) == (Outcome.OK, Status.CONFIRMED)
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_recovery_equals_what_was_lost(cluster: Cluster) -> None:
    """Positions, records and shortfalls of a new owner are those of the last."""
    await cluster.stock({"A": 20})
    for key in ("held", "paid", "shipped", "back", "cancelled"):
        assert (await cluster.reserve(key, ["A", None, 2]))[0] == Outcome.OK
    for verb in (
        commands.confirm("paid"), commands.confirm("shipped"), commands.confirm("cancelled"),
        commands.fulfil("shipped", "p1", b"d" * 16, None), commands.release("back"),
        commands.cancel("cancelled"),
    ):  # fmt: skip
        assert (await cluster.call("A", verb))[0] == Outcome.OK
    rows: list[list[Any]] = [["A", "w1", None, 3, 1, "miscount"]]
    await cluster.client.adjust("count", b"c" * 16, rows, cluster.deadline())

    def books() -> tuple[Any, ...]:
        ledger = cluster.owner_of("A").core.owners[shard_of("A", SHARDS)].ledger
        counts = {
            p.backing: p.counts() for b in ledger.books.values() for p in b.positions.values()
        }
        return counts, ledger.reservations, ledger.shortfalls, ledger.free_units(), ledger.seq

    before = books()
    assert before[2], "a shortfall"
    await moved(cluster, "A")
    assert books() == before
    for key in ("held", "paid", "shipped", "back", "cancelled"):
        assert (await cluster.call("A", commands.read(key)))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_ended_keys_answer_while_their_index_is_still_loading(cluster: Cluster) -> None:
    """The owner serves before it knows all that has ended: it asks the store about each."""
    await cluster.stock({"A": 10})
    for key in ("k1", "k2"):
        await cluster.reserve(key, ["A", None, 1])
        await cluster.call("A", commands.release(key))
    other = others_of(cluster, cluster.owner_of("A"))
    scan, go_on = other.store.scan, asyncio.Event()

    async def slow(shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        if name.startswith("closed:"):
            await go_on.wait()
        async for portion in scan(shard, name):
            yield portion

    other.store.scan = slow  # type: ignore[method-assign]
    await moved(cluster, "A")
    ledger = other.core.owners[shard_of("A", SHARDS)].ledger
    assert not ledger.closed_loaded
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.REPEATED
    assert (await cluster.reserve("k3", ["A", None, 1]))[0] == Outcome.OK
    go_on.set()
    await until(lambda: ledger.closed_loaded)
    assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.REPEATED
    assert (await cluster.position("A"))["reserved"] == 1


@on_cluster
async def test_a_longer_window_is_kept_by_every_owner(cluster: Cluster) -> None:
    """While the index of ended ones loads, once it is there, and when it is tidied."""
    for host in cluster.hosts.values():
        host.core.window_ms = 2 * CLOSED_WINDOW_MS
    await cluster.stock({"A": 10})
    await moved(cluster, "A")
    await cluster.reserve("k1", ["A", None, 1])
    await cluster.call("A", commands.release("k1"))
    cluster.server.clock = lambda: time.time_ns() // 1_000_000 + CLOSED_WINDOW_MS + 7_200_000
    await moved(cluster, "A")
    ledger = cluster.owner_of("A").core.owners[shard_of("A", SHARDS)].ledger
    await until(lambda: ledger.closed_loaded)
    assert (await cluster.call("A", commands.tidy()))[0] == Outcome.OK
    assert (await cluster.call("A", commands.read("k1")))[0] == Outcome.OK
    ledger.closed_loaded = False
    ledger.closed.clear()
    assert (await cluster.call("A", commands.read("k1")))[0] == Outcome.OK
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.REPEATED


def test_a_host_is_told_how_long_the_window_is_and_which_waves_begin_by_themselves() -> None:
    """On their way from the command line to the ledger and to the desk."""
    settings = HostSettings(
        "host-0", 4, "unix:///none", Durability.FSYNC, "/lane", "/control", 7, "/log",
        Automatic(repairs=True),
    )  # fmt: skip
    core = HostProcess(settings).core
    assert core.window_ms == 7
    assert core.waves.noticing is not None


@on_cluster
async def test_the_index_of_ended_keys_is_loaded_though_the_store_is_away_for_a_moment(
    cluster: Cluster,
) -> None:
    """It goes on where it was; an owner that has gone asks no more."""
    await cluster.stock({"A": 10})
    for key in ("k1", "k2"):
        await cluster.reserve(key, ["A", None, 1])
        await cluster.call("A", commands.release(key))
    other = others_of(cluster, cluster.owner_of("A"))
    scan, away = other.store.scan, True
    asked = 0

    async def shaky(shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        nonlocal asked
        if name.startswith("closed:"):
            asked += 1
            if away:
                raise StoreLost("a moment")
        async for portion in scan(shard, name):
            yield portion

    other.store.scan = shaky  # type: ignore[method-assign]
    await moved(cluster, "A")
    owner = other.core.owners[shard_of("A", SHARDS)]
    await until(lambda: asked > 1)
    assert not owner.ledger.closed_loaded
    away = False
    await until(lambda: owner.ledger.closed_loaded)
    assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.REPEATED
    away = True
    await moved(cluster, "A")
    await moved(cluster, "A")
    await moved(cluster, "A")
    await asyncio.sleep(0.4)  # Whoever asked before has seen that its owner has gone.
    asked = 0
    await asyncio.sleep(0.4)
    assert asked == 0


@on_cluster
async def test_ended_reservations_are_forgotten_after_their_window(cluster: Cluster) -> None:
    """A day later their hour is dropped from store and memory; the key is free again."""
    await cluster.stock({"A": 10})
    await cluster.reserve("k1", ["A", None, 1])
    await cluster.call("A", commands.release("k1"))
    owner = cluster.owner_of("A").core.owners[shard_of("A", SHARDS)]
    owner._clock_base += CLOSED_WINDOW_MS + 2 * CLOSED_BUCKET_MS
    assert (await cluster.call("A", commands.tidy()))[0] == Outcome.OK
    hashes = cluster.server.shards[shard_of("A", SHARDS)].hashes
    assert not any(fields for name, fields in hashes.items() if name.startswith("closed:"))
    assert (await cluster.call("A", commands.read("k1")))[0] == Outcome.UNKNOWN_RESERVATION
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK
    await cluster.audit_is_clean()


def test_an_adjustment_goes_in_slices_and_a_repeat_finishes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shard is lost in the middle: the answer is unknown, the rest comes with the repeat."""
    monkeypatch.setattr(stockroom, "ADJUSTMENT_SLICE", 3)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        skus = [sku for shard in range(SHARDS) for sku in skus_on(shard, 7)]
        await cluster.stock(dict.fromkeys(skus, 1))
        rows: list[list[Any]] = [[sku, "w1", 10, None, None, None] for sku in skus]
        call, slices = cluster.client.call, 0

        async def fails_once(shard: int, command: list[Any], deadline_at: float) -> Reply:
            nonlocal slices
            if command[0] == Op.ADJUST:
                slices += 1
                if slices == 5:
                    await call(shard, command, deadline_at)
                    return [Outcome.LOST, 0]
                if slices == 6:
                    return [Outcome.UNAVAILABLE, 0]
            return await call(shard, command, deadline_at)

        cluster.client.call = fails_once  # type: ignore[method-assign]
        first = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
        assert first[0] == Outcome.LOST
        again = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
        assert again[0] is False, "some of it is new"
        assert [row[2] for row in again[1]] == [11] * len(skus)
        third = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
        assert third == (True, again[1])
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_a_node_reaches_every_shard_before_its_answer(cluster: Cluster) -> None:
    """Also one that has missed several before."""
    ledgers = [o.ledger for h in cluster.hosts.values() for o in h.core.owners.values()]
    for n in range(3):
        define = define_node(f"missed-{n}", {"kind": "store"})
        await cluster.client.call(cluster.client.net, define, cluster.deadline())
    reply = await put_node(cluster.client, "w9", {"kind": "warehouse"}, cluster.deadline())
    assert reply[0] == Outcome.OK
    assert all(ledger.network == reply[1] for ledger in ledgers)
    assert all({"missed-0", "missed-2", "w9"} <= ledger.nodes.keys() for ledger in ledgers)


@on_cluster
async def test_cursors_that_are_not_ours_are_refused(cluster: Cluster) -> None:
    """Whatever they look like; and a good one of another number of shards."""
    await cluster.stock({"A": 1})
    good = (await cluster.client.events(None, 10)).next

    def of(value: Any) -> str:
        return base64.urlsafe_b64encode(msgpack.packb(value)).decode().rstrip("=")

    wrong = [
        "", "x", "%", "ä", good[:-2], good + "A", of(1), of([]), of([[0, 0]] * (SHARDS + 1)),
        of([[0]] * SHARDS), of([[-1, 0]] * SHARDS), of([[0.5, 0]] * SHARDS),
        of([[True, 0]] * SHARDS), of({"a": 1}), base64.b64encode(os.urandom(40)).decode(),
    ]  # fmt: skip
    for cursor in wrong:
        with pytest.raises(feed.CursorUnusable):
            await cluster.client.events(cursor, 10)


@on_cluster
async def test_a_cursor_whose_place_was_trimmed_says_where_to_go_on(cluster: Cluster) -> None:
    """The oldest place that is kept is one that can be read from."""
    await cluster.stock({"A": 50})
    old = (await cluster.client.events(None, 1)).next
    for n in range(10):
        await cluster.reserve(f"k{n}", ["A", None, 1])
    kept = cluster.server.shards[shard_of("A", SHARDS)].events[-4:]
    cluster.server.shards[shard_of("A", SHARDS)].events = list(kept)
    with pytest.raises(feed.CursorExpired) as expired:
        await cluster.client.events(old, 100)
    page = await cluster.client.events(expired.value.oldest, 100)
    held = [e.data["key"] for e in page.events if e.type == "reservation.held"]
    assert held == ["k6", "k7", "k8", "k9"]


def test_an_event_stream_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its oldest commits go, and a reader who stood there is told where to go on."""
    monkeypatch.setattr(folding, "EVENTS_BYTES_MAX", 5_000)
    monkeypatch.setattr(chores, "_WEIGH_EVERY_S", 0.1)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 1_000})
        shard = shard_of("A", SHARDS)
        for n in range(300):
            assert (await cluster.reserve(f"k{n}", ["A", None, 1]))[0] == Outcome.OK
        kept = cluster.server.shards[shard].events

        async def cut() -> bool:
            await cluster.call("A", commands.release(f"k{kept[-1].seq % 300}"))
            return (await cluster.owner_of("A").store.events_weight(shard))[0] < 5_500

        await eventually(cut)
        left = cluster.server.shards[shard].events
        assert left[0].seq > 100
        assert [entry.seq for entry in left] == list(range(left[0].seq, left[-1].seq + 1))
        assert len(left) > 20, "no more than need be"

    test()


@on_cluster
async def test_the_feed_says_that_the_store_is_away(cluster: Cluster) -> None:
    """At once: a reader does not wait for his deadline."""
    await cluster.stock({"A": 1})
    store = cluster.owner_of("A").store

    async def away(shard: int, after: int, most: int) -> Any:
        raise StoreLost("gone")

    store.events = away  # type: ignore[method-assign]
    with pytest.raises(LineLost):
        async with asyncio.timeout(2):
            await cluster.client.events(None, 10)


@on_cluster
async def test_reports_name_every_shard_its_owner_and_its_state(cluster: Cluster) -> None:
    """Also one that nobody owns."""
    await cluster.stock({"A": 10})
    await cluster.reserve("k1", ["A", None, 1])
    reports = await cluster.client.shard_reports()
    assert [report["shard"] for report in reports] == list(range(SHARDS + 1))
    assert [report["owner"] for report in reports] == list(cluster.supervisor.map.owners)
    assert {report["state"] for report in reports} == {"serving"}
    mine = reports[shard_of("A", SHARDS)]
    assert (mine["open_reservations"], mine["oversold_units"], mine["queue"]) == (1, 0, 0)
    assert mine["seq"] == cluster.server.shards[shard_of("A", SHARDS)].seq
    shard = shard_of("A", SHARDS)
    cluster.supervisor._assigning.add(shard)
    owners = list(cluster.supervisor.map.owners)
    owners[shard] = None
    cluster.owner_of("A").core.owners.pop(shard)
    cluster.supervisor._publish(tuple(owners))
    await until(lambda: cluster.client.map.owners[shard] is None)
    assert (await cluster.client.shard_reports())[shard]["state"] == "unowned"
    assert any(f"shard {shard}" in reason for reason in cluster.client.readiness())
    cluster.supervisor._assigning.discard(shard)
    await until(lambda: not cluster.supervisor.reasons())


@on_cluster
async def test_a_frozen_host_is_reported_within_the_usual_deadline(cluster: Cluster) -> None:
    """As one that says nothing; the others' shards are told of all the same."""

    async def frozen(asked: dict[str, Any], respond: Any) -> None:
        await asyncio.sleep(60)

    await until(lambda: all(queue.line for queue in cluster.client._queues.values()))
    cluster.hosts["host-0"].core._control = frozen  # type: ignore[method-assign]
    async with asyncio.timeout(DEADLINE_MS_DEFAULT / 1000 - 0.5):
        reports = await cluster.client.shard_reports()
    states = {report["owner"]: report["state"] for report in reports}
    assert states == {"host-0": "recovering", "host-1": "serving"}


@on_cluster
async def test_a_restored_backup_is_loaded_not_healed(cluster: Cluster) -> None:
    """The store says that it is another one: what it lacks was taken away on purpose."""
    await cluster.stock({"A": 10})
    older = cluster.store_as_it_is()
    for n in range(3):
        assert (await cluster.reserve(f"k{n}", ["A", None, 1]))[0] == Outcome.OK
    for restored in older.values():
        restored.store_id = "restored"
    cluster.server.shards = older
    for host in cluster.hosts.values():
        host.store.lose_unsent = 1
    await cluster.reserve("k3", ["A", None, 1])

    async def sells_again() -> bool:
        return bool((await cluster.reserve("k4", ["A", None, 1]))[0] in (0, 1))

    await eventually(sells_again)
    assert (await cluster.call("A", commands.read("k0")))[0] == Outcome.UNKNOWN_RESERVATION
    await until(lambda: not cluster.supervisor.reasons())
    await cluster.audit_is_clean()
