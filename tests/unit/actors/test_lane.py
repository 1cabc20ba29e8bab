"""Frames over a socket: whole, in any order, or lost and said so."""

import asyncio
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors.lane import LaneServer, LineLost, Respond, connect

Serve = Callable[[bytes, Respond], None]


def with_server(handler: Serve, test: Callable[[LaneServer], Coroutine[Any, Any, None]]) -> None:
    async def main(folder: str) -> None:
        server = LaneServer(Path(folder) / "lane.sock", handler)
        await server.start()
        try:
            async with asyncio.timeout(10):
                await test(server)
        finally:
            await server.stop()
            for _ in range(3):  # Aborted connections end in the loop's next turns.
                await asyncio.sleep(0)

    # Not pytest's own folder: a socket's path has room for 107 bytes.
    with tempfile.TemporaryDirectory(prefix="tg-") as folder:
        uvloop.run(main(folder))


def echo(payload: bytes, respond: Respond) -> None:
    respond(payload)


def test_answers_find_their_questions_in_any_order() -> None:
    """The last is answered first."""
    waiting: list[tuple[bytes, Respond]] = []

    def handler(payload: bytes, respond: Respond) -> None:
        waiting.append((payload, respond))
        if len(waiting) == 3:
            for asked, answer in reversed(waiting):
                answer(asked.upper())

    async def test(server: LaneServer) -> None:
        line = await connect(str(server.path))
        answers = await asyncio.gather(*(line.call(word) for word in (b"a", b"b", b"c")))
        assert answers == [b"A", b"B", b"C"]
        line.close()

    with_server(handler, test)


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_frames_of_every_size_arrive_whole(size: int) -> None:
    """Larger than any buffer on the way, and empty."""

    async def test(server: LaneServer) -> None:
        line = await connect(str(server.path))
        payload = os.urandom(size)
        assert await line.call(payload) == payload
        line.close()

    with_server(echo, test)


def test_a_frame_that_comes_in_single_bytes_is_the_same_frame() -> None:
    """Whatever the socket makes of it."""

    async def test(server: LaneServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        for byte in struct.pack(">II", 3, 7) + b"abc" + struct.pack(">II", 1, 8) + b"d":
            writer.write(bytes([byte]))
            await writer.drain()
        assert await reader.readexactly(20) == (
            struct.pack(">II", 3, 7) + b"abc" + struct.pack(">II", 1, 8) + b"d"
        )
        writer.close()
        await writer.wait_closed()

    with_server(echo, test)


def test_a_peer_that_speaks_something_else_is_cut_off() -> None:
    """A length beyond all reason is not waited for."""

    async def test(server: LaneServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        writer.write(b"GET / HTTP/1.1\r\nHost: tidegate\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    with_server(echo, test)


def test_when_the_server_ends_everybody_who_waits_hears_of_it() -> None:
    """Once, and later calls too."""
    lost: list[str] = []

    async def test(server: LaneServer) -> None:
        line = await connect(str(server.path), lambda: lost.append("lost"))
        answer = line.call(b"never")
        await server.stop()
        with pytest.raises(LineLost):
            await answer
        assert lost == ["lost"]
        assert line.lost
        with pytest.raises(LineLost):
            await line.call(b"too late")
        with pytest.raises(LineLost):
            await connect(str(server.path))

    with_server(lambda payload, respond: None, test)


def test_only_its_user_may_open_the_socket() -> None:
    """Who reaches it may decide about stock."""

    async def test(server: LaneServer) -> None:
        assert stat.S_IMODE(server.path.stat().st_mode) & 0o077 == 0

    with_server(echo, test)
