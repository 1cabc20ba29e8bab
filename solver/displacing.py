"""What a unit costs that somebody else holds: what his line costs more from elsewhere, or left.

A line may move to another dock that its order ships from anyway, or be left; a line that is left,
or stands dearer, may want to move in. Both are told by cell and by units, for moves that take such
a line along (ejection chains of length two: Glover 1996, Discrete Applied Mathematics 65(1-3)).
"""

import dataclasses

import numpy as np

from solver import costs, plan
from solver.costs import FORBIDDEN
from solver.problem import MOST_PARCELS, NO_GROUP, NOWHERE, Bools, Floats, Ints, Problem

# Units that are missing or given back, in steps: who lacks five looks for a line of at least six.
UNITS = np.array([1, 2, 3, 4, 6, 8, 12, 20, 40, 80])
# Less than this is no gain.
LITTLE = 1e-6


@dataclasses.dataclass(slots=True)
class Book:
    """Who holds what: `docks` (O x 3, -1 padded) of each order, `cell` (L) of each line or -1.

    `free` units of each cell `sku * N + node`, `room` parcels of each dock.
    """

    docks: Ints
    cell: Ints
    free: Ints
    room: Ints


def book(problem: Problem, line_dock: Ints) -> Book:
    """The book of the plan `line_dock` (L)."""
    net, orders = problem.network, problem.orders
    served = np.flatnonzero(line_dock != NOWHERE)
    cell = np.full(len(line_dock), NOWHERE)
    node = net.dock_node[line_dock[served]]
    cell[served] = orders.line_sku[served] * len(net.nodes) + node
    free = problem.stock.reshape(-1).astype(np.int64)
    np.subtract.at(free, cell[served], orders.quantity[served])
    order, dock = plan.parcels_of(problem, line_dock)
    docks = np.full((len(orders.ids), MOST_PARCELS), NOWHERE)
    docks[order, np.arange(len(order)) - np.searchsorted(order, order)] = dock
    room = net.capacity - np.bincount(dock, minlength=len(net.capacity))
    return Book(docks, cell, free, room)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Where lines may move by themselves (each L x 3): the docks of their orders.

    `dock`, its `cell`, `dearer` cents than now (FORBIDDEN where it cannot be), `short` units that
    it lacks; `left` (L): cents dearer if the line is left.
    """

    dock: Ints
    cell: Ints
    dearer: Floats
    short: Ints
    left: Floats


class Lines:
    """All lines of a problem and what they cost from their orders' docks, which is kept."""

    def __init__(self, problem: Problem) -> None:
        orders = problem.orders
        self.problem = problem
        self.left = costs.unserved_costs(problem)
        # Of an order that ships complete no line is left alone; lines bound together move as one.
        self.stays = orders.complete[orders.line_order]
        self.bound = orders.together != NO_GROUP
        self._docks = np.full((len(orders.ids), MOST_PARCELS), NOWHERE)
        self._cost = np.full((len(orders.line_order), MOST_PARCELS), FORBIDDEN)

    def _costs(self, docks: Ints) -> Floats:
        changed = (docks != self._docks).any(axis=1)
        lines = np.flatnonzero(changed[self.problem.orders.line_order])
        mine = docks[self.problem.orders.line_order[lines]]
        where = np.maximum(mine, 0)
        cost = np.add(*costs.line_costs(self.problem, lines, where))
        cost[(mine == NOWHERE) | costs.lacking(self.problem, lines, where)] = FORBIDDEN
        self._cost[lines] = cost
        self._docks = docks
        return self._cost

    def options(self, line_dock: Ints, held: Book, price: Floats) -> Options:
        """Where each line may go from where it is in `line_dock`, whose book is `held`.

        `price` (cells) is in cents a unit, beside what a line costs.
        """
        orders, net = self.problem.orders, self.problem.network
        dock = np.maximum(held.docks[orders.line_order], 0)
        cell = orders.line_sku[:, None] * len(net.nodes) + net.dock_node[dock]
        cost = self._costs(held.docks) + orders.quantity[:, None] * price[cell]
        here = dock == line_dock[:, None]
        served = line_dock != NOWHERE
        now = np.where(served, np.where(here, cost, FORBIDDEN).min(axis=1), self.left)
        dearer = np.where(here | self.bound[:, None], FORBIDDEN, cost - now[:, None])
        short = orders.quantity[:, None] - held.free[cell]
        short[cell == held.cell[:, None]] = 0
        stays = self.stays | self.bound | ~served
        left = np.where(stays, FORBIDDEN, self.left - now)
        weights = self.problem.weights
        if weights.change:
            as_planned = self._as_planned(line_dock)
            dearer += np.where(as_planned, weights.change, 0.0)[:, None]
            left += np.where(as_planned, weights.change, 0.0)
        return Options(dock, cell, dearer, short, left)

    def _as_planned(self, line_dock: Ints) -> Bools:
        """(L): whether the line's order stands just as it stood."""
        order = self.problem.orders.line_order
        return ~changed(self.problem, line_dock)[order]


