"""A server that answers everything with one fixed 201: its rate is the ceiling of the client.

Run as a child process (``python -m bench.stub BATCH``); prints ``ready http://127.0.0.1:PORT``.
``BATCH``: reservations a request. With more than one it stands in for the batch door.
"""

import asyncio
import os
import re
import sys
from typing import ClassVar, Final, cast

import uvloop

_BODY: Final = (
    b'{"id":"000.k","key":"k","status":"held","expires_at":"2026-12-01T11:15:00.000Z",'
    b'"durability":"memory","lines":[{"sku":"s","node":null,"requested":1,"quantity":1,'
    b'"backings":[{"node":"n","quantity":1,"supply":null,"deliver_by":null,"cost_cents":null}]}]}'
)
_ANSWER: Final = (
    b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_GATHER_S: Final = 0.001
_LENGTH: Final = re.compile(rb"(?i)content-length: (\d+)")


class Stub(asyncio.Protocol):
    """Answers each piece of data that arrives: right for small requests without pipelining.

    Answers leave together once a millisecond, as they do after a commit: answering each at once
    would wake the client for every single one and halve what it can do.
    """

    waiting: ClassVar[list[int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the descriptor to write to."""
        self._fd = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Answer within a millisecond."""
        if not self.waiting:
            asyncio.get_running_loop().call_later(_GATHER_S, self.flush)
        self.waiting.append(self._fd)

    @classmethod
    def flush(cls) -> None:
        """Write all answers that are due."""
        for fd in cls.waiting:
            os.write(fd, _ANSWER)
        cls.waiting.clear()


class BatchStub(asyncio.Protocol):
    """Answers each request of many reservations; those come in several pieces."""

    def __init__(self, size: int) -> None:
        results = b",".join([b'{"status":201,"body":%s}' % _BODY] * size)
        body = b'{"results":[%s]}' % results
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it: an answer may be longer than the socket takes at once."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when all of a request has come. Its head is small and comes in one piece."""
        if self._left == 0:
            length = _LENGTH.search(data)
            assert length is not None, data[:200]
            self._left = data.index(b"\r\n\r\n") + 4 + int(length[1])
        self._left -= len(data)
        if self._left == 0:
            self._transport.write(self._answer)


async def serve(size: int) -> None:
    """Serve on a free loopback port until killed."""
    server = await asyncio.get_running_loop().create_server(
        Stub if size == 1 else lambda: BatchStub(size), "127.0.0.1", 0, backlog=1024
    )
    sys.stdout.write(f"ready http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
