"""Why an order leaves from where the plan has it."""

from typing import Any, Final

import numpy as np

from actors.waves.wave import Done
from solver import costs, residual
from solver.plan import order_costs
from solver.pricing import pattern_costs, places, set_sizes
from solver.problem import NOWHERE, Ints

#: Docks of an order that are tried for the next best way.
_NEAR: Final = 10


def explained(done: Done, shard: int, key: str) -> dict[str, Any] | None:
    """Where an order stood, where it is to leave from, and what else it could do; None: not in it.

    Costs are of all orders that it leaves with. The next best is the cheapest other set of nodes
    among what the whole plan leaves free; ``binding`` are the cheaper places that it has filled.
    """
    wave, problem, plan = done.wave, done.wave.problem, done.plan
    named = (at for at, one in enumerate(wave.orders) if (one.shard, one.key) == (shard, key))
    order = next(named, None)
    if order is None:
        return None
    lines = np.flatnonzero(wave.line_orders == order)
    party = int(wave.party[order])
    nodes = problem.network.nodes
    docks = plan.line_dock[lines]
    other, binding = _others(done, party, np.flatnonzero(problem.orders.line_order == party))
    return {
        "cost": int(order_costs(problem, plan.line_dock)[party]),
        "refused": any(order == refused for refused, _ in done.refused),
        "lines": [
            {
                "sku": wave.lines[line][0],
                "quantity": int(problem.orders.quantity[line]),
                "from": wave.lines[line][1],
                "to": wave.lines[line][1] if dock == NOWHERE else nodes[dock],
            }
            for line, dock in zip(lines.tolist(), docks.tolist(), strict=True)
        ],
        "next_best": other,
        "binding": binding,
    }


def _others(done: Done, order: int, lines: Ints) -> tuple[dict[str, Any] | None, list[str]]:
    problem, plan = done.wave.problem, done.plan
    freed = np.zeros(len(problem.orders.ids), bool)
    freed[order] = True
    left = residual.without(problem, plan.line_dock, freed)
    rows, docks = np.array([order]), np.arange(len(problem.network.dock_node))
    parcel = costs.parcel_costs(problem, rows, docks)[0]
    line = np.add(*costs.line_costs(problem, lines, docks))
    possible = ~costs.lacking(left, lines, docks)
    whole = (np.where(possible, line, costs.FORBIDDEN).sum(axis=0) + parcel).argsort()
    each = (np.where(possible, line, costs.FORBIDDEN) + parcel).argsort(axis=1)
    near = np.array(
        list(dict.fromkeys([*whole[:4].tolist(), *each.T.ravel().tolist()]))[:_NEAR], np.int64
    )
    offered = np.where(possible, line, costs.FORBIDDEN)[:, near][None]
    unserved = costs.unserved_costs(problem)[lines][None]
    priced = pattern_costs(
        np.minimum(offered, unserved[:, :, None]),
        parcel[near][None],
        unserved.sum(axis=1),
        problem.orders.most_parcels[rows],
        float(problem.weights.split),
    )[:, 0]
    chosen = set(plan.line_dock[lines].tolist()) - {NOWHERE}
    names = problem.network.nodes
    sizes = set_sizes(len(near), len(lines))
    for number in priced.argsort().tolist():
        place = places(offered, unserved, np.array([number]))[0]
        used = {int(near[at]) for at in place.tolist() if at != NOWHERE}
        if used != chosen and len(used) == sizes[number] and priced[number] < costs.FORBIDDEN:
            found = {"nodes": sorted(names[d] for d in used), "cost": int(priced[number])}
            return found, _binding(done, lines, line + parcel, possible)
    return None, _binding(done, lines, line + parcel, possible)


def _binding(done: Done, lines: Ints, cost: Any, possible: Any) -> list[str]:
    """``stock SKU node`` for each cheaper place of a line that others have taken."""
    problem, plan = done.wave.problem, done.plan
    names, skus = problem.network.nodes, problem.skus
    told = []
    for at, line in enumerate(lines.tolist()):
        dock = int(plan.line_dock[line])
        limit = cost[at, dock] if dock != NOWHERE else np.inf
        had = ~costs.lacking(problem, np.array([line]), np.arange(cost.shape[1]))[0]
        taken = np.flatnonzero(had & ~possible[at] & (cost[at] < limit))
        sku = skus[int(problem.orders.line_sku[line])]
        told += [
            f"stock {sku} {names[int(problem.network.dock_node[d])]}"
            for d in taken[cost[at, taken].argsort()][:3].tolist()
        ]
    return told
