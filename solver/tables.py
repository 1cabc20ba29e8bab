"""Every order with all docks that can serve it, as arrays that are priced again and again.

What a line costs from a dock does not change while prices are sought; the tables are made once.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from solver import costs
from solver.able import Able, able
from solver.choices import padded_lines, widths
from solver.costs import FORBIDDEN
from solver.pricing import share_together
from solver.problem import NO_GROUP, Floats, Ints, Problem, first_lines

# Cells of a table at most, lines x docks of its orders.
PORTION = 60_000


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """m orders of at most w lines, with all docks that can serve them, k at most.

    `rows` (m) order numbers, `lines` (m x w, -1 padded), `docks` (m x k); `parcel` (m x k) and
    `line` (m x w x k) are `costs.A` and `costs.B`, FORBIDDEN where it cannot be, a padded line
    costs 0; `left` (m x w) the price of leaving a line while others are served, `empty` (m) of
    leaving all; `most` (m) the parcels allowed; `quantity` and `together` (m x w); `cell`
    (m x w x k) is `sku * N + node`, or its place among some cells.
    """

    rows: Ints
    lines: Ints
    docks: Ints
    parcel: Floats
    line: Floats
    left: Floats
    empty: Floats
    most: Ints
    quantity: Floats
    together: Ints
    cell: npt.NDArray[np.int32]

    def priced(self, mu: Floats, nu: Floats) -> tuple[Floats, Floats]:
        """Parcels (m x k) and lines (m x w x k) at `mu` (a cell) and `nu` (a dock), both in cents.

        A line costs no more than leaving it.
        """
        line = self.line + self.quantity[:, :, None] * mu[self.cell]
        share_together(self.together, line)
        return self.parcel + nu[self.docks], np.minimum(line, self.left[:, :, None], out=line)


def tables(problem: Problem) -> Iterator[Table]:
    """All orders of `problem` that have lines, those of one width and about as many docks together.

    `cell` is `sku * N + node`.
    """
    for width, rows in widths(np.diff(first_lines(problem))):
        for some in able(problem, rows, PORTION):
            yield _table(problem, rows[some.at], width, some)


def _table(problem: Problem, rows: Ints, width: int, among: Able) -> Table:
    net, orders = problem.network, problem.orders
    lines = padded_lines(problem, rows, width)
    pad, safe = lines < 0, np.maximum(lines, 0)
    flat, where = safe.ravel(), np.repeat(among.docks, width, axis=0)
    line = np.add(*costs.line_costs(problem, flat, where))
    line[costs.lacking(problem, flat, where)] = FORBIDDEN
    line[pad.ravel()] = 0.0
    cell = orders.line_sku[flat][:, None] * len(net.nodes) + net.dock_node[where]
    left = np.where(pad, 0.0, costs.unserved_costs(problem)[safe])
    while_served = np.where(orders.complete[rows][:, None], FORBIDDEN, left)
    together = np.where(pad, NO_GROUP, orders.together[safe])
    share_together(together, while_served)
    parcel = costs.parcel_costs(problem, rows, among.docks)
    parcel[~among.real] = FORBIDDEN
    shape = (*lines.shape, among.docks.shape[1])
    return Table(
        rows=rows,
        lines=lines,
        docks=among.docks,
        parcel=parcel,
        line=line.reshape(shape),
        left=while_served,
        empty=left.sum(axis=1),
        most=orders.most_parcels[rows],
        quantity=np.where(pad, 0, orders.quantity[safe]).astype(np.float64),
        together=together,
        cell=cell.reshape(shape).astype(np.int32),
    )
