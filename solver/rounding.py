"""From fractional patterns to a plan: what is whole stays, the rest is placed greedily."""

import numpy as np

from solver import candidates, greedy, residual
from solver.choices import choices
from solver.columns import Columns
from solver.problem import NOWHERE, Floats, Ints, Problem

FOR_ALL, EACH = 4, 8
# A column that a linear program took to this share was taken: an interior point comes no nearer.
WHOLE = 0.99


def _place(problem: Problem, line_dock: Ints, rows: Ints, mu: Floats, nu: Floats) -> Ints:
    freed = np.zeros(len(problem.orders.ids), bool)
    freed[rows] = True
    left = residual.without(problem, line_dock, freed)
    near = candidates.candidates(left, rows, whole=FOR_ALL, single=EACH, mu=mu, nu=nu)
    among = choices(left, rows, near)
    placed = greedy.assign(left, among, mu.reshape(-1)[among.cells], nu)
    return np.where(freed[problem.orders.line_order], placed, line_dock)


def refill(problem: Problem, line_dock: Ints, rows: Ints, mu: Floats, nu: Floats) -> Ints:
    """`line_dock` with the orders `rows` placed anew by prices in what the others leave.

    Those left with a waiting line look again at what is there then: the docks that they looked at
    first may have sold out before their turn.
    """
    placed = _place(problem, line_dock, rows, mu, nu)
    inside = np.zeros(len(problem.orders.ids), bool)
    inside[rows] = True
    waiting = inside[problem.orders.line_order] & (placed == NOWHERE)
    again = np.unique(problem.orders.line_order[waiting])
    return _place(problem, placed, again, mu, nu) if len(again) else placed


def from_nothing(problem: Problem, mu: Floats, nu: Floats) -> Ints:
    """The plan (L) where every order is placed by prices alone."""
    nothing = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    return refill(problem, nothing, np.arange(len(problem.orders.ids)), mu, nu)


def round_off(problem: Problem, columns: Columns, values: Floats, mu: Floats, nu: Floats) -> Ints:
    """The plan nearest to the fractional `values` (J): its orders' lines' docks (L).

    `mu` (S x N) and `nu` (D) are the prices at which those orders choose that are not whole in it.
    """
    taken = values > WHOLE
    line_dock = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    inside = taken[columns.line_column]
    line_dock[columns.line[inside]] = columns.line_dock[inside]
    # Shares a little below one may have left others a little of what is taken whole here.
    dropped = _overdrawing(problem, line_dock)
    line_dock[np.isin(problem.orders.line_order, dropped)] = NOWHERE
    open_orders = np.setdiff1d(np.unique(columns.order), columns.order[taken])
    open_orders = np.union1d(open_orders, dropped)
    if len(open_orders):
        line_dock = refill(problem, line_dock, open_orders, mu, nu)
    return line_dock


def _overdrawing(problem: Problem, line_dock: Ints) -> Ints:
    """The orders that take of a cell or a dock from which more is taken than there is."""
    nobody = np.zeros(len(problem.orders.ids), bool)
    left = residual.without(problem, line_dock, nobody)
    lines = np.flatnonzero(line_dock != NOWHERE)
    dock = line_dock[lines]
    over = left.stock[problem.orders.line_sku[lines], problem.network.dock_node[dock]] < 0
    over |= left.network.capacity[dock] < 0
    return np.unique(problem.orders.line_order[lines[over]])
