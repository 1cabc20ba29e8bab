"""Units on their way: opened, received, delayed, cancelled; promises move with them.

Units that come move to the node together with the promises that stand on them, earliest promise
first, in slices: what has come and not moved yet is ``pending`` in the supply itself, so that
whoever owns the shard goes on. Moving a promise changes nothing that the guard watches.
"""

from typing import Any, Final

from engine.backings import is_standing, restand, units_left
from engine.commands import Command, Reply
from engine.corrections import new_position, remember, tell
from engine.costing import carry_over
from engine.events import Event
from engine.limits import (
    ARRIVAL_SLICE,
    IN_PROGRESS_RETRY_MS,
    ON_HAND_MAX,
    SUPPLIES_OPEN_MAX,
    SUPPLY_KEPT_MS,
)
from engine.outcome import Outcome
from engine.promised import Entry
from engine.rebacking import note_change
from engine.record import COSTS, Reservation, Status, pack
from engine.shortfalls import late_ended, review, review_late, shortfall_rows
from engine.state import ShardState
from engine.stock import Book, Position, Stock, Supply, SupplyMembers, rose
from engine.supply_names import name_here

OK = Outcome.OK
#: What the elements of a reported supply are.
SUPPLY_MEMBERS: Final = (
    "id", "kind", "sku", "node", "from_node", "quantity", "received", "promised", "available_at",
    "state", "preorder_cap", "arriving",
)  # fmt: skip


def _find(state: ShardState, sku: str, supply: str) -> Position | None:
    book = state.books.get(sku)
    return None if book is None else book.supplies.get(supply)


def _members(position: Position) -> tuple[Supply, SupplyMembers]:
    assert position.supply is not None
    return position.supply, position.supply.members


def _change(state: ShardState, position: Position, event: Event | None, /, **changes: Any) -> None:
    """Give a supply other members, and say so."""
    supply, before = _members(position)
    state.undo(lambda: _set(state, position, before))
    _set(state, position, before._replace(**changes))
    state.effects.seen[position.book.sku] = None
    state.field(f"u|{position.backing}", pack(list(supply.members)))
    if event is not None:
        state.fact(event, position.backing, [position.on_hand, list(supply.members)])


def _set(state: ShardState, position: Position, members: SupplyMembers) -> None:
    supply, before = _members(position)
    if members.available_at_ms != before.available_at_ms:
        position.book.forget_orders()  # Campaigns go by it.
    supply.members = members
    position.withhold()
    rose(position)
    (state.arriving.add if members.pending else state.arriving.discard)(position.backing)
    if members.ended_at_ms:
        state.ended_supplies[position.backing] = members.ended_at_ms
    else:
        state.ended_supplies.pop(position.backing, None)


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
    # Who asks goes on until everything has moved: only then it is known what is short.
    arriving = position.backing in state.arriving
    return [outcome, report(position), [] if arriving else shortfall_rows(state, position)]


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
    if sum(not _members(at)[1].ended_at_ms for at in book.supplies.values()) >= SUPPLIES_OPEN_MAX:
        return [Outcome.OUT_OF_RANGE, sku, node]
    opened = send(state, book, node, name, members)
    return _told(state, opened) if isinstance(opened, Position) else opened


def send(
    state: ShardState, book: Book, node: str, name: str, members: SupplyMembers
) -> Position | Reply:
    """Let units be on their way to a node, those of a transfer from another; or why not."""
    if members.from_node is not None:
        refused = _send_off(state, book, members)
        if refused is not None:
            return refused
    position = _add(state, book, node, Supply(name, members))
    state.correct(position, members.quantity)
    _change(state, position, Event.SUPPLY_OPENED)
    return position


def _send_off(state: ShardState, book: Book, members: SupplyMembers) -> Reply | None:
    """A transfer's units leave: promised ones stay, and so do those set aside for a share."""
    origin = book.positions.get(members.from_node or "")
    there = max(0, origin.free - origin.aside) if origin is not None else 0
    if origin is None or there < members.quantity:
        short = [[book.sku, members.from_node, members.quantity, there]]
        return [Outcome.SHORT, short, False]
    before = origin.stock
    state.correct(origin, origin.on_hand - members.quantity)
    state.movements.note(state, origin, -members.quantity)
    _adjusted(state, origin, before, "transfer")
    return None


