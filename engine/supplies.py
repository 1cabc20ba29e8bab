"""Units on their way: opened, received, delayed, cancelled; promises move with them.

Units that come move to the node together with the promises that stand on them, earliest promise
first, in slices: what has come and not moved yet is ``pending`` in the supply itself, so that
whoever owns the shard goes on. Moving a promise changes nothing that the guard watches.
"""

from collections.abc import Iterator
from typing import Any, Final

from engine.backings import units_left
from engine.commands import Command, Reply
from engine.corrections import new_position, remember
from engine.events import Event
from engine.limits import ARRIVAL_SLICE
from engine.outcome import Outcome
from engine.record import BACKINGS, COSTS, DELIVER_BY, UNTOLD, Line, Reservation, Status, pack
from engine.shortfalls import review, review_late, shortfall_rows
from engine.state import PIECE, ShardState
from engine.stock import Book, Position, Supply, SupplyMembers, slot_of

OK = Outcome.OK
#: What the elements of a reported supply are.
SUPPLY_MEMBERS: Final = (
    "id", "kind", "sku", "node", "from_node", "quantity", "received", "promised", "available_at",
    "state", "preorder_cap", "arriving",
)  # fmt: skip
_TIMELESS: Final = 2**62


def _find(state: ShardState, sku: str, supply: str) -> Position | None:
    book = state.books.get(sku)
    return None if book is None else book.supplies.get(supply)


def _members(position: Position) -> tuple[Supply, SupplyMembers]:
    assert position.supply is not None
    return position.supply, position.supply.members


def _change(state: ShardState, position: Position, event: Event | None, /, **changes: Any) -> None:
    """Give a supply other members, and say so."""
    supply, before = _members(position)

    def restore() -> None:
        supply.members = before
        position.withhold()

    state.undo(restore)
    supply.members = before._replace(**changes)
    position.withhold()
    state.effects.seen[position.book.sku] = None
    state.field(f"u|{position.backing}", pack(list(supply.members)))
    if event is not None:
        state.fact(event, position.backing, [position.on_hand, list(supply.members)])


def report(position: Position) -> list[Any]:
    """A supply as replies carry it."""
    supply, members = _members(position)
    promised = position.reserved + position.committed
    return [
        supply.supply, members.kind, position.book.sku, position.node, members.from_node,
        members.quantity, members.received, promised, members.available_at_ms, members.state,
        members.cap, members.pending,
    ]  # fmt: skip


def _told(state: ShardState, position: Position, outcome: Outcome = OK) -> Reply:
    return [outcome, report(position), shortfall_rows(state, position)]


def open_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.open_supply``."""
    _, sku, node, name, packed = command
    members = SupplyMembers(*packed)
    book = state.books.get(sku)
    if book is None:
        return [Outcome.UNKNOWN_SKU, [sku]]
    known = book.supplies.get(name)
    if known is not None:
        same = _members(known)[1].digest == members.digest
        return _told(state, known, Outcome.REPEATED) if same else [Outcome.KEY_REUSED, name]
    unknown = sorted({at for at in (node, members.from_node) if at and at not in state.nodes})
    if unknown:
        return [Outcome.UNKNOWN_NODE, unknown]
    if members.from_node is not None:
        refused = _send_off(state, book, members)
        if refused is not None:
            return refused
    position = _add(state, book, node, Supply(name, members))
    state.correct(position, members.quantity)
    _change(state, position, Event.SUPPLY_OPENED)
    return _told(state, position)


def _send_off(state: ShardState, book: Book, members: SupplyMembers) -> Reply | None:
    """A transfer's units leave: promised ones stay, and so do those set aside for a share."""
    origin = book.positions.get(members.from_node or "")
    there = max(0, origin.free - origin.aside) if origin is not None else 0
    if origin is None or there < members.quantity:
        short = [[book.sku, members.from_node, members.quantity, there]]
        return [Outcome.SHORT, short, False]
    state.correct(origin, origin.on_hand - members.quantity)
    state.movements.note(state, origin, -members.quantity)
    adjusted(state, origin, "transfer")
    return None


