"""The costed choice: which backings serve a line for least money, given where it goes and by when.

What counts: the lane's price, what the node's owner gets, bid prices, and lateness. A whole line
comes from one node where one has it, the cheapest such; else from few, the cheapest first.
"""

from collections.abc import Iterable
from typing import TypeAlias

from engine.demand import Demand
from engine.lanes import ready_at
from engine.limits import LATE_CENTS_PER_HOUR, LATE_LOOKED_AT, ON_HAND_MAX, SPLIT_MAX
from engine.ranking import Found, Order, order_of, worth_keeping
from engine.shares import sellable_to, share_of
from engine.stock import Book, Position
from engine.visible import cost_key, is_here, serves_of, units_of, view_name

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
    return _weighed(there_by(position, demand) - demand.deliver_by_ms)


def _weighed(late_ms: int) -> int:
    return -(-late_ms * LATE_CENTS_PER_HOUR // _HOUR_MS) if late_ms > 0 else 0


def costed(book: Book, units: int, demand: Demand) -> Choice:
    """The backings of units that are there, or of as many as few nodes have."""
    position = whole(book, units, demand)
    if position is not None:
        return [(position, units)]
    cheapest = taken(by_cost(book, units, demand, need=1).first(units, SPLIT_MAX), units)
    if sum(part for _, part in cheapest) == units:
        return cheapest
    # Cheap nodes have too little each: those that have most, in as few parcels as may be.
    return taken(_fullest(book, demand).first(units, SPLIT_MAX), units)


def taken(found: Iterable[Found], units: int) -> Choice:
    """So many units of what was found, in that order."""
    chosen: Choice = []
    for _, position, there in found:
        chosen.append((position, min(units, there)))
        units -= there
    return chosen


def whole(book: Book, units: int, demand: Demand) -> Position | None:
    """The cheapest position that has all units. Those further on cost more whatever they are."""
    assert demand.zone is not None
    if not worth_keeping(book, cost_key(view_name(book, demand), demand.zone, units, units)):
        return looked_through(book, units, demand)
    order = by_cost(book, units, demand, need=units)
    best: Position | None = None
    least = 0
    for most in LATE_LOOKED_AT:
        found = order.first(ON_HAND_MAX * most, most)
        for (cents, _), position, _ in found:
            if best is not None and cents >= least:
                return best
            total = cents + late_cents(position, demand)
            if best is None or total < least:
                best, least = position, total
            if total == cents:
                return best
        if len(found) < most:
            break
    return best


def looked_through(book: Book, units: int, demand: Demand) -> Position | None:
    """The cheapest position that has all units, by looking at each."""
    best = min(priced(book, units, demand), default=None)
    return None if best is None else book.positions[best[3]]


def priced(book: Book, units: int, demand: Demand) -> list[tuple[int, int, int, str, int]]:
    """(cents with lateness, without, priority, slot, cents of the line) of each that has all units.

    The line's are what does not belong to its parcel.
    """
    lanes, bids, now_ms, due_ms = demand.lanes, demand.bids, demand.now_ms, demand.deliver_by_ms
    assert lanes is not None
    serves, there = serves_of(demand), units_of(book, demand.share)
    parcels, each, grams = bids.parcels, book.bids, book.members[1] * units
    found = []
    for slot, position in book.positions.items():
        node = position.node
        if there(position) < units or node not in lanes or not serves(position):
            continue
        lane, place = lanes[node], position.place
        line = lane.by_weight(grams) + place.settlement_cents * units
        cents = lane.fixed_cents + line
        if parcels or each:
            worth = each.get(node, 0) * units
            line += worth
            cents += parcels.get(node, 0) + worth
        late = 0
        if due_ms is not None:  # What serves is at the node: it leaves from now on.
            late = _weighed(lane.arrival(ready_at(place, now_ms)) - due_ms)
        found.append((cents + late, cents, place.priority, slot, line))
    return found


def by_cost(book: Book, units: int, demand: Demand, need: int) -> Order:
    """Places with ``need`` units or more, by (cents, priority) of sending ``units`` from there."""
    zone, lanes, bids = demand.zone, demand.lanes, demand.bids
    assert zone is not None
    assert lanes is not None

    def make() -> Order:
        # Most SKUs lie in a few places that serve everybody: to look at these costs most here.
        everybody = not book.restricted and demand.pool is None
        serves = is_here if everybody else serves_of(demand)
        grams = book.members[1] * units
        parcels, each = bids.parcels, book.bids

        def fixed(position: Position) -> tuple[int, int] | None:
            node = position.node
            lane = lanes.get(node)
            if lane is None or not serves(position):
                return None
            place = position.place
            cents = lane.fixed_cents + lane.by_weight(grams) + place.settlement_cents * units
            if parcels or each:
                cents += parcels.get(node, 0) + each.get(node, 0) * units
            return (cents, place.priority)

        return Order(book, fixed, units_of(book, demand.share), need)

    return order_of(book, cost_key(view_name(book, demand), zone, units, need), make)


def _fullest(book: Book, demand: Demand) -> Order:
    zone, lanes = demand.zone, demand.lanes
    assert lanes is not None

    def make() -> Order:
        serves = serves_of(demand)

        def fixed(position: Position) -> tuple[()] | None:
            return () if position.node in lanes and serves(position) else None

        return Order(book, fixed, units_of(book, demand.share), fullest=True)

    return order_of(book, ("fullest", view_name(book, demand), zone), make)
