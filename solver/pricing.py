"""The cheapest pattern of every order at given prices.

A pattern is a set of at most three docks; each line goes to the cheapest of them or is left. With
`mu` cents a unit of each cell and `nu` cents a parcel of each dock, the cost of a set T is
`sum over T of (A + nu) - split + sum over lines of min(left, min over T of (B + q * mu))`.
"""

import dataclasses
import functools
import itertools

import numpy as np
import numpy.typing as npt

from solver.choices import Choices, Group
from solver.costs import FORBIDDEN
from solver.problem import MOST_PARCELS, NO_GROUP, NOWHERE, Floats, Ints, sums

EMPTY = 0


@functools.cache
def patterns(docks: int, width: int) -> tuple[tuple[int, ...], ...]:
    """The sets of candidate docks that orders of `width` lines choose from; the first is empty.

    No order ships in more parcels than it has lines.
    """
    most = min(MOST_PARCELS, width, docks)
    return tuple(
        chosen for size in range(most + 1) for chosen in itertools.combinations(range(docks), size)
    )


def share_together(together: Ints, *tables: Floats) -> None:
    """Give lines that leave together (m x w, numbered from 0) the mean of their rows, in place.

    Equal rows have their minimum at the same dock and the sum stays what it was: such lines move
    as one, or are left as one, without a rule of their own.
    """
    bound = together != NO_GROUP
    for row in np.flatnonzero(bound.any(axis=1)):
        for number in np.unique(together[row][bound[row]]):
            members = np.flatnonzero(together[row] == number)
            for table in tables:
                table[row, members] = table[row, members].mean(axis=0)


def priced_lines(group: Group, mu: Floats) -> Floats:
    """`B + q * mu` (m x w x k)."""
    priced = group.line + group.quantity[:, :, None] * mu[group.cell]
    share_together(group.together, priced)
    return priced


def left_prices(group: Group) -> Floats:
    """The price of leaving a line while others are served (m x w)."""
    left = np.where(group.complete[:, None], FORBIDDEN, group.left)
    share_together(group.together, left)
    return left


def pattern_costs(
    capped: Floats, parcels: Floats, empty: Floats, most: Ints, split: float
) -> Floats:
    """(P x m): the cost of each pattern for each order.

    `capped` (m x w x k) is the least of a line's price from a dock and of leaving it, `parcels`
    (m x k) the price of a parcel, `empty` (m) of leaving all, `most` (m) the parcels allowed.
    """
    m, width, docks = capped.shape
    sets = patterns(docks, width)
    out = np.empty((len(sets), m))
    out[EMPTY] = empty
    # One dock's lines together in memory: the sums below then run along them.
    by_dock = capped.transpose(2, 1, 0).copy()
    parcel = parcels.T.copy()
    best = np.empty((width, m))
    for number, chosen in enumerate(sets[1:], 1):
        if len(chosen) == 1:
            by_dock[chosen[0]].sum(axis=0, out=out[number])
        else:
            np.minimum(by_dock[chosen[0]], by_dock[chosen[1]], out=best)
            if len(chosen) == MOST_PARCELS:
                np.minimum(best, by_dock[chosen[2]], out=best)
            best.sum(axis=0, out=out[number])
        for dock in chosen:
            out[number] += parcel[dock]
        out[number] -= split
    if (most < MOST_PARCELS).any():
        sizes = set_sizes(docks, width)
        out[sizes[:, None] > most[None, :]] = FORBIDDEN
    return out


def group_costs(group: Group, lines: Floats, parcels: Floats, split: float) -> Floats:
    """(P x m): the cost of each pattern for each order of `group`, at priced lines and parcels."""
    capped = np.minimum(lines, left_prices(group)[:, :, None])
    return pattern_costs(capped, parcels, group.left.sum(axis=1), group.most, split)


@functools.cache
def set_sizes(docks: int, width: int) -> npt.NDArray[np.int64]:
    """How many docks each of `patterns` has."""
    return np.array([len(chosen) for chosen in patterns(docks, width)])


@functools.cache
def _members(docks: int, width: int) -> npt.NDArray[np.int64]:
    sets = patterns(docks, width)
    padded = [list(chosen) + [docks] * (MOST_PARCELS - len(chosen)) for chosen in sets]
    return np.array(padded, np.int64)


def places(lines: Floats, left: Floats, chosen: Ints) -> Ints:
    """The dock (0 to k-1) that each line (m x w x k, priced) takes in the pattern `chosen` (m).

    -1 where leaving it, at `left` (m x w), is no dearer. (m x w)
    """
    width, docks = lines.shape[1:]
    members = _members(docks, width)[chosen]
    wide = np.concatenate([lines, np.full((len(lines), width, 1), np.inf)], axis=2)
    offered = np.take_along_axis(wide, members[:, None, :], axis=2)
    which = offered.argmin(axis=2)
    cheapest = np.take_along_axis(offered, which[:, :, None], axis=2)[:, :, 0]
    place = np.take_along_axis(members, which, axis=1)
    return np.where(cheapest < left, place, NOWHERE)


@dataclasses.dataclass(frozen=True, slots=True)
class Priced:
    """The cheapest pattern of each order of a group: its cost (m) and its lines' places (m x w)."""

    value: Floats
    place: Ints


def price(group: Group, mu: Floats, nu: Floats, split: float) -> Priced:
    """What each order of `group` chooses at the prices `mu` (a cell) and `nu` (a dock)."""
    lines = priced_lines(group, mu)
    table = group_costs(group, lines, group.parcel + nu[group.docks], split)
    chosen = table.argmin(axis=0)
    rows = np.arange(len(chosen))
    return Priced(table[chosen, rows], places(lines, left_prices(group), chosen))


def cells_taken(group: Group, place: Ints) -> tuple[Ints, Ints, Ints]:
    """Row, cell and place of each line that is served by `place` (m x w), in the order of rows."""
    row, line = np.nonzero((place != NOWHERE) & (group.quantity > 0))
    spot = place[row, line]
    return row, line, spot


def usage(choices: Choices, chosen: list[Ints]) -> tuple[Floats, Floats]:
    """Units taken from each cell and parcels of each dock, where each group takes `chosen`."""
    units = np.zeros(len(choices.cells))
    parcels = np.zeros(len(choices.capacity))
    for group, place in zip(choices.groups, chosen, strict=True):
        row, line, spot = cells_taken(group, place)
        units += sums(group.cell[row, line, spot], group.quantity[row, line], len(units))
        k = group.docks.shape[1]
        once = np.unique(row * k + spot)
        docks = group.docks[once // k, once % k]
        parcels += np.bincount(docks, minlength=len(parcels))
    return units, parcels
