"""The ways through a wave: a linear program over it, or prices where it is large or orders long."""

import numpy as np

from solver import bound, crew, rounding, search, subsets
from solver.bound import Everywhere
from solver.crew import Crew
from solver.effort import Clock
from solver.problem import Problem, first_lines
from solver.search import Search

COLUMN_ROUNDS = 6
# Of the bound: nearer than this the linear program has nothing more to say; where its programs take
# long, with many docks, blocks gain more in that time.
ROUND_GAP, MANY_DOCKS_GAP = 2e-4, 2e-3
# Candidate docks, as `candidates` counts them, of the later prices of long orders: prices among
# fewer bound little but those few.
LONG_NEAR = (6, 10)
# Subgradient steps between two looks at a large wave's candidates, and after a linear program.
STEPS = 30
# Steps of the method over all docks until the first plan, and from there; with many docks prices
# have more to tell.
EXACT_STEPS, MANY_DOCKS_STEPS = (30, 30), (30, 120)
# Orders of more lines than exact prices are quick for, as a share, that may take the longer way.
LONG_SHARE = 0.01


def small(state: Search, clock: Clock, pool: Crew) -> None:
    """Columns until the bound is that of the linear program, then blocks."""
    market, enough = None, ROUND_GAP
    if len(state.nu) > search.MANY_DOCKS:
        enough = MANY_DOCKS_GAP
        market = bound.everywhere(state.problem) if _short(state.problem) else None
    if market is None:
        _price(state, clock)
    else:
        _price_everywhere(state, clock, market, MANY_DOCKS_STEPS)
    for number in range(COLUMN_ROUNDS):
        before = clock.left
        # Without a first program there is no bound: it has some time even where none is left.
        state.limit = before if number else max(before, clock.effort.seconds / 4)
        search.generate(state, search.MORE_COLUMNS if number else search.FIRST_COLUMNS)
        clock.tell("columns", state.cost, state.proven)
        search.prove(state)
        near = state.relaxed - state.proven <= enough * state.relaxed
        if market is not None and not near:
            # The program's prices know nothing of columns that are missing: a few steps mend them.
            search.price_everywhere(state, market, STEPS)
            search.prove(state)
        clock.tell("bound", state.cost, state.proven)
        # After another round blocks need some time to make a plan of what it found.
        if near or clock.left < 1.5 * (before - clock.left):
            break
    crew.polish(state, clock, pool)


def large(state: Search, clock: Clock, pool: Crew) -> None:
    """Prices, the plan they lead to, then blocks where the gap is."""
    if _short(state.problem):
        _price_everywhere(state, clock, bound.everywhere(state.problem), EXACT_STEPS)
        search.prove(state)
        clock.tell("bound", state.cost, state.proven)
        # These prices are as near as makes no difference: all that is left goes to the plan.
        crew.polish(state, clock, pool)
        return
    _price(state, clock)
    search.prove(state)
    clock.tell("bound", state.cost, state.proven)

    def prove() -> None:
        search.price(state, STEPS)
        search.prove(state)

    crew.polish(state, clock, pool, prove)


def long(state: Search, clock: Clock, pool: Crew) -> None:
    """Rough prices and the plan they lead to; then orders move, and better prices prove a bound."""
    _price_once(state, clock)

    def prove() -> None:
        search.price(state, STEPS, *LONG_NEAR)
        search.prove(state)
        clock.tell("bound", state.cost, state.proven)

    crew.polish(state, clock, pool, prove)
    if not np.isfinite(state.proven):
        # Not even the first round began: what there is of prices proves something.
        search.prove(state)


def _price(state: Search, clock: Clock) -> None:
    """Prices in two goes, the second on candidates that the first made cheap; a plan after each."""
    for _ in range(2):
        _price_once(state, clock)


def _price_once(state: Search, clock: Clock) -> None:
    search.price(state, STEPS)
    state.keep(rounding.from_nothing(state.problem, state.mu, state.nu))
    clock.tell("prices", state.cost, state.proven)


def _short(problem: Problem) -> bool:
    """Whether next to all orders have few enough lines for exact prices over all docks."""
    counts = np.diff(first_lines(problem))
    return float(np.mean(counts > subsets.WIDEST)) <= LONG_SHARE


def _price_everywhere(
    state: Search, clock: Clock, market: Everywhere, rounds: tuple[int, ...]
) -> None:
    """Prices over all docks, first rough ones, by `rounds` steps; a plan after each."""
    for steps in rounds:
        search.price_everywhere(state, market, steps)
        state.keep(rounding.from_nothing(state.problem, state.mu, state.nu))
        clock.tell("prices", state.cost, state.proven)
