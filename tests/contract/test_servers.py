"""What only real servers can do: run out of memory, restart, lose an answer, deny a command."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from engine import commands
from engine.errors import CannotStart, StoreLost, StoreRefused
from engine.outcome import Outcome
from engine.record import Durability
from engine.store.keys import key
from engine.store.protocol import Right
from engine.store.redis import client
from engine.store.setup import LIBRARY, prepare
from tests.builders import (
    HOLD_MS,
    NOW_MS,
    Owner,
    ServerBackend,
    adjust,
    commit_of,
    count,
    founding,
    fresh,
    owned,
    reserve,
    run,
    scanned,
)


@pytest.fixture(params=["embedded", "system"])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerBackend]:
    """A server of its own, to be killed, at level fsync."""
    backend = ServerBackend(request.param, tmp_path / "data")
    yield backend
    backend.stop()


@pytest.fixture(params=["embedded", "system"])
def every_second(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerBackend]:
    """The same at level everysec."""
    backend = ServerBackend(request.param, tmp_path / "data", Durability.EVERYSEC)
    yield backend
    backend.stop()


def test_without_memory_units_still_return_and_nothing_new_is_held(server: ServerBackend) -> None:
    """OOM refuses a reserve before its first write; release, expiry and confirm go through."""

    async def steps() -> None:
        store = await server.store()
        owner = await Owner.of(store)
        await owner.do(*founding({"A": {"w1": 10}}))
        keys = [fresh() for _ in range(4)]
        await owner.do(*[reserve(key, ("A", 1)) for key in keys])
        await server.admin("CONFIG", "SET", "maxmemory", "1")
        try:
            _, sealed = await owner.decide(reserve(fresh(), ("A", 1)))
            assert sealed is not None
            with pytest.raises(StoreRefused) as refused:
                await store.commit(owner.right, sealed)
            assert refused.value.code == "OOM"
            owner.ledger.take_back(sealed)
            assert (await owner.do(commands.release(keys[0])))[0][0] == Outcome.OK
            assert (await owner.do(commands.confirm(keys[1])))[0][0] == Outcome.OK
            later = NOW_MS + HOLD_MS
            assert await owner.do(commands.expire(keys), now_ms=later) == [[Outcome.OK, 2]]
            assert (await owner.do(commands.tidy(), now_ms=later))[0][0] == Outcome.OK
            await store.acquire(Right(0, 2, "t2"), 1, "next")  # A takeover needs no memory.
        finally:
            await server.admin("CONFIG", "SET", "maxmemory", "0")
        assert await scanned(store, 0, "free") == {"A|w1": b"9"}
        await store.close()

    run(steps())


def test_without_memory_a_release_that_shrinks_a_shortfall_goes_through(
    server: ServerBackend,
) -> None:
    """The record of the shortfall is rewritten, which needs no new memory to speak of."""

    async def steps() -> None:
        store = await server.store()
        owner = await Owner.of(store)
        await owner.do(*founding({"A": {"w1": 10}}), reserve("a", ("A", 6)), reserve("b", ("A", 3)))
        await owner.do(count("A", 5))
        await server.admin("CONFIG", "SET", "maxmemory", "1")
        try:
            assert (await owner.do(commands.release("b")))[0][0] == Outcome.OK
            _, sealed = await owner.decide(adjust(("A", "w1", 5)))
            assert sealed is not None
            assert not sealed.returning
        finally:
            await server.admin("CONFIG", "SET", "maxmemory", "0")
        assert await scanned(store, 0, "free") == {"A|w1": b"-1"}
        await store.close()

    run(steps())


def test_a_lost_answer_is_settled_by_a_new_epoch(server: ServerBackend) -> None:
    """After the line broke mid-commit, acquire tells whether it was applied; resending is safe.

    Reading the seq without a new epoch would prove nothing: the old commit might still arrive.
    """

    async def steps() -> None:
        store = await server.store()
        right, head = await owned(store), b""
        for seq in range(1, 9):
            sealed = commit_of(seq, head, records={f"k{seq}": b"r" * 50_000})
            answer = store.commit(right, sealed)
            if seq % 2:
                await asyncio.sleep(0)  # The bytes may or may not get out before the line breaks.
            await store.reconnect()
            with pytest.raises(StoreLost):
                await answer
            right = Right(0, right.epoch + 1, f"token-{right.epoch + 1}")
            acquired = await store.acquire(right, 1, "host")
            assert (acquired.seq, acquired.head) in {(seq, sealed.hash_after), (seq - 1, head)}
            await store.commit(right, sealed)
            head = sealed.hash_after
        assert set(await scanned(store, 0, "reservations")) == {f"k{n}" for n in range(1, 9)}
        assert [entry.seq for entry in await store.events(0, 0, 99)] == list(range(1, 9))
        await store.close()

    run(steps())


def test_a_commit_on_a_closed_wire_was_definitely_not_sent(server: ServerBackend) -> None:
    """DISCONNECTED means that nothing happened; lost means that it may have."""

    async def steps() -> None:
        store = await server.store()
        right = await owned(store)
        assert store._wire is not None
        store._wire.close()
        await asyncio.sleep(0)
        with pytest.raises(StoreRefused, match="DISCONNECTED"):
            await store.commit(right, commit_of(1, b""))
        await store.reconnect()
        await store.commit(right, commit_of(1, b""))
        await store.close()

    run(steps())


def test_a_shard_is_acquired_though_the_wire_is_down(server: ServerBackend) -> None:
    """By many at once: they share one new connection, and commits go on over it."""

    async def steps() -> None:
        store = await server.store(shards=4)
        assert store._wire is not None
        store._wire.close()
        await asyncio.sleep(0)
        await asyncio.gather(*(owned(store, shard) for shard in range(4)))
        wire = store._wire
        for shard in range(4):
            await store.commit(Right(shard, 1, "token-1"), commit_of(1, b""))
        assert store._wire is wire
        lines = [line for line in (await server.admin("CLIENT", "LIST")).split(b"\n") if line]
        assert sum(b"cmd=fcall" in line for line in lines) == 1
        await store.close()

    run(steps())


def test_two_owners_on_two_connections_do_not_mix(server: ServerBackend) -> None:
    """A frozen owner that wakes up is refused on its own connection."""

    async def steps() -> None:
        store = await server.store()
        old = await owned(store, epoch=1)
        other = await server.connection()
        new = await owned(other, epoch=2)
        await other.commit(new, commit_of(1, b"", records={"new": b"r"}))
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.commit(old, commit_of(1, b"", records={"old": b"r"}))
        assert set(await scanned(store, 0, "reservations")) == {"new"}
        await store.close()
        await other.close()

    run(steps())


@pytest.mark.parametrize("words", [
    ("EVAL", "return 1", 0), ("CONFIG", "GET", "*"), ("FUNCTION", "LIST"), ("KEYS", "*"),
    ("FLUSHALL",), ("SHUTDOWN",), ("DEL", "tidegate:{s000}:meta"), ("ACL", "LIST"),
    ("HGET", "somebody:else", "f"), ("FCALL", "tidegate_found_v1", 1, "somebody:else", "id"),
    ("FCALL_RO", "tidegate_peek_v1", 2, "tidegate:{s000}:meta", "somebody:else", "f"),
])  # fmt: skip
def test_our_user_may_do_nothing_but_our_work(
    server: ServerBackend, words: tuple[str | int, ...]
) -> None:
    """Function calls and a few data commands on our own prefix; no scripts, no settings."""

    async def steps() -> None:
        store = await server.store()
        ours = client(server.server.url)
        with pytest.raises(NoPermissionError):
            await ours.execute_command(*words)  # type: ignore[no-untyped-call]
        await ours.aclose()
        await store.close()

    run(steps())


def test_a_denial_is_a_refusal_with_its_name(server: ServerBackend) -> None:
    """A store whose rights were narrowed says NOPERM, over the wire and beside it."""

    async def steps() -> None:
        store = await server.store()
        right = await owned(store)
        await server.admin("ACL", "SETUSER", "tidegate", "-fcall", "-time")
        try:
            with pytest.raises(StoreRefused) as on_the_wire:
                await store.commit(right, commit_of(1, b""))
            with pytest.raises(StoreRefused) as beside_it:
                await store.clock_ms()
        finally:
            await server.admin("ACL", "SETUSER", "tidegate", "+fcall", "+time")
        assert (on_the_wire.value.code, beside_it.value.code) == ("NOPERM", "NOPERM")
        await store.commit(right, commit_of(1, b""))
        await store.close()

    run(steps())


def test_the_server_cannot_be_reached_without_a_password(server: ServerBackend) -> None:
    """The default user is off, and there is no TCP port."""

    async def steps() -> None:
        await (await server.store()).close()
        nobody = client(f"unix://{server.server.socket}")
        with pytest.raises(Exception, match=r"Authentication required|NOAUTH"):
            await nobody.ping()
        await nobody.aclose()

    run(steps())
    assert run(server.admin("CONFIG", "GET", "port")) == [b"port", b"0"]
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(server.server.socket))
        line.sendall(b"PING\r\n")
        assert line.recv(100).startswith(b"-NOAUTH")


def test_a_killed_server_comes_back_with_all_it_has_acknowledged(durable: ServerBackend) -> None:
    """Promise 5 at level fsync: what was answered is there after a crash, functions and all."""

    async def steps() -> None:
        store = await durable.store()
        right, head = await owned(store), b""
        for seq in range(1, 31):
            sealed = commit_of(seq, head, guard=["A|w1", 0, 1, 0], records={f"k{seq}": b"r"})
            await store.commit(right, sealed)
            head = sealed.hash_after
        in_flight = store.commit(right, commit_of(31, head, records={"k31": b"r"}))
        durable.server.kill()
        with pytest.raises(StoreLost):
            await in_flight
        await durable.server.restart()
        await store.reconnect()
        acquired = await store.acquire(Right(0, 2, "t2"), 1, "host")
        assert acquired.seq in (30, 31)
        assert len(await scanned(store, 0, "reservations")) == acquired.seq
        assert await scanned(store, 0, "free") == {"A|w1": b"30"}
        await store.commit(Right(0, 2, "t2"), commit_of(acquired.seq + 1, acquired.head))
        await store.close()

    run(steps())


def test_at_everysec_a_killed_server_comes_back_at_a_point_of_its_history(
    every_second: ServerBackend,
) -> None:
    """It may have lost the last second, but never a middle: the owner resends what is missing."""

    async def steps() -> None:
        store = await every_second.store()
        right, head, sent = await owned(store), b"", []
        for seq in range(1, 31):
            sealed = commit_of(seq, head, records={f"k{seq}": b"r"})
            await store.commit(right, sealed)
            sent.append(sealed)
            head = sealed.hash_after
        every_second.server.kill()
        await every_second.server.restart()
        await prepare(every_second.server.admin_url, 1, Durability.EVERYSEC)
        await store.reconnect()
        right = Right(0, 2, "t2")
        acquired = await store.acquire(right, 1, "host")
        assert acquired.head == (sent[acquired.seq - 1].hash_after if acquired.seq else b"")
        for sealed in sent[acquired.seq :]:
            await store.commit(right, sealed)
        assert len(await scanned(store, 0, "reservations")) == 30
        await store.close()

    run(steps())


def test_a_server_that_runs_is_not_started_twice(durable: ServerBackend) -> None:
    """The data directory is locked."""
    with pytest.raises(CannotStart, match="in use by another Tidegate"):
        ServerBackend(durable.kind, durable.server.data)


def test_preparing_again_changes_nothing(server: ServerBackend) -> None:
    """A restart finds its store, its history and its id as they were."""

    async def steps() -> None:
        store = await server.store()
        first = await prepare(server.server.admin_url, 1, Durability.FSYNC)
        right = await owned(store)
        await store.commit(right, commit_of(1, b"", records={"k": b"r"}))
        again = await prepare(server.server.admin_url, 1, Durability.FSYNC)
        assert (again.store_id, again.shards) == (first.store_id, 1)
        await store.commit(right, commit_of(2, commit_of(1, b"", records={"k": b"r"}).hash_after))
        await store.close()

    run(steps())


def test_another_number_of_shards_is_refused(server: ServerBackend) -> None:
    """The number is fixed when the store is made; the error says which it was."""

    async def steps() -> None:
        await (await server.store(shards=2)).close()
        with pytest.raises(CannotStart, match="founded with 2 shards, not 3: start with --shards"):
            await prepare(server.server.admin_url, 3, Durability.FSYNC)

    run(steps())


def test_a_level_the_store_does_not_keep_is_refused(every_second: ServerBackend) -> None:
    """Never a silent downgrade: the error says what to set or ask for."""

    async def steps() -> None:
        url = every_second.server.admin_url
        with pytest.raises(CannotStart, match="appendfsync always"):
            await prepare(url, 1, Durability.FSYNC)
        with pytest.raises(CannotStart, match=r"replica|appendfsync"):
            await prepare(url, 1, Durability.REPLICATED)
        await every_second.admin("CONFIG", "SET", "appendonly", "no")
        with pytest.raises(CannotStart, match="appendonly yes"):
            await prepare(url, 1, Durability.EVERYSEC)
        await prepare(url, 1, Durability.MEMORY)

    run(steps())


def test_a_missing_library_is_a_refusal_and_is_loaded_again(server: ServerBackend) -> None:
    """Somebody flushed the functions: nothing is written, and preparing mends it."""

    async def steps() -> None:
        store = await server.store()
        right = await owned(store)
        await server.admin("FUNCTION", "DELETE", LIBRARY)
        with pytest.raises(StoreRefused) as refused:
            await store.commit(right, commit_of(1, b""))
        assert refused.value.code == "ERR"
        await prepare(server.server.admin_url, 1, Durability.FSYNC)
        await store.commit(right, commit_of(1, b""))
        await store.close()

    run(steps())


def test_an_older_library_of_the_same_name_is_replaced(server: ServerBackend) -> None:
    """What runs is what this version brings."""

    async def steps() -> None:
        store = await server.store()
        old = f"#!lua name={LIBRARY}\nredis.register_function('old', function() return 1 end)"
        await server.admin("FUNCTION", "LOAD", "REPLACE", old)
        await prepare(server.server.admin_url, 1, Durability.FSYNC)
        await store.commit(await owned(store), commit_of(1, b""))
        assert int((await server.admin("HGET", key(0, "meta"), "seq")).decode()) == 1
        await store.close()

    run(steps())
