"""The rules that order management uses: one order at a time, as they come, by what is there then.

Each takes an order's table of parcels and lines over all docks and says where its lines go; what
it chose is gone for the next. None looks ahead.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from solver import costs
from solver.costs import FORBIDDEN
from solver.pricing import pattern_costs, places, share_together
from solver.problem import MOST_PARCELS, NOWHERE, Floats, Ints, Problem, first_lines

#: Docks of an order among which sets of two and three are tried.
_NEAR: Final = 8
#: Orders whose tables are made at once.
_PORTION: Final = 2_000
#: Dearer than any parcel: what makes fewer parcels come before cheaper ones.
_PARCEL: Final = 1e6


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """One order: `parcel` (D), `line` (w x D), FORBIDDEN where it cannot be; `left` (w).

    `far` (D) is how long the way is; `most` the parcels that it may have.
    """

    parcel: Floats
    line: Floats
    left: Floats
    far: Floats
    most: int
    split: float


Rule = Callable[[Table], Ints]


def nearest(table: Table) -> Ints:
    """Every line from the nearest dock that has it, in as many parcels as are allowed."""
    chosen = np.full(len(table.left), NOWHERE)
    used: list[int] = []
    for line, row in enumerate(table.line):
        possible = (row < FORBIDDEN) & (table.parcel < FORBIDDEN)
        if len(used) == table.most:
            possible &= np.isin(np.arange(len(row)), used)
        if possible.any():
            chosen[line] = int(np.where(possible, table.far, np.inf).argmin())
            if chosen[line] not in used:
                used.append(int(chosen[line]))
    return chosen


def whole_nearest(table: Table) -> Ints:
    """The nearest dock that has everything; where none has, every line from its nearest."""
    whole = (table.line < FORBIDDEN).all(axis=0) & (table.parcel < FORBIDDEN)
    if whole.any():
        return np.full(len(table.left), int(np.where(whole, table.far, np.inf).argmin()))
    return nearest(table)


def cheapest(table: Table) -> Ints:
    """The set of at most three docks that costs this order least."""
    return _best(table, table.parcel, table.left)


def fewest(table: Table) -> Ints:
    """As many lines as can be, in as few parcels as can be, and of those the cheapest."""
    return _best(table, table.parcel + _PARCEL, table.left + MOST_PARCELS * 2 * _PARCEL)


RULES: Final[dict[str, Rule]] = {
    "nearest": nearest,
    "whole from the nearest": whole_nearest,
    "cheapest": cheapest,
    "fewest parcels": fewest,
}


def _best(table: Table, parcel: Floats, left: Floats) -> Ints:
    capped = np.minimum(table.line, left[:, None])
    alone = (table.line + parcel).argsort(axis=1)
    whole = (capped.sum(axis=0) + parcel).argsort()
    # Those good for all lines, and the best of each line in turn.
    near = list(dict.fromkeys([*whole[:3].tolist(), *alone.T.ravel().tolist()]))[:_NEAR]
    docks = np.array(near)
    lines = table.line[:, docks][None]
    priced = pattern_costs(
        np.minimum(lines, left[None, :, None]),
        parcel[docks][None],
        np.array([left.sum()]),
        np.array([table.most]),
        table.split,
    )
    place = places(lines, left[None], priced.argmin(axis=0))[0]
    return np.where(place == NOWHERE, NOWHERE, docks[place])


def play(problem: Problem, rule: Rule) -> Ints:
    """The dock of each line (L) when all orders, as they come, are served by `rule`.

    Orders that ship complete and would be short wait, whatever the rule.
    """
    orders, net = problem.orders, problem.network
    stock, capacity = problem.stock.copy(), net.capacity.copy()
    first = first_lines(problem)
    docks = np.arange(len(net.dock_node))
    unserved = costs.unserved_costs(problem)
    line_dock = np.full(len(orders.line_order), NOWHERE, np.int64)
    for start in range(0, len(orders.ids), _PORTION):
        rows = np.arange(start, min(start + _PORTION, len(orders.ids)))
        lines = np.arange(first[rows[0]], first[rows[-1] + 1])
        parcels = costs.parcel_costs(problem, rows, docks)
        cost = np.add(*costs.line_costs(problem, lines, docks))
        cost[costs.lacking(problem, lines, docks)] = FORBIDDEN
        for row, order in enumerate(rows.tolist()):
            mine = np.arange(first[order], first[order + 1])
            sku, units = orders.line_sku[mine], orders.quantity[mine]
            line = cost[mine - lines[0]]
            line[stock[sku][:, net.dock_node] < units[:, None]] = FORBIDDEN
            left = unserved[mine].copy()
            share_together(orders.together[mine][None], line[None], left[None])
            table = Table(
                np.where(capacity < 1, FORBIDDEN, parcels[row]),
                line,
                left,
                net.transit[net.dock_node, orders.zone[order]] + net.departure,
                int(orders.most_parcels[order]),
                float(problem.weights.split),
            )
            chosen = rule(table)
            if orders.complete[order] and (chosen == NOWHERE).any():
                continue
            _take(problem, stock, capacity, mine, chosen)
            line_dock[mine] = chosen
    return line_dock


def _take(
    problem: Problem, stock: npt.NDArray[np.int32], capacity: Ints, lines: Ints, chosen: Ints
) -> None:
    """Take what `lines` get at their docks; a second line of one SKU may find it gone."""
    orders, net = problem.orders, problem.network
    for index, (line, dock) in enumerate(zip(lines.tolist(), chosen.tolist(), strict=True)):
        if dock == NOWHERE:
            continue
        cell = orders.line_sku[line], net.dock_node[dock]
        if stock[cell] < orders.quantity[line]:
            chosen[index] = NOWHERE
        else:
            stock[cell] -= orders.quantity[line]
    used = np.unique(chosen[chosen != NOWHERE])
    capacity[used] -= 1
