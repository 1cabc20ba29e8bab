"""What units are worth follows from the chance that they are sold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import ProblemFault
from solver.planning.worth import chances, worth


@pytest.mark.parametrize("scatter", [1.0, 1.8])
def test_chances_are_those_of_drawn_demand(scatter: float) -> None:
    draw = np.random.default_rng(7)
    mean = 6.0
    drawn = (
        draw.poisson(mean, 200_000)
        if scatter == 1
        else draw.negative_binomial(mean / (scatter - 1), 1 / scatter, 200_000)
    )
    told = chances(mean, scatter)
    seen = [(drawn >= unit).mean() for unit in range(1, len(told) + 1)]
    assert told.tolist() == pytest.approx(seen, abs=0.005)


def test_a_large_demand_is_no_number_to_fear() -> None:
    told = chances(50_000.0, 3.0)
    assert told[0] == pytest.approx(1)
    assert told[50_000] == pytest.approx(0.5, abs=0.01)


def test_nothing_is_worth_nothing() -> None:
    room, cents = worth(np.zeros((1, 2)), np.ones(1), np.array([100]), 3)
    assert not room.any()
    assert not cents.any()


@given(st.floats(0.01, 300), st.floats(1, 5), st.integers(0, 5_000), st.integers(1, 9))
def test_worth_never_rises_and_comes_to_what_will_be_sold(
    mean: float, scatter: float, margin: int, steps: int
) -> None:
    room, cents = worth(np.array([[mean]]), np.array([scatter]), np.array([margin]), steps)
    assert (np.diff(cents[0, 0]) <= 0).all()
    total = int((room * cents).sum())
    assert total <= margin * mean * 1.001
    assert total >= margin * (mean * 0.9 - 1) - room.sum()


def test_what_is_no_demand_is_refused() -> None:
    with pytest.raises(ProblemFault, match="steps: 0"):
        worth(np.ones((1, 1)), np.ones(1), np.ones(1, np.int64), 0)
