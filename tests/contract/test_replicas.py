"""Levels with a second copy: it is there before anybody is told so, or that is said."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import CannotStart, StoreLost, StoreRefused
from engine.record import Durability
from engine.store.protocol import Right
from engine.store.redis import RedisStore
from engine.store.setup import prepare
from tests.builders import commit_of, owned, run, scanned
from tests.cluster import eventually
from tests.replicas import Pair


@pytest.fixture(scope="module", params=["embedded", "system"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of real server in turn."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def pair(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """For tests that leave both servers as they were."""
    made = Pair(kind, tmp_path_factory.mktemp("pair"))
    yield made
    made.stop()


@pytest.fixture
def mortal(kind: str, tmp_path: Path) -> Iterator[Pair]:
    """For tests that kill one of them."""
    made = Pair(kind, tmp_path)
    yield made
    made.stop()


def waitaof_is_missing(pair: Pair) -> bool:
    """Whether the server cannot wait for a replica's disk."""
    return run(pair.ask(pair.primary, "COMMAND", "INFO", "waitaof")) in ([], [None])


def levels(pair: Pair) -> list[Durability]:
    """Those that the servers keep."""
    fsynced = [] if waitaof_is_missing(pair) else [Durability.REPLICATED_FSYNC]
    return [Durability.REPLICATED, *fsynced]


async def sell(store: RedisStore, right: Right, count: int) -> bytes:
    """So many commits from the first on, one record each; the head behind them."""
    head = b""
    for seq in range(1, count + 1):
        sealed = commit_of(seq, head, records={f"k{seq}": b"r"})
        await store.commit(right, sealed)
        head = sealed.hash_after
    return head


def test_a_commit_is_copied_before_it_is_called_so(pair: Pair) -> None:
    """At each level that the server keeps; and what was called copied is on the replica."""

    async def steps(level: Durability) -> None:
        store = await pair.store(level)
        await sell(store, await owned(store), 5)
        await eventually(store.copies)
        copy = RedisStore(pair.replica.admin_url, level)
        assert set(await scanned(copy, 0, "reservations")) == {f"k{n}" for n in range(1, 6)}
        await copy.close()
        await store.close()

    for level in levels(pair):
        run(steps(level))


def test_without_an_answer_of_the_replica_there_is_no_copy(pair: Pair) -> None:
    """It is asked for half a second, and again by whoever asks again."""

    async def steps(level: Durability) -> None:
        store = await pair.store(level)
        right = await owned(store)
        with pair.paused():
            await sell(store, right, 1)
            assert not await store.copies()
            assert not await store.copies()
        await eventually(store.copies)
        await store.close()

    for level in levels(pair):
        run(steps(level))


def test_a_replica_that_is_there_is_never_missed(pair: Pair) -> None:
    """Asked while it writes, it would keep silent for a second: so it is asked again."""

    async def steps(level: Durability) -> None:
        store = await pair.store(level)
        right, head = await owned(store), b""
        for seq in range(1, 201):
            sealed = commit_of(seq, head, records={f"k{seq}": b"r"})
            await store.commit(right, sealed)
            assert await store.copies(), f"after {seq} commits"
            head = sealed.hash_after
            if seq % 20 == 0:
                await asyncio.sleep(0.05)  # The next finds both servers idle.
        await store.close()

    for level in levels(pair):
        run(steps(level))


def test_a_killed_replica_is_missed_until_another_has_caught_up(mortal: Pair) -> None:
    """The store takes nothing without one; told to go on, what it sells is copied later."""

    async def steps() -> None:
        store = await mortal.store()
        right = await owned(store)
        mortal.replica.kill()
        await eventually(mortal.is_alone)
        with pytest.raises(StoreRefused, match="NOREPLICAS"):
            await sell(store, right, 1)
        await mortal.ask(mortal.primary, "CONFIG", "SET", "min-replicas-to-write", 0)
        await sell(store, right, 3)
        assert not await store.copies()
        await mortal.replica.restart()
        await mortal.follow()
        await eventually(store.copies)
        copy = RedisStore(mortal.replica.admin_url, Durability.REPLICATED)
        assert len(await scanned(copy, 0, "reservations")) == 3
        await copy.close()
        await store.close()

    run(steps())


