"""Units that came back are offered to those who wait, before anybody else may take them.

An offer is an ordinary hold with a key of its own and a short time: nothing can be oversold by it,
and it is confirmed, released and expired like any other. The first in the list whose whole
quantity can be had gets it; who wants more than there is keeps his place. Offers are made in the
decision that brought the units back, a bounded number at a time.
"""

from hashlib import blake2b
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from engine import totals
from engine.allowances import is_open, refuse_share
from engine.demand import OF_CAMPAIGN, demand_of
from engine.events import Event
from engine.granting import grant, store_hold
from engine.ids import shard_of
from engine.limits import OFFERS_MAX
from engine.outcome import Outcome
from engine.record import CUSTOMER, LIMITS, NONCE, PIECES, Extra, Reservation, pack
from engine.sourcing import available
from engine.stock import Book
from engine.waiting_list import Alike, Entry, Queue, Standing

if TYPE_CHECKING:
    from engine.state import ShardState

#: How keys of offers begin.
OFFER: Final = "offer-"
_HASH_BYTES: Final = 12
_NONCE_BYTES: Final = 8


def offer(state: "ShardState", now_ms: int) -> None:
    """Serve those who wait for SKUs that were stirred.

    ``behind`` are then those SKUs for which there was no time: see ``granting.refuse``.
    """
    waiting = state.waiting
    if waiting.paused:
        return
    room = OFFERS_MAX
    for sku in list(waiting.stirred):
        book = state.books.get(sku)  # None: it was made in a batch that was taken back.
        queue = book.waiting if book is not None else None
        if queue is not None:
            room = _serve(state, queue, now_ms, room)
        if room <= 0:
            break
        del waiting.stirred[sku]
        if queue is not None:
            state.undo(queue.stir)
    waiting.behind = frozenset(waiting.stirred)


def _serve(state: "ShardState", queue: Queue, now_ms: int, room: int) -> int:
    """Make at most so many offers to those in one queue; how many more there is room for."""
    #: Units for all who ask alike, at most: they only get fewer while offers are made.
    left: dict[Alike, int] = {}
    wanted: dict[Alike, int] = {}  # By the same: the most of one of them.
    firsts: list[tuple[int, Entry]] = []
    for alike, units in queue.kinds:
        wanted[alike] = max(units, wanted.get(alike, 0))
        _enter(firsts, queue.first((alike, units), now_ms))
    while firsts and room > 0:
        _, entry = heappop(firsts)
        alike, _ = entry.kind
        if _campaign_is_over(queue.book, entry, now_ms):
            _end(state, entry, Standing.EXPIRED, now_ms)
            room -= 1
            _enter(firsts, queue.first(entry.kind, now_ms))
            continue
        if alike not in left:
            extra = {name: value for name, value in entry.extra.items() if name != CUSTOMER}
            demand = demand_of(state, extra, now_ms)
            left[alike] = available(queue.book, None, wanted[alike], demand)
        if entry.units <= left[alike]:
            if _try(state, entry, now_ms):
                room -= 1
                _enter(firsts, queue.first(entry.kind, now_ms))
            else:
                left[alike] = entry.units - 1
    return room


def _enter(firsts: list[tuple[int, Entry]], entry: Entry | None) -> None:
    """The first of a kind stands among those of the others."""
    if entry is not None:
        heappush(firsts, (entry.number, entry))


def _campaign_is_over(book: Book, entry: Entry, now_ms: int) -> bool:
    if entry.campaign is None:
        return False
    share = book.shares.get(OF_CAMPAIGN + entry.campaign)
    return share is None or not is_open(share, now_ms)


def _end(state: "ShardState", entry: Entry, standing: Standing, now_ms: int) -> None:
    ended = entry._replace(standing=standing, until_ms=now_ms)
    put(state, entry.key, ended, Event.WAITING_ENDED)


def _try(state: "ShardState", entry: Entry, now_ms: int) -> bool:
    """Hold units for an entry, or end it where its customer may have no more; else False."""
    demand = demand_of(state, entry.extra, now_ms)
    lines = [[entry.sku, None, entry.units]]
    extra = entry.extra
    limits = totals.limits_of(state, lines, extra)
    if limits:
        extra[LIMITS] = limits
    counted = totals.asked(extra, lines, late=False)
    total = totals.total_here(state, counted, None)
    refused = refuse_share(
        state, lines, demand, lambda: None if total is None else totals.over(state, limits, total)
    )
    if refused is not None and refused[0] == Outcome.OVER_LIMIT:
        _end(state, entry, Standing.OVER_LIMIT, now_ms)
        return True
    granted = grant(state, lines, demand) if refused is None else None
    if granted is None:
        return False
    key = _offer_key(state, entry)
    until_ms = now_ms + entry.offer_ms
    is_elsewhere = counted is not None and total is None
    if counted is not None:
        _count(state, key, extra, counted, is_elsewhere=is_elsewhere)
    store_hold(state, key, bytes.fromhex(entry.digest), granted, extra, demand, until_ms)
    if is_elsewhere:
        asked = entry._replace(standing=Standing.ASKED, reservation=key)
        put(state, entry.key, asked, Event.WAITING_ASKED)
    else:
        offered = entry._replace(standing=Standing.OFFERED, until_ms=until_ms, reservation=key)
        put(state, entry.key, offered, Event.WAITING_OFFERED)
    return True


def _count(
    state: "ShardState", key: str, extra: Extra, counted: totals.Counted, *, is_elsewhere: bool
) -> None:
    """Count an offer under its customer's limits over several SKUs, or say who will.

    His shard counts with a piece, as for every reservation. It is asked behind this decision:
    until it has agreed nobody is told of the hold, whose key cannot be guessed.
    """
    if is_elsewhere:
        extra[NONCE] = blake2b(key.encode(), digest_size=_NONCE_BYTES).hexdigest()
        extra[PIECES] = [shard_of(counted[0], state.shards)]
    else:
        record = Reservation.__new__(Reservation)
        record.extra = extra
        totals.recount(state, record, counted)


def _offer_key(state: "ShardState", entry: Entry) -> str:
    """A key that nobody else has: no caller can know the head of the shard's history."""
    named = pack([state.head, state.shard, entry.key])
    return OFFER + blake2b(named, digest_size=_HASH_BYTES).hexdigest()


def put(state: "ShardState", key: str, entry: Entry | None, event: Event) -> None:
    """Store an entry as it is now; None: forget it."""
    waiting, before = state.waiting, state.waiting.entries.get(key)
    state.undo(lambda: waiting.set(state.books, key, before))
    waiting.set(state.books, key, entry)
    field = f"w|{key}"
    state.field(field, None if entry is None else pack(list(entry)))
    state.fact(event, field if entry is None else key, None if entry is None else list(entry))
