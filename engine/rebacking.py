"""Homes hear where the units of their pieces stand, once a receipt has moved them."""

from collections.abc import Iterable

from engine.commands import Command, Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import BACKINGS, COSTS, NONCE, UNTOLD, Line, Reservation
from engine.state import ShardState
from engine.stock import ON_ITS_WAY

OK = Outcome.OK


def reback(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.reback``."""
    _, key, nonce, lines, costs = command
    record = state.reservations.get(key)
    if record is None:
        return [OK]
    reservation = Reservation(record)
    anew = {(line[0], line[1]): line for line in lines}
    if reservation.extra.get(NONCE) != nonce.hex():
        return [OK]  # Of an attempt that is over.
    mine = [line for line in reservation.lines if (line[0], line[1]) in anew]
    if _on_their_way(mine) <= _on_their_way(anew.values()):
        return [OK]  # An older word: units only come.
    for line in mine:
        line[BACKINGS:] = anew[line[0], line[1]][BACKINGS:]
    if COSTS in reservation.extra:
        skus = {line[0] for line in mine}
        told = reservation.extra[COSTS].items()
        others = {at: cost for at, cost in told if at.partition("|")[0] not in skus}
        reservation.extra[COSTS] = {**others, **costs}
    changed = reservation.packed()
    state.put(key, changed)
    state.fact(Event.MOVED, key, changed)
    return [OK]


def _on_their_way(lines: Iterable[Line]) -> int:
    """Units of lines that stand on supplies."""
    return sum(
        units
        for line in lines
        for slot, units in zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True)
        if ON_ITS_WAY in slot
    )


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
