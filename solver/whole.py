"""The two ways through a wave: a linear program over all of it, or prices where it is large."""

from solver import crew, rounding, search
from solver.crew import Crew
from solver.effort import Clock
from solver.search import Search

COLUMN_ROUNDS = 6
# Of the bound: nearer than this the linear program has nothing more to say.
ROUND_GAP = 2e-4
# Subgradient steps between two looks at a large wave's candidates.
STEPS = 30


def small(state: Search, clock: Clock, pool: Crew) -> None:
    """Columns until the bound is that of the linear program, then blocks."""
    _price(state, clock)
    for number in range(COLUMN_ROUNDS):
        search.generate(state, search.MORE_COLUMNS if number else search.FIRST_COLUMNS)
        clock.tell("columns", state.cost, state.proven)
        search.prove(state)
        clock.tell("bound", state.cost, state.proven)
        if clock.left <= 0 or state.relaxed - state.proven <= ROUND_GAP * state.relaxed:
            break
    crew.polish(state, clock, pool)


def large(state: Search, clock: Clock, pool: Crew) -> None:
    """Prices, the plan they lead to, then blocks where the gap is."""
    _price(state, clock)
    search.prove(state)
    clock.tell("bound", state.cost, state.proven)
    crew.polish(state, clock, pool, bound_steps=STEPS)


def _price(state: Search, clock: Clock) -> None:
    """Prices in two goes, the second on candidates that the first made cheap; a plan after each."""
    for _ in range(2):
        search.price(state, STEPS)
        state.keep(rounding.from_nothing(state.problem, state.mu, state.nu))
        clock.tell("prices", state.cost, state.proven)
