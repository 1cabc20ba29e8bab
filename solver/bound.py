"""The bound over all docks: the candidates that a plan was made from bound only themselves.

Per order the exact minimum over all docks that can serve it. Orders of more lines than subsets
are tried for: exact over single docks, over sets of two and three among the docks that could still
be part of a cheaper set, and by a relaxation where those are too many.
"""

import dataclasses

import numpy as np

from solver import subsets
from solver.costs import FORBIDDEN
from solver.prices import Demand
from solver.pricing import pattern_costs, places
from solver.problem import NOWHERE, Floats, Ints, Problem, sums
from solver.tables import Table, tables

# Docks of one long order enumerated in twos and threes; more are relaxed.
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
    many = len(problem.orders.ids)
    value = np.zeros(many)
    line_dock = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    relaxed = 0
    flat = mu.reshape(-1)
    for table in tables(problem):
        found = cheapest(table, flat, nu, float(problem.weights.split))
        value[table.rows] = found.value
        relaxed += found.relaxed
        dock = np.take_along_axis(table.docks, np.maximum(found.place, 0), axis=1)
        served = (table.lines >= 0) & (found.place != NOWHERE)
        line_dock[table.lines[served]] = dock[served]
    # What is unbounded costs nothing to relax: its price is zero.
    priced = nu > 0
    total = float(value.sum()) - float(np.sum(mu * problem.stock))
    total -= float(nu[priced] @ problem.network.capacity[priced])
    return Proof(total, 1.0 - relaxed / max(1, many), value, line_dock, mu.copy(), nu.copy())


@dataclasses.dataclass(slots=True)
class Cheapest:
    """The cheapest pattern found: its price (m), the places of its lines' docks (m x w), or -1.

    `relaxed` of the prices are bounds and not those of the pattern.
    """

    value: Floats
    place: Ints
    relaxed: int


def cheapest(table: Table, mu: Floats, nu: Floats, split: float) -> Cheapest:
    """What each order of `table` costs at least at `mu` (a cell) and `nu` (a dock)."""
    parcel, capped = table.priced(mu, nu)
    if table.lines.shape[1] <= subsets.WIDEST:
        best = subsets.cheapest(parcel, capped, table.left, table.empty, table.most, split)
        return Cheapest(best.value, best.place, 0)
    return _of_long(table, parcel, capped, split)


def _of_long(table: Table, parcel: Floats, capped: Floats, split: float) -> Cheapest:
    single = parcel + capped.sum(axis=1) - split
    every = np.arange(len(single))
    alone = single.argmin(axis=1)
    served = np.minimum(single[every, alone], table.empty)
    # A line that costs as much as leaving it is left.
    taken = capped[every, :, alone] < table.left
    taken &= (single[every, alone] < table.empty)[:, None]
    found = Cheapest(served, np.where(taken, alone[:, None], NOWHERE), 0)
    if parcel.shape[1] == 1:
        return found
    # A set of two or more with dock d costs at least d, the cheapest other, and each line's least.
    two = np.partition(parcel, 1, axis=1)[:, :2]
    other = np.where(parcel <= two[:, :1], two[:, 1:], two[:, :1])
    floor = parcel + other + capped.min(axis=2).sum(axis=1)[:, None] - split
    hopeful = (floor < found.value[:, None]) & (table.most > 1)[:, None]
    count = hopeful.sum(axis=1)
    few = np.flatnonzero((count > 1) & (count <= ENUMERATED))
    for size in np.unique(count[few]).tolist():
        some = few[count[few] == size]
        docks = np.nonzero(hopeful[some])[1].reshape(-1, size)
        near = np.take_along_axis(capped[some], docks[:, None, :], axis=2)
        rooms = np.take_along_axis(parcel[some], docks, axis=1)
        priced = pattern_costs(near, rooms, table.empty[some], table.most[some], split)
        _note(found, some, docks, near, table.left[some], priced)
    many = np.flatnonzero(count > ENUMERATED)
    found.value[many] = np.minimum(found.value[many], floor[many].min(axis=1))
    found.relaxed = len(many)
    return found


def _note(
    found: Cheapest, rows: Ints, docks: Ints, capped: Floats, left: Floats, priced: Floats
) -> None:
    """Take the cheapest of the patterns `priced` (P x r) of `rows` over `docks` where it is one."""
    chosen = priced.argmin(axis=0)
    value = priced[chosen, np.arange(len(rows))]
    better = np.flatnonzero(value < found.value[rows] - 1e-9)
    place = places(capped[better], left[better], chosen[better])
    dock = np.take_along_axis(docks[better], np.maximum(place, 0), axis=1)
    found.value[rows[better]] = value[better]
    found.place[rows[better]] = np.where(place == NOWHERE, NOWHERE, dock)


@dataclasses.dataclass(frozen=True, slots=True)
class Everywhere:
    """A market (see `prices`) where every order looks at all docks that can serve it.

    `cells` are the (SKU, node) numbers that any line may draw on, ascending; `stock` is what lies
    in each, `capacity` what each dock sends; `parts` name cells by their place in `cells`;
    `lines` is how many there are, `split` is in cents.
    """

    parts: tuple[Table, ...]
    cells: Ints
    stock: Floats
    capacity: Floats
    split: float
    lines: int

    def at(self, mu: Floats, nu: Floats) -> Demand:
        """What is wanted at `mu` (a cell) and `nu` (a dock)."""
        return self.look(mu, nu)[0]

    def look(self, mu: Floats, nu: Floats) -> tuple[Demand, Ints]:
        """What is wanted at `mu` (a cell) and `nu` (a dock), and each line's dock (L) in it."""
        total = -float(mu @ self.stock) - float(nu @ self.capacity)
        units, parcels = np.zeros(len(self.stock)), np.zeros(len(self.capacity))
        line_dock = np.full(self.lines, NOWHERE)
        for table in self.parts:
            found = cheapest(table, mu, nu, self.split)
            total += float(found.value.sum())
            row, line = np.nonzero((found.place != NOWHERE) & (table.lines >= 0))
            place = found.place[row, line]
            line_dock[table.lines[row, line]] = table.docks[row, place]
            units += sums(table.cell[row, line, place], table.quantity[row, line], len(units))
            wide = table.docks.shape[1]
            once = np.unique(row * wide + place)
            parcels += np.bincount(table.docks[once // wide, once % wide], minlength=len(parcels))
        return Demand(total, units, parcels), line_dock


def everywhere(problem: Problem) -> Everywhere:
    """The market of all orders of `problem`, over all docks."""
    made = list(tables(problem))
    known = np.zeros(problem.stock.size, bool)
    for table in made:
        known[table.cell[table.line < FORBIDDEN]] = True
    cells = np.flatnonzero(known)
    number = np.zeros(problem.stock.size, np.int32)
    number[cells] = np.arange(len(cells))
    return Everywhere(
        parts=tuple(dataclasses.replace(table, cell=number[table.cell]) for table in made),
        cells=cells,
        stock=problem.stock.reshape(-1)[cells].astype(np.float64),
        capacity=problem.network.capacity.astype(np.float64),
        split=float(problem.weights.split),
        lines=len(problem.orders.line_order),
    )
