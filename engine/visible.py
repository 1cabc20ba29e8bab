"""Who sees which units: demands with the same view of a SKU share the orders of its positions."""

from collections.abc import Callable
from typing import Any, TypeAlias

from engine.demand import OF_CAMPAIGN, Demand
from engine.ranking import Units, for_everybody
from engine.shares import share_of
from engine.stock import Book, Position

#: Whether units at a position may serve a demand, if there are any.
Serves: TypeAlias = Callable[[Position], bool]


def view_name(book: Book, demand: Demand) -> str | None:
    """Names a demand's view of a SKU; None: all there is for everybody."""
    name, share = demand.share, share_of(book, demand)
    declared = name is not None and name.startswith(OF_CAMPAIGN)  # Known here or not.
    if demand.pool is not None or declared or (share is not None and share.aside):
        return name
    return (name or "") if book.restricted else None


def cost_key(view: str | None, zone: str, units: int, need: int) -> tuple[Any, ...]:
    """Names the order of places with ``need`` units by what sending ``units`` to a zone costs."""
    return ("cost", view, zone, units, need)


def serves_of(demand: Demand) -> Serves:
    """Which of the positions that are there a demand may use."""
    if demand.share is not None and demand.share.startswith(OF_CAMPAIGN):
        return is_here  # Its units lie where it may have them.
    channel, pool = demand.channel, demand.pool

    def serves(position: Position) -> bool:
        channels = position.place.channels
        if position.supply is not None or (channels and channel not in channels):
            return False
        return pool is None or position.node in pool

    return serves


def is_here(position: Position) -> bool:
    """Whether its units are at the node now."""
    return position.supply is None


def units_of(book: Book, name: str | None) -> Units:
    """How many units of a position a demand may take that draws on the share of this name."""
    shares = book.shares
    if name is None:
        return for_everybody

    def beside_others(position: Position) -> int:
        share = shares.get(name)
        own = 0 if share is None else share.aside.get(position.slot, 0)
        return for_everybody(position) + own

    def declared(position: Position) -> int:
        share = shares.get(name)
        own = 0 if share is None else share.aside.get(position.slot, 0)
        return min(own, for_everybody(position) + position.aside) if own else 0

    return declared if name.startswith(OF_CAMPAIGN) else beside_others
