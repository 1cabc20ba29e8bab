"""Orders that wait for a supply which comes too late for them, or not at all.

The solver knows places, not dates of supplies: to it such a line stands nowhere. So what it finds
is weighed once more, against going on to wait.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from actors.waves.gathering import Gathered
from solver import costs
from solver.plan import Plan, days_late, make, order_costs
from solver.problem import NOWHERE, Bools, Ints, Problem

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
    for order in {int(problem.orders.line_order[line]) for line in wave.waits}:
        mine = problem.orders.line_order == order
        lines = [at for at in wave.waits if mine[at] and docks[at] != NOWHERE]
        without = docks.copy()
        without[lines] = NOWHERE
        saved = sum(wave.waits[line].cents for line in lines)
        if lines and _sent(wave, docks, mine) + problem.weights.change > (
            _sent(wave, without, mine) + saved
        ):
            docks = without
    return make(problem, docks, plan.bound, plan.seed, plan.version)


def _sent(wave: "Wave", docks: Ints, mine: Bools) -> float:
    """What it costs to send an order's lines that have a dock; the others cost nothing here."""
    problem = wave.problem
    order = int(problem.orders.line_order[mine][0])
    left = costs.unserved_costs(problem)[mine & (docks == NOWHERE)].sum()
    return float(order_costs(problem, docks)[order] - left)


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