def adjusted(state: ShardState, position: Position, reason: str) -> None:
    """Say what is on hand now, and whom that leaves short."""
    review(state, position, reason)
    state.fact(Event.ADJUSTED, position.backing, [*position.kept()[:3], None, reason])


def _add(state: ShardState, book: Book, node: str, supply: Supply) -> Position:
    slot = slot_of(node, supply.supply)

    def remove() -> None:
        del book.positions[slot]
        del book.supplies[supply.supply]
        book.reorder()

    state.undo(remove)
    return book.add(state.nodes[node], supply)


def receive(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.receive``."""
    _, sku, name, reference, digest, units, final = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    reference = f"{reference}|{name}"
    known = state.references.get(reference)
    if known is not None:
        if known[0] != digest.hex():
            return [Outcome.KEY_REUSED, name]
        return _told(state, position, Outcome.REPEATED)
    members = _members(position)[1]
    if members.state != "open":
        return [Outcome.SUPPLY_CLOSED, name, members.state]
    remember(state, reference, [digest.hex(), {}, now_ms])
    _begin_arrival(state, position, units, last=final)
    _change(state, position, Event.SUPPLY_RECEIVED, received=members.received + units)
    return _go_on(state, position)


def _begin_arrival(state: ShardState, position: Position, units: int, *, last: bool) -> None:
    supply, members = _members(position)
    if not members.pending:
        _sort_promises(state, supply)
    if position.backing not in state.arriving:
        state.arriving.add(position.backing)
        state.undo(lambda: state.arriving.discard(position.backing))
    _change(state, position, None, pending=members.pending + units, last=members.last or last)


def _sort_promises(state: ShardState, supply: Supply) -> None:
    """The earliest date first; those without one last, by key."""
    dated = []
    for field in dict.fromkeys(supply.promised):
        record = state.reservations.get(field)
        if record is not None:
            by_ms = Reservation(record).extra.get(DELIVER_BY, _TIMELESS)
            dated.append((by_ms, field))
    supply.promised = [field for _, field in sorted(dated)]
    supply.cursor = 0


def arrive(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.arrive``."""
    _, sku, name = command
    position = _find(state, sku, name)
    return [Outcome.UNKNOWN_SUPPLY, [name]] if position is None else _go_on(state, position)


def _go_on(state: ShardState, position: Position) -> Reply:
    """Move a slice of what has come, and the rest when no promise is left to move with it."""
    supply, members = _members(position)
    if position.backing not in state.arriving:
        return _told(state, position)
    goal = members.from_node if members.state == "cancelled" else position.node
    pending = members.pending
    to = _at(state, position.book, goal or position.node) if pending else position
    first = supply.cursor
    state.undo(lambda: setattr(supply, "cursor", first))
    for field in supply.promised[first : first + ARRIVAL_SLICE] if pending else ():
        pending -= _move(state, field, position, to, pending)
        if not pending:
            break
        supply.cursor += 1
    if pending and supply.cursor >= len(supply.promised):
        _put_down(state, position, to, pending)
        pending = 0
    _change(state, position, None, pending=pending)
    if not pending:
        _end_arrival(state, position)
    for at in (to, position):
        review(state, at)
        state.fact(Event.ADJUSTED, at.backing, [*at.kept()[:3], None, "arrival"])
    return _told(state, position)


def _at(state: ShardState, book: Book, node: str) -> Position:
    known = book.positions.get(node)
    return known if known is not None else new_position(state, book, state.nodes[node])


def _put_down(state: ShardState, position: Position, to: Position, units: int) -> None:
    """Units that nobody was promised; more than was expected may have come."""
    state.correct(to, to.on_hand + units)
    state.movements.note(state, to, units)
    state.correct(position, max(0, position.on_hand - units))


def _end_arrival(state: ShardState, position: Position) -> None:
    state.arriving.discard(position.backing)
    state.undo(lambda: state.arriving.add(position.backing))
    members = _members(position)[1]
    if members.last and position.on_hand:
        state.correct(position, 0)  # What was promised of it and did not come is short.
    if members.state == "open" and not position.on_hand:
        _change(state, position, None, state="closed")
    review(state, position, "did not come")
    review_late(state, position, [])


def _move(state: ShardState, field: str, position: Position, to: Position, most: int) -> int:
    """Let a record stand on the node instead of the supply, as far as units have come."""
    record = state.reservations.get(field)
    if record is None:
        return 0
    reservation = Reservation(record)
    sku = position.book.sku
    standing = units_left(reservation).get((sku, position.slot), 0)
    units = min(most, standing)
    if not units or not _counts(reservation):
        return 0
    left = units
    for line in reservation.lines:
        if line[0] == sku:
            part = min(left, _at_slot(line, position.slot))
            line[BACKINGS:] = _rebacked(line, position.slot, to.slot, part)
            left -= part
    costs = reservation.extra.get(COSTS, {})
    if position.backing in costs:
        costs[to.backing] = costs[position.backing]  # What was said still holds.
    state.movements.note(state, to, units)
    for at, sign in ((position, -1), (to, 1)):
        state.touch(at)
        at.on_hand += sign * units
        if reservation.status is Status.CONFIRMED:
            at.committed += sign * units
        else:
            at.reserved += sign * units
    if field[0] == PIECE:
        reservation.extra[UNTOLD] = True
        state.untold.add(field)
        state.undo(lambda: state.untold.discard(field))
    changed = reservation.packed()
    state.put(field, changed)
    state.fact(Event.MOVED, field, changed)
    return units


def _counts(reservation: Reservation) -> bool:
    return reservation.status in (Status.HELD, Status.TAKEN, Status.CONFIRMED)


def _at_slot(line: Line, slot: str) -> int:
    """Units of a line that stand on one backing."""
    places = zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True)
    return sum(units for at, units in places if at == slot)


