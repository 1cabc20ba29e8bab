"""Orders that wait for a supply which comes too late for them, or not at all.

The solver knows places, not dates of supplies: to it such a line stands nowhere. So what it finds
is weighed once more, against going on to wait.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from actors.waves.gathering import Gathered
from solver import costs
from solver.plan import Plan, days_late, make, order_costs
from solver.problem import NOWHERE, Ints, Problem, sums

if TYPE_CHECKING:
    from actors.waves.problem import Wave

_HOUR_MS: Final = 3_600_000
_DAY_H: Final = 24.0


class Wait(NamedTuple):
    """What it costs to leave a line on a supply that comes: cents, and days late."""

    cents: int
    days: float


def waits(
    gathered: Gathered, problem: Problem, lines: list[tuple[str, str]], now_ms: int
) -> dict[int, Wait]:
    """By line, of those that wait for a supply which comes to a node with a lane to their zone.

    It leaves there with a parcel of its own, once it has come and been handled.
    """
    net, orders = problem.network, problem.orders
    found: dict[int, Wait] = {}
    for line, place in enumerate(lines):
        broken = gathered.broken.get(place)
        if broken is None or broken.at_ms is None:
            continue
        order, node = orders.line_order[line], net.nodes.index(broken.node)
        at, dock = np.array([order]), np.array([node])
        parts = costs.parcel_parts(problem, at, dock)
        if net.lane_fixed[node, orders.zone[order]] < 0:
            continue
        ready_h = gathered.nodes[broken.node].handling_ms + broken.at_ms - now_ms
        arrival = ready_h / _HOUR_MS + net.transit[node, orders.zone[order]]
        days = max(0.0, float(arrival - orders.due[order]) / _DAY_H)
        weight, handling = costs.line_costs(problem, np.array([line]), dock)
        late = days * problem.weights.lateness_day * int(orders.priority[order])
        found[line] = Wait(round(float((parts.lane + weight + handling).item()) + late), days)
    return found


def kept_waiting(wave: "Wave", plan: Plan) -> Plan:
    """``plan`` without what is dearer than to go on waiting."""
    problem, docks = wave.problem, plan.line_dock.copy()
    lines = np.array([line for line in wave.waits if docks[line] != NOWHERE], np.int64)
    if not lines.size:
        return plan
    order, many = problem.orders.line_order[lines], len(problem.orders.ids)
    without = docks.copy()
    without[lines] = NOWHERE
    left = sums(order, costs.unserved_costs(problem)[lines], many)
    sending = order_costs(problem, docks) - order_costs(problem, without) + left
    cents = np.array([wave.waits[line].cents for line in lines.tolist()])
    dear = sending + problem.weights.change > sums(order, cents, many)
    docks[lines[dear[order]]] = NOWHERE
    return make(problem, docks, plan.bound, plan.seed, plan.version)


def sent_and_waiting(wave: "Wave", docks: Ints) -> tuple[float, float]:
    """Cents and days late of all orders with their lines at ``docks``, or waiting where they do.

    Lines whose supply does not come count nothing.
    """
    problem = wave.problem
    left = docks == NOWHERE
    cents = order_costs(problem, docks).sum() - costs.unserved_costs(problem)[left].sum()
    still = [wait for line, wait in wave.waits.items() if left[line]]
    return (
        float(cents) + sum(wait.cents for wait in still),
        days_late(problem, docks) + sum(wait.days for wait in still),
    )