def test_a_promoted_replica_has_all_that_was_called_copied(mortal: Pair) -> None:
    """The primary is lost for good: history, fence and functions go on on the second node."""

    async def steps() -> None:
        store = await mortal.store()
        head = await sell(store, await owned(store), 30)
        assert await store.copies()
        mortal.primary.kill()
        with pytest.raises(StoreLost):
            await store.clock_ms()
        await store.close()
        await mortal.ask(mortal.replica, "REPLICAOF", "NO", "ONE")
        await prepare(mortal.replica.admin_url, 1, Durability.FSYNC)
        promoted = RedisStore(mortal.replica.url, Durability.FSYNC)
        await promoted.connect()
        right = Right(0, 2, "t2")
        acquired = await promoted.acquire(right, 1, "host")
        assert (acquired.seq, acquired.head) == (30, head)
        assert len(await scanned(promoted, 0, "reservations")) == 30
        await promoted.commit(right, commit_of(31, head))
        await promoted.close()

    run(steps())


def test_copies_are_waited_for_behind_commits_on_their_way(pair: Pair) -> None:
    """Asked on the same connection: its answer covers whatever was sent before it."""

    async def steps() -> None:
        store = await pair.store()
        right, head, sent = await owned(store), b"", []
        for seq in range(1, 21):
            sealed = commit_of(seq, head, records={f"k{seq}": b"r" * 10_000})
            head = sealed.hash_after
            sent.append(store.commit(right, sealed))
        assert await store.copies()
        assert all(commit.done() for commit in sent)
        await asyncio.gather(*sent)
        copy = RedisStore(pair.replica.admin_url, Durability.REPLICATED)
        assert len(await scanned(copy, 0, "reservations")) == 20
        await copy.close()
        await store.close()

    run(steps())


@pytest.mark.parametrize("same_host", [True, False])
def test_whoever_acquires_waits_for_the_copies_of_what_was_committed_before(
    pair: Pair, same_host: bool
) -> None:
    """A server counts up to the last write of the connection that asks: the right is one."""

    async def steps() -> None:
        store = await pair.store()
        right = await owned(store)
        head = await sell(store, right, 1)
        next_one = store if same_host else await pair.connection()
        with pair.paused():
            await store.commit(right, commit_of(2, head, records={"k": b"r"}))
            if same_host:
                await store.reconnect()
            await owned(next_one, epoch=2)
            assert not await next_one.copies()
        await eventually(next_one.copies)
        await next_one.close()
        await store.close()

    run(steps())


def test_a_level_without_a_replica_is_refused_at_the_start(mortal: Pair) -> None:
    """Never a silent downgrade: the error says what is missing and what to ask for."""

    async def steps() -> None:
        url = mortal.primary.admin_url
        await prepare(url, 1, Durability.REPLICATED)
        mortal.replica.kill()
        await eventually(mortal.is_alone)
        for level in (Durability.REPLICATED, Durability.REPLICATED_FSYNC):
            with pytest.raises(CannotStart, match="needs a replica"):
                await prepare(url, 1, level)
        await mortal.ask(mortal.primary, "CONFIG", "SET", "min-replicas-to-write", 0)
        await prepare(url, 1, Durability.FSYNC)

    run(steps())


def test_a_level_that_the_server_cannot_wait_for_is_refused(pair: Pair) -> None:
    """Redis 7.0 cannot say whether a replica has written its file."""
    url = pair.primary.admin_url
    if waitaof_is_missing(pair):
        with pytest.raises(CannotStart, match="WAITAOF"):
            run(prepare(url, 1, Durability.REPLICATED_FSYNC))
    else:
        run(prepare(url, 1, Durability.REPLICATED_FSYNC))
