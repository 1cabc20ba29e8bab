"""What the world says about stock: receipts, counts, damage; each by reference, once."""

from typing import Any, Final

from engine.commands import Command, Reply
from engine.events import Event
from engine.limits import ON_HAND_MAX, REFERENCE_WINDOW_MS
from engine.outcome import Outcome
from engine.record import pack
from engine.shortfalls import review
from engine.state import ShardState
from engine.stock import NOTHING, Book, Node, Position, Stock

OK = Outcome.OK
#: States of stock, and which may follow which: what is damaged is not sold without another look.
MOVES: Final = {
    "on_hand": ("quarantined", "damaged"),
    "quarantined": ("on_hand", "damaged"),
    "damaged": ("quarantined",),
}


def adjust(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Apply a slice of an adjustment, each row standing alone; see ``commands.adjust``."""
    _, reference, number, digest, rows = command
    name = f"{reference}|{number}"
    known = state.references.get(name)
    if known is not None:
        if known[0] != digest.hex():
            return [Outcome.KEY_REUSED, reference]
        return [Outcome.REPEATED, *_as_before(state, rows, known[1])]
    answers: list[Any] = []
    refusals: dict[str, int] = {}
    for at, row in enumerate(rows):
        answers.append(_adjust_row(state, row, reference))
        if len(answers[-1]) == 3:
            refusals[str(at)] = answers[-1][0]
    remember(state, name, [digest.hex(), refusals, now_ms])
    return [OK, *answers]


def _as_before(state: ShardState, rows: Any, refusals: dict[str, int]) -> list[Any]:
    return [
        [refusals[str(at)], sku, node]
        if str(at) in refusals
        else state.position(sku, node).report()
        for at, (sku, node, *_) in enumerate(rows)
    ]


def _adjust_row(state: ShardState, row: Any, reference: str) -> list[Any]:
    """The position afterwards, or ``[Outcome, sku, node]``."""
    sku, node, delta, on_hand, safety_stock, reason, *more = row
    as_of_ms, move = more or (None, None)
    if move is not None:
        return _move(state, sku, node, move, reference, reason)
    book, place = state.books.get(sku), state.nodes.get(node)
    if book is None:
        return [Outcome.UNKNOWN_SKU, sku, node]
    if place is None:
        return [Outcome.UNKNOWN_NODE, sku, node]
    known = book.positions.get(node)
    before = known.on_hand if known is not None else 0
    after = before if delta is None and on_hand is None else on_hand
    if delta is not None:
        after = before + delta
    elif as_of_ms is not None and known is not None:
        after = max(0, on_hand + state.movements.since(known, as_of_ms))
    if after < 0:
        return [Outcome.NEGATIVE_STOCK, sku, node]
    if after > ON_HAND_MAX:
        return [Outcome.OUT_OF_RANGE, sku, node]
    stock = known.stock if known is not None else NOTHING
    position = known if known is not None else new_position(state, book, place)
    state.touch(position)
    if safety_stock is not None:
        position.restock(position.on_hand, safety_stock)
        position.withhold()
    state.correct(position, after)
    if delta is not None:
        state.movements.note(state, position, delta)
    review(state, position, reason or "correction")
    tell(state, position, stock, (reference, reason), counted=on_hand is not None)
    return position.report()


def tell(
    state: ShardState,
    position: Position,
    before: Stock,
    why: tuple[str | None, str | None],
    *,
    counted: bool = False,
) -> None:
    """Say what is there now, and by how much that has changed; ``why``: reference and reason.

    The change too, so that an error in what was there before is not taken for true by who adds up.
    """
    on_hand, safety_stock, quarantined, damaged = position.kept()
    change = [now - then for now, then in zip(position.stock, before, strict=True)]
    told = [on_hand, safety_stock, quarantined, *why, damaged, [*change, counted]]
    state.fact(Event.ADJUSTED, position.backing, told)


def _move(
    state: ShardState, sku: str, node: str, move: list[Any], reference: str, reason: str | None
) -> list[Any]:
    """Let units of a position change their state; promised ones too: then there is a shortfall."""
    origin, to, units = move
    book = state.books.get(sku)
    if book is None:
        return [Outcome.UNKNOWN_SKU, sku, node]
    position = book.positions.get(node)
    if position is None:
        known = node in state.nodes
        return [Outcome.NEGATIVE_STOCK if known else Outcome.UNKNOWN_NODE, sku, node]
    if getattr(position, origin) < units:
        return [Outcome.NEGATIVE_STOCK, sku, node]
    state.touch(position)
    stock = position.stock
    for name, change in ((origin, -units), (to, units)):
        if name == "on_hand":
            state.correct(position, position.on_hand + change)
            state.movements.note(state, position, change)
        else:
            setattr(position, name, getattr(position, name) + change)
    review(state, position, reason or to)
    tell(state, position, stock, (reference, reason))
    return position.report()


def new_position(state: ShardState, book: Book, place: Node) -> Position:
    """A position that is not there yet."""
    position = book.add(place)
    state.undo(lambda: book.leave(position))
    return position


def remember(state: ShardState, name: str, entry: list[Any]) -> None:
    """Keep a reference: ``[digest, refusals, at_ms]``."""
    state.references[name] = entry
    state.field(f"r|{name}", pack(entry))
    state.fact(Event.REFERENCE, name, entry)
    state.undo(lambda: state.references.pop(name, None))


def reference(state: ShardState, command: Command, now_ms: int) -> Reply:
    """At ``net``: the whole adjustment's reference comes before any of its slices."""
    _, name, digest = command
    known = state.references.get(name)
    if known is None:
        remember(state, name, [digest.hex(), {}, now_ms])
        return [OK]
    return [Outcome.REPEATED if known[0] == digest.hex() else Outcome.KEY_REUSED, name]


def forget_movements(state: ShardState, now_ms: int, most: int) -> None:
    """Drop up to ``most`` minutes of movements that no count may be dated before any more."""
    for name in state.movements.forget(state, now_ms, most):
        state.field(name, None)
        state.fact(Event.FORGOTTEN, name, None)


def forget_references(state: ShardState, now_ms: int, most: int) -> None:
    """Drop up to ``most`` references whose window is over; they lie oldest first."""
    old: list[str] = []
    for name, entry in state.references.items():
        if len(old) == most or entry[2] > now_ms - REFERENCE_WINDOW_MS:
            break
        old.append(name)
    if not old:
        return
    dropped = {name: state.references.pop(name) for name in old}

    def restore() -> None:
        state.references = {**dropped, **state.references}

    state.undo(restore)
    for name in old:
        state.field(f"r|{name}", None)
        state.fact(Event.FORGOTTEN, f"r|{name}", None)
