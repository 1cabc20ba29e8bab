"""What each order may choose from: candidate docks, and what lines and parcels cost from them.

Orders with equally many lines are kept as one block of arrays, so that pricing all of them is a
few array operations. Short lines are padded: a padded line costs nothing and takes nothing.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from solver import costs
from solver.costs import FORBIDDEN
from solver.problem import NO_GROUP, Bools, Floats, Ints, Problem, first_lines

# Orders of up to so many lines share a block; beyond the last, blocks double.
WIDTHS = (1, 2, 3, 4, 6, 9, 14, 24)
PADDED = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """m orders of at most w lines, each with k candidate docks.

    `orders` (m), `lines` (m x w, -1 padded), `docks` (m x k); `parcel` (m x k) and `line`
    (m x w x k) are `costs.A` and `costs.B`, FORBIDDEN where it cannot be; `left` (m x w) the
    price of not serving; `quantity` (m x w); `cell` (m x w x k) the number of (SKU, node) among
    `Choices.cells`; `together` (m x w), `complete` (m), `most` (m).
    """

    orders: Ints
    lines: Ints
    docks: Ints
    parcel: Floats
    line: Floats
    left: Floats
    quantity: Floats
    cell: npt.NDArray[np.int32]
    together: Ints
    complete: Bools
    most: Ints

    def only(self, rows: Ints | Bools) -> "Group":
        """The same group for some of its orders."""
        picked = {field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)}
        return Group(**picked)


@dataclasses.dataclass(frozen=True, slots=True)
class Choices:
    """All groups, and the (SKU, node) cells that any of their lines may draw on.

    `cells` are numbers `sku * N + node`, ascending; `stock` is what lies in each; `capacity` is
    that of each dock.
    """

    groups: tuple[Group, ...]
    cells: Ints
    stock: Floats
    capacity: Floats


def widths(counts: Ints) -> list[tuple[int, Ints]]:
    """(width, order numbers) of the blocks that hold all orders with lines."""
    edges = list(WIDTHS)
    while edges[-1] < counts.max(initial=1):
        edges.append(edges[-1] * 2)
    below = 0
    blocks = []
    for edge in edges:
        inside = np.flatnonzero((counts > below) & (counts <= edge))
        if len(inside):
            blocks.append((edge, inside))
        below = edge
    return blocks


def padded_lines(problem: Problem, orders: Ints, width: int) -> Ints:
    """Line numbers of `orders`: (m x width), -1 where an order has no more lines."""
    first = first_lines(problem)
    lines = first[orders][:, None] + np.arange(width)
    return np.where(lines < first[orders + 1][:, None], lines, PADDED)


def _line_block(problem: Problem, lines: Ints, docks: Ints) -> tuple[Floats, Ints]:
    """Costs and flat cells (m x w x k) of lines (m x w) from docks (m x k)."""
    m, w = lines.shape
    k = docks.shape[1]
    flat = np.maximum(lines, 0).ravel()
    where = np.repeat(docks, w, axis=0)
    weight, handling = costs.line_costs(problem, flat, where)
    node = problem.network.dock_node[where]
    sku = problem.orders.line_sku[flat][:, None]
    cost = np.where(costs.lacking(problem, flat, where), FORBIDDEN, weight + handling)
    cell = sku * len(problem.network.nodes) + node
    pad = (lines == PADDED).ravel()
    cost[pad] = 0.0
    cell[pad] = cell[0, 0]
    return cost.reshape(m, w, k), cell.reshape(m, w, k)


def _group(problem: Problem, orders: Ints, width: int, docks: Ints) -> tuple[Group, Ints]:
    lines = padded_lines(problem, orders, width)
    real = lines != PADDED
    safe = np.maximum(lines, 0)
    cost, cell = _line_block(problem, lines, docks)
    everything = problem.orders
    parcel = costs.parcel_costs(problem, orders, docks)
    # A dock named twice is one candidate: the repeats are never chosen.
    repeated = np.zeros(docks.shape, bool)
    order = np.argsort(docks, axis=1, kind="stable")
    sorted_docks = np.take_along_axis(docks, order, axis=1)
    np.put_along_axis(repeated, order[:, 1:], sorted_docks[:, 1:] == sorted_docks[:, :-1], axis=1)
    parcel[repeated] = FORBIDDEN
    group = Group(
        orders=orders,
        lines=lines,
        docks=docks,
        parcel=parcel,
        line=cost,
        left=np.where(real, costs.unserved_costs(problem)[safe], 0.0),
        quantity=np.where(real, everything.quantity[safe], 0).astype(np.float64),
        cell=np.zeros(0, np.int32),
        together=np.where(real, everything.together[safe], NO_GROUP),
        complete=everything.complete[orders],
        most=everything.most_parcels[orders],
    )
    return group, cell


def choices(problem: Problem, rows: Ints, candidates: Ints) -> Choices:
    """The choices of the orders `rows` (m) among their `candidates` (m x k docks)."""
    counts = np.diff(first_lines(problem))[rows]
    made = [_group(problem, rows[some], width, candidates[some]) for width, some in widths(counts)]
    flat = [cell.ravel() for _, cell in made]
    cells, local = np.unique(np.concatenate(flat or [np.zeros(0, np.int64)]), return_inverse=True)
    groups = []
    start = 0
    for group, cell in made:
        numbers = local[start : start + cell.size].reshape(cell.shape).astype(np.int32)
        groups.append(dataclasses.replace(group, cell=numbers))
        start += cell.size
    return Choices(
        tuple(groups),
        cells,
        problem.stock.reshape(-1)[cells].astype(np.float64),
        problem.network.capacity.astype(np.float64),
    )
