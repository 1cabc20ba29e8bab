"""Pieces that the store has lost, made again of what home has promised."""

from engine.commands import Reply
from engine.outcome import Outcome
from engine.record import BACKINGS, HOME, Line, Reservation, Status
from engine.shortfalls import review
from engine.state import PIECE, ShardState


def nowhere(state: ShardState, lines: list[Line]) -> Reply | None:
    """What must be known again before lost units can be counted: SKUs, positions."""
    skus = sorted({line[0] for line in lines if line[0] not in state.books})
    if skus:
        return [Outcome.UNKNOWN_SKU, skus]
    nodes = {
        line[at]
        for line in lines
        for at in range(BACKINGS, len(line), 2)
        if line[at] not in state.books[line[0]].positions
    }
    return [Outcome.UNKNOWN_NODE, sorted(nodes)] if nodes else None


def found_again(
    state: ShardState, reservation_id: str, nonce: bytes, lines: list[Line]
) -> Reservation:
    """A confirmed piece that the store has lost: its units are promised, sold again or not.

    To the guard the world has taken them. What others have got meanwhile becomes a shortfall.
    """
    piece = Reservation.__new__(Reservation)
    piece.status, piece.level, piece.digest = Status.CONFIRMED, state.level, nonce
    piece.lines, piece.extra = lines, {HOME: int(reservation_id.partition(".")[0], 16)}
    piece.expires_at_ms = 0
    for sku, node, units in piece.backings():
        position = state.position(sku, node)
        state.commit_again(position, units)
        review(state, position, "lost piece")
    for line in lines:
        state.taken(line, PIECE + reservation_id)
    return piece
