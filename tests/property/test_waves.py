"""Whatever the wave, its plan may be carried out, and its bound lies below every plan there is."""

from hypothesis import given, settings

from solver.check import check
from solver.effort import Effort
from solver.problem import Problem
from solver.solve import solve
from tests.waves import best_by_trying, small_waves


@given(small_waves())
@settings(max_examples=60, deadline=None)
def test_a_plan_holds_and_lies_between_its_bound_and_the_optimum(wave: Problem) -> None:
    plan = solve(wave, Effort(seconds=10.0))
    assert check(plan, wave) == []
    best = best_by_trying(wave)
    assert plan.bound <= best + 1e-6
    assert plan.cost.total == best
