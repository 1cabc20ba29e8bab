"""What a channel may sell, followed: all SKUs page by page, then those whose figure may differ."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgpack
from fastapi import Response

from engine import commands
from engine.commands import Reply
from engine.limits import VIEW_AGE_MS_MAX
from engine.outcome import Outcome
from gateway import streams
from gateway.answers import to_json
from gateway.cold import Ask
from gateway.hot_availability import Query, nodes_of, promisable
from gateway.problems import Refused, invalid, of_read, problem
from gateway.reading import checked_id
from gateway.routes.events import limit_in
from gateway.streams import Portion
from gateway.views import Sku

_KIND: Final = "availability.changed"
#: Place of a shard: None at the beginning, else as ``engine.changes`` gives it.
Places = list[list[Any] | None]


class Place(NamedTuple):
    """Where a reader stands: in each shard, and which of them is told first next time."""

    scope: bytes  # Of what his figures are: channel and nodes.
    turn: int
    places: Places

    def cursor(self) -> str:
        """As callers see it."""
        return base64.urlsafe_b64encode(msgpack.packb(list(self))).decode().rstrip("=")


class Page(NamedTuple):
    """Some SKUs with their figures now."""

    items: list[dict[str, Any]]
    next: str
    more: bool


async def get_changes(ask: Ask) -> Response:
    """GET /v1/availability/changes"""
    query = ask.query("channel", "after", "limit")
    channel = checked_id(query["channel"], "query.channel") if "channel" in query else None
    limit = limit_in(query.get("limit"))
    after = query.get("after") or None
    if not streams.wants_stream(ask.request.headers.get("accept", "")):
        page = await _page(ask, channel, after, limit, ask.deadline_at)
        return ask.answer(page._asdict())
    streams.begin()
    after = ask.request.headers.get("last-event-id") or after
    loop = asyncio.get_running_loop()

    async def read(cursor: str) -> Portion:
        try:
            until = loop.time() + VIEW_AGE_MS_MAX / 1000
            return _portion(await _page(ask, channel, cursor, limit, until))
        except Refused as refused:
            if refused.problem.kind.retryable:
                raise TimeoutError from None
            raise streams.TooSlow from None

    first = await _page(ask, channel, after, limit, ask.deadline_at)
    return streams.streamed(_portion(first), read, ask.gateway.stop)


def _portion(page: Page) -> Portion:
    """Messages of a page; only its last names a cursor, for a place is behind a whole page."""
    last = len(page.items) - 1
    messages = [
        streams.message(page.next if at == last else None, _KIND, to_json(item))
        for at, item in enumerate(page.items)
    ]
    return Portion(messages, page.next, page.more)


async def _page(
    ask: Ask, channel: str | None, after: str | None, limit: int, deadline_at: float
) -> Page:
    """The page behind a cursor; Refused where there is none."""
    query = Query((), channel, None, None, None)
    nodes = await _nodes(ask, query, deadline_at)
    shards = ask.client.shards
    scope = _scope(channel, nodes)
    beginning = Place(scope, 0, [None] * shards)
    place = beginning if after is None else _placed(after, shards)
    if place.scope != scope:
        raise _expired(beginning, "figures of this channel are of other nodes now")
    most = max(1, limit // shards)
    replies = await asyncio.gather(*(
        ask.client.call(shard, commands.changes(at, most), deadline_at)
        for shard, at in enumerate(place.places)
    ))  # fmt: skip
    for reply in replies:
        if reply[0] == Outcome.GAP:
            raise _expired(beginning, "an owner cannot tell any more what has changed")
        if reply[0] != Outcome.OK:
            raise Refused(of_read(reply, "availability"))
    items: list[dict[str, Any]] = []

    def figure(sku: str, seq: int, seen: Sku) -> None:
        atp, served = promisable(seen, query, nodes)
        by_node = [{"node": node, "atp": units} for node, units in served if units]
        items.append({"sku": sku, "atp": atp, "as_of_seq": seq, "by_node": by_node})

    behind, more = _told(place, replies, limit, figure)
    return Page(items, behind.cursor(), more)


def _told(
    place: Place, replies: Sequence[Reply], limit: int, figure: Callable[[str, int, Sku], None]
) -> tuple[Place, bool]:
    """Tell what fits, shard after shard; where that ends, and whether there is more.

    What did not fit comes first next time: no shard waits for long behind a busy one.
    """
    places, left, more = list(place.places), limit, False
    for step in range(len(replies)):
        shard = (place.turn + step) % len(replies)
        _ok, seq, behind, told = replies[shard]
        if len(told) > left:
            return Place(place.scope, shard, places), True
        left -= len(told)
        places[shard] = behind
        more = more or bool(behind[2])
        for sku, seen in told.items():
            figure(sku, seq, seen)
    return Place(place.scope, place.turn, places), more


async def _nodes(ask: Ask, query: Query, deadline_at: float) -> frozenset[str] | None:
    ready: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()

    def seen(refusal: Reply | None) -> None:
        if not ready.done():
            ready.set_result(refusal)

    network = ask.gateway.intake.network
    network.see(seen)
    async with asyncio.timeout_at(deadline_at):
        refusal = await ready
    if refusal is not None:
        raise Refused(of_read(refusal, "availability"))
    return nodes_of(network, query)


def _scope(channel: str | None, nodes: frozenset[str] | None) -> bytes:
    """Short for a channel and the nodes that it is served from: with others all may differ."""
    packed = msgpack.packb([channel, None if nodes is None else sorted(nodes)])
    return blake2b(packed, digest_size=8).digest()


def _expired(beginning: Place, detail: str) -> Refused:
    return Refused(problem("cursor-expired", detail, oldest=beginning.cursor()))


def _placed(cursor: str, shards: int) -> Place:
    """A cursor that was given to a caller; Refused if it was not."""
    wrong = Refused(invalid("query.after", "is no cursor of these changes"))
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        scope, turn, places = msgpack.unpackb(
            base64.b64decode(padded, altchars=b"-_", validate=True)
        )
    except (ValueError, TypeError, binascii.Error, msgpack.UnpackException):
        raise wrong from None
    good = isinstance(scope, bytes) and isinstance(places, list) and len(places) == shards
    if not good or type(turn) is not int or not 0 <= turn < shards:
        raise wrong
    if not all(at is None or _is_place(at) for at in places):
        raise wrong
    return Place(scope, turn, places)


def _is_place(at: Any) -> bool:
    if not isinstance(at, list) or len(at) != 4:
        return False
    epoch, seq, sku, whole = at
    numbers = all(type(number) is int and 0 <= number < 2**63 for number in (epoch, seq))
    return numbers and isinstance(sku, str) and len(sku) <= 64 and isinstance(whole, bool)
