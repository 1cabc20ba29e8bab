"""The compact model: a variable for each line and dock, solved whole. A baseline, not our way.

`sum over docks of x[l, d] + u[l] = 1`, `x[l, d] <= y[order of l, d]` row by row, stock, capacity
and parcels an order.
"""

import numpy as np

from solver import costs, mip
from solver.costs import FORBIDDEN
from solver.mip import Engine, Limits, Program
from solver.problem import NOWHERE, Floats, Ints, Problem


class _Layout:
    """Which column stands for what: x (line, dock), then y (order, dock), then u (line)."""

    def __init__(self, problem: Problem) -> None:
        orders, net = problem.orders, problem.network
        docks = np.arange(len(net.dock_node))
        every = np.arange(len(orders.ids))
        lines = np.arange(len(orders.line_order))
        self.problem = problem
        self.parcel = costs.parcel_costs(problem, every, docks)
        self.line = np.add(*costs.line_costs(problem, lines, docks))
        self.line[costs.lacking(problem, lines, docks)] = FORBIDDEN
        self.line[self.parcel[orders.line_order] >= FORBIDDEN] = FORBIDDEN
        self.x_line, self.x_dock = np.nonzero(self.line < FORBIDDEN)
        wanted = orders.line_order[self.x_line] * len(docks) + self.x_dock
        self.y, self.x_y = np.unique(wanted, return_inverse=True)
        self.y_order, self.y_dock = self.y // len(docks), self.y % len(docks)
        self.u = len(self.x_line) + len(self.y)
        self.columns = self.u + len(lines)


def _rows(at: _Layout) -> tuple[list[tuple[Ints, Ints, Floats]], list[Floats], list[Floats]]:
    """Blocks of (row, column, value), and each block's lower and upper sides."""
    problem, x, y = at.problem, len(at.x_line), len(at.y)
    orders, net = problem.orders, problem.network
    lines, many = len(orders.line_order), len(orders.ids)
    cell = orders.line_sku[at.x_line] * len(net.nodes) + net.dock_node[at.x_dock]
    cells, cell_row = np.unique(cell, return_inverse=True)
    columns_x, columns_y = np.arange(x), x + np.arange(y)
    none, sizes = -np.inf, (x, len(cells), len(net.capacity), many)
    served = (
        np.concatenate([at.x_line, np.arange(lines)]),
        np.concatenate([columns_x, at.u + np.arange(lines)]),
        np.ones(x + lines),
    )
    linked = (
        np.tile(np.arange(x), 2),
        np.concatenate([columns_x, x + at.x_y]),
        np.concatenate([np.ones(x), -np.ones(x)]),
    )
    stocked = (cell_row, columns_x, orders.quantity[at.x_line].astype(float))
    full = (at.y_dock, columns_y, np.ones(y))
    few = (at.y_order, columns_y, np.ones(y))
    return (
        [served, linked, stocked, full, few],
        [np.ones(lines), *(np.full(size, none) for size in sizes)],
        [
            np.ones(lines),
            np.zeros(x),
            problem.stock.reshape(-1)[cells].astype(float),
            net.capacity.astype(float),
            orders.most_parcels.astype(float),
        ],
    )  # fmt: skip


def _hint(at: _Layout, line_dock: Ints) -> Floats:
    docks = len(at.problem.network.dock_node)
    order = at.problem.orders.line_order
    used = np.unique((order * docks + line_dock)[line_dock != NOWHERE])
    return np.concatenate(
        [line_dock[at.x_line] == at.x_dock, np.isin(at.y, used), line_dock == NOWHERE]
    ).astype(float)


def solve(
    problem: Problem,
    limits: Limits,
    start: Ints,
    *,
    engine: Engine = Engine.HIGHS,
) -> Ints:
    """The plan (L) that `engine` finds within `limits` from the plan `start`.

    Orders that ship complete and lines that leave together are beyond this baseline.
    """
    at = _Layout(problem)
    blocks, lower, upper = _rows(at)
    offsets = np.cumsum([0, *(len(side) for side in lower)])
    cost = np.concatenate(
        [
            at.line[at.x_line, at.x_dock],
            at.parcel[at.y_order, at.y_dock],
            costs.unserved_costs(problem),
        ]
    )
    # `split` stands in every parcel here: the same for all orders but those that wait whole.
    program = Program(
        cost=cost,
        lower=np.zeros(at.columns),
        upper=np.ones(at.columns),
        integer=np.ones(at.columns, bool),
        row_lower=np.concatenate(lower),
        row_upper=np.concatenate(upper),
        entry_row=np.concatenate(
            [row + o for (row, _, _), o in zip(blocks, offsets, strict=False)]
        ),
        entry_column=np.concatenate([column for _, column, _ in blocks]),
        entry_value=np.concatenate([value for _, _, value in blocks]),
    )
    found = mip.solve(program, limits, engine=engine, hint=_hint(at, start))
    if found is None:
        return start
    line_dock = np.full(len(start), NOWHERE, np.int64)
    taken = found.values[: len(at.x_line)] > 0.5
    line_dock[at.x_line[taken]] = at.x_dock[taken]
    return line_dock
