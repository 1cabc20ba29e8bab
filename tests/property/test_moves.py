"""Whatever moves, the plan may be carried out; lines that move by themselves only ever save."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import plan, rounding
from solver.check import check
from solver.effort import Effort
from solver.moves import Moves
from solver.problem import NOWHERE, Problem
from solver.solve import solve
from tests.waves import best_by_trying, small_waves


def holds(wave: Problem, line_dock: np.ndarray) -> None:
    assert check(plan.make(wave, line_dock, 0.0, 0, ""), wave) == []


@given(small_waves(), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0, 500]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_plan_holds_after_every_round(
    wave: Problem, warmth: float, price: int, empty: bool
) -> None:
    mu, nu = np.zeros(wave.stock.shape), np.zeros(len(wave.network.capacity))
    start = rounding.from_nothing(wave, mu, nu)
    if empty:
        start = np.full(len(start), NOWHERE)
    moving = Moves(wave, start, mu + price, nu + price)
    rng = np.random.default_rng(1)
    for _ in range(4):
        moving.round(warmth, rng)
        holds(wave, moving.line_dock)
        before = plan.cost_of(wave, moving.line_dock).total
        moving.settle(5)
        holds(wave, moving.line_dock)
        assert plan.cost_of(wave, moving.line_dock).total <= before


@given(small_waves())
@settings(max_examples=30, deadline=None)
def test_long_orders_have_a_plan_between_bound_and_no_plan(wave: Problem) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("solver.blocks.LONG_LINES", 0.0)
        patch.setattr("solver.blocks.ROUNDS", 10)
        found = solve(wave, Effort(seconds=5.0))
    assert check(found, wave) == []
    assert found.bound <= best_by_trying(wave) + 1e-6
