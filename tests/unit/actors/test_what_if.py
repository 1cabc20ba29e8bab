"""What a dry run supposes: more or less capacity, faster lanes, and nothing else."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.waves.what_if import NotThere, WhatIf
from solver.problem import UNBOUNDED, Problem, validate
from tests.waves import network, orders, problem, small_waves

WAVE = problem(
    network([[100], [200]], capacity=[10, UNBOUNDED], transit=30.0), orders([[(0, 1)]]), [[1, 1]]
)


def test_nothing_supposed_is_the_problem_itself() -> None:
    assert WhatIf().applied(WAVE) is WAVE


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (125, [12, UNBOUNDED]),
        (0, [0, UNBOUNDED]),
        ({"n1": 50}, [10, UNBOUNDED]),
        ({"n0": 9}, [0, UNBOUNDED]),
    ],
)
def test_capacity_is_a_share_of_todays_and_no_bound_stays_none(
    percent: int | dict[str, int], expected: list[int]
) -> None:
    assert WhatIf(percent).applied(WAVE).network.capacity.tolist() == expected


def test_days_come_off_every_lane_down_to_nothing() -> None:
    assert WhatIf(days_faster=1).applied(WAVE).network.transit.tolist() == [[6.0], [6.0]]
    assert WhatIf(days_faster=2).applied(WAVE).network.transit.tolist() == [[0.0], [0.0]]


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(NotThere, match="capacity_percent: no node n7"):
        WhatIf({"n0": 10, "n7": 120}).applied(WAVE)


@given(small_waves(), st.integers(0, 1_000), st.integers(1, 30))
def test_whatever_is_supposed_the_problem_holds_and_the_rest_is_as_it_was(
    wave: Problem, percent: int, days: int
) -> None:
    supposed = WhatIf(percent, days).applied(wave)
    validate(supposed)
    changed = {"capacity", "transit"}
    for field in dataclasses.fields(wave.network):
        if field.name not in changed:
            assert getattr(supposed.network, field.name) is getattr(wave.network, field.name)
    assert np.all(supposed.network.transit <= wave.network.transit)
