"""The knapsack problem by dynamic programming over the capacity (Bellman 1957)."""

from typing import Final

import numpy as np
import numpy.typing as npt

from solver.mip import Floats, Ints

#: Steps of capacity at most; beyond it weights are rounded down to multiples of a coarser unit.
_STEPS_MOST: Final = 20_000


def pack(gain: Floats, weight: Ints, capacity: int) -> npt.NDArray[np.bool_]:
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
