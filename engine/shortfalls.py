"""Units promised but not there any more: never hidden, always a record with a deadline."""

from typing import Any, Final

from engine.backings import units_left
from engine.commands import Command, Reply
from engine.events import Event
from engine.limits import SHORTFALL_DEADLINE_MS
from engine.outcome import Outcome
from engine.record import Reservation, pack
from engine.shares import settle
from engine.state import PIECE, ShardState
from engine.stock import Book, Position

#: What the elements of a reported shortfall are: the backing, its record, the promises it breaks.
SHORTFALL_MEMBERS: Final = (
    "sku",
    "node",
    "supply",
    "id",
    "quantity",
    "reason",
    "opened_at",
    "deadline",
    "reservations",
    "alternatives",
)
#: Promises looked through, newest first, to name those that break.
_TAKERS_READ_MAX: Final = 10_000
#: Other places that a shortfall names.
_ALTERNATIVES_MAX: Final = 5


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
        _new_id(state), 0, reason, now_ms, now_ms + SHORTFALL_DEADLINE_MS,
    ]  # fmt: skip
    record[1] = missing
    state.shortfalls[backing] = record
    state.field(f"f|{backing}", pack(record))
    state.fact(Event.SHORT, backing, record)


def _new_id(state: ShardState) -> str:
    return f"sf-{state.shard}-{state.seq + 1}-{len(state.effects.facts)}"


def review_late(state: ShardState, position: Position, broken: list[tuple[str, int]]) -> None:
    """Promises that a supply comes too late for: their shortfall opens, changes or closes."""
    backing = position.backing
    before = state.late.get(backing)
    if before is None and not broken:
        return
    after: list[Any] | None = None
    if broken:
        now_ms = state.effects.now_ms
        opened = before or [
            _new_id(state), 0, "late", now_ms, now_ms + SHORTFALL_DEADLINE_MS,
        ]  # fmt: skip
        keys = [key for key, _ in broken]
        after = [opened[0], sum(units for _, units in broken), *opened[2:5], keys]

    def put(record: list[Any] | None) -> None:
        if record is None:
            state.late.pop(backing, None)
        else:
            state.late[backing] = record

    state.undo(lambda: put(before))
    put(after)
    state.field(f"F|{backing}", None if after is None else pack(after))
    state.fact(Event.LATE, backing, after)


def shortfalls(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.shortfalls``."""
    _, after, most = command
    backings = {record[0]: backing for backing, record in state.shortfalls.items()}
    backings.update((record[0], backing) for backing, record in state.late.items())
    rows: list[list[Any]] = []
    for name in sorted(name for name in backings if name > after)[:most]:
        sku, _, slot = backings[name].partition("|")
        rows += [row for row in shortfall_rows(state, state.position(sku, slot)) if row[3] == name]
    return [Outcome.OK, *rows]


def shortfall_rows(state: ShardState, position: Position) -> list[list[Any]]:
    """Open shortfalls of a backing, see ``SHORTFALL_MEMBERS``."""
    rows = []
    for known in (state.shortfalls, state.late):
        record = known.get(position.backing)
        if record is not None:
            keys = record[5] if len(record) > 5 else broken_promises(state, position, record[1])
            supply = None if position.supply is None else position.supply.supply
            rows.append([
                position.book.sku, position.node, supply, *record[:5], keys,
                others(position.book, position),
            ])  # fmt: skip
    return rows


def others(book: Book, besides: Position | None = None) -> list[list[Any]]:
    """Where units of a SKU could be had: ``[node, supply, units, available_at_ms]``."""
    found = [at for at in book.positions.values() if at is not besides and at.sellable]
    found.sort(key=lambda at: (at.supply.available_at_ms if at.supply else 0, -at.sellable))
    return [
        [at.node, at.supply and at.supply.supply, at.sellable,
         at.supply and at.supply.available_at_ms]
        for at in found[:_ALTERNATIVES_MAX]
    ]  # fmt: skip


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
