"""The costed choice: which backings serve a line for least money, given where it goes and by when.

What counts: the lane's price, what the node's owner gets, and lateness. A whole line comes from
one node where one has it, the cheapest such; else from few, the cheapest first.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from engine.demand import Demand
from engine.lanes import ready_at
from engine.limits import LATE_CENTS_PER_HOUR, RANKED_LOOKED_AT_MAX, SPLIT_MAX
from engine.ranking import rank_of
from engine.shares import Share, sellable_to, share_of
from engine.stock import Book, Position

Choice: TypeAlias = list[tuple[Position, int]]
_HOUR_MS = 3_600_000


def sellable_for(position: Position, demand: Demand) -> int:
    """Units there that a request may take."""
    if demand.share is None:
        return position.sellable
    return sellable_to(position, share_of(position.book, demand))


def in_turn(positions: Iterable[Position], units: int, demand: Demand) -> Choice:
    """As many units of each as it has, until there are enough."""
    chosen: Choice = []
    for position in positions:
        if not units:
            break
        part = min(units, sellable_for(position, demand))
        if part:
            chosen.append((position, part))
            units -= part
    return chosen


def there_by(position: Position, demand: Demand) -> int:
    """When units of a backing can be where they are wanted, ms."""
    supply = position.supply
    from_ms = demand.now_ms
    if supply is not None:
        from_ms = max(from_ms, supply.available_at_ms)
    lane = demand.lanes.get(position.node) if demand.lanes is not None else None
    if lane is None:
        return from_ms
    return lane.arrival(ready_at(position.place, from_ms))


def late_cents(position: Position, demand: Demand) -> int:
    """What it weighs that units come behind the wanted date."""
    if demand.deliver_by_ms is None:
        return 0
    late_ms = there_by(position, demand) - demand.deliver_by_ms
    return -(-late_ms * LATE_CENTS_PER_HOUR // _HOUR_MS) if late_ms > 0 else 0


def costed(book: Book, units: int, demand: Demand, share: Share | None) -> Choice:
    """The backings of units that are there, or of as many as few nodes have."""
    whole = _whole(book, units, demand, share)
    if whole is not None:
        return [(whole, units)]
    looked_at = [at for _, at in islice(_walk(book, units, demand, share), RANKED_LOOKED_AT_MAX)]
    cheapest = in_turn(looked_at, units, demand)
    if len(cheapest) <= SPLIT_MAX:
        return cheapest
    # Cheap nodes have too little each: those that have most, in as few parcels as may be.
    most = sorted(
        ((-sellable_for(at, demand), at.slot, at) for _, at in _walk(book, units, demand, share)),
        key=lambda entry: entry[:2],
    )
    return in_turn((at for _, _, at in most[:SPLIT_MAX]), units, demand)


def _whole(book: Book, units: int, demand: Demand, share: Share | None) -> Position | None:
    """The cheapest position that has all units. Those further on cost more whatever they are."""
    best: Position | None = None
    least = 0
    for cents, position in islice(_walk(book, units, demand, share), RANKED_LOOKED_AT_MAX):
        if best is not None and cents >= least:
            break
        if sellable_for(position, demand) >= units:
            total = cents + late_cents(position, demand)
            if best is None or total < least:
                best, least = position, total
    return best


def _walk(
    book: Book, units: int, demand: Demand, share: Share | None
) -> Iterator[tuple[int, Position]]:
    """(cents, position) of what a demand may use, the cheapest first."""
    assert demand.zone is not None
    assert demand.lanes is not None
    walk = rank_of(book, demand.zone, demand.lanes, units).walk(book)
    if share is not None and share.is_campaign:
        return ((cents, at) for cents, at in walk if at.slot in share.aside)
    if book.restricted or demand.pool is not None:
        return ((cents, at) for cents, at in walk if _serves(at, demand))
    return walk


def _serves(position: Position, demand: Demand) -> bool:
    channels = position.place.channels
    if channels and demand.channel not in channels:
        return False
    return demand.pool is None or position.node in demand.pool
