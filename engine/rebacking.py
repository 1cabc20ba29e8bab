"""Homes hear where the units of their pieces stand, once a receipt or a move has changed that.

Each change of a piece's backings has a number, its time, so that an older word, which may come
late, changes nothing. A parcel is the other way round: home says where units have left from, and
the piece lets them stand there.
"""

from collections import Counter
from collections.abc import Iterable

from engine.backings import restand, units_left
from engine.commands import Command, Reply
from engine.events import Event
from engine.ids import shard_of
from engine.outcome import Outcome
from engine.record import BACKINGS, COSTS, NONCE, REBACKED, SHIPPED, UNTOLD, Line, Reservation
from engine.shortfalls import review
from engine.state import PIECE, ShardState
from engine.stock import rose

OK = Outcome.OK
#: The number of a piece that was changed before changes had numbers.
_FIRST = 1


def last_change(piece: Reservation) -> int:
    """The number of the last change of a piece's backings."""
    count: int = piece.extra.get(REBACKED, _FIRST)
    return count


def note_change(state: ShardState, field: str, record: Reservation) -> None:
    """Backings of a record have changed: of a piece, home is to be told."""
    if field[0] != PIECE:
        return
    record.extra[REBACKED] = max(record.extra.get(REBACKED, 0) + 1, state.effects.now_ms)
    record.extra[UNTOLD] = True
    if field not in state.untold:
        state.untold.add(field)
        state.undo(lambda: state.untold.discard(field))


def reback(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.reback``."""
    _, key, nonce, lines, costs, count = command
    record = state.reservations.get(key)
    if record is None:
        return [OK]
    reservation = Reservation(record)
    if reservation.extra.get(NONCE) != nonce.hex():
        return [OK]  # Of an attempt that is over.
    shard = shard_of(lines[0][0], state.shards)
    known: dict[int, int] = reservation.extra.get(REBACKED, {})
    if count <= known.get(shard, 0) or not _has_what_left(reservation, lines):
        return [OK]  # An older word: or the piece will hear from where a parcel has left.
    anew = {(line[0], line[1]): line for line in lines if line[0] not in state.books}
    mine = [line for line in reservation.lines if (line[0], line[1]) in anew]
    for line in mine:
        line[BACKINGS:] = anew[line[0], line[1]][BACKINGS:]
    reservation.extra[REBACKED] = {**known, shard: count}
    if COSTS in reservation.extra:
        skus = {line[0] for line in mine}
        told = reservation.extra[COSTS].items()
        others = {at: cost for at, cost in told if at.partition("|")[0] not in skus}
        reservation.extra[COSTS] = {**others, **costs}
    changed = reservation.packed()
    state.put(key, changed)
    state.fact(Event.MOVED, key, changed)
    return [OK]


def _has_what_left(reservation: Reservation, lines: Iterable[Line]) -> bool:
    """Whether lines stand where units of theirs have left from already."""
    there: Counter[tuple[str, str]] = Counter()
    skus = set()
    for line in lines:
        skus.add(line[0])
        for slot, units in zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True):
            there[line[0], slot] += units
    left: Counter[tuple[str, str]] = Counter()
    for _, parcel in reservation.extra.get(SHIPPED, {}).values():
        for sku, node, units in parcel:
            if sku in skus:
                left[sku, node] += units
    return left <= there


def stand_where_left(
    state: ShardState, field: str, piece: Reservation, parcel: Iterable[tuple[str, str, int]]
) -> None:
    """Let confirmed units of a piece stand where a parcel of them has left from.

    A move may have them elsewhere by now, of which home had not heard. What was at the node may be
    promised to others then: the world has taken it, and they are short.
    """
    for sku, node, units in parcel:
        standing = units_left(piece)
        short = units - standing.get((sku, node), 0)
        for (other, slot), there in standing.items():
            part = min(short, there)
            if other != sku or slot == node or part <= 0:
                continue
            short -= part
            origin, to = state.position(other, slot), state.position(other, node)
            state.touch(origin)
            origin.committed -= part
            state.commit_again(to, part)
            left = part
            for line in piece.lines:
                if line[0] == sku and left:
                    left -= restand(line, slot, node, left)
            note_change(state, field, piece)
            rose(origin)
            review(state, origin)
            review(state, to, "shipped meanwhile")


def told(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.told``."""
    _, field, seen = command
    record = state.reservations.get(field)
    if record is None:
        state.untold.discard(field)
        return [OK]
    if record == seen:
        piece = Reservation(record)
        piece.extra.pop(UNTOLD, None)
        changed = piece.packed()
        state.put(field, changed)
        state.fact(Event.PIECE, field, changed)
        if field in state.untold:
            state.untold.discard(field)
            state.undo(lambda: state.untold.add(field))
    return [OK]
