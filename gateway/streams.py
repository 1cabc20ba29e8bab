"""Server-sent events: portions of a feed as they come, until the reader goes or the worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import structlog
from fastapi.responses import StreamingResponse

from actors.lane import LineLost
from gateway.problems import Refused, retry

#: Streams of one worker: each asks the owners four times a second while nothing happens.
STREAMS_MAX: Final = 64
_POLL_S: Final = 0.25
_FULL_RETRY_MS: Final = 5_000
#: A comment after so long without an event tells proxies and readers that the line is alive.
_HEARTBEAT_S: Final = 10.0
log = structlog.get_logger()
_open = 0  # Streams open now.


class Portion(NamedTuple):
    """Messages to send, and where to go on."""

    messages: list[bytes]
    next: str
    more: bool  # Go on at once: there was more than a portion.


class TooSlow(Exception):
    """What comes next for this reader is not kept any more."""


#: The portion behind a cursor. Raises TooSlow; LineLost or TimeoutError are tried again.
Read: TypeAlias = Callable[[str], Awaitable[Portion]]


def wants_stream(accept: str) -> bool:
    """Whether a reader asks for a stream."""
    return "text/event-stream" in accept


def begin() -> None:
    """Refused where no further stream may begin now."""
    if _open >= STREAMS_MAX:
        raise Refused(retry("overloaded", f"{STREAMS_MAX} streams are open here", _FULL_RETRY_MS))


def streamed(first: Portion, read: Read, stop: asyncio.Event) -> StreamingResponse:
    """A stream that begins with ``first``; what was wrong with the request was told before."""
    headers = {"Cache-Control": "no-store"}
    body = _messages(first, read, stop)
    return StreamingResponse(body, headers=headers, media_type="text/event-stream")


def message(cursor: str | None, kind: str, data: bytes) -> bytes:
    """One message; without a cursor a reader that comes again gets it again."""
    name = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return b"%bevent: %b\ndata: %b\n\n" % (name, kind.encode(), data)


async def _messages(portion: Portion, read: Read, stop: asyncio.Event) -> AsyncIterator[bytes]:
    """A portion is sent before the next is read: a slow reader holds up nobody but himself."""
    global _open  # noqa: PLW0603 -- The bound is the worker's, and so is the count.
    _open += 1
    loop = asyncio.get_running_loop()
    said_at = loop.time()
    try:
        while True:
            for one in portion.messages:
                yield one
                said_at = loop.time()
            if loop.time() - said_at >= _HEARTBEAT_S:
                yield b": alive\n\n"
                said_at = loop.time()
            if stop.is_set() or (not portion.more and await _stopped(stop)):
                return
            try:
                portion = await read(portion.next)
            except (LineLost, TimeoutError):  # A shard has no owner for a moment: the cursor stays.
                portion = Portion([], portion.next, more=False)
            except TooSlow:
                log.warning("a reader of a feed is too slow: its stream ends")
                return
    finally:
        _open -= 1


async def _stopped(stop: asyncio.Event) -> bool:
    """Whether the worker is to end within a moment; the pause between two questions."""
    try:
        async with asyncio.timeout(_POLL_S):
            await stop.wait()
    except TimeoutError:
        return False
    return True
