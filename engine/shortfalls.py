"""Units promised but not there any more: never hidden, always a record with a deadline."""

from typing import Any, Final

from engine.events import Event
from engine.limits import SHORTFALL_DEADLINE_MS
from engine.record import Reservation, pack
from engine.shares import settle
from engine.state import PIECE, ShardState, units_left
from engine.stock import Position

#: What the elements of a reported shortfall are: the node, its record, the promises it breaks.
SHORTFALL_MEMBERS: Final = (
    "node",
    "id",
    "quantity",
    "reason",
    "opened_at",
    "deadline",
    "reservations",
)
#: Promises looked through, newest first, to name those that break.
_TAKERS_READ_MAX: Final = 10_000


def review(state: ShardState, position: Position, reason: str = "") -> None:
    """Open, change or close the shortfall of a position whose free units have moved."""
    if position.book.shares:
        settle(state, position)
    backing = position.backing
    known = state.shortfalls.get(backing)
    missing = position.shortfall
    if known is None and not missing:
        return
    if known is not None and known[1] == missing:
        return

    def restore() -> None:
        if known is None:
            state.shortfalls.pop(backing, None)
        else:
            state.shortfalls[backing] = known

    state.undo(restore)
    if not missing:
        del state.shortfalls[backing]
        state.field(f"f|{backing}", None)
        state.fact(Event.SHORT, backing, None)
        return
    now_ms = state.effects.now_ms
    record: list[Any] = list(known) if known else [
        f"sf-{state.shard}-{state.seq + 1}-{len(state.effects.facts)}",
        0, reason, now_ms, now_ms + SHORTFALL_DEADLINE_MS,
    ]  # fmt: skip
    record[1] = missing
    state.shortfalls[backing] = record
    state.field(f"f|{backing}", pack(record))
    state.fact(Event.SHORT, backing, record)


def broken_promises(state: ShardState, position: Position, missing: int) -> list[str]:
    """Keys of the newest reservations that stand on ``missing`` units of a position.

    Looked up when asked: the order of takers is the owner's own and ends with it, so it may be
    told but not decide what a commit says.
    """
    keys: list[str] = []
    for field in reversed(position.book.takers[-_TAKERS_READ_MAX:]):
        record = state.reservations.get(field)
        key = field.partition(".")[2] if field[0] == PIECE else field
        if record is None or key in keys:
            continue
        units = units_left(Reservation(record)).get((position.book.sku, position.slot), 0)
        if units:
            keys.append(key)
            missing -= units
        if missing <= 0:
            break
    return keys
