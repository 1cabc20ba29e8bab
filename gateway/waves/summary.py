"""A planned wave summed up: what costs, what moves where, and what stands in the way."""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np

from solver import costs, residual
from solver.case import Case
from solver.plan import Cost, cost_of, parcels_of
from solver.problem import NOWHERE, UNBOUNDED, Bools, Floats, Ints, Problem, sums

#: Lines that are looked at together: a table of them and all docks stays small.
_CHUNK: Final = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """Units, and of how many orders, that the plan has at another node than they stand on."""

    origin: str
    to: str
    units: int
    orders: int


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """A node: units and parcels before and after, parcels it may send (None: no bound).

    Degrees are None where nobody has said where the node lies.
    """

    node: str
    latitude: float | None
    longitude: float | None
    units: tuple[int, int]
    parcels: tuple[int, int]
    capacity: int | None

    @property
    def used(self) -> float | None:
        """The share of the capacity that the plan takes."""
        return self.parcels[1] / self.capacity if self.capacity else None


@dataclasses.dataclass(frozen=True, slots=True)
class Binding:
    """What is used up: a SKU at a node, or (None) the parcels of the node.

    `lines` would cost less from there, `cents` in all if each of them could have its wish.
    """

    sku: str | None
    node: str
    lines: int
    cents: int


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Pairs are before and after; `flows` and `binding` have the largest first."""

    cost: tuple[Cost, Cost]
    parcels: tuple[int, int]
    unserved: tuple[int, int]
    flows: list[Flow]
    loads: list[Load]
    binding: list[Binding]


def summary_of(case: Case) -> Summary:
    """The summary of a case; "before" is as the lines stand, on the terms of the problem.

    So the lines of a node that is closed count as not served before.
    """
    problem, after = case.problem, case.plan.line_dock
    before = problem.standing
    return Summary(
        cost=(cost_of(problem, before), cost_of(problem, after)),
        parcels=(len(parcels_of(problem, before)[0]), case.plan.parcels),
        unserved=(int((before == NOWHERE).sum()), case.plan.unserved_lines),
        flows=_flows(case),
        loads=_loads(case),
        binding=_binding(problem, after),
    )


def _flows(case: Case) -> list[Flow]:
    net, orders = case.problem.network, case.problem.orders
    many = len(net.nodes)
    served = case.plan.line_dock != NOWHERE
    to = np.where(served, net.dock_node[case.plan.line_dock], NOWHERE)
    moved = np.flatnonzero(served & (case.origin != NOWHERE) & (to != case.origin))
    ways, way = np.unique(case.origin[moved] * many + to[moved], return_inverse=True)
    units = sums(way, orders.quantity[moved], len(ways))
    of_orders = np.unique(np.stack([way, orders.line_order[moved]]), axis=1)[0]
    counts = np.bincount(of_orders, minlength=len(ways))
    flows = [
        Flow(net.nodes[at // many], net.nodes[at % many], int(units[row]), int(counts[row]))
        for row, at in enumerate(ways.tolist())
    ]
    return sorted(flows, key=lambda flow: (-flow.units, flow.origin, flow.to))


def _loads(case: Case) -> list[Load]:
    problem = case.problem
    net, orders, many = problem.network, problem.orders, len(problem.network.nodes)
    served, placed = case.plan.line_dock != NOWHERE, case.origin != NOWHERE
    to = net.dock_node[case.plan.line_dock[served]]
    units = (
        sums(case.origin[placed], orders.quantity[placed], many),
        sums(to, orders.quantity[served], many),
    )
    stood = np.unique(orders.line_order[placed] * many + case.origin[placed]) % many
    sent = net.dock_node[parcels_of(problem, case.plan.line_dock)[1]]
    parcels = np.bincount(stood, minlength=many), np.bincount(sent, minlength=many)
    capacity = sums(net.dock_node, net.capacity, many)
    return [
        Load(
            node=name,
            latitude=_degrees(case.latitude[at]),
            longitude=_degrees(case.longitude[at]),
            units=(int(units[0][at]), int(units[1][at])),
            parcels=(int(parcels[0][at]), int(parcels[1][at])),
            capacity=None if capacity[at] >= UNBOUNDED else int(capacity[at]),
        )
        for at, name in enumerate(net.nodes)
    ]


def _degrees(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _binding(problem: Problem, line_dock: Ints) -> list[Binding]:
    net, many = problem.network, len(problem.network.nodes)
    left = residual.without(problem, line_dock, np.zeros(len(problem.orders.ids), bool))
    # Keys: a SKU at a node, and behind all of these the nodes.
    keys: list[Ints] = [np.zeros(0, np.int64)]
    saved: list[Floats] = [np.zeros(0)]
    for lines, saving in _savings(problem, line_dock):
        docks = np.arange(len(net.dock_node))
        short: Bools = costs.lacking(left, lines, docks)
        full = ~short & (left.network.capacity < 1)[None]
        sku = problem.orders.line_sku[lines][:, None]
        for bound, key in (
            (short, sku * many + net.dock_node),
            (full, np.broadcast_to(len(problem.skus) * many + net.dock_node, saving.shape)),
        ):
            hit = bound & (saving > 0)
            keys.append(key[hit])
            saved.append(saving[hit])
    found, at = np.unique(np.concatenate(keys), return_inverse=True)
    cents = sums(at, np.concatenate(saved), len(found))
    lines_of = np.bincount(at, minlength=len(found))
    made = [
        Binding(
            sku=problem.skus[key // many] if key < len(problem.skus) * many else None,
            node=net.nodes[key % many],
            lines=int(lines_of[row]),
            cents=int(cents[row]),
        )
        for row, key in enumerate(found.tolist())
    ]
    return sorted(made, key=lambda one: (-one.cents, one.sku or "", one.node))


def _savings(problem: Problem, line_dock: Ints) -> Iterator[tuple[Ints, Floats]]:
    """Lines, and what each would save from each dock that had enough for it: (lines x docks)."""
    docks = np.arange(len(problem.network.dock_node))
    for start in range(0, len(line_dock), _CHUNK):
        lines = np.arange(start, min(start + _CHUNK, len(line_dock)))
        parcel = costs.parcel_costs(problem, problem.orders.line_order[lines], docks)
        cost = parcel + np.add(*costs.line_costs(problem, lines, docks))
        own = line_dock[lines]
        now = np.where(
            own == NOWHERE, costs.unserved_costs(problem)[lines], cost[np.arange(len(lines)), own]
        )
        possible = (parcel < costs.FORBIDDEN) & ~costs.lacking(problem, lines, docks)
        yield lines, np.where(possible, now[:, None] - cost, 0.0)
