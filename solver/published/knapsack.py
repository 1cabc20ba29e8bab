"""The knapsack problem by dynamic programming over the capacity (Bellman 1957)."""

from typing import Final

import numpy as np
import numpy.typing as npt

from solver.mip import Floats, Ints

Bools = npt.NDArray[np.bool_]

#: Items times units of capacity at most, where a table of them is kept: 32 MB.
_TABLE_MOST: Final = 4_000_000
#: Steps of capacity at most; beyond it weights are rounded down to multiples of a coarser unit.
_STEPS_MOST: Final = 20_000


def pack(gain: Floats, weight: Ints, capacity: int) -> Bools:
    """Which items (n) to take for the largest sum of `gain`, none of them at a loss.

    `weight` (n) and `capacity` are whole numbers from 0. Beyond 20,000 units of capacity, weights
    and capacity are rounded down to a coarser unit: what is taken may then be too heavy, and is
    worth at least as much as the best that fits, which is what a bound needs.
    """
    unit = max(1, -(-capacity // _STEPS_MOST))
    room = capacity // unit
    taken = np.zeros(len(gain), bool)
    chosen = np.flatnonzero((gain > 0) & (weight <= capacity))
    worth = np.zeros(room + 1)
    better = np.zeros((len(chosen), room + 1), bool)
    for row, item in enumerate(chosen.tolist()):
        heavy = int(weight[item]) // unit
        with_it = worth[: room + 1 - heavy] + gain[item]
        better[row, heavy:] = with_it > worth[heavy:]
        worth[heavy:] = np.maximum(with_it, worth[heavy:])
    for row in range(len(chosen) - 1, -1, -1):
        if better[row, room]:
            taken[chosen[row]] = True
            room -= int(weight[chosen[row]]) // unit
    return taken


def near_best(
    gain: Floats, weight: Ints, capacity: int, slack: float, *, most: int
) -> Bools | None:
    """Every set of items (sets x n) that fits and whose `gain` is at most `slack` below the best.

    None where that would be more than `most` sets on the way, or too large a table. Weights and
    capacity as in `pack`, and never coarse. Losses count: a set may hold items that cost it some.
    """
    items = np.flatnonzero(weight <= capacity)
    if (len(items) + 1) * (capacity + 1) > _TABLE_MOST:
        return None
    # Those that matter least are decided last, when few sets are still open.
    items = items[np.argsort(np.abs(gain[items]), kind="stable")]
    worth, heavy = gain[items], weight[items]
    best = _running(worth, heavy, capacity)
    least = best[-1, capacity] - slack
    left, total = np.array([capacity]), np.zeros(1)
    held = np.zeros((1, len(gain)), bool)
    for place in range(len(items) - 1, -1, -1):
        reached = total + best[place, left]
        without = np.flatnonzero(reached >= least)
        fits = np.flatnonzero(left >= heavy[place])
        reached = total[fits] + worth[place] + best[place, left[fits] - heavy[place]]
        taking = fits[reached >= least]
        if len(without) + len(taking) > most:
            return None
        also = held[taking]
        also[:, items[place]] = True
        left = np.append(left[without], left[taking] - heavy[place])
        total = np.append(total[without], total[taking] + worth[place])
        held = np.concatenate([held[without], also])
    return held


def _running(gain: Floats, weight: Ints, capacity: int) -> Floats:
    """The best of the first k items in each capacity (n + 1 x capacity + 1)."""
    worth = np.zeros((len(gain) + 1, capacity + 1))
    for item, (one, heavy) in enumerate(zip(gain.tolist(), weight.tolist(), strict=True)):
        worth[item + 1] = worth[item]
        if one > 0:
            better = worth[item, : capacity + 1 - heavy] + one
            np.maximum(better, worth[item, heavy:], out=worth[item + 1, heavy:])
    return worth
