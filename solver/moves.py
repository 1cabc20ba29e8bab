"""Long orders: a plan cooled down, orders choosing anew while they displace each other's lines.

A long order is a few docks, and each line one of them. A pattern that names where every line goes
is in the way of another with one line or two; a program over such patterns is fractional all over,
and one over lines is large. Here a part of the orders at a time looks at every other order as it
stands: an order's price of a unit that somebody else holds is what *his* line then costs more
(`displacing`), so whole patterns are compared by what they cost everybody. While the plan is warm,
units and parcels also cost their Lagrangian prices, which keeps them for those to whom they are
worth most, and noise (heat-bath annealing: Kirkpatrick, Gelatt and Vecchi 1983, Science 220) leads
out of plans that no single order can better; both fade to nothing.
"""

import dataclasses

import numpy as np

from solver import admission, candidates, costs
from solver.admission import Wishes
from solver.choices import PADDED, Choices, Group, choices
from solver.costs import FORBIDDEN
from solver.displacing import (
    LITTLE,
    Book,
    Displaced,
    Lines,
    at_most,
    awaited,
    book,
    changed,
    displaced,
)
from solver.pricing import group_costs, left_prices, places, share_together
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem

# Docks that an order knows; of them, in a round, those it has now, those that serve it best alone
# and those that best complete the ones it has.
KNOWN = 16
ALONE, BESIDE = 4, 7
# Of so many orders one chooses in a round; they displace lines of the others.
TURNS = 4
# Cents of noise in a plan that is warm all through. About a parcel: with more nothing is decided,
# with less nothing is left again.
HEAT = 800.0


