"""The feed of what happened."""

import asyncio
import re
from typing import Any, Final

from fastapi import Response

from actors.feed import CursorExpired, CursorUnusable, Happened
from gateway.cold import Ask
from gateway.problems import Refused, invalid, problem
from gateway.times import written

_LIMIT_DEFAULT: Final = 100
_LIMIT_MAX: Final = 1_000
_NUMBER: Final = re.compile(r"[0-9]{1,4}\Z", re.ASCII)


async def get_events(ask: Ask) -> Response:
    """GET /v1/events"""
    query = ask.query("after", "limit")
    limit = limit_in(query.get("limit"))
    try:
        async with asyncio.timeout_at(ask.deadline_at):
            events, cursor = await ask.client.events(query.get("after") or None, limit + 1)
    except CursorUnusable:
        raise Refused(invalid("query.after", "is no cursor of this feed")) from None
    except CursorExpired as expired:
        detail = "events behind this cursor were trimmed"
        raise Refused(problem("cursor-expired", detail, oldest=expired.oldest)) from None
    more = len(events) > limit
    shown = events[:limit]
    return ask.answer({
        "events": [_event(event) for event in shown],
        "next": shown[-1].cursor if more else cursor,
        "more": more,
    })  # fmt: skip


def limit_in(text: str | None) -> int:
    """How many a page has, as a query gives it."""
    if text is None:
        return _LIMIT_DEFAULT
    if _NUMBER.match(text) is None or not 1 <= int(text) <= _LIMIT_MAX:
        raise Refused(invalid("query.limit", f"is not 1-{_LIMIT_MAX}"))
    return int(text)


def _event(event: Happened) -> dict[str, Any]:
    return {
        "cursor": event.cursor,
        "shard": event.shard,
        "seq": event.seq,
        "at": written(event.at_ms),
        "type": event.type,
        "sku": event.sku,
        "data": event.data,
    }
