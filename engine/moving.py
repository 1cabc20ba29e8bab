"""Backings moved from node to node: an order is promised the same units, elsewhere.

Whoever plans many orders at once looks at records, thinks for seconds, and comes back with moves.
A move names the record it saw; any change of it in between makes the move stale. Units to be
fetched stay; who waits for units on their way may have some that are there, not the other way
round. What is set aside for shares is nobody's to move to; the units of a
share that were sold count by how many they are, wherever they lie.
"""

from collections import Counter
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, NamedTuple

from engine.backings import restand, units_left
from engine.bids import NO_BIDS
from engine.commands import Command, Reply
from engine.commands.moving import Row
from engine.costing import costs_of
from engine.demand import demand_of, share_name
from engine.events import Event
from engine.limits import MOVABLE_LOOKED_AT
from engine.outcome import Outcome
from engine.rebacking import note_change
from engine.record import (
    COSTS,
    PICKUP,
    SHIPPED,
    ZONE,
    Reservation,
    Status,
    pack,
    status_of,
)
from engine.shortfalls import late_ended, review
from engine.state import PIECE, ShardState
from engine.stock import ON_ITS_WAY, Book, rose

OK = Outcome.OK
_REVISION_BYTES: Final = 8
#: In these states units of a reservation may stand elsewhere.
_MOVABLE: Final = frozenset({Status.HELD, Status.CONFIRMED})


def revision(record: bytes) -> bytes:
    """What tells apart states of a reservation that a move could go wrong between.

    What its lines stand on and what has left; not whether it has been paid for, which moves
    nothing, nor the news that it owes other shards.
    """
    seen = Reservation(record)
    told = pack([seen.lines, seen.extra.get(SHIPPED)])
    return blake2b(told, digest_size=_REVISION_BYTES).digest()


def movable(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.moving.movable``."""
    _, start, most, held = command
    wanted = _MOVABLE if held else {Status.CONFIRMED}
    rows: list[list[Any]] = []
    place = start
    for key, record in islice(state.reservations.items(), start, start + MOVABLE_LOOKED_AT):
        if len(rows) == most:
            break
        place += 1
        # A piece hears a moment later that its order was paid for.
        if status_of(record) not in (_MOVABLE if key[0] == PIECE else wanted):
            continue
        if key[0] == PIECE or ZONE in Reservation(record).extra:
            rows.append([key, record])
    return [OK, place if place < len(state.reservations) else None, *rows]


class _Ready(NamedTuple):
    """A move that may be made as far as its own record goes."""

    at: int
    key: str
    reservation: Reservation
    rows: list[Row]
    zone: str | None = None  # Where a piece goes, which only its home keeps.


def move(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.moving.move``."""
    outcomes: list[int] = []
    ready: list[_Ready] = []
    for at, (key, seen, rows, *to_zone) in enumerate(command[1]):
        reservation = _as_seen(state, key, seen)
        known = key in {one.key for one in ready}
        if known or reservation is None or not _may_leave(state, reservation, rows):
            outcomes.append(Outcome.STALE)
        else:
            outcomes.append(OK)
            ready.append(_Ready(at, key, reservation, rows, *to_zone))
    while (short := _short(state, ready)) is not None:
        outcomes[ready.pop(short).at] = Outcome.SHORT
    for one in ready:
        _make(state, one, now_ms)
    for position in dict.fromkeys(
        state.books[sku].positions[node]
        for one in ready
        for sku, *nodes, _ in one.rows
        for node in nodes
    ):
        rose(position)
        review(state, position)
    return [OK, outcomes]


def _as_seen(state: ShardState, key: str, seen: bytes) -> Reservation | None:
    """The reservation if it still is what the mover saw, and may be moved at all."""
    record = state.reservations.get(key)
    if record is None or (seen and revision(record) != seen):
        return None
    reservation = Reservation(record)
    if reservation.status not in _MOVABLE or PICKUP in reservation.extra:
        return None
    return reservation


def _may_leave(state: ShardState, reservation: Reservation, rows: list[Row]) -> bool:
    """Whether all these units stand where they are to leave, and nothing holds them there."""
    left = Counter(units_left(reservation))
    for sku, origin, to, units in rows:
        book = state.books.get(sku)
        left[sku, origin] -= units
        if book is None or units < 1 or left[sku, origin] < 0 or ON_ITS_WAY in to:
            return False
        if book.stopped or to not in book.positions or not _welcome(state, book, reservation, to):
            return False
    return bool(rows)


def _welcome(state: ShardState, book: Book, reservation: Reservation, node: str) -> bool:
    """Whether its channel may use the node, and its campaign units from there."""
    demand = demand_of(state, reservation.extra, state.effects.now_ms)
    channels = book.positions[node].place.channels
    if channels and demand.channel not in channels:
        return False
    if demand.pool is not None and node not in demand.pool:
        return False
    share = book.shares.get(share_name(reservation.extra) or "")
    return share is None or share.terms.nodes is None or node in share.terms.nodes


def _short(state: ShardState, ready: list[_Ready]) -> int | None:
    """The last of ``ready`` that enters a node which has not got the units; None: all fit."""
    net: Counter[tuple[str, str]] = Counter()
    for one in ready:
        for sku, origin, to, units in one.rows:
            net[sku, origin] -= units
            net[sku, to] += units
    full = {
        (sku, node)
        for (sku, node), units in net.items()
        if units > 0 and state.books[sku].positions[node].sellable < units
    }
    if not full:
        return None
    return next(
        at
        for at in reversed(range(len(ready)))
        if any((row[0], row[2]) in full for row in ready[at].rows)
    )


def _make(state: ShardState, one: _Ready, now_ms: int) -> None:
    reservation = one.reservation
    confirmed = reservation.status is Status.CONFIRMED
    for sku, origin, to, units in one.rows:
        positions = state.books[sku].positions
        late_ended(state, positions[origin], reservation, units)
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
    where_to = {**reservation.extra, **({} if one.zone is None else {ZONE: one.zone})}
    if COSTS in reservation.extra or one.zone is not None:
        skus = {row[0] for row in one.rows}
        lines = [line for line in reservation.lines if line[0] in skus]
        told = reservation.extra.get(COSTS, {}).items()
        others = {at: cost for at, cost in told if at.partition("|")[0] not in skus}
        # A plan chose these nodes, by prices of its own.
        demand = demand_of(state, where_to, now_ms)._replace(bids=NO_BIDS)
        reservation.extra[COSTS] = {**others, **costs_of(state, lines, demand)}
    note_change(state, one.key, reservation)
    reservation.level = state.level
    changed = reservation.packed()
    state.put(one.key, changed)
    state.fact(Event.MOVED, one.key, changed)
