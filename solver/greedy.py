"""A whole plan at once: every order takes its cheapest pattern at given prices.

Worked in rounds over arrays: all waiting orders name their best pattern in what is free; those who
would lose most by their second best are served first, and all are admitted that fit together; the
others look again.
"""

import dataclasses

import numpy as np

from solver.choices import Choices, Group
from solver.costs import FORBIDDEN
from solver.pricing import cells_taken, group_costs, left_prices, places, priced_lines
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem

# By then what still waits is left unserved: in practice everyone is placed in twenty.
ROUNDS = 200


@dataclasses.dataclass(slots=True)
class Free:
    """What is left: units a cell, parcels a dock."""

    stock: Floats
    capacity: Floats


def _feasible(group: Group, free: Free) -> Group:
    """`group` with what is not there any more forbidden."""
    short = free.stock[group.cell] < group.quantity[:, :, None]
    full = free.capacity[group.docks] < 1
    return dataclasses.replace(
        group,
        line=np.where(short, FORBIDDEN, group.line),
        parcel=np.where(full, FORBIDDEN, group.parcel),
    )


def _fits(who: Ints, what: Ints, amount: Floats, turn: Ints, have: Floats, many: int) -> Bools:
    """(many): whether each asker's wishes fit, where earlier turns are served before.

    `who` wants `amount` of `what`, three arrays of one length; those refused count as served,
    which errs on the side of refusing.
    """
    fits = np.ones(many, bool)
    if not len(who):
        return fits
    order = np.lexsort((turn[who], what))
    total = np.cumsum(amount[order])
    thing = what[order]
    begin = np.flatnonzero(np.diff(thing, prepend=-1))
    served_before = np.concatenate([[0.0], total[begin[1:] - 1]])
    own = total - np.repeat(served_before, np.diff(begin, append=len(thing)))
    bad = own > have[thing] + 1e-9
    fits[who[order][bad]] = False
    return fits


@dataclasses.dataclass(slots=True)
class _Wish:
    """What a group's waiting orders ask for in a round; `regret` is what the second best costs."""

    group: Group
    waiting: Ints
    regret: Floats
    place: Ints
    row: Ints
    line: Ints
    spot: Ints


def _wish(group: Group, waiting: Ints, mu: Floats, nu: Floats, free: Free, split: float) -> _Wish:
    asked = _feasible(group.only(waiting), free)
    lines = priced_lines(asked, mu)
    table = group_costs(asked, lines, asked.parcel + nu[asked.docks], split)
    best = np.argpartition(table, 1, axis=0)[:2]
    two = np.take_along_axis(table, best, axis=0)
    chosen = np.take_along_axis(best, two.argmin(axis=0)[None], axis=0)[0]
    place = places(lines, left_prices(asked), chosen)
    regret = two.max(axis=0) - two.min(axis=0)
    return _Wish(asked, waiting, regret, place, *cells_taken(asked, place))


def _drop_twice(wish: _Wish, alone: Bools) -> None:
    """Leave later lines of orders that overdraw a cell by themselves.

    Two lines of one SKU may each fit a cell that does not hold both.
    """
    for row in np.flatnonzero(alone):
        mine = wish.row == row
        cells = wish.group.cell[row, wish.line[mine], wish.spot[mine]]
        _, first = np.unique(cells, return_index=True)
        later = np.setdiff1d(np.arange(len(cells)), first)
        wish.place[row, wish.line[mine][later]] = NOWHERE


def assign(problem: Problem, choices: Choices, mu: Floats, nu: Floats) -> Ints:
    """The dock of each line (L) after all orders of `choices` were placed, -1 for all others."""
    free = Free(choices.stock.copy(), choices.capacity.copy())
    line_dock = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    waiting = [np.arange(len(group.orders)) for group in choices.groups]
    split = float(problem.weights.split)
    for _ in range(ROUNDS):
        wishes = [
            _wish(group, rows, mu, nu, free, split)
            for group, rows in zip(choices.groups, waiting, strict=True)
        ]
        if not any(wish.waiting.size for wish in wishes):
            break
        admitted = _admit(wishes, free, len(problem.orders.ids))
        waiting = []
        for wish in wishes:
            inside = admitted[wish.group.orders]
            _note(wish, inside, line_dock)
            waiting.append(wish.waiting[~inside])
    return line_dock


def _askings(wishes: list[_Wish]) -> tuple[Ints, Ints, Floats, Ints, Ints]:
    """(order, cell, units) of each line asked for, and (order, dock) of each parcel."""
    who = [wish.group.orders[wish.row] for wish in wishes]
    cell = [wish.group.cell[wish.row, wish.line, wish.spot] for wish in wishes]
    units = [wish.group.quantity[wish.row, wish.line] for wish in wishes]
    shippers, docks = [], []
    for wish in wishes:
        k = wish.group.docks.shape[1]
        once = np.unique(wish.row * k + wish.spot)
        shippers.append(wish.group.orders[once // k])
        docks.append(wish.group.docks[once // k, once % k])
    return (
        np.concatenate(who),
        np.concatenate(cell).astype(np.int64),
        np.concatenate(units),
        np.concatenate(shippers),
        np.concatenate(docks),
    )


def _admit(wishes: list[_Wish], free: Free, many: int) -> Bools:
    """(O): who gets what he asks for; what they get is taken from `free`."""
    asking = np.concatenate([wish.group.orders for wish in wishes])
    turn = np.zeros(many, np.int64)
    order = np.argsort(-np.concatenate([wish.regret for wish in wishes]), kind="stable")
    turn[asking[order]] = np.arange(len(order))
    who, cell, units, shippers, docks = _askings(wishes)
    fits = _fits(who, cell, units, turn, free.stock, many)
    fits &= _fits(shippers, docks, np.ones(len(docks)), turn, free.capacity, many)
    if not fits[asking].any():
        # The first in turn fails against nobody but itself.
        first = asking[turn[asking].argmin()]
        for wish in wishes:
            _drop_twice(wish, wish.group.orders == first)
            wish.row, wish.line, wish.spot = cells_taken(wish.group, wish.place)
        only = np.zeros(many, bool)
        only[first] = True
        fits = only
        who, cell, units, shippers, docks = _askings(wishes)
    taken = fits[who]
    np.subtract.at(free.stock, cell[taken], units[taken])
    np.subtract.at(free.capacity, docks[fits[shippers]], 1.0)
    return fits


def _note(wish: _Wish, inside: Bools, line_dock: Ints) -> None:
    kept = inside[wish.row]
    row, line, spot = wish.row[kept], wish.line[kept], wish.spot[kept]
    line_dock[wish.group.lines[row, line]] = wish.group.docks[row, spot]
