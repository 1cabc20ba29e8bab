"""Blocks: integer programs over some orders at a time, all others fixed, until nothing is found.

Long orders have moves instead.
"""

import dataclasses

import numpy as np

from solver import moves, search
from solver.effort import Clock
from solver.mip import Limits
from solver.problem import Problem
from solver.search import Search


@dataclasses.dataclass(frozen=True, slots=True)
class Grain:
    """How fine blocks are: orders, columns an order, and how near their own optimum they end."""

    orders: int
    columns: int
    gap: float


# A large wave goes through all of them, a small one begins with the second.
GRAINS = (Grain(1000, 4, 3e-3), Grain(1500, 6, 1e-3), Grain(1500, 8, 2e-4))
FEW = 5_000
# Orders of more lines than this, in the mean, are long: a pattern fixes where each line goes, and
# of many lines some are always in the way; they move as `moves` says.
LONG_LINES = 6.0
# Rounds from the warmth of a search to none, which is reached after this share of them.
ROUNDS, COOLED = 120, 0.85
LEAST_SECONDS = 0.1
# Blocks that gain less than this share of their orders' cost, so many in a row, call for finer
# ones.
LITTLE, POOR = 1e-3, 3
# The longest that a block may take, seconds.
BLOCK_SECONDS = 6.0
# Blocks of the last grain in a row that find nothing, until the search counts as ended.
FUTILE = 6


def near_enough(state: Search, gap: float) -> bool:
    """Whether the plan is within the share `gap` of the bound."""
    return state.cost - state.proven <= gap * max(1.0, state.proven)


def long_orders(problem: Problem) -> bool:
    """Whether the orders of `problem` are long in the mean."""
    return len(problem.orders.line_order) > LONG_LINES * len(problem.orders.ids)


def _anneal(state: Search, clock: Clock, rng: np.random.Generator) -> None:
    """Long orders choose anew while the plan cools down from `state.warmth` to nothing.

    It cools by rounds, or by the clock where that is faster.
    """
    moving = moves.Moves(state.problem, state.line_dock, state.mu, state.nu)
    began, seconds = clock.passed, max(clock.left, LEAST_SECONDS)
    for number in range(ROUNDS):
        gone = max(number / ROUNDS, (clock.passed - began) / seconds)
        if gone >= 1.0 or near_enough(state, clock.effort.gap):
            break
        moving.round(state.warmth * max(0.0, 1.0 - gone / COOLED), rng)
        if state.keep(moving.line_dock):
            state.line_dock = state.line_dock.copy()
            clock.tell("moves", state.cost, state.proven)


def polish(state: Search, clock: Clock) -> None:
    """Blocks until the clock, their number, the gap or futility ends them."""
    rng = np.random.default_rng(clock.effort.seed)
    if long_orders(state.problem):
        _anneal(state, clock, rng)
        return
    grains = GRAINS[len(state.rows) < FEW :]
    at, futile, poor = 0, 0, 0
    for _ in range(clock.effort.blocks):
        left = clock.left
        if left <= 0.1 or futile >= FUTILE or near_enough(state, clock.effort.gap):
            break
        before, grain = state.cost, grains[at]
        rows = search.blocks_of(state, 1, grain.orders, rng)[0]
        limits = Limits(min(left, BLOCK_SECONDS), grain.gap, clock.effort.seed)
        search.improve(state, rows, grain.columns, limits)
        gained = before - state.cost
        last = at == len(grains) - 1
        futile = 0 if gained > 0 or not last else futile + 1
        little = LITTLE * before * len(rows) / len(state.rows)
        poor = poor + 1 if gained < little else 0
        if poor >= POOR and not last:
            at, poor = at + 1, 0
        clock.tell("block", state.cost, state.proven)
