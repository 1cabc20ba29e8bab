"""Frames over a socket: how batches travel between processes of one machine.

A frame is ``length, id`` (two unsigned 32 bit, big endian) and a payload of ``length`` bytes. An
answer carries the id of its question; answers may come in any order.
"""

import asyncio
import contextlib
import os
import struct
from asyncio import Future
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeAlias, cast

from engine.errors import TidegateError

Respond: TypeAlias = Callable[[bytes], None]
Handler: TypeAlias = Callable[[bytes, Respond], None]

_HEAD: Final = struct.Struct(">II")
#: More is no batch of ours: a peer that speaks something else.
_FRAME_MAX: Final = 64 * 1024 * 1024


class LineLost(TidegateError):
    """The other side has gone: what was sent may have been done or not."""


class Line(Protocol):
    """A way to one owner's process."""

    @property
    def lost(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    def call(self, payload: bytes) -> "Future[bytes]":
        """Send a payload; its answer, or ``LineLost``."""
        ...

    def close(self) -> None:
        """End it: what is unanswered is lost."""
        ...


class _Framed(asyncio.Protocol):
    """Cuts what comes in into frames."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _HEAD.size:
            length, frame_id = _HEAD.unpack_from(buffer, at)
            if length > _FRAME_MAX:
                self.close()
                return
            end = at + _HEAD.size + length
            if len(buffer) < end:
                break
            self._frame(frame_id, bytes(buffer[at + _HEAD.size : end]))
            at = end
        if at:
            del buffer[:at]

    def _frame(self, frame_id: int, payload: bytes) -> None:
        raise NotImplementedError

    def send(self, frame_id: int, payload: bytes) -> None:
        """Write one frame; nothing happens when the other side has gone."""
        if self._transport is not None:
            self._transport.write(_HEAD.pack(len(payload), frame_id) + payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()


class _Serving(_Framed):
    def __init__(self, handler: Handler, alive: "set[_Serving]") -> None:
        super().__init__()
        self._handler = handler
        self._alive = alive

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._alive.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._alive.discard(self)

    def _frame(self, frame_id: int, payload: bytes) -> None:
        self._handler(payload, lambda answer: self.send(frame_id, answer))


class LaneServer:
    """Serves a Unix socket that only this user may open."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self.path = path
        self._handler = handler
        self._server: asyncio.AbstractServer | None = None
        self._alive: set[_Serving] = set()

    async def start(self) -> None:
        """Listen."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Serving(self._handler, self._alive), str(self.path)
            )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._alive):
            connection.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class LaneLine(_Framed):
    """A connection to a ``LaneServer``."""

    def __init__(self, on_lost: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._waiting: dict[int, Future[bytes]] = {}
        self._next = 0
        self._on_lost = on_lost

    @property
    def lost(self) -> bool:
        """See ``Line.lost``."""
        return self._transport is None

    def call(self, payload: bytes) -> "Future[bytes]":
        """See ``Line.call``."""
        future: Future[bytes] = asyncio.get_running_loop().create_future()
        if self._transport is None:
            future.set_exception(LineLost("not connected"))
            return future
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._waiting[self._next] = future
        self.send(self._next, payload)
        return future

    def _frame(self, frame_id: int, payload: bytes) -> None:
        future = self._waiting.pop(frame_id, None)
        if future is not None and not future.done():
            future.set_result(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """Everybody who waits hears of it."""
        super().connection_lost(exc)
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(LineLost("the other side has gone"))
        if self._on_lost is not None:
            self._on_lost()


async def connect(path: str, on_lost: Callable[[], None] | None = None) -> LaneLine:
    """A line to the server at ``path``; ``LineLost`` if there is none."""
    try:
        _, line = await asyncio.get_running_loop().create_unix_connection(
            lambda: LaneLine(on_lost), path
        )
    except OSError as error:
        raise LineLost(f"{path}: {error}") from error
    return line
