"""Backings moved from node to node: an order is promised the same units, elsewhere.

Whoever plans many orders at once looks at records, thinks for seconds, and comes back with moves.
A move names the record it saw; any change of it in between makes the move stale. Nothing is moved
that rests on more than the record and the node: units of an exclusive share, on their way, or
shipped.
"""

from collections import Counter
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from engine.accounts import account_of
from engine.backings import restand, units_left
from engine.commands import Command, Reply
from engine.costing import costs_of
from engine.demand import demand_of
from engine.events import Event
from engine.limits import MOVABLE_LOOKED_AT
from engine.outcome import Outcome
from engine.record import COSTS, PICKUP, ZONE, Reservation, Status, status_of
from engine.shortfalls import review
from engine.state import PIECE, ShardState
from engine.stock import ON_ITS_WAY, Book, moved

OK = Outcome.OK
_REVISION_BYTES: Final = 8


def revision(record: bytes) -> bytes:
    """What tells one state of a reservation from every other."""
    return blake2b(record, digest_size=_REVISION_BYTES).digest()


def movable(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.moving.movable``."""
    _, start, most, held = command
    wanted = {Status.CONFIRMED, Status.HELD} if held else {Status.CONFIRMED}
    rows: list[list[Any]] = []
    place = start
    for key, record in islice(state.reservations.items(), start, start + MOVABLE_LOOKED_AT):
        if len(rows) == most:
            break
        place += 1
        if key[0] != PIECE and status_of(record) in wanted and ZONE in Reservation(record).extra:
            rows.append([key, record])
    return [OK, place if place < len(state.reservations) else None, *rows]


def move(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.moving.move``."""
    _, key, seen, rows = command
    record = state.reservations.get(key)
    if record is None or revision(record) != seen:
        return [Outcome.STALE, key]
    reservation = Reservation(record)
    if reservation.status not in (Status.HELD, Status.CONFIRMED) or PICKUP in reservation.extra:
        return [Outcome.STALE, key]
    refused = _refused(state, reservation, rows)
    if refused is not None:
        return refused
    confirmed = reservation.status is Status.CONFIRMED
    for sku, origin, to, units in rows:
        positions = state.books[sku].positions
        for at, change in ((positions[origin], -units), (positions[to], units)):
            state.touch(at)
            if confirmed:
                at.committed += change
            else:
                at.reserved += change
        left = units
        for line in reservation.lines:
            if line[0] == sku and left:
                left -= restand(line, origin, to, left)
        for at in (positions[origin], positions[to]):
            moved(at)
            review(state, at)
    if COSTS in reservation.extra:
        skus = {row[0] for row in rows}
        lines = [line for line in reservation.lines if line[0] in skus]
        others = {
            at: cost
            for at, cost in reservation.extra[COSTS].items()
            if at.partition("|")[0] not in skus
        }
        demand = demand_of(state, reservation.extra, now_ms)
        reservation.extra[COSTS] = {**others, **costs_of(state, lines, demand)}
    reservation.level = state.level
    changed = reservation.packed()
    state.put(key, changed)
    state.fact(Event.MOVED, key, changed)
    return [OK, changed]


def _refused(state: ShardState, reservation: Reservation, rows: Any) -> Reply | None:
    """Why the moves cannot be made; None if all can."""
    left = Counter(units_left(reservation))
    wanted: Counter[tuple[str, str]] = Counter()
    for sku, origin, to, units in rows:
        book = state.books.get(sku)
        left[sku, origin] -= units
        if book is None or units < 1 or left[sku, origin] < 0 or ON_ITS_WAY in origin + to:
            return [Outcome.STALE, sku]
        if book.stopped or _exclusive(book, reservation):
            return [Outcome.STALE, sku]
        wanted[sku, to] += units
    short = []
    for (sku, node), units in wanted.items():
        position = state.books[sku].positions.get(node)
        there = 0 if position is None else position.sellable
        if there < units:
            short.append([sku, node, units, there])
    return [Outcome.SHORT, short, False] if short else None


def _exclusive(book: Book, reservation: Reservation) -> bool:
    """Whether its units were set aside at their node for its channel or campaign."""
    counted = account_of(book, reservation.extra)
    return counted is not None and counted.share is not None and counted.share.exclusive > 0
