"""The cheapest pattern over any number of docks, for orders of few lines: no dock is left out.

A pattern splits an order's lines into parcels. So first the best dock for every subset of the
lines, 2^w of them, then the best way to split the lines into at most three subsets: work that
grows with the docks, where trying sets of three docks grows with their cube. Two subsets may name
one dock; that only pays its parcel twice, and joining them is among the ways tried.
"""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from solver.problem import MOST_PARCELS, NOWHERE, Floats, Ints

# Lines of an order at most; beyond, subsets are too many.
WIDEST = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """The cheapest price of each order (m) and the place of each line's dock (m x w), or -1."""

    value: Floats
    place: Ints


@functools.cache
def _ways(width: int) -> tuple[tuple[int, ...], ...]:
    """All ways to split `width` lines into one to three subsets, as bits; fewer come first."""
    whole = (1 << width) - 1
    found: list[tuple[int, ...]] = []

    def split(rest: int, parts: tuple[int, ...]) -> None:
        if not rest:
            found.append(parts)
            return
        if len(parts) == MOST_PARCELS:
            return
        # The part with the lowest line left comes next, so that no way is found twice.
        low = rest & -rest
        other = rest ^ low
        some = other
        while True:
            split(other ^ some, (*parts, low | some))
            if not some:
                return
            some = (some - 1) & other

    split(whole, ())
    return tuple(sorted(found, key=len))


@functools.cache
def _members(width: int) -> npt.NDArray[np.float64]:
    """(ways x 3 x width): 1 where a line is in a part of a way, else 0."""
    parts = [(*way, 0, 0)[:MOST_PARCELS] for way in _ways(width)]
    bits = np.array(parts)[:, :, None] >> np.arange(width) & 1
    return bits.astype(np.float64)


def _subset_costs(parcel: Floats, capped: Floats) -> Floats:
    """(2^w x m): the least that each subset of the lines costs from one dock, parcel and all."""
    m, width, _ = capped.shape
    least = np.empty((1 << width, m))
    sums: list[Floats] = [parcel]
    for subset in range(1, 1 << width):
        low = (subset & -subset).bit_length() - 1
        total = sums[subset & (subset - 1)] + capped[:, low]
        total.min(axis=1, out=least[subset])
        sums.append(total)
    return least


def cheapest(
    parcel: Floats, capped: Floats, left: Floats, empty: Floats, most: Ints, split: float
) -> Split:
    """Each order's cheapest pattern among docks that cost `parcel` (m x k).

    `capped` (m x w x k, w at most `WIDEST`) is the least of a line's price from a dock and of
    leaving it, at `left` (m x w) while others are served; `empty` (m) is the price of leaving all;
    `most` (m) the parcels allowed; `split` (cents) is in every parcel and off once.
    """
    m, width, _ = capped.shape
    least = _subset_costs(parcel, capped)
    value, chosen = empty.copy(), np.full(m, NOWHERE)
    for number, parts in enumerate(_ways(width)):
        cost = least[parts[0]] - split
        for part in parts[1:]:
            cost += least[part]
        better = (cost < value - 1e-9) & (most >= len(parts))
        value[better], chosen[better] = cost[better], number
    return Split(value, _places(parcel, capped, left, chosen))


def _places(parcel: Floats, capped: Floats, left: Floats, chosen: Ints) -> Ints:
    """(m x w): the dock's place of each line in the way that was `chosen` (m, -1 for none)."""
    place = np.full(left.shape, NOWHERE)
    rows = np.flatnonzero(chosen != NOWHERE)
    members = _members(left.shape[1])[chosen[rows]]
    for part in range(MOST_PARCELS):
        inside = members[:, part].any(axis=1)
        rows, members = rows[inside], members[inside]
        if not len(rows):
            break
        mine = members[:, part]
        lines = capped[rows]
        dock = (parcel[rows] + np.einsum("mwk,mw->mk", lines, mine)).argmin(axis=1)
        paid = np.take_along_axis(lines, dock[:, None, None], axis=2)[:, :, 0]
        row, line = np.nonzero((mine > 0) & (paid < left[rows]))
        place[rows[row], line] = dock[row]
    return place
