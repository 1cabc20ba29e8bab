"""An HTTP/1.1 connection that sends requests in blocks without waiting for single answers.

A load is tens of thousands of small requests; one by one, each would wait for a turn around the
event loops of both sides. Blocks are only for requests that may be sent again: when a connection
breaks, nobody knows how many of a block were done.
"""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

#: An adjustment of 10,000 rows may take its whole deadline of 30 s, and a busy machine more.
ANSWER_SECONDS_MAX: Final = 60.0

Answer = tuple[int, bytes]


class Unreachable(Exception):
    """No gateway answers at the address, or it stopped answering."""


class Pipe(asyncio.Protocol):
    """One connection to a gateway. Use ``open_pipe``."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._answers: list[Answer] = []
        self._body = b""
        self._wanted = 0
        self._done: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    async def exchange(self, requests: list[bytes]) -> list[Answer]:
        """(status, body) of each request made by ``request``, in order.

        Raises Unreachable when the connection ends or the answers stay away; some of the requests
        may have been done by then.
        """
        if self._transport is None or self._transport.is_closing():
            message = f"the connection to {self._host} is closed"
            raise Unreachable(message)
        self._answers, self._wanted = [], len(requests)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(requests))
        try:
            await asyncio.wait_for(self._done, ANSWER_SECONDS_MAX)
        except TimeoutError as late:
            message = f"{self._host} has not answered for {ANSWER_SECONDS_MAX:g} s"
            raise Unreachable(message) from late
        return self._answers

    def close(self) -> None:
        """Close the connection; harmless when it is closed."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as broken:
            self._fail(f"{self._host} does not speak HTTP: {broken}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._fail(f"{self._host} closed the connection" + (f": {exc}" if exc else ""))

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._answers.append((self._parser.get_status_code(), self._body))
        self._body = b""
        if len(self._answers) == self._wanted and self._done and not self._done.done():
            self._done.set_result(None)

    def _fail(self, message: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Unreachable(message))


async def open_pipe(url: str) -> Pipe:
    """A connection to the gateway at ``url``. Raises Unreachable."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        _, pipe = await asyncio.get_running_loop().create_connection(lambda: Pipe(url), host, port)
    except OSError as refused:
        message = f"nothing answers at {url}: {refused}"
        raise Unreachable(message) from refused
    return pipe


def request(method: str, path: str, body: bytes, *, deadline_ms: int) -> bytes:
    """The bytes of one request with a JSON body, for ``Pipe.exchange``."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: tidegate\r\nContent-Type: application/json\r\n"
        f"X-Deadline-Ms: {deadline_ms}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
