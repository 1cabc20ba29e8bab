"""Demand from sales: what slow SKUs borrow from their group, and how far forecasts are off."""

import sys

import numpy as np
import pytest

from solver import mip
from solver.errors import ProblemFault
from solver.planning.demand import CONCENTRATION_MOST, accuracy, concentration, demand, mix_of
from solver.planning.forecast import ForecastMissing, backtest, forecast, naive, smoothing
from solver.planning.sales import Sale, sales_of


def a_year(seed: int = 1, weeks: int = 30) -> list[Sale]:
    """A fast SKU and a slow one of one group, two regions (3 to 1), one channel."""
    draw = np.random.default_rng(seed)
    return [
        Sale(1000 + day, sku, region, "web", int(draw.poisson(rate * share)))
        for day in range(weeks * 7)
        for sku, rate in (("fast", 20.0), ("slow", 0.05), ("other", 8.0))
        for region, share in (("north", 0.75), ("south", 0.25))
    ]


GROUPS = {"fast": "toys", "slow": "toys", "other": "toys"}


def test_weeks_are_whole_and_end_with_the_last_day() -> None:
    sales = sales_of([Sale(5, "a", "n", "web", 9), *(Sale(6 + day, "a", "n", "web", 1)
                      for day in range(7))], {})  # fmt: skip
    assert sales.days == 8
    assert sales.weekly().tolist() == [[[7.0]]]


def test_demand_is_where_it_was_and_as_much() -> None:
    told = demand(sales_of(a_year(), GROUPS), 4)
    fast = told.sales.skus.index("fast")
    assert told.daily[fast].tolist() == pytest.approx([15.0, 5.0], rel=0.1)
    assert told.deviation[fast].tolist() == pytest.approx([15**0.5, 5**0.5], rel=0.2)


def test_a_slow_sku_sells_where_its_group_sells() -> None:
    units = np.array([[3_000.0, 1_000.0], [1_510.0, 490.0], [2.0, 2.0]])
    mix = mix_of(units, np.zeros(3, np.int64), 1)
    assert mix.share[0].tolist() == pytest.approx([0.75, 0.25], abs=0.01)
    assert mix.share[2].tolist() == pytest.approx([0.75, 0.25], abs=0.05)
    assert mix.share.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_likeness_of_a_group_is_found_again() -> None:
    draw = np.random.default_rng(3)
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    for true in (2.0, 20.0, 200.0):
        rows = [draw.multinomial(300, draw.dirichlet(true * prior)) for _ in range(2_000)]
        assert concentration(np.array(rows, float)) == pytest.approx(true, rel=0.15)


def test_rows_split_no_differently_than_by_chance_are_one_mix() -> None:
    rows = np.repeat([[300.0, 100.0]], 5, axis=0)
    assert concentration(rows) == CONCENTRATION_MOST


def test_a_sku_nobody_bought_has_the_mix_of_all() -> None:
    units = np.array([[30.0, 10.0], [0.0, 0.0]])
    mix = mix_of(units, np.array([0, 1]), 2)
    assert mix.share[1].tolist() == pytest.approx([0.75, 0.25], abs=0.01)


def test_a_level_demand_is_forecast_better_than_by_the_last_week() -> None:
    draw = np.random.default_rng(5)
    weekly = draw.poisson(12.0, (40, 40)).astype(float)
    ours = backtest(weekly, 4, [28, 32, 36], smoothing)
    theirs = backtest(weekly, 4, [28, 32, 36], naive)
    assert ours.mase is not None
    assert theirs.mase is not None
    assert ours.mase < 0.85 < theirs.mase
    assert abs(ours.bias) < 0.5
    assert ours.mae < theirs.mae


def test_the_naive_error_is_what_it_is_by_hand() -> None:
    told = backtest(np.array([[1.0, 3.0, 1.0, 3.0, 5.0, 7.0]]), 2, [4], naive)
    assert (told.mae, told.bias, told.mase) == (3.0, -3.0, 1.5)


def test_a_history_without_change_has_no_scale() -> None:
    assert backtest(np.ones((2, 10)), 2, [6], naive).mase is None


def test_a_growing_demand_is_followed_with_a_trend() -> None:
    weekly = np.array([[10.0 + 3 * week for week in range(30)]] * 3)
    told = forecast(weekly, 2)
    assert told.weights.trend
    assert (told.ahead[:, 1] > told.ahead[:, 0]).all()


def test_nothing_sold_is_forecast_as_nothing() -> None:
    assert forecast(np.zeros((2, 10)), 3).ahead.tolist() == [[0.0] * 3] * 2


def test_the_solver_still_works_beside_the_library() -> None:
    """Statsmodels brings scipy, which has a HiGHS of its own."""
    forecast(np.ones((1, 10)), 1)
    one = np.ones(1)
    found = mip.solve(
        mip.Program(one, 0 * one, 9 * one, one > 0, 2 * one, 9 * one,
                    np.zeros(1, np.int64), np.zeros(1, np.int64), one),
        mip.Limits(5.0),
    )  # fmt: skip
    assert found is not None
    assert found.objective == 2.0


@pytest.mark.parametrize(
    ("sale", "message"),
    [
        (Sale(1, "", "n", "web", 1), "sku of row 2: is empty"),
        (Sale(1, "a", "n", "", 1), "channel of row 2: is empty"),
        (Sale(1, "a", "n", "web", -1), "units of row 2: -1 is not from 0"),
    ],
)
def test_a_wrong_row_is_named(sale: Sale, message: str) -> None:
    with pytest.raises(ProblemFault, match=message):
        sales_of([Sale(1, "a", "n", "web", 1), sale], {})


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(ProblemFault, match="at least one whole week"):
        sales_of([], {})
    with pytest.raises(ProblemFault, match="2 days"):
        sales_of([Sale(day, "a", "n", "web", 1) for day in (1, 2)], {})
    with pytest.raises(ProblemFault, match="a backtest needs 10 weeks, there are 9"):
        accuracy(sales_of(a_year(weeks=9), {}), 6)
    with pytest.raises(ProblemFault, match="a forecast needs 4"):
        forecast(np.ones((1, 3)), 1)
    with pytest.raises(ProblemFault, match="origin 9"):
        backtest(np.ones((1, 10)), 2, [9], naive)


def test_more_than_a_machine_should_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solver.planning.sales.CELLS_MOST", 23)
    with pytest.raises(ProblemFault, match="3 SKUs x 2 regions and channels x 4 weeks"):
        sales_of(a_year(weeks=4), {}).weekly()


def test_a_missing_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.holtwinters", None)
    with pytest.raises(ForecastMissing, match=r"pip install 'tidegate\[forecast\]'"):
        forecast(np.ones((1, 9)), 1)