class Moves:
    """A plan under way: `line_dock` (L).

    `mu` (S x N) cents a unit and `nu` (D) cents a parcel are the Lagrangian prices.
    """

    def __init__(self, problem: Problem, line_dock: Ints, mu: Floats, nu: Floats) -> None:
        self.problem = problem
        self.line_dock = line_dock.copy()
        self._mu, self._nu = mu.reshape(-1), nu
        every = np.arange(len(problem.orders.ids))
        self._lines = Lines(problem)
        self._choices = _known(problem, every, mu, nu)
        self._group = np.zeros(len(every), np.int64)
        self._row = np.zeros(len(every), np.int64)
        for number, group in enumerate(self._choices.groups):
            self._group[group.orders] = number
            self._row[group.orders] = np.arange(len(group.orders))

    def round(self, warmth: float, rng: np.random.Generator) -> int:
        """Let some orders choose anew, then lines; how many moved.

        `warmth` is the share of the prices and of the noise that counts, 0 to 1.
        """
        many = len(self._group)
        turn = rng.permutation(many)[: -(-many // TURNS)]
        return self._orders(np.sort(turn), warmth, rng) + self.settle(1, warmth)

    def settle(self, rounds: int, warmth: float = 0.0) -> int:
        """Move single lines among their orders' docks where that saves; how many moved."""
        moved = 0
        everybody = np.ones(len(self.line_dock), bool)
        for _ in range(rounds):
            held = book(self.problem, self.line_dock)
            open_to = self._lines.options(self.line_dock, held, warmth * self._mu)
            by = displaced(self.problem, held, open_to, everybody)
            dearer = open_to.dearer + by.price(open_to.short, open_to.cell)
            place = dearer.argmin(axis=1)
            gain = -dearer[np.arange(len(place)), place]
            line = np.flatnonzero(gain > LITTLE)
            # One line of a SKU at a time: so no line is displaced that moves itself.
            line = line[np.argsort(-gain[line], kind="stable")]
            _, first = np.unique(self.problem.orders.line_sku[line], return_index=True)
            line = line[np.sort(first)]
            wishes = Wishes(
                np.arange(len(line) + 1),
                line,
                open_to.dock[line, place[line]],
                open_to.cell[line, place[line]],
                open_to.short[line, place[line]],
                np.zeros(len(line), bool),
            )
            count = admission.admit(self.problem, wishes, held, by, self.line_dock)
            moved += count
            if not count:
                break
        return moved

    def _orders(self, rows: Ints, warmth: float, rng: np.random.Generator) -> int:
        problem = self.problem
        held = book(problem, self.line_dock)
        open_to = self._lines.options(self.line_dock, held, warmth * self._mu)
        choosing = np.zeros(len(self._group), bool)
        choosing[rows] = True
        others = ~choosing[problem.orders.line_order]
        by = displaced(problem, held, open_to, others)
        waits = awaited(problem, held, open_to, others)
        view = _View(problem, self.line_dock, held, by, waits, warmth * self._mu, warmth * self._nu)
        found = []
        for number, group in enumerate(self._choices.groups):
            mine = rows[self._group[rows] == number]
            if len(mine):
                found.append(
                    view.choose(self._choices, group.only(self._row[mine]), HEAT * warmth, rng)
                )
        return admission.admit(problem, _wishes(problem, found, held), held, by, self.line_dock)


def _known(problem: Problem, rows: Ints, mu: Floats, nu: Floats) -> Choices:
    """The choices of `rows` among all docks, or the likeliest where there are many."""
    docks = len(problem.network.dock_node)
    if docks <= 2 * KNOWN:
        return choices(problem, rows, np.tile(np.arange(docks), (len(rows), 1)))
    near = candidates.candidates(problem, rows, whole=KNOWN, single=KNOWN, mu=mu, nu=nu)
    return choices(problem, rows, near)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What orders want instead of what they have: lines that change, and what each wish gains."""

    line: Ints
    dock: Ints
    cell: Ints
    short: Ints
    gain: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    """How orders that choose see the plan of all others."""

    problem: Problem
    line_dock: Ints
    held: Book
    by: Displaced
    waits: Floats
    unit_price: Floats
    parcel_price: Floats

    def choose(self, among: Choices, group: Group, heat: float, rng: np.random.Generator) -> _Found:
        """The cheapest pattern of each order in `group`, at costs with noise of `heat` cents."""
        real = group.lines != PADDED
        line = np.maximum(group.lines, 0)
        quantity = self.problem.orders.quantity[line]
        cell = among.cells[group.cell]
        now = np.where(real, self.line_dock[line], NOWHERE)
        stands = self.held.cell[line]
        here = (cell == stands[:, :, None]) & real[:, :, None]
        short = quantity[:, :, None] - self.held.free[cell]
        short[here | ~real[:, :, None]] = 0
        lines = group.line + self.by.price(short, cell)
        lines += group.quantity[:, :, None] * self.unit_price[cell]
        # Who stays keeps somebody waiting.
        kept = self.waits[at_most(quantity), np.maximum(stands, 0)]
        lines += np.where(here, kept[:, :, None], 0.0)
        share_together(group.together, lines)
        has = (group.docks[:, :, None] == self.held.docks[group.orders][:, None, :]).any(axis=2)
        full = (self.held.room[group.docks] < 1) & ~has
        parcels = np.where(full, FORBIDDEN, group.parcel + self.parcel_price[group.docks])
        left = left_prices(group)
        cost_now = self._cost_now(group, lines, now, real)
        some = _promising(np.minimum(lines, left[:, :, None]), parcels, left, has)
        lines = np.take_along_axis(lines, some[:, None, :], axis=2)
        parcels = np.take_along_axis(parcels, some, axis=1)
        table = group_costs(group, lines, parcels, float(self.problem.weights.split))
        chosen = (table - heat * rng.gumbel(size=table.shape) if heat > 0 else table).argmin(axis=0)
        value = table[chosen, np.arange(len(chosen))]
        place = places(lines, left, chosen)
        spot = np.take_along_axis(some, np.maximum(place, 0), axis=1)
        wanted = np.where(place == NOWHERE, NOWHERE, np.take_along_axis(group.docks, spot, axis=1))
        gain = cost_now - value - self._change(group, wanted, real)
        moves = (wanted != now) & real
        if heat <= 0:
            moves &= (gain > LITTLE)[:, None]
        row, column = np.nonzero(moves)
        at = row, column, spot[row, column]
        served = wanted[row, column] != NOWHERE
        return _Found(
            line[row, column],
            wanted[row, column],
            np.where(served, cell[at], NOWHERE),
            np.where(served, short[at], 0),
            gain[row],
        )

    def _cost_now(self, group: Group, lines: Floats, now: Ints, real: Bools) -> Floats:
        """(m) what the orders of `group` cost as they stand, by the same prices as patterns."""
        at = (group.docks[:, None, :] == now[:, :, None]) & (lines < FORBIDDEN)
        kept = np.where(at, lines, np.inf).min(axis=2)
        # A dock that the order no longer knows: it is a pattern's price that decides, not this.
        kept = np.where(np.isfinite(kept), kept, group.left)
        paid = np.where(now == NOWHERE, group.left, kept)
        docks = self.held.docks[group.orders]
        parcel = costs.parcel_costs(self.problem, group.orders, np.maximum(docks, 0))
        parcel += self.parcel_price[np.maximum(docks, 0)]
        ships = docks != NOWHERE
        split = np.where(ships.any(axis=1), float(self.problem.weights.split), 0.0)
        total: Floats = np.where(real, paid, 0.0).sum(axis=1)
        total += np.where(ships, parcel, 0.0).sum(axis=1) - split
        return total

    def _change(self, group: Group, wanted: Ints, real: Bools) -> Floats:
        """(m) cents of change that `wanted` (m x w) costs more than what orders have."""
        price = self.problem.weights.change
        if not price:
            return np.zeros(len(wanted))
        standing = self.problem.standing[np.maximum(group.lines, 0)]
        stood = (real & (standing != NOWHERE)).any(axis=1)
        leaves = stood & (real & (standing != wanted)).any(axis=1)
        left = stood & changed(self.problem, self.line_dock)[group.orders]
        return np.asarray(price * (leaves.astype(np.float64) - left))


def _promising(capped: Floats, parcels: Floats, left: Floats, has: Bools) -> Ints:
    """(m x k) places of docks: those an order has, the best alone and the best beside them."""
    alone = capped.sum(axis=1) + parcels
    base = np.minimum(np.where(has[:, None, :], capped, np.inf).min(axis=2), left)
    beside = np.minimum(capped, base[:, :, None]).sum(axis=1) + parcels
    rank = np.minimum(_ranks(alone) / ALONE, _ranks(beside) / BESIDE)
    rank[has & (parcels < FORBIDDEN)] = -1.0
    count = min(ALONE + BESIDE + 1, rank.shape[1])
    return np.sort(np.argpartition(rank, count - 1, axis=1)[:, :count], axis=1)


def _ranks(table: Floats) -> Ints:
    return table.argsort(axis=1).argsort(axis=1)


def _wishes(problem: Problem, found: list[_Found], held: Book) -> Wishes:
    """All that was found as wishes, those that gain most first."""
    line = np.concatenate([one.line for one in found])
    dock = np.concatenate([one.dock for one in found])
    cell = np.concatenate([one.cell for one in found])
    short = np.concatenate([one.short for one in found])
    gain = np.concatenate([one.gain for one in found])
    order = problem.orders.line_order[line]
    rows, begin = admission.listed(gain, order)
    line, dock, cell, short = line[rows], dock[rows], cell[rows], short[rows]
    order = order[rows]
    docks = len(problem.network.dock_node)
    # The first line of each parcel that the order does not have yet asks for its room.
    _, first = np.unique(order * (docks + 1) + dock + 1, return_index=True)
    fresh = np.zeros(len(line), bool)
    fresh[first] = True
    fresh &= (dock != NOWHERE) & (held.docks[order] != dock[:, None]).all(axis=1)
    return Wishes(begin, line, dock, cell, short, fresh)
