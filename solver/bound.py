"""The bound over all docks: the candidates that a plan was made from bound only themselves.

Per order the exact minimum over all single docks; over sets of two and three exactly among the
docks that could still be part of a cheaper set, and by a relaxation where those are too many.
"""

import dataclasses

import numpy as np

from solver import costs
from solver.choices import padded_lines, widths
from solver.costs import FORBIDDEN
from solver.pricing import pattern_costs, places, share_together
from solver.problem import NO_GROUP, NOWHERE, Floats, Ints, Problem, first_lines

PORTION = 4_000_000
# Docks of one order enumerated in twos and threes; more are relaxed.
ENUMERATED = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """A bound on every plan's cost in cents, and the patterns that it rests on.

    `line_dock` (L) is the cheapest pattern found of each order, `value` (O) its price at `mu`
    (S x N) and `nu` (D); `exact` is the share of orders whose price was not relaxed.
    """

    bound: float
    exact: float
    value: Floats
    line_dock: Ints
    mu: Floats
    nu: Floats


_NONE = np.zeros(0)
NOTHING_PROVEN = Proof(-np.inf, 0.0, _NONE, np.zeros(0, np.int64), _NONE, _NONE)


def prove(problem: Problem, mu: Floats, nu: Floats) -> Proof:
    """The Lagrangian bound over all docks at `mu` (S x N) and `nu` (D), both not negative."""
    counts = np.diff(first_lines(problem))
    value = np.zeros(len(counts))
    line_dock = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    relaxed = 0
    docks = len(problem.network.dock_node)
    for width, rows in widths(counts):
        step = max(1, PORTION // (docks * width))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            table = _table(problem, some, width, mu, nu)
            found = _cheapest(table, float(problem.weights.split))
            value[some] = found.value
            relaxed += found.relaxed
            real = table.lines >= 0
            line_dock[table.lines[real]] = found.dock[real]
    # What is unbounded costs nothing to relax: its price is zero.
    priced = nu > 0
    total = float(value.sum()) - float(np.sum(mu * problem.stock))
    total -= float(nu[priced] @ problem.network.capacity[priced])
    exact = 1.0 - relaxed / max(1, len(counts))
    return Proof(total, exact, value, line_dock, mu.copy(), nu.copy())


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """Lines (m x w), priced parcels (m x D), capped lines (m x w x D), what leaving costs.

    `left` (m x w) is the price of leaving a line while others are served, `empty` (m) of leaving
    all, `most` (m) the parcels allowed.
    """

    lines: Ints
    parcel: Floats
    capped: Floats
    left: Floats
    empty: Floats
    most: Ints


def _table(problem: Problem, rows: Ints, width: int, mu: Floats, nu: Floats) -> _Table:
    net, orders = problem.network, problem.orders
    docks = np.arange(len(net.dock_node))
    lines = padded_lines(problem, rows, width)
    pad, safe = lines < 0, np.maximum(lines, 0)
    flat = safe.ravel()
    weight, handling = costs.line_costs(problem, flat, docks)
    sku, quantity = orders.line_sku[flat], orders.quantity[flat][:, None]
    cost = weight + handling + quantity * mu[sku][:, net.dock_node]
    cost[costs.lacking(problem, flat, docks)] = FORBIDDEN
    cost = cost.reshape(*lines.shape, len(docks))
    cost[pad] = 0.0
    left = np.where(pad, 0.0, costs.unserved_costs(problem)[safe])
    while_served = np.where(orders.complete[rows][:, None], FORBIDDEN, left)
    together = np.where(pad, NO_GROUP, orders.together[safe])
    share_together(together, cost, while_served)
    return _Table(
        lines,
        costs.parcel_costs(problem, rows, docks) + nu,
        np.minimum(cost, while_served[:, :, None]),
        while_served,
        left.sum(axis=1),
        orders.most_parcels[rows],
    )


@dataclasses.dataclass(slots=True)
class _Cheapest:
    """The cheapest pattern found: its price (m), its lines' docks (m x w), how many relaxed."""

    value: Floats
    dock: Ints
    relaxed: int


def _cheapest(table: _Table, split: float) -> _Cheapest:
    single = table.parcel + table.capped.sum(axis=1) - split
    every = np.arange(len(single))
    alone = single.argmin(axis=1)
    served = np.minimum(single[every, alone], table.empty)
    # A line that costs as much as leaving it is left.
    taken = table.capped[every, :, alone] < table.left
    taken &= (single[every, alone] < table.empty)[:, None]
    found = _Cheapest(served, np.where(taken, alone[:, None], NOWHERE), 0)
    if table.lines.shape[1] == 1 or table.parcel.shape[1] == 1:
        return found
    # A set of two or more with dock d costs at least d, the cheapest other, and each line's least.
    two = np.partition(table.parcel, 1, axis=1)[:, :2]
    other = np.where(table.parcel <= two[:, :1], two[:, 1:], two[:, :1])
    floor = table.parcel + other + table.capped.min(axis=2).sum(axis=1)[:, None] - split
    hopeful = (floor < found.value[:, None]) & (table.most > 1)[:, None]
    count = hopeful.sum(axis=1)
    few = np.flatnonzero((count > 1) & (count <= ENUMERATED))
    for size in np.unique(count[few]).tolist():
        some = few[count[few] == size]
        _enumerate(table, some, np.nonzero(hopeful[some])[1].reshape(-1, size), split, found)
    many = np.flatnonzero(count > ENUMERATED)
    found.value[many] = np.minimum(found.value[many], floor[many].min(axis=1))
    found.relaxed = len(many)
    return found


def _enumerate(table: _Table, rows: Ints, docks: Ints, split: float, found: _Cheapest) -> None:
    """Look for cheaper patterns of `rows` in sets of their `docks` (r x k)."""
    capped = np.take_along_axis(table.capped[rows], docks[:, None, :], axis=2)
    parcel = np.take_along_axis(table.parcel[rows], docks, axis=1)
    priced = pattern_costs(capped, parcel, table.empty[rows], table.most[rows], split)
    chosen = priced.argmin(axis=0)
    value = priced[chosen, np.arange(len(rows))]
    better = np.flatnonzero(value < found.value[rows] - 1e-9)
    place = places(capped[better], table.left[rows[better]], chosen[better])
    dock = np.take_along_axis(docks[better], np.maximum(place, 0), axis=1)
    found.value[rows[better]] = value[better]
    found.dock[rows[better]] = np.where(place == NOWHERE, NOWHERE, dock)
