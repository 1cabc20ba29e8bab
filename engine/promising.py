"""What may be promised to a basket: from where, for how much, by when; nothing is set aside.

Owners tell where each line could come from (``candidates``); ``plan`` chooses over the basket. A
parcel's fixed part counts once for each node, so lines are also tried together: a greedy cover
of lines by nodes (Chvátal, A greedy heuristic for the set-covering problem, 1979), and what costs
less is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from engine.commands import Command, Reply
from engine.costed import late_cents, sellable_for, there_by
from engine.demand import Demand, demand_of
from engine.granting import refuse
from engine.limits import CANDIDATES_MAX, EXPLAINED_MAX, SPLIT_MAX
from engine.outcome import Outcome
from engine.sourcing import may_use, on_their_way, usable, wished
from engine.state import ShardState
from engine.stock import Book, Position

OK = Outcome.OK
#: What the elements of an explained position are.
EXPLAINED: Final = (
    "node", "supply", "on_hand", "reserved", "committed", "withheld", "sellable", "arrives_at_ms",
    "fixed_cents", "weight_cents", "excluded",
)  # fmt: skip


class Candidate(NamedTuple):
    """Where units of a line could come from; costs None where nobody said where to."""

    node: str
    supply: str | None
    units: int
    by_ms: int
    fixed: int | None
    by_weight: int | None  # Cents of the units asked for.
    settlement: int


def candidates(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.promising.candidates``."""
    _, lines, extra, explain = command
    demand = demand_of(state, extra, now_ms)
    refused = refuse(state, lines, extra, demand)
    if refused is not None:
        return refused
    rows = []
    for sku, wish, units in lines:
        book = state.books[sku]
        found = [_candidate(position, units, demand) for position in _open(book, wish, demand)]
        found = [one for one in found if one.units]
        cheap = sorted(found, key=_cheapest)[:CANDIDATES_MAX]
        fast = sorted(found, key=_fastest)[:CANDIDATES_MAX]
        most = sorted(found, key=lambda one: (-one.units, one.node))[:SPLIT_MAX]
        told = list(dict.fromkeys([*cheap, *fast, *most]))
        rows.append([told, _explained(book, wish, demand, units) if explain else []])
    return [OK, *rows]


def _open(book: Book, wish: str | None, demand: Demand) -> list[Position]:
    if book.stopped:
        return []
    if wish is not None:
        return wished(book, wish, demand)
    return usable(book, demand) + on_their_way(book, demand)


def _candidate(position: Position, units: int, demand: Demand) -> Candidate:
    lane = demand.lanes.get(position.node) if demand.lanes is not None else None
    grams = position.book.members[1] * units
    return Candidate(
        position.node,
        position.supply.supply if position.supply is not None else None,
        min(units, sellable_for(position, demand)),
        there_by(position, demand),
        lane.fixed_cents if lane is not None else None,
        lane.by_weight(grams) if lane is not None else None,
        position.place.settlement_cents * units,
    )


def _explained(book: Book, wish: str | None, demand: Demand, units: int) -> list[list[Any]]:
    """The numbers behind each place, and why it is left out if it is."""
    positions = sorted(book.positions.values(), key=lambda at: (-at.sellable, at.slot))
    rows = []
    for position in positions[:EXPLAINED_MAX]:
        one = _candidate(position, units, demand)
        rows.append([
            one.node, one.supply, position.on_hand, position.reserved, position.committed,
            position.withheld, sellable_for(position, demand), one.by_ms, one.fixed,
            one.by_weight, _excluded(position, wish, demand),
        ])  # fmt: skip
    return rows


def _excluded(position: Position, wish: str | None, demand: Demand) -> str | None:
    if wish is not None and position.node != wish:
        return "another node is wished for"
    if demand.lanes is not None and position.node not in demand.lanes:
        return "no lane to the destination"
    if not may_use(position, demand):
        return "does not serve the channel"
    if position.supply is not None and position not in on_their_way(position.book, demand):
        return "comes too late"
    if not sellable_for(position, demand):
        return "nothing is left"
    return "late" if late_cents(position, demand) else None


def _cheapest(one: Candidate) -> tuple[int, int, str]:
    return ((one.fixed or 0) + (one.by_weight or 0) + one.settlement, one.by_ms, one.node)


def _fastest(one: Candidate) -> tuple[int, int, str]:
    return (one.by_ms, (one.fixed or 0) + (one.by_weight or 0) + one.settlement, one.node)


#: For each line the parts that serve it.
Plan = list[list[Candidate]]
Key = Callable[[Candidate], Any]


def plan(wanted: Sequence[int], found: Sequence[Sequence[Candidate]], prefer: str) -> Plan:
    """Parts for each line, ``wanted`` being its units; fewer units where there are no more."""
    key: Key = _fastest if prefer == "fastest" else _cheapest
    apart = [_line(units, ones, key) for units, ones in zip(wanted, found, strict=True)]
    if prefer == "fastest":
        return apart
    together = _together(wanted, found, apart)
    if prefer == "fewest_parcels":
        return min((together, apart), key=lambda it: (parcels(it), cents(it) or 0))
    return min((apart, together), key=lambda it: cents(it) or 0)


def _line(units: int, ones: Sequence[Candidate], key: Key) -> list[Candidate]:
    """From one place if one has it all, else from as few as the order of places allows."""
    ordered = sorted(ones, key=key)
    whole = next((one for one in ordered if one.units >= units), None)
    if whole is not None:
        return [whole._replace(units=units)]
    for order in (ordered, sorted(ones, key=lambda one: (-one.units, one.node))):
        parts = _filled(units, order[:SPLIT_MAX])
        if sum(part.units for part in parts) == units:
            break
    return parts


def _filled(units: int, order: Iterable[Candidate]) -> list[Candidate]:
    parts = []
    for one in order:
        part = min(units, one.units)
        if part:
            share = None if one.by_weight is None else -(-one.by_weight * part // max(1, units))
            parts.append(one._replace(units=part, by_weight=share))
            units -= part
    return parts


def _together(wanted: Sequence[int], found: Sequence[Sequence[Candidate]], apart: Plan) -> Plan:
    """Lines that one node has whole go together, the node with most lines first."""
    chosen = list(apart)
    left = set(range(len(wanted)))
    while left:
        by_node: dict[str, list[int]] = {}
        for line in left:
            for node in {one.node for one in found[line] if one.units >= wanted[line]}:
                by_node.setdefault(node, []).append(line)
        if not by_node:
            break
        node = min(by_node, key=lambda name: (-len(by_node[name]), name))
        for line in by_node[node]:
            whole = [one for one in found[line] if one.node == node and one.units >= wanted[line]]
            chosen[line] = [min(whole, key=_cheapest)._replace(units=wanted[line])]
        left -= set(by_node[node])
    return chosen


def parcels(chosen: Plan) -> int:
    """Places that send something."""
    return len({part.node for parts in chosen for part in parts})


def cents(chosen: Plan) -> int | None:
    """What it costs: the fixed part once for each node. None where nobody said where to."""
    fixed = {part.node: part.fixed for parts in chosen for part in parts}
    weights = [part.by_weight for parts in chosen for part in parts]
    if any(cost is None for cost in (*fixed.values(), *weights)):
        return None
    return sum(cost or 0 for cost in (*fixed.values(), *weights))
