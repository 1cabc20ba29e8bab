"""From a problem to a plan, with a bound that says how much better any plan could be."""

from collections.abc import Callable

from solver import blocks, crew, plan, search, whole
from solver.effort import Clock, Effort, Step
from solver.plan import Plan
from solver.problem import Problem, validate

VERSION = "waves-1"
# Beyond so many orders one linear program takes too long: the wave is worked in parts.
WHOLE_ORDERS = 15_000


def solve(problem: Problem, effort: Effort, watch: Callable[[Step], None] | None = None) -> Plan:
    """A plan for `problem` within `effort`; `watch` hears of every step.

    Raises `ProblemFault` for a problem that is not well formed. A problem without orders has an
    empty plan.
    """
    validate(problem)
    clock = Clock(effort, watch)
    if not problem.orders.ids:
        return plan.make(problem, problem.standing, 0.0, effort.seed, VERSION)
    with crew.crew(effort.workers) as pool:
        state = search.begin(problem, limit=effort.seconds)
        clock.tell("greedy", state.cost, state.proven)
        if blocks.long_orders(problem):
            whole.long(state, clock, pool)
        elif len(problem.orders.ids) > WHOLE_ORDERS:
            whole.large(state, clock, pool)
        else:
            whole.small(state, clock, pool)
    return plan.make(problem, state.line_dock, max(0.0, state.proven), effort.seed, VERSION)
