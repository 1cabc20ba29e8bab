"""Bid prices: what a unit at a node, and a parcel of a node, is worth to orders still to come.

The choice of a node adds them to what is paid, so that scarce stock is kept for those whom nothing
else serves (bid prices: Talluri and van Ryzin, Management Science 44(11), 1998). They are nobody's
bill. A planner brings them, all of a shard's at once; until then they are zero.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.commands import Command, Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import pack

if TYPE_CHECKING:
    from engine.state import ShardState
    from engine.stock import Position

OK = Outcome.OK
#: Fields of the state: version and parcels; units of a SKU.
OF_NODES: Final = "V"
OF_SKU: Final = "v"


class Bids(NamedTuple):
    """The prices in force: their version (0: there are none yet), cents a parcel by node."""

    version: int = 0
    parcels: Mapping[str, int] = {}


#: Before anybody has brought any.
NO_BIDS: Final = Bids()
#: Cents a unit by node, by SKU.
Units = dict[str, dict[str, int]]


class Staged(NamedTuple):
    """Parts of the next prices that have come."""

    version: int
    parts: int
    units: Units


def bid_cents(position: "Position", units: int, bids: Bids) -> int:
    """What so many units there, and the parcel that they leave in, are worth to others."""
    node = position.node
    return bids.parcels.get(node, 0) + position.book.bids.get(node, 0) * units


def as_decided(position: "Position", units: int, bids: Bids) -> list[int]:
    """What a backing's costs say of the prices it was chosen by: cents and version, if any."""
    return [bid_cents(position, units, bids), bids.version] if bids.version else []


def price(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.bids.price``."""
    _, version, part, parts, parcels, units = command
    if version <= state.bids.version:
        return [OK, state.bids.version]
    before = state.staged_bids
    state.undo(lambda: setattr(state, "staged_bids", before))
    if part == 0:
        staged = Staged(version, 0, {})
    elif before is None or (before.version, before.parts) != (version, part):
        return [Outcome.GAP, 0]
    else:
        staged = before
    known = {sku: prices for sku, prices in units.items() if sku in state.books}
    state.staged_bids = Staged(version, part + 1, {**staged.units, **known})
    state.fact(Event.PRICED, str(version), [part, parts, parcels, known])
    if part + 1 == parts:
        _enter(state, Bids(version, parcels), state.staged_bids.units)
        state.staged_bids = None
    return [OK, version]


def _enter(state: "ShardState", bids: Bids, units: Units) -> None:
    """Let the new prices be in force, and no others."""
    was = state.bids
    changed: dict[str, tuple[Mapping[str, int], Mapping[str, int]]] = {}
    for sku, book in state.books.items():
        now = units.get(sku, {})
        if now != book.bids:
            changed[sku] = (book.bids, now)
            state.field(f"{OF_SKU}|{sku}", pack(now) if now else None)
    state.undo(lambda: _put(state, was, {sku: old for sku, (old, _) in changed.items()}))
    _put(state, bids, {sku: new for sku, (_, new) in changed.items()})
    state.field(OF_NODES, pack([bids.version, dict(bids.parcels)]))


def _put(state: "ShardState", bids: Bids, units: Mapping[str, Mapping[str, int]]) -> None:
    for sku, prices in units.items():
        state.books[sku].bids = prices
    # What is in the order of its cost is in another one now.
    for book in state.books.values() if bids.parcels != state.bids.parcels else ():
        book.forget_orders()
    for sku in units:
        state.books[sku].forget_orders()
    state.bids = bids


def read_bids(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.bids.read_bids``."""
    bids = state.bids
    found: dict[str, Any] = {sku: state.books[sku].bids for sku in command[1] if sku in state.books}
    priced = sum(bool(book.bids) for book in state.books.values())
    return [OK, bids.version, dict(bids.parcels), found, priced]
