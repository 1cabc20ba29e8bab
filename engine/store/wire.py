"""The connection that carries commits: pipelined calls, answers in order, no retries.

A client that resends a commit whose reply was lost would answer for it without knowing; hence
this connection never sends anything twice. After any silence it is closed and stays closed.
"""

import asyncio
import socket
from asyncio import Future
from collections import deque
from typing import Any, Final, cast

import hiredis

from engine.errors import StoreLost, StoreRefused

#: Room for a whole batch in the socket, so that sending does not wait for the next loop turn.
_SEND_BUFFER: Final = 1 << 20
#: So much leaves at once: what is decided in the rest of the turn takes longer than is saved.
_AT_ONCE_BYTES: Final = 4_096


class Wire(asyncio.Protocol):
    """One connection to a server that speaks RESP."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(replyError=_refusal)
        self._waiting: deque[Future[Any]] = deque()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass.

    def data_received(self, data: bytes) -> None:
        """Match answers with calls, in order."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            future = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, StoreRefused):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told that the answer is lost."""
        self._transport = None
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            if not future.done():
                future.set_exception(StoreLost("the connection to the store was lost"))

    def call(self, *words: Any) -> "Future[Any]":
        """Send a command; its answer, ``StoreRefused``, or ``StoreLost`` if the line breaks.

        Small calls of one turn of the loop go out in one piece: the commits of several shards then
        share the server's wake-up, its write and its fsync, which cost more than the calls. A large
        one goes at once, and is on its way while the next batch is decided.
        """
        loop = asyncio.get_running_loop()
        future: Future[Any] = loop.create_future()
        if self._transport is None:
            future.set_exception(StoreRefused("DISCONNECTED", "not sent"))
        else:
            packed = hiredis.pack_command(words)
            self._waiting.append(future)
            self._unsent.append(packed)
            self._unsent_bytes += len(packed)
            if self._unsent_bytes >= _AT_ONCE_BYTES:
                self._send()
            elif len(self._unsent) == 1:
                loop.call_soon(self._send)
        return future

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        self._unsent_bytes = 0
        if self._transport is not None and unsent:
            self._transport.write(b"".join(unsent))

    @property
    def connected(self) -> bool:
        """Whether calls can be sent."""
        return self._transport is not None

    def close(self) -> None:
        """End the connection: all that is unanswered is lost."""
        if self._transport is not None:
            self._transport.abort()


def _refusal(text: str) -> StoreRefused:
    code, _, detail = text.partition(" ")
    return StoreRefused(code, detail)


async def connect(address: str | tuple[str, int], auth: tuple[str, str] | None) -> Wire:
    """A wire to a Unix socket path or (host, port), authenticated."""
    loop = asyncio.get_running_loop()
    try:
        if isinstance(address, str):
            transport, wire = await loop.create_unix_connection(Wire, address)
        else:
            transport, wire = await loop.create_connection(Wire, *address)
    except OSError as error:
        raise StoreLost(f"cannot connect to the store: {error}") from error
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if auth is not None:
        try:
            await wire.call("AUTH", *auth)
        except BaseException:
            wire.close()
            raise
    return wire
