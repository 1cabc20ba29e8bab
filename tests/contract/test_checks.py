"""Servers that cannot keep what we promise are refused before anything is written to them."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import CannotStart, StoreRefused
from engine.record import Durability
from engine.store.setup import inspect, prepare
from engine.store.wire import connect
from tests.builders import ServerBackend, binary_or_skip, run
from tests.replicas import Pair, free_port


@pytest.fixture(params=["embedded", "system"])
def every_second(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerBackend]:
    """A server of its own, to be given other settings."""
    backend = ServerBackend(request.param, tmp_path / "data", Durability.EVERYSEC)
    yield backend
    backend.stop()


def test_everysec_needs_a_server_that_writes_every_second(every_second: ServerBackend) -> None:
    """`appendfsync no` leaves it to the system, which takes half a minute."""
    url = every_second.server.admin_url
    run(every_second.admin("CONFIG", "SET", "appendfsync", "no"))
    with pytest.raises(CannotStart, match=r"needs `appendfsync everysec`.* has `no`"):
        run(prepare(url, 1, Durability.EVERYSEC))
    run(prepare(url, 1, Durability.MEMORY))
    run(every_second.admin("CONFIG", "SET", "appendfsync", "always"))
    run(prepare(url, 1, Durability.EVERYSEC))


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_server_that_evicts_is_refused(every_second: ServerBackend, policy: str) -> None:
    """Reservations must not be thrown away; keys that expire by themselves are none of ours."""
    url = every_second.server.admin_url
    run(every_second.admin("CONFIG", "SET", "maxmemory-policy", policy))
    with pytest.raises(CannotStart, match="maxmemory-policy noeviction"):
        run(prepare(url, 1, Durability.MEMORY))
    with pytest.raises(CannotStart, match="maxmemory-policy noeviction"):
        run(inspect(url))
    run(every_second.admin("CONFIG", "SET", "maxmemory-policy", "volatile-lru"))
    run(prepare(url, 1, Durability.EVERYSEC))


def test_a_default_user_that_could_not_repeat_our_writes_is_noticed(
    every_second: ServerBackend,
) -> None:
    """Redis 7.0 loads what functions wrote as that user, and leaves out what it may not do."""
    url = every_second.server.admin_url
    run(prepare(url, 1, Durability.EVERYSEC))
    run(every_second.admin("ACL", "SETUSER", "default", "-unlink"))
    if every_second.kind == "embedded":
        run(prepare(url, 1, Durability.EVERYSEC))
        return
    with pytest.raises(CannotStart, match=r"may not UNLINK.*ACL SETUSER default"):
        run(prepare(url, 1, Durability.EVERYSEC))
    with pytest.raises(CannotStart, match="ACL SETUSER default"):
        run(inspect(url))
    run(every_second.admin("ACL", "SETUSER", "default", "~*", "+@all"))
    run(prepare(url, 1, Durability.EVERYSEC))


@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_a_node_of_a_cluster_is_refused(kind: str, tmp_path: Path) -> None:
    """With a sentence that says so, not with the first key that lies elsewhere."""
    port = free_port() % 40_000 + 1_024  # Its bus listens 10,000 ports above.
    server = subprocess.Popen(
        [binary_or_skip(kind), "--cluster-enabled", "yes", "--port", str(port), "--bind",
         "127.0.0.1", "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    async def refused() -> str:
        async with asyncio.timeout(20):
            while True:
                try:
                    await prepare(f"redis://127.0.0.1:{port}", 1, Durability.MEMORY)
                except CannotStart as error:
                    if "cannot reach" not in str(error):
                        return str(error)
                await asyncio.sleep(0.05)

    try:
        assert "cluster-enabled yes" in run(refused())
    finally:
        server.kill()
        server.wait()


def test_a_primary_that_takes_what_nobody_copies_is_refused(tmp_path: Path) -> None:
    """Cut off from its replica it would go on alone: no level with copies on such a one."""
    pair = Pair("embedded", tmp_path)
    try:
        run(pair.ask(pair.primary, "CONFIG", "SET", "min-replicas-to-write", 0))
        for level in (Durability.REPLICATED, Durability.REPLICATED_FSYNC):
            with pytest.raises(CannotStart, match="needs `min-replicas-to-write 1`"):
                run(prepare(pair.primary.admin_url, 1, level))
        run(prepare(pair.primary.admin_url, 1, Durability.FSYNC))
        run(pair.ask(pair.primary, "CONFIG", "SET", "min-replicas-to-write", 1))
        run(prepare(pair.primary.admin_url, 1, Durability.REPLICATED))
    finally:
        pair.stop()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere.sock"])
def test_a_server_that_is_not_there_is_said_to_be_out_of_reach(url: str) -> None:
    """A sentence, where its own client raises something of its own kind."""
    with pytest.raises(CannotStart, match=r"cannot reach the store: .*; is it running\?"):
        run(prepare(url, 1, Durability.FSYNC))


def test_a_wrong_password_and_a_right_that_is_missing_are_sentences(
    server: ServerBackend,
) -> None:
    """Whatever the server says to it."""
    good = server.server.admin_url
    password = server.server._passwords["admin"]
    with pytest.raises(CannotStart, match="cannot reach the store"):
        run(prepare(good.replace(password, "wrong"), 1, Durability.FSYNC))
    with pytest.raises(CannotStart, match="the store refuses our set-up"):
        run(prepare(server.server.url, 1, Durability.FSYNC))


def test_a_wire_that_is_not_let_in_is_closed(tmp_path: Path) -> None:
    """A host tries again and again: it must not leave a socket behind each time."""
    path = str(tmp_path / "s")

    async def steps() -> None:
        ended = asyncio.Event()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"wrong\r\n")
            writer.write(b"-WRONGPASS invalid username-password pair\r\n")
            assert await reader.read() == b""
            ended.set()
            writer.close()

        async with asyncio.timeout(5), await asyncio.start_unix_server(refuse, path):
            with pytest.raises(StoreRefused, match="WRONGPASS"):
                await connect(path, ("default", "wrong"))
            await ended.wait()

    run(steps())
