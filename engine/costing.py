"""What a reservation's units cost to send, and when they will be there.

A parcel costs its lane's fixed part, once for each node, and the rate of its weight for each
kilogram, rounded up to whole cents for each line.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.bids import as_decided
from engine.costed import there_by
from engine.lanes import ready_at
from engine.pickups import join
from engine.record import BACKINGS, Line

if TYPE_CHECKING:
    from engine.demand import Demand
    from engine.state import ShardState

#: By backing: [there by (ms) or None, fixed cents or None, cents by weight or None], and where
#: bid prices were in force their cents and version, see ``bids.as_decided``.
Costs: TypeAlias = dict[str, list[Any]]


def carry_over(costs: Costs, old: str, new: str, units: int, standing: int) -> None:
    """What was told of ``units`` of a backing's ``standing`` ones holds where they stand now."""
    told = costs.pop(old, None)
    if told is None:
        return
    by_ms, fixed, by_weight, *decided = told
    part = None if by_weight is None else by_weight * units // standing
    if units < standing:
        costs[old] = [
            by_ms, fixed, None if by_weight is None else by_weight - (part or 0), *decided,
        ]  # fmt: skip
    there = costs.get(new)
    if there is None:
        costs[new] = [by_ms, fixed, part, *decided]
    else:  # The later of two dates holds for both.
        weighs = None if there[2] is None else there[2] + (part or 0)
        costs[new] = [max(by_ms, there[0]), there[1], weighs, *there[3:]]


def costs_of(state: "ShardState", lines: Iterable[Line], demand: "Demand") -> Costs:
    """What is to be told of the backings of lines that lie on this shard."""
    costs: Costs = {}
    turns: dict[str, int] = {}  # By store: when it begins with this order.
    for line in lines:
        book = state.books[line[0]]
        if demand.lanes is None and not book.supplies and not demand.pickup:
            continue
        for at in range(BACKINGS, len(line), 2):
            position = book.positions[line[at]]
            lane = demand.lanes.get(position.node) if demand.lanes is not None else None
            if demand.pickup:  # Ready for whoever collects it, once it has come; nothing is sent.
                if position.node not in turns:
                    turns[position.node] = join(state, position.place, demand.now_ms)
                begins_ms = max(turns[position.node], there_by(position, demand))
                costs[position.backing] = [ready_at(position.place, begins_ms), 0, 0]
                continue
            if lane is None and position.supply is None:
                continue
            by_ms = there_by(position, demand)
            if lane is None:
                costs[position.backing] = [by_ms, None, None]
                continue
            by_weight = lane.by_weight(book.members[1] * line[at + 1])
            decided = as_decided(position, line[at + 1], demand.bids)
            known = costs.get(position.backing)
            if known is not None:  # On two lines: one may have named the node.
                by_weight += known[2]
                decided = known[3:]
            costs[position.backing] = [by_ms, lane.fixed_cents, by_weight, *decided]
    return costs