def _adjusted(state: ShardState, position: Position, before: Stock, reason: str) -> None:
    """Say what is on hand now, and whom that leaves short."""
    review(state, position, reason)
    tell(state, position, before, (None, reason))


def _add(state: ShardState, book: Book, node: str, supply: Supply) -> Position:
    position = book.add(state.nodes[node], supply)
    state.undo(lambda: book.leave(position))
    return position


def receive(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.receive``."""
    _, sku, name, reference, digest, units, final = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    reference = f"{reference}|in|{name}"  # Slices of adjustments have numbers there.
    known = state.references.get(reference)
    if known is not None:
        if known[0] != digest.hex():
            return [Outcome.KEY_REUSED, name]
        return _told(state, position, Outcome.REPEATED)
    members = _members(position)[1]
    if members.state != "open" or members.last:
        return [Outcome.SUPPLY_CLOSED, name, "closed" if members.last else members.state]
    there = position.book.positions.get(position.node)
    if members.pending + units + (there.on_hand if there is not None else 0) > ON_HAND_MAX:
        return [Outcome.OUT_OF_RANGE, sku, position.node]
    remember(state, reference, [digest.hex(), {}, now_ms])
    _begin_arrival(state, position, units, last=final)
    _change(state, position, Event.SUPPLY_RECEIVED, received=members.received + units)
    return _go_on(state, position)


def _begin_arrival(state: ShardState, position: Position, units: int, *, last: bool) -> None:
    members = _members(position)[1]
    _change(state, position, None, pending=members.pending + units, last=members.last or last)


def arrive(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.arrive``."""
    _, sku, name = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    pending = _members(position)[1].pending
    return _go_on(state, position) if pending else _told(state, position)


def _go_on(state: ShardState, position: Position) -> Reply:
    """Move a slice of what has come, and the rest when no promise is left to move with it."""
    supply, members = _members(position)
    coming = position.stock
    if members.pending:
        goal = members.from_node if members.state == "cancelled" else position.node
        to = _at(state, position.book, goal or position.node)
        there = to.stock
        left = _move_slice(state, position, to)
        state.movements.note(state, to, members.pending - left)
        _change(state, position, None, pending=left)
        _adjusted(state, to, there, "arrival")
    if not supply.members.pending:
        _end_arrival(state, position)
    _adjusted(state, position, coming, "arrival")
    return _told(state, position)


def _move_slice(state: ShardState, position: Position, to: Position) -> int:
    """Units that have come and have still to be moved."""
    supply, members = _members(position)
    promised, served, left = supply.promised, list[Entry](), members.pending
    state.undo(lambda: promised.put_back(served))
    for _ in range(ARRIVAL_SLICE):
        field = promised.first()
        if field is None:
            break
        left -= _move(state, field, position, to, left)
        if not left:
            return 0  # It may wait for more; if not, it is passed over next time.
        served.append(promised.pop())
    if promised.first() is not None:
        return left
    _put_down(state, position, to, left)
    return 0


def _at(state: ShardState, book: Book, node: str) -> Position:
    known = book.positions.get(node)
    return known if known is not None else new_position(state, book, state.nodes[node])


def _put_down(state: ShardState, position: Position, to: Position, units: int) -> None:
    """Units that nobody was promised; more than was expected may have come."""
    state.correct(to, to.on_hand + units)
    state.correct(position, max(0, position.on_hand - units))


def _end_arrival(state: ShardState, position: Position) -> None:
    members = _members(position)[1]
    if members.last and position.on_hand:
        state.correct(position, 0)  # What was promised of it and did not come is short.
    if members.state == "open" and not position.on_hand:
        ended_at_ms = state.effects.now_ms
        _change(state, position, None, state="closed", ended_at_ms=ended_at_ms)
    review(state, position, "cancelled" if members.state == "cancelled" else "did not come")
    if position.backing in state.late:
        review_late(state, position)


def _move(state: ShardState, field: str, position: Position, to: Position, most: int) -> int:
    """Let a record stand on the node instead of the supply, as far as units have come."""
    record = state.reservations.get(field)
    if record is None:
        return 0
    reservation = Reservation(record)
    sku = position.book.sku
    standing = units_left(reservation).get((sku, position.slot), 0)
    units = min(most, standing)
    if not units or not is_standing(reservation.status):
        return 0
    left = units
    for line in reservation.lines:
        if line[0] == sku and left:
            left -= restand(line, position.slot, to.slot, left)
    if COSTS in reservation.extra:
        costs = reservation.extra[COSTS]
        carry_over(costs, position.backing, to.backing, units, standing)
    for at, sign in ((position, -1), (to, 1)):
        state.touch(at)
        at.restock(at.on_hand + sign * units, at.safety_stock)
        if reservation.status is Status.CONFIRMED:
            at.committed += sign * units
        else:
            at.reserved += sign * units
    note_change(state, field, reservation)
    late_ended(state, position, reservation, units)
    changed = reservation.packed()
    state.put(field, changed)
    state.fact(Event.MOVED, field, changed)
    return units


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
        review_late(state, position)
    return _told(state, position)


def cancel_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.cancel_supply``."""
    _, sku, name = command
    position = _find(state, sku, name)
    if position is None:
        return [Outcome.UNKNOWN_SUPPLY, [name]]
    members = _members(position)[1]
    if members.state == "cancelled":
        return _told(state, position)
    if members.state != "open":
        return [Outcome.SUPPLY_CLOSED, name, members.state]
    if members.pending:
        return [Outcome.IN_PROGRESS, IN_PROGRESS_RETRY_MS]  # What has come has still to be moved.
    back = position.on_hand if members.from_node is not None else 0
    _cancel(state, position)
    if position.backing in state.late:
        review_late(state, position)  # What does not come is not late.
    _begin_arrival(state, position, back, last=True)
    return _go_on(state, position)


def _cancel(state: ShardState, position: Position) -> None:
    ended_at_ms = state.effects.now_ms
    _change(state, position, Event.SUPPLY_CANCELLED, state="cancelled", ended_at_ms=ended_at_ms)


def call_back(state: ShardState, position: Position) -> None:
    """Cancel an open transfer of which nothing is promised: all of it goes back at once."""
    units = position.on_hand
    to = _at(state, position.book, _members(position)[1].from_node or position.node)
    coming, there = position.stock, to.stock
    _cancel(state, position)
    _change(state, position, None, last=True)
    _put_down(state, position, to, units)
    state.movements.note(state, to, units)
    _adjusted(state, to, there, "transfer")
    _adjusted(state, position, coming, "transfer")


def read_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.read_supply``."""
    _, sku, name = command
    position = _find(state, sku, name)
    return [Outcome.UNKNOWN_SUPPLY, [name]] if position is None else _told(state, position)


def to_forget(state: ShardState, now_ms: int, most: int) -> list[tuple[str, str, bytes]]:
    """(SKU, id, digest) of supplies that ended so long ago that nobody is told of them."""
    found: list[tuple[str, str, bytes]] = []
    for backing, ended_at_ms in state.ended_supplies.items():
        sku, _, slot = backing.partition("|")
        position = state.position(sku, slot)
        if len(found) < most and _is_over(state, position, ended_at_ms, now_ms):
            supply, members = _members(position)
            found.append((sku, supply.supply, bytes.fromhex(members.digest)))
    return found


def _is_over(state: ShardState, position: Position, ended_at_ms: int, now_ms: int) -> bool:
    """Nothing rests on it, not even a broken promise."""
    promised = position.reserved or position.committed
    resting = promised or position.on_hand or position.aside or position.backing in state.arriving
    return not resting and now_ms - ended_at_ms >= SUPPLY_KEPT_MS


def forget_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.forget_supply``."""
    _, sku, name = command
    position = _find(state, sku, name)
    ended_at_ms = state.ended_supplies.get(position.backing) if position is not None else None
    if position is None or ended_at_ms is None:
        return [OK]
    if not _is_over(state, position, ended_at_ms, now_ms):
        return [OK]
    book, backing = position.book, position.backing

    def restore() -> None:
        book.enter(position)
        state.ended_supplies[backing] = ended_at_ms

    state.undo(restore)
    if name in state.supply_names:  # One that was made here.
        name_here(state, name, None)
    book.leave(position)
    del state.ended_supplies[backing]
    for kind in ("u", "q"):
        state.field(f"{kind}|{backing}", None)
    state.fact(Event.FORGOTTEN, f"u|{backing}", None)
    return [OK]
