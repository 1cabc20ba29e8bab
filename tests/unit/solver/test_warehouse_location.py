"""Warehouses open as cheaply as trying every set of them finds, and no bound is above that."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import mip
from solver.effort import Clock, Effort
from solver.errors import ProblemFault
from solver.mip import Limits
from solver.published.warehouse_location import Warehouses, bound, least_open, solve, transport
from solver.published.watched import Watched


@st.composite
def problems(draw: st.DrawFn) -> Warehouses:
    """Whole demands and capacities, some capacities 0, and always enough of them in all."""
    m, n = draw(st.integers(1, 4)), draw(st.integers(1, 4))

    def numbers(least: int, most: int, many: int) -> np.ndarray:
        return np.array(
            draw(st.lists(st.integers(least, most), min_size=many, max_size=many)), float
        )

    demand = numbers(1, 9, n)
    capacity = numbers(0, 15, m)
    capacity[0] += max(0.0, demand.sum() - capacity.sum())
    return Warehouses(capacity, numbers(0, 30, m), demand, numbers(0, 40, m * n).reshape(m, n) / 4)


def cheapest(problem: Warehouses) -> float:
    """Every set of warehouses tried."""
    costs = []
    for word in itertools.product((False, True), repeat=len(problem.capacity)):
        opened = np.array(word)
        if opened.any() and problem.capacity[opened].sum() >= problem.demand.sum():
            found = mip.solve(transport(problem, opened), Limits(10.0))
            assert found is not None
            costs.append(float(problem.fixed[opened].sum()) + found.objective)
    return min(costs)


@settings(max_examples=60)
@given(problems())
def test_the_answer_is_the_best_there_is(solver: Watched, problem: Warehouses) -> None:
    best = cheapest(problem)
    found = solve(problem, Clock(Effort(seconds=5)), solver)
    assert found.closed
    assert found.cost == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.bound <= best + 1e-6
    assert found.share.sum(axis=0) == pytest.approx(1.0)
    assert (found.share @ problem.demand <= problem.capacity + 1e-9).all()
    assert not found.share[~found.open].any()


@settings(max_examples=50)
@given(problems(), st.lists(st.integers(-20, 60), min_size=4, max_size=4))
def test_no_price_lifts_the_bound_above_the_optimum(problem: Warehouses, price: list[int]) -> None:
    low, _, _ = bound(problem, np.array(price[: len(problem.demand)], float), least_open(problem))
    assert low <= cheapest(problem) + 1e-6


def two(**changes: np.ndarray) -> Warehouses:
    tables = {
        "capacity": np.array([5.0, 5.0]),
        "fixed": np.array([1.0, 1.0]),
        "demand": np.array([4.0]),
        "cost": np.ones((2, 1)),
    }
    return Warehouses(**{**tables, **changes})


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (two(fixed=np.ones(3)), "do not fit"),
        (two(cost=np.array([[1.0], [np.nan]])), r"cost\[1, 0\] is nan"),
        (two(demand=np.array([0.0])), r"demand\[0\] is 0; leave out"),
        (two(demand=np.array([11.0])), "demand is 11 and capacity 10; raise a capacity"),
    ],
)
def test_what_makes_no_sense_is_refused(solver: Watched, problem: Warehouses, told: str) -> None:
    with pytest.raises(ProblemFault, match=told):
        solve(problem, Clock(Effort()), solver)
