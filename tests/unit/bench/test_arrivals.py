"""Plans: the right number of arrivals at the right times, the same for the same seed."""

import numpy as np
import pytest

from bench import arrivals
from bench.arrivals import KINDS, Plan, Spike, Times


def _count(times: Times, begin: float, end: float) -> int:
    return int(((times >= begin) & (times < end)).sum())


def test_constant_arrivals_are_at_equal_distances() -> None:
    assert np.allclose(np.diff(arrivals.constant(100, 2)), 0.01)
    assert len(arrivals.constant(100, 2)) == 200


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert np.array_equal(arrivals.poisson(500, 2, seed=7), arrivals.poisson(500, 2, seed=7))
    assert not np.array_equal(arrivals.poisson(500, 2, seed=7), arrivals.poisson(500, 2, seed=8))


def test_poisson_arrivals_have_the_mean_and_the_spread_of_a_poisson_process() -> None:
    times = arrivals.poisson(1_000, 20, seed=1)
    assert len(times) == pytest.approx(20_000, rel=0.03)
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.001, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # As of an exponential law.


def test_plans_are_in_order_and_inside_their_time() -> None:
    plan = arrivals.spike(Spike(base_per_s=50, peak_per_s=900, begins_s=1, lasts_s=1), 4, seed=3)
    assert (np.diff(plan) >= 0).all()
    assert plan[0] >= 0
    assert plan[-1] < 4


def test_a_spike_is_a_step_up_and_down_again() -> None:
    shape = Spike(base_per_s=100, peak_per_s=2_000, begins_s=2, lasts_s=3)
    times = arrivals.spike(shape, 10, seed=1)
    assert _count(times, 0, 2) == pytest.approx(200, rel=0.25)
    assert _count(times, 2, 5) == pytest.approx(6_000, rel=0.05)
    assert _count(times, 5, 10) == pytest.approx(500, rel=0.2)


def test_a_ramp_grows_evenly() -> None:
    times = arrivals.ramp(0, 1_000, 10, seed=1)
    assert len(times) == pytest.approx(5_000, rel=0.05)
    assert _count(times, 0, 5) == pytest.approx(1_250, rel=0.1)


def test_a_replay_keeps_the_shape_of_real_times_in_less_time() -> None:
    real = np.array([3_600.0, 0.0, 1_800.0, 86_400.0])
    assert np.allclose(arrivals.replay(real, 10), np.array([0, 1_800, 3_600, 86_400]) / 8_640)
    assert arrivals.replay(real, 10)[-1] < 10


def test_a_replay_of_nothing_or_of_one_moment_is_no_error() -> None:
    assert len(arrivals.replay(np.array([]), 10)) == 0
    assert arrivals.replay(np.array([5.0, 5.0]), 10).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plan_has_the_mean_rate_it_was_given(kind: str) -> None:
    real = np.array([0.0, 60.0, 3_600.0])
    plan = Plan(kind=kind, rate_per_s=2_000, seconds=5, seed=1, order_times_s=real).times()
    assert len(plan) == pytest.approx(10_000, rel=0.05)
    assert (np.diff(plan) >= 0).all()
    assert 0 <= plan[0] <= plan[-1] < 5


def test_real_times_begin_anew_when_they_are_used_up() -> None:
    real = np.array([10.0, 12.0, 20.0])
    assert arrivals.repeated(real, 5).tolist() == [10, 12, 20, 21, 23]
    assert arrivals.repeated(real, 2).tolist() == [10, 12]
