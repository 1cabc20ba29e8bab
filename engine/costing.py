"""What a reservation's units cost to send, and when they will be there.

A parcel costs its lane's fixed part, once for each node, and the rate of its weight for each
kilogram, rounded up to whole cents.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.record import BACKINGS, Line

if TYPE_CHECKING:
    from engine.demand import Demand
    from engine.state import ShardState

#: By backing: [there by (ms) or None, fixed cents or None, cents by weight or None].
Costs: TypeAlias = dict[str, list[Any]]


def costs_of(state: "ShardState", lines: Iterable[Line], demand: "Demand") -> Costs:
    """What is to be told of the backings of lines that lie on this shard."""
    costs: Costs = {}
    for line in lines:
        book = state.books[line[0]]
        if not book.supplies:
            continue
        for at in range(BACKINGS, len(line), 2):
            position = book.positions[line[at]]
            if position.supply is not None:
                costs[position.backing] = [position.supply.available_at_ms, None, None]
    return costs
