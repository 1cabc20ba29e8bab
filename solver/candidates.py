"""Which docks an order looks at: those that serve it whole for least, and those best for a line."""

import numpy as np

from solver import costs
from solver.able import able
from solver.costs import FORBIDDEN
from solver.problem import Floats, Ints, Problem, first_lines

# Cells of the tables held at a time: orders are looked at in portions of so many.
PORTION = 2_000_000


def _cheapest(table: Floats, count: int) -> Ints:
    count = min(count, table.shape[1])
    return np.argpartition(table, count - 1, axis=1)[:, :count]


def _best_for_a_line(cost: Floats, begin: Ints, deep: int) -> Floats:
    """(m x docks): how good a dock is for the line it suits best: its place among that line's.

    Every line's best stands before any line's second: an order whose lines lie apart sees them
    all. Within a place the cheaper comes first.
    """
    near = _cheapest(cost, deep)
    value = np.take_along_axis(cost, near, axis=1)
    order = np.argsort(value, axis=1)
    near, value = np.take_along_axis(near, order, axis=1), np.take_along_axis(value, order, axis=1)
    place = np.full(cost.shape, float(deep))
    rank = np.arange(near.shape[1]) + np.minimum(value, FORBIDDEN) / (2 * FORBIDDEN)
    rank[value >= FORBIDDEN] = deep
    np.put_along_axis(place, near, rank, axis=1)
    return np.minimum.reduceat(place, begin, axis=0)


def candidates(
    problem: Problem,
    rows: Ints,
    *,
    whole: int = 5,
    single: int = 3,
    mu: Floats | None = None,
    nu: Floats | None = None,
) -> Ints:
    """(m x k) docks for the orders `rows` (m): some good for all lines, some for a line each.

    `whole` are cheapest for all lines, `single` best for any one; the same dock may stand twice.

    `mu` (S x N) cents a unit and `nu` (D) cents a parcel are added where given. A line that a dock
    lacks counts as left there.
    """
    net, orders = problem.network, problem.orders
    first = first_lines(problem)
    left = costs.unserved_costs(problem)
    counts = first[rows + 1] - first[rows]
    docks = len(net.dock_node)
    found = np.zeros((len(rows), min(whole, docks) + min(single, docks)), np.int64)
    for some in able(problem, rows, PORTION):
        count = counts[some.at]
        # Where each order's lines begin within the portion; an order has at least one line.
        begin = np.cumsum(count) - count
        lines = np.repeat(first[rows[some.at]] - begin, count) + np.arange(count.sum())
        parcel = costs.parcel_costs(problem, rows[some.at], some.docks)
        if nu is not None:
            parcel = parcel + nu[some.docks]
        parcel[~some.real] = FORBIDDEN
        where = np.repeat(some.docks, count, axis=0)
        weight, handling = costs.line_costs(problem, lines, where)
        cost = weight + handling
        sku = orders.line_sku[lines]
        if mu is not None:
            cost += orders.quantity[lines][:, None] * mu[sku[:, None], net.dock_node[where]]
        cost[costs.lacking(problem, lines, where)] = FORBIDDEN
        total = np.add.reduceat(np.minimum(cost, left[lines][:, None]), begin, axis=0) + parcel
        each = _best_for_a_line(cost + np.repeat(parcel, count, axis=0), begin, single)
        near = np.concatenate([_cheapest(total, whole), _cheapest(each, single)], axis=1)
        found[some.at, : near.shape[1]] = np.take_along_axis(some.docks, near, axis=1)
    return found
