"""Patterns as columns of a program: chosen by price, with what each takes."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from solver import costs
from solver.choices import Group
from solver.costs import FORBIDDEN
from solver.mip import Program
from solver.plan import order_costs
from solver.pricing import cells_taken, group_costs, left_prices, places, priced_lines, set_sizes
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem, sums


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """J patterns: the `order` (J) and true `cost` (J, cents) of each, and its line-docks.

    `line_column`, `line`, `line_dock` (V): where the lines that a column serves leave from.
    """

    order: Ints
    cost: Floats
    line_column: Ints
    line: Ints
    line_dock: Ints

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.order)


def joined(parts: Iterable[Columns]) -> Columns:
    """All columns of `parts`, in their order; a pattern that stands twice is kept once."""
    listed = [part for part in parts if part.count]
    offsets = np.cumsum([0, *(part.count for part in listed)])
    whole = Columns(
        np.concatenate([part.order for part in listed]),
        np.concatenate([part.cost for part in listed]),
        np.concatenate([p.line_column + o for p, o in zip(listed, offsets, strict=False)]),
        np.concatenate([part.line for part in listed]),
        np.concatenate([part.line_dock for part in listed]),
    )
    return _once(whole)


def _once(columns: Columns) -> Columns:
    """`columns` without repeats: equal order and equal line-docks, told by a 64-bit mix."""
    mix = np.zeros(columns.count, np.uint64)
    word = (columns.line.astype(np.uint64) << np.uint64(24)) + columns.line_dock.astype(np.uint64)
    word = (word + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    word ^= word >> np.uint64(29)
    np.add.at(mix, columns.line_column, word * np.uint64(0xBF58476D1CE4E5B9))
    _, first = np.unique(
        np.stack([columns.order.astype(np.uint64), mix]), axis=1, return_index=True
    )
    kept = np.zeros(columns.count, bool)
    kept[first] = True
    return columns if kept.all() else taken(columns, kept)


def taken(columns: Columns, kept: Bools) -> Columns:
    """The columns where `kept` (J) holds."""
    number = np.cumsum(kept) - 1
    inside = kept[columns.line_column]
    return Columns(
        columns.order[kept],
        columns.cost[kept],
        number[columns.line_column[inside]],
        columns.line[inside],
        columns.line_dock[inside],
    )


def empty(problem: Problem, rows: Ints) -> Columns:
    """The pattern of each of the orders `rows` that serves nothing."""
    left = sums(problem.orders.line_order, costs.unserved_costs(problem), len(problem.orders.ids))
    none = np.zeros(0, np.int64)
    return Columns(rows, left[rows], none, none, none)


def of_plan(problem: Problem, rows: Ints, line_dock: Ints) -> Columns:
    """The pattern that each of the orders `rows` (ascending) has in the plan `line_dock` (L)."""
    inside = np.zeros(len(problem.orders.ids), bool)
    inside[rows] = True
    lines = np.flatnonzero(inside[problem.orders.line_order] & (line_dock != NOWHERE))
    column = np.searchsorted(rows, problem.orders.line_order[lines])
    return Columns(rows, order_costs(problem, line_dock)[rows], column, lines, line_dock[lines])


def with_change(problem: Problem, columns: Columns) -> Columns:
    """`columns` with the price of change on those that leave a standing plan."""
    orders, price = problem.orders, problem.weights.change
    stood = np.zeros(len(orders.ids), bool)
    stood[orders.line_order[problem.standing != NOWHERE]] = True
    if not price or not stood.any():
        return columns
    # As it stands: each line of the column at its standing dock, and no standing line left out.
    same = problem.standing[columns.line] == columns.line_dock
    alike = sums(columns.line_column, same, columns.count)
    served = np.bincount(columns.line_column, minlength=columns.count)
    standing = np.bincount(
        orders.line_order, problem.standing != NOWHERE, minlength=len(orders.ids)
    )[columns.order]
    changed = stood[columns.order] & ((alike != served) | (served != standing))
    return dataclasses.replace(columns, cost=columns.cost + np.where(changed, price, 0.0))


def cheapest(
    group: Group, mu: Floats, nu: Floats, split: float, count: int, within: Floats | None = None
) -> Columns:
    """Up to `count` patterns of each order of `group`, cheapest at the prices given.

    `within` (m) keeps only those cheaper than that. Sets with a dock that serves no line are left
    out: the smaller set is the same for less.
    """
    lines, left = priced_lines(group, mu), left_prices(group)
    table = group_costs(group, lines, group.parcel + nu[group.docks], split)
    wanted = min(len(table), 2 * count)
    order = np.argpartition(table, wanted - 1, axis=0)[:wanted]
    value = np.take_along_axis(table, order, axis=0)
    ranked = np.argsort(value, axis=0, kind="stable")
    order = np.take_along_axis(order, ranked, axis=0)
    value = np.take_along_axis(value, ranked, axis=0)
    limit = np.full(len(group.orders), FORBIDDEN / 2) if within is None else within
    column_parts = []
    kept_so_far = np.zeros(len(group.orders), np.int64)
    for level in range(wanted):
        rows = np.flatnonzero((value[level] < limit) & (kept_so_far < count))
        if not len(rows):
            break
        place = places(lines[rows], left[rows], order[level, rows])
        part, full = _columns(group, rows, place, order[level, rows], split)
        kept_so_far[rows[full]] += 1
        column_parts.append(part)
    return joined(column_parts) if column_parts else NO_COLUMNS


NO_COLUMNS = Columns(
    np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64),
    np.zeros(0, np.int64),
)  # fmt: skip


def _columns(
    group: Group, rows: Ints, place: Ints, chosen: Ints, split: float
) -> tuple[Columns, Bools]:
    """The columns that `place` (r x w) makes of `rows`, and which of them use all their docks."""
    some = group.only(rows)
    row, line, spot = cells_taken(some, place)
    k = some.docks.shape[1]
    once = np.unique(row * k + spot)
    used = np.bincount(once // k, minlength=len(rows))
    full = used == set_sizes(k, place.shape[1])[chosen]
    cost = np.where(used > 0, -split, 0.0)
    cost += sums(once // k, some.parcel[once // k, once % k], len(rows))
    cost += sums(row, some.line[row, line, spot], len(rows))
    real = some.lines >= 0
    cost += np.where(real & (place == NOWHERE), some.left, 0.0).sum(axis=1)
    whole = Columns(some.orders, cost, row, some.lines[row, line], some.docks[row, spot])
    return taken(whole, full), full


def entries(problem: Problem, columns: Columns) -> tuple[tuple[Ints, Ints, Floats], ...]:
    """What columns take: (cell, column, units) and (dock, column, 1), no place twice.

    A cell is `sku * N + node`.
    """
    orders, net = problem.orders, problem.network
    cell = orders.line_sku[columns.line] * len(net.nodes) + net.dock_node[columns.line_dock]
    key, inverse = np.unique(cell * columns.count + columns.line_column, return_inverse=True)
    units = sums(inverse, orders.quantity[columns.line], len(key))
    parcel = np.unique(columns.line_dock * columns.count + columns.line_column)
    return (
        (key // columns.count, key % columns.count, units),
        (parcel // columns.count, parcel % columns.count, np.ones(len(parcel))),
    )


def priced(problem: Problem, columns: Columns, mu: Floats, nu: Floats) -> Floats:
    """(J): the cost of each column with what it takes, at `mu` (S x N) and `nu` (D) cents."""
    (cell, cell_column, units), (dock, dock_column, _) = entries(problem, columns)
    taken_units = sums(cell_column, units * mu.reshape(-1)[cell], columns.count)
    return columns.cost + taken_units + sums(dock_column, nu[dock], columns.count)


def _binding(row: Ints, column: Ints, amount: Floats, order: Ints, have: Floats) -> Ints:
    """The rows that could be overdrawn if every order took the most it may."""
    key = order[column] * len(have) + row
    ranked = np.lexsort((-amount, key))
    first = np.flatnonzero(np.diff(key[ranked], prepend=-1))
    most = sums(row[ranked][first], amount[ranked][first], len(have))
    return np.flatnonzero(most > have)


@dataclasses.dataclass(frozen=True, slots=True)
class Master:
    """The program over columns: rows for `orders`, then for `cells`, then for `docks`."""

    program: Program
    orders: Ints
    cells: Ints
    docks: Ints


def master(problem: Problem, columns: Columns, *, integer: bool) -> Master:
    """One pattern for each order that has columns, within `problem`'s stock and capacity."""
    stock = problem.stock.reshape(-1).astype(np.float64)
    capacity = problem.network.capacity.astype(np.float64)
    (cell, cell_column, units), (dock, dock_column, ones) = entries(problem, columns)
    cells = _binding(cell, cell_column, units, columns.order, stock)
    docks = _binding(dock, dock_column, ones, columns.order, capacity)
    orders, convex = np.unique(columns.order, return_inverse=True)
    cell_number = np.full(len(stock), NOWHERE)
    cell_number[cells] = len(orders) + np.arange(len(cells))
    dock_number = np.full(len(capacity), NOWHERE)
    dock_number[docks] = len(orders) + len(cells) + np.arange(len(docks))
    row = np.concatenate([convex, cell_number[cell], dock_number[dock]])
    column = np.concatenate([np.arange(columns.count), cell_column, dock_column])
    value = np.concatenate([np.ones(columns.count), units, ones])
    kept = row != NOWHERE
    rest = len(cells) + len(docks)
    made = Program(
        cost=columns.cost,
        lower=np.zeros(columns.count),
        upper=np.ones(columns.count),
        integer=np.full(columns.count, integer),
        row_lower=np.concatenate([np.ones(len(orders)), np.full(rest, -np.inf)]),
        row_upper=np.concatenate([np.ones(len(orders)), stock[cells], capacity[docks]]),
        entry_row=row[kept],
        entry_column=column[kept],
        entry_value=value[kept],
    )
    return Master(made, orders, cells, docks)
