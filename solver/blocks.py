"""Blocks: integer programs over some orders at a time, all others fixed, until nothing is found."""

import dataclasses

import numpy as np

from solver import search
from solver.effort import Clock
from solver.mip import Limits
from solver.search import Search


@dataclasses.dataclass(frozen=True, slots=True)
class Grain:
    """How fine blocks are: orders, columns an order, and how near their own optimum they end."""

    orders: int
    columns: int
    gap: float


COARSE, FINE = Grain(1000, 4, 3e-3), Grain(1500, 8, 2e-4)
# Coarse blocks that gain less than this share of their orders' cost, so many in a row, call for
# fine ones.
LITTLE, POOR = 1e-3, 4
# The longest that a block may take, seconds.
BLOCK_SECONDS = 6.0
# Fine blocks in a row that find nothing, until the search counts as ended.
FUTILE = 6


def near_enough(state: Search, gap: float) -> bool:
    """Whether the plan is within the share `gap` of the bound."""
    return state.cost - state.proven <= gap * max(1.0, state.proven)


def polish(state: Search, clock: Clock) -> None:
    """Blocks until the clock, their number, the gap or futility ends them."""
    rng = np.random.default_rng(clock.effort.seed)
    grain, futile, poor = COARSE, 0, 0
    for _ in range(clock.effort.blocks):
        left = clock.left
        if left <= 0.1 or futile >= FUTILE or near_enough(state, clock.effort.gap):
            break
        before = state.cost
        rows = search.blocks_of(state, 1, grain.orders, rng)[0]
        limits = Limits(min(left, BLOCK_SECONDS), grain.gap, clock.effort.seed)
        search.improve(state, rows, grain.columns, limits)
        gained = before - state.cost
        futile = 0 if gained > 0 or grain is COARSE else futile + 1
        little = LITTLE * before * len(rows) / len(state.rows)
        poor = poor + 1 if gained < little else 0
        if poor >= POOR:
            grain = FINE
        clock.tell("block", state.cost, state.proven)
