"""Demand per SKU, region and channel, from sales: a forecast per SKU, split by a shrunk mix.

A SKU that sells three units a month says little about where it sells. Its mix over regions and
channels is therefore drawn towards that of its group, the more so the less it has sold and the
more alike the SKUs of its group are.
"""

import dataclasses

import numpy as np

from solver.errors import ProblemFault
from solver.planning.forecast import (
    WEEKS_LEAST,
    Accuracy,
    Forecast,
    backtest,
    forecast,
    naive,
    smoothing,
)
from solver.planning.sales import DAYS_OF_WEEK, Sales
from solver.problem import Floats, Ints

# Bounds of the likeness of a group, in units: below one the group says nothing, above it all.
CONCENTRATION_LEAST = 1.0
CONCENTRATION_MOST = 1e6
# Units a SKU must be expected to have sold before its own scatter counts as much as its group's.
SCATTER_UNITS = 20.0
# Origins of a backtest, a horizon apart: the last ones that weeks after them can judge.
ORIGINS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Mix:
    """`share` (SKUs x pairs of region and channel, each row sums to 1), `concentration` (groups).

    `concentration` is how many sold units of a SKU the mix of its group is worth.
    """

    share: Floats
    concentration: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """What a day brings, per SKU and pair of region and channel, on the mean of weeks to come.

    `daily` and `deviation` are units a day, the latter a standard deviation; pair number is
    region x channels + channel. `scatter` (SKUs) is variance through mean, at least 1.
    """

    sales: Sales
    forecast: Forecast
    mix: Mix
    daily: Floats
    deviation: Floats
    scatter: Floats


def concentration(units: Floats) -> float:
    """How alike the rows of `units` (SKUs x pairs) are split, in units of prior sales.

    A SKU's units n are taken as Dirichlet-multinomial around the mix m of the group. Its Pearson
    statistic X2 has the mean (C - 1)(1 + (n - 1) r) with r = 1 / (1 + a) (Mosimann 1962, "On the
    compound multinomial distribution", Biometrika 49, eq. for the covariance; Brier 1980,
    Biometrika 67, sec. 2), so r = sum(X2 / (C - 1) - 1) / sum(n - 1) over SKUs with n > 1 and
    a = (1 - r) / r. Units bought together count as one decision each, which makes rows look less
    alike: a is then too small and the shrinkage too weak, never too strong.
    """
    used = units[:, units.sum(axis=0) > 0]
    used = used[used.sum(axis=1) > 1]
    if used.shape[0] < 2 or used.shape[1] < 2:
        return CONCENTRATION_LEAST
    sold = used.sum(axis=1)
    expected = sold[:, None] * (used.sum(axis=0) / used.sum())
    pearson = ((used - expected) ** 2 / expected).sum(axis=1)
    likeness = (pearson / (used.shape[1] - 1) - 1).sum() / (sold - 1).sum()
    if likeness <= 1 / (1 + CONCENTRATION_MOST):
        return CONCENTRATION_MOST
    return float(max(CONCENTRATION_LEAST, (1 - likeness) / likeness))


def mix_of(units: Floats, group: Ints, groups: int) -> Mix:
    """The mix of each row of `units` (SKUs x pairs), shrunk towards that of its group.

    Share = (n_c + a m_c) / (n + a): the mean of a Dirichlet prior a m after counts n (empirical
    Bayes: Casella 1985, "An introduction to empirical Bayes data analysis"), with `a` from
    `concentration` per group.
    """
    share = np.empty_like(units)
    worth = np.full(groups, CONCENTRATION_LEAST)
    overall = units.sum(axis=0) + 1 / units.shape[1]  # A group without sales: as all SKUs sell.
    for number in range(groups):
        members = np.flatnonzero(group == number)
        part = units[members]
        worth[number] = concentration(part)
        total = part.sum(axis=0)
        prior = total / total.sum() if total.sum() else overall / overall.sum()
        share[members] = (part + worth[number] * prior) / (
            part.sum(axis=1, keepdims=True) + worth[number]
        )
    return Mix(share, worth)


def _scatter(weekly: Floats, expected: Floats, group: Ints, groups: int) -> Floats:
    """Variance through mean of the pairs' weeks around what was forecast for them, per SKU.

    sum((y - m)^2) / sum(m), the variance proportional to the mean (quasi-likelihood: Wedderburn
    1974), drawn towards the group's by `SCATTER_UNITS` expected units.
    """
    squared = ((weekly - expected) ** 2).sum(axis=(1, 2))
    mean = expected.sum(axis=(1, 2))
    of_group = np.bincount(group, squared, groups) / np.maximum(
        np.bincount(group, mean, groups), 1e-9
    )
    drawn = (squared + SCATTER_UNITS * of_group[group]) / (mean + SCATTER_UNITS)
    return np.asarray(np.maximum(drawn, 1.0))


def demand(sales: Sales, horizon_weeks: int) -> Demand:
    """Forecast `sales` for `horizon_weeks` weeks, by SKU, region and channel.

    The deviation follows from the scatter: days are taken as independent, so a day's variance is
    scatter x daily mean. Raises what `forecast` raises.
    """
    weekly = sales.weekly()
    told = forecast(weekly.sum(axis=1), horizon_weeks)
    mix = mix_of(weekly.sum(axis=2), sales.group, len(sales.groups))
    daily = told.ahead.mean(axis=1)[:, None] * mix.share / DAYS_OF_WEEK
    expected = mix.share[:, :, None] * told.fitted[:, None, :]
    scatter = _scatter(weekly, expected, sales.group, len(sales.groups))
    return Demand(sales, told, mix, daily, np.sqrt(scatter[:, None] * daily), scatter)


def accuracy(sales: Sales, horizon_weeks: int) -> dict[str, Accuracy]:
    """How far forecasts of SKUs would have been off lately: the seasonal naive one and ours.

    Up to `ORIGINS` origins at the end of the sales. Raises what `backtest` raises, and
    `ProblemFault` where there are too few weeks for one origin.
    """
    weekly = sales.weekly().sum(axis=1)
    last = weekly.shape[1] - horizon_weeks
    wanted = (last - back * horizon_weeks for back in reversed(range(ORIGINS)))
    origins = [origin for origin in wanted if origin >= WEEKS_LEAST]
    if not origins:
        message = f"a backtest needs {WEEKS_LEAST + horizon_weeks} weeks, there are {sales.weeks}"
        raise ProblemFault(message)
    forecasters = {"seasonal naive": naive, "ours": smoothing}
    return {
        name: backtest(weekly, horizon_weeks, origins, one) for name, one in forecasters.items()
    }
