"""The feed of what happened."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeAlias

import structlog
from fastapi import Response
from fastapi.responses import StreamingResponse

from actors.feed import CursorExpired, CursorUnusable, Happened, Page
from actors.lane import LineLost
from actors.shown import TYPES
from gateway.answers import to_json
from gateway.cold import Ask
from gateway.problems import Refused, invalid, problem, retry
from gateway.reading import checked_id
from gateway.times import written

#: Whether an event is asked for.
Wanted: TypeAlias = Callable[[Happened], bool]

#: Streams of one worker: each asks the hosts four times a second while nothing happens.
STREAMS_MAX: Final = 64
_POLL_S: Final = 0.25
_FULL_RETRY_MS: Final = 5_000
#: A comment after so long without an event tells proxies and readers that the line is alive.
_HEARTBEAT_S: Final = 10.0
_LIMIT_DEFAULT: Final = 100
_LIMIT_MAX: Final = 1_000
log = structlog.get_logger()
_streams = 0  # Open now.
_NUMBER: Final = re.compile(r"[0-9]{1,4}\Z", re.ASCII)


async def get_events(ask: Ask) -> Response:
    """GET /v1/events"""
    query = ask.query("after", "limit", "types", "sku")
    limit = limit_in(query.get("limit"))
    wanted = _wanted(query)
    after = query.get("after") or None
    if "text/event-stream" in ask.request.headers.get("accept", ""):
        after = ask.request.headers.get("last-event-id") or after
        return await streamed(ask, after, wanted, limit)
    events, cursor = await read_page(ask, after, limit + 1)
    more = len(events) > limit
    shown = events[:limit]
    return ask.answer({
        "events": [document(event) for event in shown if wanted(event)],
        "next": shown[-1].cursor if more else cursor,
        "more": more,
    })  # fmt: skip


async def read_page(ask: Ask, after: str | None, limit: int) -> Page:
    """A page of the feed; Refused where there is none behind this cursor."""
    try:
        async with asyncio.timeout_at(ask.deadline_at):
            return await ask.client.events(after, limit)
    except CursorUnusable:
        raise Refused(invalid("query.after", "is no cursor of this feed")) from None
    except CursorExpired as expired:
        detail = "events behind this cursor were trimmed"
        raise Refused(problem("cursor-expired", detail, oldest=expired.oldest)) from None


def _wanted(query: Mapping[str, str]) -> Wanted:
    """Which events are asked for: of these types, of this SKU."""
    types = frozenset(query["types"].split(",")) if "types" in query else None
    unknown = sorted(types - TYPES) if types is not None else []
    if unknown:
        raise Refused(invalid("query.types", f"{unknown[0][:100]} is no type of event"))
    sku = checked_id(query["sku"], "query.sku") if "sku" in query else None
    return lambda event: (types is None or event.type in types) and sku in (None, event.sku)


def limit_in(text: str | None) -> int:
    """How many a page has, as a query gives it."""
    if text is None:
        return _LIMIT_DEFAULT
    if _NUMBER.match(text) is None or not 1 <= int(text) <= _LIMIT_MAX:
        raise Refused(invalid("query.limit", f"is not 1-{_LIMIT_MAX}"))
    return int(text)


def document(event: Happened) -> dict[str, Any]:
    """An event as the API tells it."""
    return {
        "cursor": event.cursor,
        "shard": event.shard,
        "seq": event.seq,
        "at": written(event.at_ms),
        "type": event.type,
        "sku": event.sku,
        "data": event.data,
    }


async def streamed(ask: Ask, after: str | None, wanted: Wanted, limit: int) -> Response:
    """Server-sent events from a cursor on, until the reader goes or the worker ends.

    What is wrong with the cursor is told before the stream begins.
    """
    if _streams >= STREAMS_MAX:
        raise Refused(retry("overloaded", f"{STREAMS_MAX} streams are open here", _FULL_RETRY_MS))
    first = await read_page(ask, after, limit)
    headers = {"Cache-Control": "no-store"}
    body = _lines(ask, first, wanted, limit)
    return StreamingResponse(body, headers=headers, media_type="text/event-stream")


async def _lines(ask: Ask, page: Page, wanted: Wanted, limit: int) -> AsyncIterator[bytes]:
    global _streams  # noqa: PLW0603 -- The bound is the worker's, and so is the count.
    _streams += 1
    loop = asyncio.get_running_loop()
    said_at = loop.time()
    try:
        while True:
            for event in page.events:
                if wanted(event):
                    yield _line(event)
                    said_at = loop.time()
            if not page.events and loop.time() - said_at >= _HEARTBEAT_S:
                yield b": alive\n\n"
                said_at = loop.time()
            if not page.events and await _stopped(ask.gateway.stop):
                return
            try:
                page = await ask.client.events(page.next, limit)
            except (LineLost, TimeoutError):
                continue  # A shard has no owner for a moment: the cursor stays where it is.
            except CursorExpired:
                log.warning("a reader of the feed is too slow: its stream ends")
                return
    finally:
        _streams -= 1


async def _stopped(stop: asyncio.Event) -> bool:
    """Whether the worker is to end within a moment; the pause between two questions."""
    try:
        async with asyncio.timeout(_POLL_S):
            await stop.wait()
    except TimeoutError:
        return False
    return True


def _line(event: Happened) -> bytes:
    data = to_json(document(event)).decode()
    return f"id: {event.cursor}\nevent: {event.type}\ndata: {data}\n\n".encode()
