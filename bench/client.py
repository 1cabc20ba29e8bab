"""The one HTTP/1.1 client of the bench: for the product, the stub and every baseline alike.

It shares two cores with what it measures, so it does as little as a client can: requests are
bytes made beforehand, one is in flight per connection, and of an answer only the status, the
length and the body are looked at. About 11 µs of processor time a request at
256 connections and 19 µs at 64, most of it the kernel's.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

#: Status of a request whose connection was lost before its answer: done or not, nobody knows.
LOST: Final = 0

#: Called with the connection, the status (``LOST`` without an answer) and the body.
Answered: TypeAlias = Callable[["Connection", int, bytes], None]
#: Called with each connection that is open for its first request.
Ready: TypeAlias = Callable[["Connection"], None]

_HEAD_END: Final = b"\r\n\r\n"
#: What ``Content-Length: `` ends with in whatever case a server writes its first letters.
_LENGTH: Final = b"ength: "


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    __slots__ = (
        "_answered",
        "_buffer",
        "_fd",
        "_lost",
        "_transport",
        "busy",
        "closed",
        "number",
        "sent_at",
    )

    def __init__(self, answered: Answered, lost: asyncio.Event) -> None:
        self._answered = answered
        self._lost = lost
        self._buffer = b""
        self._fd = -1
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()
        self.busy = False
        self.number = 0  # Of the request in flight, as its sender counts.
        self.sent_at = 0.0  # perf_counter() when it was sent, or when it was planned.

    @property
    def usable(self) -> bool:
        """Whether a request can be sent on it."""
        return self._fd >= 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the descriptor: small requests are written to it directly."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance.
        self._fd = transport.get_extra_info("socket").fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the request in flight, if there is one, will not be answered."""
        self._fd = -1
        self._transport = None
        self._lost.set()
        self.closed.set()
        if self.busy:
            self.busy = False
            self._answered(self, LOST, b"")

    def send(self, request: bytes) -> None:
        """Send one request on a usable connection; its answer comes to ``answered``."""
        assert self._transport is not None
        self.busy = True
        try:  # Half the price of transport.write; the answer before this one has emptied the pipe.
            sent = os.write(self._fd, request)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._transport.abort()
            return
        if sent < len(request):
            self._transport.write(request[sent:])

    def data_received(self, data: bytes) -> None:
        """Hand over the answer once all of it is here."""
        if self._buffer:
            data = self._buffer = self._buffer + data
        head_end = data.find(_HEAD_END)
        if head_end < 0:
            self._buffer = data
            return
        if data.startswith(b"HTTP/1.1 1"):  # 100 Continue and the like carry nothing.
            self._buffer = b""
            if len(data) > head_end + 4:
                self.data_received(data[head_end + 4 :])
            return
        at = data.find(_LENGTH, 0, head_end) + 7
        assert at > 6, f"an answer without Content-Length: {data[:head_end]!r}"
        end = head_end + 4 + int(data[at : data.find(b"\r", at)])
        if len(data) < end:
            self._buffer = data
            return
        if self._buffer:
            self._buffer = b""
        self.busy = False
        self._answered(self, int(data[9:12]), data[head_end + 4 :])

    def close(self) -> None:
        """Close it; a request in flight counts as lost."""
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Connections to one server that come back after they were lost."""

    def __init__(self, host: str, port: int, ready: Ready, answered: Answered) -> None:
        self._address = (host, port)
        self._ready = ready
        self._answered = answered
        self._lost = asyncio.Event()
        self._mender: asyncio.Task[None] | None = None
        self._connections: list[Connection] = []

    async def open(self, count: int) -> None:
        """Open ``count`` connections, a few at a time: listen queues are short."""
        for begin in range(0, count, 64):
            few = range(begin, min(begin + 64, count))
            self._connections += await asyncio.gather(*(self._connect() for _ in few))
        self._mender = asyncio.create_task(self._mend())
        for connection in list(self._connections):
            self._ready(connection)

    async def close(self) -> None:
        """Close them all; what is in flight is reported as lost."""
        if self._mender is not None:
            self._mender.cancel()
        for connection in self._connections:
            connection.close()
        await asyncio.gather(*(connection.closed.wait() for connection in self._connections))

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._answered, self._lost), *self._address
        )
        return connection

    async def _mend(self) -> None:
        """Replace lost connections; while the server is away, ten attempts a second."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            for at, connection in enumerate(self._connections):
                if connection.usable:
                    continue
                try:
                    self._connections[at] = await self._connect()
                except OSError:
                    self._lost.set()
                    await asyncio.sleep(0.1)
                    break
                self._ready(self._connections[at])


async def ask(
    address: tuple[str, int], requests: Sequence[bytes], connections: int = 32
) -> list[tuple[int, bytes]]:
    """(status, body) of each request in order, ``connections`` at a time: for setup and audit."""
    answers: list[tuple[int, bytes]] = [(LOST, b"")] * len(requests)
    waiting = iter(range(len(requests)))
    left = len(requests)
    done = asyncio.Event()

    def ready(connection: Connection) -> None:
        number = next(waiting, None)
        if number is not None:
            connection.number = number
            connection.send(requests[number])

    def answered(connection: Connection, status: int, body: bytes) -> None:
        nonlocal left
        answers[connection.number] = (status, body)
        left -= 1
        if left == 0:
            done.set()
        elif status != LOST:
            ready(connection)

    if not requests:
        return answers
    pool = Pool(*address, ready, answered)
    await pool.open(min(connections, len(requests)))
    try:
        await done.wait()
    finally:
        await pool.close()
    return answers


def request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """The bytes of one request. ``headers``: complete lines, each ending in CRLF."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {len(body)}"
    return head.encode() + _HEAD_END + body
