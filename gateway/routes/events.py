"""The feed of what happened."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from fastapi import Response

from actors.feed import CursorExpired, CursorUnusable, Happened, Page
from actors.shown import TYPES
from gateway import streams
from gateway.answers import to_json
from gateway.cold import Ask
from gateway.problems import Refused, invalid, problem
from gateway.reading import checked_id
from gateway.streams import Portion
from gateway.times import written

#: Whether an event is asked for.
Wanted: TypeAlias = Callable[[Happened], bool]

_LIMIT_DEFAULT: Final = 100
_LIMIT_MAX: Final = 1_000
_NUMBER: Final = re.compile(r"[0-9]{1,4}\Z", re.ASCII)


async def get_events(ask: Ask) -> Response:
    """GET /v1/events"""
    query = ask.query("after", "limit", "types", "sku")
    limit = limit_in(query.get("limit"))
    wanted = _wanted(query)
    after = query.get("after") or None
    if streams.wants_stream(ask.request.headers.get("accept", "")):
        after = ask.request.headers.get("last-event-id") or after
        return await _stream(ask, after, wanted, limit)
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


async def _stream(ask: Ask, after: str | None, wanted: Wanted, limit: int) -> Response:
    """Server-sent events from a cursor on; what is wrong with it is told before they begin."""
    streams.begin()

    def told(page: Page) -> Portion:
        lines = [_message(event) for event in page.events if wanted(event)]
        return Portion(lines, page.next, more=bool(page.events))

    async def read(cursor: str) -> Portion:
        try:
            return told(await ask.client.events(cursor, limit))
        except CursorExpired:
            raise streams.TooSlow from None

    return streams.streamed(told(await read_page(ask, after, limit)), read, ask.gateway.stop)


def _message(event: Happened) -> bytes:
    return streams.message(event.cursor, event.type, to_json(document(event)))
