"""Two planned waves side by side: what each costs, and which orders leave from elsewhere."""

import dataclasses
from collections import Counter
from typing import Any

from solver.case import Case
from solver.plan import Plan
from solver.problem import NOWHERE

#: Units of an order by SKU and node; None: they are left.
Ways = Counter[tuple[str, str | None]]


def figures(plan: Plan) -> dict[str, Any]:
    """A plan in figures, money in cents: the parts of its cost, their total, bound and gap."""
    return {
        **{f"{name}_cents": cents for name, cents in dataclasses.asdict(plan.cost).items()},
        "total_cents": plan.cost.total,
        "bound_cents": int(plan.bound),
        "gap_share": plan.gap,
        "parcels": plan.parcels,
        "unserved_lines": plan.unserved_lines,
    }


def compared(one: Case, other: Case) -> dict[str, Any]:
    """Figures ``a`` and ``b``, how many ``orders`` are in both or one, and those that differ.

    ``differ`` has, for each order of both whose units leave from other nodes, these nodes.
    """
    ways = ways_of(one), ways_of(other)
    both = [order for order in ways[0] if order in ways[1]]
    return {
        "a": figures(one.plan),
        "b": figures(other.plan),
        "orders": {
            "both": len(both),
            "only_a": len(ways[0]) - len(both),
            "only_b": len(ways[1]) - len(both),
        },
        "differ": [
            {"order": order, "a": _nodes(ways[0][order]), "b": _nodes(ways[1][order])}
            for order in both
            if ways[0][order] != ways[1][order]
        ],
    }


def ways_of(case: Case) -> dict[str, Ways]:
    """From where each order's units leave."""
    problem = case.problem
    orders, net = problem.orders, problem.network
    found: dict[str, Ways] = {order: Counter() for order in orders.ids}
    for order, sku, units, dock in zip(
        orders.line_order.tolist(),
        orders.line_sku.tolist(),
        orders.quantity.tolist(),
        case.plan.line_dock.tolist(),
        strict=True,
    ):
        node = None if dock == NOWHERE else net.nodes[int(net.dock_node[dock])]
        found[orders.ids[order]][problem.skus[sku], node] += units
    return found


def _nodes(ways: Ways) -> list[str]:
    """The nodes, in order; ``-`` where units are left."""
    return sorted({node or "-" for _, node in ways})