def _rebacked(line: Line, old: str, new: str, units: int) -> list[Any]:
    """Backings of a line of which so many units stand elsewhere now; each place once."""
    at: dict[str, int] = {}
    for slot, count in zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True):
        moved = min(units, count) if slot == old else 0
        units -= moved
        if moved:
            at[new] = at.get(new, 0) + moved
        if count - moved:
            at[slot] = at.get(slot, 0) + count - moved
    return [part for backing in at.items() for part in backing]


def delay(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.delay``."""
    _, sku, name, available_at_ms = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    members = _members(position)[1]
    if members.state != "open":
        return [Outcome.SUPPLY_CLOSED, name, members.state]
    if members.available_at_ms != available_at_ms:
        _change(state, position, Event.SUPPLY_DELAYED, available_at_ms=available_at_ms)
        review_late(state, position, list(_too_late(state, position, available_at_ms)))
    return _told(state, position)


def _too_late(state: ShardState, position: Position, at_ms: int) -> Iterator[tuple[str, int]]:
    """(key, units) of promises that a supply comes too late for."""
    supply, _ = _members(position)
    for field in dict.fromkeys(supply.promised):
        record = state.reservations.get(field)
        if record is not None:
            reservation = Reservation(record)
            units = units_left(reservation).get((position.book.sku, position.slot), 0)
            if units and reservation.extra.get(DELIVER_BY, _TIMELESS) < at_ms:
                yield field.partition(".")[2] if field[0] == PIECE else field, units


def cancel_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.cancel_supply``."""
    _, sku, name = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    members = _members(position)[1]
    if members.state == "cancelled":
        return _told(state, position)
    if members.state != "open" or members.pending:
        return [Outcome.SUPPLY_CLOSED, name, members.state]
    back = position.on_hand if members.from_node is not None else 0
    _change(state, position, Event.SUPPLY_CANCELLED, state="cancelled")
    _begin_arrival(state, position, back, last=True)
    return _go_on(state, position)


def read_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.read_supply``."""
    _, sku, name = command
    position = _find(state, sku, name)
    return [Outcome.UNKNOWN_SUPPLY, [name]] if position is None else _told(state, position)
