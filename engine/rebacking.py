"""Homes hear where the units of their pieces stand, once a receipt has moved them."""

from engine.commands import Command, Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import BACKINGS, NONCE, UNTOLD, Reservation
from engine.state import ShardState

OK = Outcome.OK


def reback(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.reback``."""
    _, key, nonce, lines = command
    record = state.reservations.get(key)
    if record is None:
        return [OK]
    reservation = Reservation(record)
    anew = {(line[0], line[1]): line for line in lines}
    if reservation.extra.get(NONCE) != nonce.hex():
        return [OK]  # Of an attempt that is over.
    for line in reservation.lines:
        if (line[0], line[1]) in anew:
            line[BACKINGS:] = anew[line[0], line[1]][BACKINGS:]
    changed = reservation.packed()
    if changed != record:
        state.put(key, changed)
        state.fact(Event.MOVED, key, changed)
    return [OK]


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
        state.untold.discard(field)
        state.undo(lambda: state.untold.add(field))
    return [OK]