def changed(problem: Problem, line_dock: Ints) -> Bools:
    """(O): whether an order that stood somewhere would leave it; those that did not stand count."""
    order = problem.orders.line_order
    same = np.zeros(len(problem.orders.ids), bool)
    same[order[problem.standing != NOWHERE]] = True
    same[order[problem.standing != line_dock]] = False
    return ~same


@dataclasses.dataclass(frozen=True, slots=True)
class Displaced:
    """By missing units (the first of `UNITS`, as `steps` of a problem) and cell: the cheapest line.

    `cents` (U x cells) that it costs, FORBIDDEN where there is none; `line` (U x cells) which, and
    `to` (L) the dock that it goes to, -1 where it is left.
    """

    cents: Floats
    line: Ints
    to: Ints

    def price(self, short: Ints, cell: Ints) -> Floats:
        """Cents for room where `short` units lack in `cell`: nothing where none do."""
        there = self.cents[at_least(short, len(self.cents)), cell]
        most = UNITS[len(self.cents) - 1]
        return np.where(short <= 0, 0.0, np.where(short > most, FORBIDDEN, there))


def steps(problem: Problem) -> int:
    """How many of `UNITS` tell all lines of `problem` apart; tables are no deeper than that."""
    return int(np.searchsorted(UNITS[:-1], problem.orders.quantity.max(initial=1))) + 1


def at_least(units: Ints, among: int) -> Ints:
    """The first of `UNITS[:among]` no less than `units`, by number; the last where none is."""
    return np.searchsorted(UNITS[: among - 1], units)


def at_most(units: Ints) -> Ints:
    """The last of `UNITS` that is no more than `units` (1 or more), by number."""
    return np.searchsorted(UNITS, units, side="right") - 1


def displaced(problem: Problem, held: Book, open_to: Options, movable: Bools) -> Displaced:
    """What displacing a line costs, for the lines that are `movable` (L)."""
    lines = np.flatnonzero((held.cell != NOWHERE) & movable)
    elsewhere = (open_to.short[lines] <= 0) & (open_to.cell[lines] != held.cell[lines, None])
    dearer = np.where(elsewhere, open_to.dearer[lines], FORBIDDEN)
    which = dearer.argmin(axis=1)
    least = dearer[np.arange(len(lines)), which]
    to = np.full(len(held.cell), NOWHERE)
    moves = least < open_to.left[lines]
    to[lines[moves]] = open_to.dock[lines[moves], which[moves]]
    least = np.minimum(least, open_to.left[lines])
    # The cheapest is written last, and so it stands.
    turn = np.argsort(-least, kind="stable")
    lines, least = lines[turn], least[turn]
    deep = steps(problem)
    cents = np.full((deep, len(held.free)), FORBIDDEN)
    line = np.full((deep, len(held.free)), NOWHERE)
    quantity, cell = problem.orders.quantity[lines], held.cell[lines]
    for number, units in enumerate(UNITS[:deep].tolist()):
        enough = quantity >= units
        cents[number, cell[enough]] = least[enough]
        line[number, cell[enough]] = lines[enough]
    return Displaced(cents, line, to)


def awaited(problem: Problem, held: Book, open_to: Options, movable: Bools) -> Floats:
    """(U x cells): cents a `movable` line (L) saves once so many more `UNITS` are free there."""
    wanted = (open_to.dearer < -LITTLE) & (open_to.short > 0)
    line, place = np.nonzero(wanted & movable[:, None])
    gain = -open_to.dearer[line, place]
    turn = np.argsort(gain, kind="stable")
    gain, line, place = gain[turn], line[turn], place[turn]
    cell, short = open_to.cell[line, place], open_to.short[line, place]
    deep = steps(problem)
    cents = np.zeros((deep, len(held.free)))
    for number, units in enumerate(UNITS[:deep].tolist()):
        enough = short <= units
        cents[number, cell[enough]] = gain[enough]
    return cents
