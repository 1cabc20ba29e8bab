"""Which units serve a line: the one seam where a costed choice can take the place of priority.

Without a wish, nodes are taken by priority (smaller first), then most sellable, then id, and a
line may be backed by several. A SKU may lie in 2,000 stores, so the order is kept: see
``ranking``.
"""

from engine.allowances import most
from engine.costed import Choice, costed, in_turn, sellable_for, taken, there_by
from engine.demand import OF_CAMPAIGN, Demand
from engine.ranking import Order, by_priority, everywhere, order_of
from engine.record import Line
from engine.shares import Share, share_of
from engine.stock import Book, Position
from engine.visible import serves_of, units_of, view_name


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
        if position.on_hand and may_use(position, demand) and comes_in_time(position, demand)
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
    declared = share is not None and share.is_campaign
    if demand.lanes is not None:
        chosen = costed(book, units, demand)
        return chosen + _declared_coming(book, units, demand, chosen) if declared else chosen
    if share is not None and declared:
        order = drawn_on(share)
    elif book.only is not None and view_name(book, demand) is None:
        # Its short way in ``holds.reserve`` keeps no order: there is nothing to order.
        part = min(units, book.only.sellable)
        return [(book.only, part)] if part else []
    else:
        order = _in_turn_of_priority(book, demand)
    return taken(order.first(units, len(book.positions)), units)


def _declared_coming(book: Book, units: int, demand: Demand, chosen: Choice) -> Choice:
    """A campaign's units on their way, behind those that are there."""
    units -= sum(part for _, part in chosen)
    coming = [at for at in book.supplies.values() if may_use(at, demand)]
    return in_turn(sorted(coming, key=lambda at: (turn(at), at.slot)), units, demand)


def turn(position: Position) -> tuple[int, int]:
    """When a campaign draws on a position: what is there first, then what comes first."""
    supply = position.supply
    return (-1 if supply is None else supply.available_at_ms, position.place.priority)


def drawn_on(share: Share) -> Order:
    """Where a campaign's units come from.

    Always in the same order, unlike those of everybody: it is made once for many sales.
    """
    book, name = share.book, share.name
    return order_of(book, ("declared", name), lambda: Order(book, turn, units_of(book, name)))


def _in_turn_of_priority(book: Book, demand: Demand) -> Order:
    name = view_name(book, demand)
    if name is None:
        return everywhere(book)

    def make() -> Order:
        serves = serves_of(demand)

        def fixed(position: Position) -> tuple[int, ...] | None:
            return by_priority(position) if serves(position) else None

        return Order(book, fixed, units_of(book, demand.share), fullest=True)

    return order_of(book, ("priority", name), make)


def usable(book: Book, demand: Demand) -> list[Position]:
    """Backings that a request may draw on, whether or not anything is left there."""
    share = share_of(book, demand)
    if share is not None and share.is_campaign:
        positions = [book.positions[slot] for slot in share.aside]
        if demand.lanes is not None:
            return [position for position in positions if position.node in demand.lanes]
        return positions
    return [position for position in book.here() if may_use(position, demand)]


def may_use(position: Position, demand: Demand) -> bool:
    """Whether a request may use the position."""
    channels = position.place.channels
    if channels and demand.channel not in channels:
        return False
    if demand.pool is not None and position.node not in demand.pool:
        return False
    return demand.lanes is None or position.node in demand.lanes


def available(book: Book, node: str | None, units: int, demand: Demand) -> int:
    """Units that a line of so many with this wish could have; for more it may not be asked."""
    if book.stopped:
        return 0
    if node is None:
        there = sum(part for _, part in choose(book, units, demand))
    else:
        there = sum(sellable_for(position, demand) for position in wished(book, node, demand))
    return min(there, most(book, demand, units))


def wished(book: Book, node: str, demand: Demand) -> list[Position]:
    """Backings at one node that a request may draw on, what is there first."""
    position = book.positions.get(node)
    here = [position] if position is not None and may_use(position, demand) else []
    if not book.supplies:
        return here
    return here + [at for at in on_their_way(book, demand) if at.node == node]


def withheld(book: Book, line: Line, demand: Demand, now_ms: int) -> bool:
    """Whether units are there that a single line may not have yet: see ``views.hint``.

    Gateways may still be calling the SKU sold out, to single lines that want all or nothing.
    """
    there: int = available(book, line[1], line[2], demand) if now_ms <= book.hinted_until_ms else 0
    return bool(there >= line[2])
