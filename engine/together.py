"""Lines that go to one place: from which few nodes they leave for least, looked at together.

A parcel's fixed part counts once for each node, so the cheapest node of every line alone is not
the cheapest for the order. Sets of at most three nodes are tried, out of those near to some line;
each line leaves from the cheapest node of the set (the patterns that waves choose from as well).
"""

from collections.abc import Sequence
from math import inf

from engine.costed import by_cost, late_cents, priced
from engine.demand import Demand
from engine.limits import NEAR_LOOKED_AT, ON_HAND_MAX, SPLIT_CENTS
from engine.ranking import FEW
from engine.stock import Book, Position
from engine.visible import serves_of, units_of

#: Of a line at least so many nodes are looked at.
_NEAR_MIN = 2


def together(wanted: Sequence[tuple[Book, int]], demand: Demand) -> list[Position] | None:
    """The position that each line (a SKU, and units) leaves from; None: three have not got all."""
    near: dict[str, int] = {}  # Cents of a parcel, whatever is in it, by node.
    looked_at: list[dict[str, int] | None] = []
    few = max(_NEAR_MIN, NEAR_LOOKED_AT // len(wanted))
    # Whoever has everything has the SKU that lies in the fewest places.
    rarest = min([len(book.positions) for book, _ in wanted])
    for book, units in wanted:
        most = NEAR_LOOKED_AT if len(book.positions) == rarest else few
        if len(book.positions) > FEW:
            looked_at.append(None)
            order = by_cost(book, units, demand, need=units)
            for _, position, _ in order.first(ON_HAND_MAX * most, most):
                if position.node not in near:
                    near[position.node] = _parcel_cents(position, demand)
        else:  # To look at all costs less than to keep them in order.
            found = sorted(priced(book, units, demand))
            # What is there now lies in the slot of its node.
            looked_at.append({node: cents for *_, node, cents in found})
            for total, _, _, node, cents in found[:most]:
                near.setdefault(node, total - cents + SPLIT_CENTS)
    # The cheapest parcels first: sets behind one that is too dear are too dear as well.
    dear = sorted([(cents, node) for node, cents in near.items()])
    parcels, nodes = [cents for cents, _ in dear], [node for _, node in dear]
    lines = [
        _line_cents(book, units, nodes, demand)
        if known is None
        else [known.get(node, inf) for node in nodes]
        for (book, units), known in zip(wanted, looked_at, strict=True)
    ]
    chosen = _cheapest_set(parcels, lines) if nodes else []
    if not chosen:
        return None
    return [
        book.positions[nodes[min(chosen, key=row.__getitem__)]]
        for (book, _), row in zip(wanted, lines, strict=True)
    ]


def _parcel_cents(position: Position, demand: Demand) -> int:
    """What a parcel from the node costs, whatever is in it."""
    assert demand.lanes is not None
    node = position.node
    cents = demand.lanes[node].fixed_cents + demand.bids.parcels.get(node, 0) + SPLIT_CENTS
    return cents if demand.deliver_by_ms is None else cents + late_cents(position, demand)


def _line_cents(book: Book, units: int, nodes: Sequence[str], demand: Demand) -> list[float]:
    """What a line costs beside its parcel from each of ``nodes``; infinite where it cannot be."""
    assert demand.lanes is not None
    serves, there = serves_of(demand), units_of(book, demand.share)
    positions, bids, lanes = book.positions, book.bids, demand.lanes
    grams = book.members[1] * units
    row: list[float] = []
    for node in nodes:
        position = positions.get(node)
        if position is None or there(position) < units or not serves(position):
            row.append(inf)
        else:
            each = position.place.settlement_cents + bids.get(node, 0)
            row.append(lanes[node].by_weight(grams) + each * units)
    return row


def _cheapest_set(parcels: Sequence[int], lines: Sequence[Sequence[float]]) -> list[int]:
    """The nodes, by number, from which all lines leave for least; empty where no three have all.

    ``parcels`` ascend.
    """
    columns = list(zip(*lines, strict=True))
    # No set is cheaper than its parcels and the best node of every line.
    floor = sum(map(min, lines))
    if floor == inf:
        return []
    least, best = inf, []
    for node, column in enumerate(columns):
        cost = parcels[node] + sum(column)
        if cost < least:
            least, best = cost, [node]
    many = len(columns)
    threes = len(lines) > 2
    for one in range(many):
        for two in range(one + 1, many):
            fixed = parcels[one] + parcels[two]
            if fixed + floor >= least:
                break
            pair = [*map(min, columns[one], columns[two])]
            cost = fixed + sum(pair)
            if cost < least:
                least, best = cost, [one, two]
            for three in range(two + 1, many) if threes else ():
                if fixed + parcels[three] + floor >= least:
                    break
                cost = fixed + parcels[three] + sum(map(min, pair, columns[three]))
                if cost < least:
                    least, best = cost, [one, two, three]
    return best
