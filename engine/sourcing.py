"""Which units serve a line: the one seam where a costed choice can take the place of priority.

Without a wish, nodes are taken by priority (smaller first), then most sellable, then id, and a
line may be backed by several. A SKU may lie in 2,000 stores, so the order is kept in a heap:
each choice costs O(log nodes), not a scan.
"""

from heapq import heapify, heappop, heappush, nlargest

from engine.allowances import most
from engine.costed import Choice, costed, in_turn, sellable_for, there_by
from engine.demand import OF_CAMPAIGN, Demand
from engine.limits import SPLIT_MAX
from engine.record import Line
from engine.shares import Share, share_of
from engine.stock import Book, Position


def choose(book: Book, units: int, demand: Demand) -> Choice:
    """The backings of ``units``, or of as many as there are, when any node will do.

    The sum falls short of ``units`` only if nothing more is sellable to this demand. What is
    there comes before what is on its way, and of that what comes first.
    """
    chosen = _choose_here(book, units, demand)
    if book.supplies and _may_wait(demand):
        units -= sum(part for _, part in chosen)
        chosen += in_turn(on_their_way(book, demand), units, demand)
    return chosen


def _may_wait(demand: Demand) -> bool:
    drawn_on_declared = demand.share is not None and demand.share.startswith(OF_CAMPAIGN)
    may = demand.preorder or demand.deliver_by_ms is not None
    return may and not drawn_on_declared  # A campaign has its own supplies among its units.


def on_their_way(book: Book, demand: Demand) -> list[Position]:
    """Positions of supplies that come in time, the first first."""
    if book.stopped or not _may_wait(demand):
        return []
    in_time = [
        position
        for position in book.supplies.values()
        if position.on_hand and serves(position, demand) and comes_in_time(position, demand)
    ]
    return sorted(in_time, key=lambda at: (at.supply.available_at_ms if at.supply else 0, at.slot))


def comes_in_time(position: Position, demand: Demand) -> bool:
    """Whether a supply's units will be there by when they are wanted."""
    if demand.preorder or position.supply is None:
        return True
    by_ms = demand.deliver_by_ms
    return by_ms is not None and there_by(position, demand) <= by_ms


def _choose_here(book: Book, units: int, demand: Demand) -> Choice:
    if book.stopped:
        return []
    share = share_of(book, demand)
    if demand.lanes is not None:
        return _costed(book, units, demand, share)
    own = share is not None and (share.aside or share.is_campaign)
    if own or book.restricted or demand.pool is not None:
        return _scan(book, units, demand)
    if book.only is not None:
        # Its short way in ``holds.reserve`` keeps no order: there is nothing to order.
        part = min(units, book.only.sellable)
        return [(book.only, part)] if part else []
    heap = book.heap
    if heap is None:
        heap = book.heap = [
            (position.place.priority, -position.sellable, position.slot)
            for position in book.here()
            if position.sellable
        ]
        heapify(heap)
    chosen: Choice = []
    entries = []
    positions = book.positions
    while heap and units:
        entry = heap[0]
        position = positions[entry[2]]
        sellable = position.sellable
        if -entry[1] != sellable or any(position is other for other, _ in chosen):
            heappop(heap)
            continue
        if not chosen and sellable >= units:
            return [(position, units)]
        entries.append(heappop(heap))
        taken = min(units, sellable)
        chosen.append((position, taken))
        units -= taken
    for entry in entries:  # Still true until the caller takes the units.
        heappush(heap, entry)
    return chosen


def _costed(book: Book, units: int, demand: Demand, share: Share | None) -> Choice:
    chosen = costed(book, units, demand, share)
    if share is not None and share.is_campaign:
        units -= sum(part for _, part in chosen)
        coming = [at for at in share.drawn_on() if at.supply and serves(at, demand)]
        chosen += in_turn(coming, units, demand)
    return chosen


def _scan(book: Book, units: int, demand: Demand) -> Choice:
    """The same where not all may take the same: channels that nodes serve, units set aside."""
    share = share_of(book, demand)
    if share is not None and share.is_campaign:
        return in_turn(share.drawn_on()[share.cursor :], units, demand)
    eligible = sorted(
        (position.place.priority, -sellable, position.slot)
        for position in usable(book, demand)
        if (sellable := sellable_for(position, demand))
    )
    return in_turn((book.positions[slot] for _, _, slot in eligible), units, demand)


def usable(book: Book, demand: Demand) -> list[Position]:
    """Backings that a request may draw on, whether or not anything is left there."""
    share = share_of(book, demand)
    if share is not None and share.is_campaign:
        positions = [book.positions[slot] for slot in share.aside]
        if demand.lanes is not None:
            return [position for position in positions if position.node in demand.lanes]
        return positions
    return [position for position in book.here() if serves(position, demand)]


def serves(position: Position, demand: Demand) -> bool:
    """Whether a request may use the position."""
    channels = position.place.channels
    if channels and demand.channel not in channels:
        return False
    if demand.pool is not None and position.node not in demand.pool:
        return False
    return demand.lanes is None or position.node in demand.lanes


def available(book: Book, node: str | None, demand: Demand) -> int:
    """Units a line with this wish could have."""
    if book.stopped:
        return 0
    positions = usable(book, demand) if node is None else wished(book, node, demand)
    units = [sellable_for(position, demand) for position in positions]
    if demand.lanes is not None and node is None:
        units = nlargest(SPLIT_MAX, units)  # No line comes from more nodes.
    there = sum(units)
    if node is None and book.supplies:
        there += sum(sellable_for(position, demand) for position in on_their_way(book, demand))
    return min(there, most(book, demand))


def wished(book: Book, node: str, demand: Demand) -> list[Position]:
    """Backings at one node that a request may draw on, what is there first."""
    position = book.positions.get(node)
    here = [position] if position is not None and serves(position, demand) else []
    if not book.supplies:
        return here
    return here + [at for at in on_their_way(book, demand) if at.node == node]


def withheld(book: Book, line: Line, demand: Demand, now_ms: int) -> bool:
    """Whether units are there that a single line may not have yet: see ``views.hint``.

    Gateways may still be calling the SKU sold out, to single lines that want all or nothing.
    """
    there: int = available(book, line[1], demand) if now_ms <= book.hinted_until_ms else 0
    return bool(there >= line[2])
