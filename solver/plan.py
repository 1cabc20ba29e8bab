"""A plan: the dock of each line, and what that costs, part by part."""

import dataclasses

import numpy as np

from solver import costs
from solver.problem import NOWHERE, Floats, Ints, Problem, sums


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """The parts of a plan's cost, in cents; `lane` is the fixed part of a parcel's carriage."""

    lane: int
    weight: int
    handling: int
    lateness: int
    split: int
    unserved: int
    change: int

    @property
    def total(self) -> int:
        """All parts together: what is minimised."""
        return sum(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """`line_dock` (L): the dock each line leaves from, -1 where it waits for a later wave.

    `bound` is the least that any plan of the problem costs, as far as is proven (cents); `seed`
    and `version` say what made it, so that it can be made again.
    """

    line_dock: Ints
    cost: Cost
    parcels: int
    unserved_lines: int
    bound: float
    seed: int
    version: str

    @property
    def gap(self) -> float:
        """How far above the bound the plan may be at most, as a share of the bound."""
        return (self.cost.total - self.bound) / self.bound if self.bound > 0 else 0.0


def parcels_of(problem: Problem, line_dock: Ints) -> tuple[Ints, Ints]:
    """Order and dock of each parcel that `line_dock` makes."""
    served = line_dock != NOWHERE
    docks = len(problem.network.dock_node)
    key = np.unique(problem.orders.line_order[served] * docks + line_dock[served])
    return key // docks, key % docks


def changed_orders(problem: Problem, line_dock: Ints) -> Ints:
    """The orders that stood somewhere and would leave it."""
    orders = problem.orders.line_order
    stood = np.zeros(len(problem.orders.ids), bool)
    stood[orders[problem.standing != NOWHERE]] = True
    moved = np.zeros(len(problem.orders.ids), bool)
    moved[orders[problem.standing != line_dock]] = True
    return np.flatnonzero(stood & moved)


def order_costs(problem: Problem, line_dock: Ints) -> Floats:
    """What each order costs in `line_dock`, without the price of change: (O), cents."""
    orders, many = problem.orders, len(problem.orders.ids)
    order, dock = parcels_of(problem, line_dock)
    parts = costs.parcel_parts(problem, order, dock[:, None])
    parcel = (parts.lane + parts.lateness)[:, 0] + problem.weights.split
    served = np.flatnonzero(line_dock != NOWHERE)
    weight, handling = costs.line_costs(problem, served, line_dock[served][:, None])
    total = sums(order, parcel, many)
    total[np.unique(order)] -= problem.weights.split
    total += sums(orders.line_order[served], (weight + handling)[:, 0], many)
    left = np.where(line_dock == NOWHERE, costs.unserved_costs(problem), 0.0)
    return total + sums(orders.line_order, left, many)


def days_late(problem: Problem, line_dock: Ints) -> float:
    """How many days parcels come after what their orders were promised, all added up."""
    order, dock = parcels_of(problem, line_dock)
    return float(costs.parcel_parts(problem, order, dock[:, None]).days.sum())


def cost_of(problem: Problem, line_dock: Ints) -> Cost:
    """What `line_dock` (L) costs; it is not asked whether it may be done: `check` says that."""
    order, dock = parcels_of(problem, line_dock)
    parts = costs.parcel_parts(problem, order, dock[:, None])
    served = np.flatnonzero(line_dock != NOWHERE)
    weight, handling = costs.line_costs(problem, served, line_dock[served][:, None])
    left = costs.unserved_costs(problem)[line_dock == NOWHERE]
    splits = len(order) - len(np.unique(order))
    return Cost(
        lane=int(parts.lane.sum()),
        weight=int(weight.sum()),
        handling=int(handling.sum()),
        lateness=int(parts.lateness.sum()),
        split=splits * problem.weights.split,
        unserved=int(left.sum()),
        change=len(changed_orders(problem, line_dock)) * problem.weights.change,
    )


def make(problem: Problem, line_dock: Ints, bound: float, seed: int, version: str) -> Plan:
    """The plan that `line_dock` is, with its cost and counts."""
    return Plan(
        line_dock=line_dock,
        cost=cost_of(problem, line_dock),
        parcels=len(parcels_of(problem, line_dock)[0]),
        unserved_lines=int((line_dock == NOWHERE).sum()),
        bound=bound,
        seed=seed,
        version=version,
    )
