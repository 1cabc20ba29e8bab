"""Units promised but not there any more: never hidden, always a record with a deadline."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from engine.backings import Promise, is_standing, standing, units_left
from engine.commands import Command, Reply
from engine.events import Event
from engine.limits import SHORTFALL_DEADLINE_MS
from engine.outcome import Outcome
from engine.promised import Entry
from engine.record import CAMPAIGN, DELIVER_BY, PREORDER, Extra, Reservation, pack
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
#: The reason of those that a supply comes too late for.
LATE: Final = "late"
#: Promises looked through, those that break first, to name these.
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


def review_late(state: ShardState, position: Position) -> None:
    """Promises that a supply comes too late for: their shortfall opens, changes or closes."""
    supply = position.supply
    units = 0
    if supply is not None and supply.members.state == "open":  # Else it is short, not late.
        entries = supply.promised.before(supply.available_at_ms)
        units = sum(promise.units for promise in _too_late(state, position, entries))
    _put_late(state, position, units)


def late_ended(state: ShardState, position: Position, reservation: Reservation, units: int) -> None:
    """Units of a promise are not wanted any more; below 0: they are again."""
    record = state.late.get(position.backing)
    if record is not None and _is_late(position, reservation.extra):
        _put_late(state, position, record[1] - units)


def _is_late(position: Position, extra: Extra) -> bool:
    """Whoever has ordered in advance, or from a campaign, was not promised his date."""
    supply = position.supply
    if supply is None or extra.get(PREORDER) or CAMPAIGN in extra:
        return False
    return bool(extra.get(DELIVER_BY, supply.available_at_ms) < supply.available_at_ms)


def _too_late(state: ShardState, position: Position, entries: Iterable[Entry]) -> list[Promise]:
    there = standing(position, entries, state.reservations)
    return [promise for promise in there if _is_late(position, promise.extra)]


def _put_late(state: ShardState, position: Position, units: int) -> None:
    backing = position.backing
    before = state.late.get(backing)
    if units == (0 if before is None else before[1]):
        return
    now_ms = state.effects.now_ms
    opened = before or [_new_id(state), 0, LATE, now_ms, now_ms + SHORTFALL_DEADLINE_MS]
    after = [opened[0], units, *opened[2:]] if units > 0 else None

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
    short, late = state.shortfalls.get(position.backing), state.late.get(position.backing)
    if short is not None:
        rows.append(_row(position, short, broken_promises(state, position, short[1])))
    if late is not None and position.supply is not None:
        supply = position.supply
        entries = supply.promised.earliest(_TAKERS_READ_MAX, supply.available_at_ms)
        broken = _too_late(state, position, entries)
        rows.append(_row(position, late, [_key_of(promise.field) for promise in broken]))
    return rows


def _row(position: Position, record: list[Any], keys: list[str]) -> list[Any]:
    supply = None if position.supply is None else position.supply.supply
    return [
        position.book.sku, position.node, supply, *record, keys, others(position.book, position),
    ]  # fmt: skip


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
    """Keys of reservations that stand on ``missing`` units of a position.

    Of a supply those that would have been served last; else the newest. Looked up when asked: the
    order of takers is the owner's own and ends with it, so it may be told but not decide what a
    commit says.
    """
    keys: dict[str, None] = {}
    for key, units in _last_served(state, position):
        if missing <= 0:
            break
        if key not in keys:
            keys[key] = None
            missing -= units
    return list(keys)


def _last_served(state: ShardState, position: Position) -> Iterator[tuple[str, int]]:
    """(key, units) of what stands on a position."""
    if position.supply is not None:
        entries = position.supply.promised.latest(_TAKERS_READ_MAX)
        for promise in standing(position, entries, state.reservations):
            yield _key_of(promise.field), promise.units
        return
    for field in reversed(position.book.takers[-_TAKERS_READ_MAX:]):
        record = state.reservations.get(field)
        reservation = Reservation(record) if record is not None else None
        if reservation is not None and is_standing(reservation.status):
            units = units_left(reservation).get((position.book.sku, position.slot), 0)
            if units:
                yield _key_of(field), units


def _key_of(field: str) -> str:
    return field.partition(".")[2] if field[0] == PIECE else field
