"""Blocks: integer programs over some orders at a time, all others fixed, until nothing is found."""

import dataclasses

import numpy as np

from solver import candidates, compact, parts, search
from solver.effort import Clock
from solver.mip import Limits
from solver.plan import parcels_of
from solver.problem import MOST_PARCELS, Ints, Problem
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
# of many lines some are always in the way; they are chosen line by line, some orders at a time.
LONG_LINES = 6.0
LONG = Grain(100, 0, 2e-3)
LONG_WHOLE, LONG_SINGLE = 4, 8
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


def _improve_long(state: Search, rows: Ints, limits: Limits, rng: np.random.Generator) -> None:
    part = parts.extract(state, [rows], rng)[0]
    wave = part.problem
    near = candidates.candidates(
        wave,
        np.arange(len(rows)),
        whole=LONG_WHOLE,
        single=LONG_SINGLE,
        mu=part.mu,
        nu=part.nu,
    )
    found = compact.solve(
        wave, limits, part.line_dock, candidates=_with_standing(wave, near, part.line_dock)
    )
    state.keep(parts.written_back(state, part, found))


def _with_standing(problem: Problem, near: Ints, line_dock: Ints) -> Ints:
    """`near` (O x k) with the docks that each order's lines leave from now."""
    order, dock = parcels_of(problem, line_dock)
    place = np.arange(len(order)) - np.searchsorted(order, order)
    now = np.repeat(near[:, :1], MOST_PARCELS, axis=1)
    now[order, place] = dock
    return np.concatenate([near, now], axis=1)


def polish(state: Search, clock: Clock) -> None:
    """Blocks until the clock, their number, the gap or futility ends them."""
    rng = np.random.default_rng(clock.effort.seed)
    long = long_orders(state.problem)
    grains = (LONG,) if long else GRAINS[len(state.rows) < FEW :]
    at, futile, poor = 0, 0, 0
    for _ in range(clock.effort.blocks):
        left = clock.left
        if left <= 0.1 or futile >= FUTILE or near_enough(state, clock.effort.gap):
            break
        before, grain = state.cost, grains[at]
        rows = search.blocks_of(state, 1, grain.orders, rng)[0]
        limits = Limits(min(left, BLOCK_SECONDS), grain.gap, clock.effort.seed)
        if long:
            _improve_long(state, rows, limits, rng)
        else:
            search.improve(state, rows, grain.columns, limits)
        gained = before - state.cost
        last = at == len(grains) - 1
        futile = 0 if gained > 0 or not last else futile + 1
        little = LITTLE * before * len(rows) / len(state.rows)
        poor = poor + 1 if gained < little else 0
        if poor >= POOR and not last:
            at, poor = at + 1, 0
        clock.tell("block", state.cost, state.proven)
