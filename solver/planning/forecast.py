"""Weekly forecasts by exponential smoothing, and how far they were off: a rolling origin.

Smoothing is that of statsmodels (extra `forecast`). Its weights are not fitted SKU by SKU: a year
of one slow SKU is too little to fit anything on. They are chosen for all SKUs together, from few,
by what would have forecast the next week best. On 1,000 best sellers of a grocer that was better
at four weeks ahead than weights of each SKU's own, and than a trend.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from solver.errors import ProblemFault
from solver.problem import Floats

REMEDY = "statsmodels is not installed; install the extra with: pip install 'tidegate[forecast]'"
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.5)
# A trend that is carried on for ever is the usual way to a warehouse full of the wrong thing.
TREND = 0.1
DAMPING = 0.9
# So many of the SKUs choose the weights: each costs a millisecond and a half for each choice.
JUDGES = 200
# Weeks of which the start of a series is the mean.
START_WEEKS = 8
WEEKS_LEAST = 4


class ForecastMissing(RuntimeError):
    """The library that forecasts is not installed; the text says how to get it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """How much the last week says about the level (0 to 1), and whether there is a trend."""

    level: float
    trend: bool = False


CHOICES = tuple(Weights(level, trend) for trend in (False, True) for level in LEVELS)
# (weekly series: SKUs x weeks, weeks ahead) -> SKUs x weeks ahead
Forecaster = Callable[[Floats, int], Floats]


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """`ahead` (SKUs x weeks to come), `fitted` (SKUs x weeks: what was forecast a week before)."""

    weights: Weights
    ahead: Floats
    fitted: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of a forecast over all SKUs, origins and weeks ahead.

    `mae` and `bias` (forecast less what came) are units a SKU and week; `mase` is the mean over
    SKUs of the absolute error through that of the seasonal naive forecast within the history
    (Hyndman and Koehler 2006, "Another look at measures of forecast accuracy", sec. 3): below 1
    is better than to say that next week is like this one. Its season is a week, and a whole week
    forecast from the same weekdays of the last one is the last week's sum. None where no SKU's
    history has two different weeks.
    """

    mae: float
    bias: float
    mase: float | None


def _smoothed(series: Floats, horizon: int, weights: Weights) -> tuple[Floats, Floats]:
    """(weeks ahead, one-week-ahead fit) of one SKU."""
    try:
        from statsmodels.tools.sm_exceptions import ModelWarning
        from statsmodels.tsa.holtwinters import ExponentialSmoothing
    except ImportError as missing:
        raise ForecastMissing(REMEDY) from missing
    trend = {"trend": "add", "damped_trend": True, "initial_trend": 0.0} if weights.trend else {}
    model = ExponentialSmoothing(
        series,
        initialization_method="known",
        initial_level=float(series[:START_WEEKS].mean()),
        **trend,
    )
    chosen = {"smoothing_trend": TREND, "damping_trend": DAMPING} if weights.trend else {}
    # Nothing is optimised, so nothing can fail to converge; a series that fits without any error
    # has a likelihood without bound, which nobody reads.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ModelWarning)
        fit = model.fit(smoothing_level=weights.level, optimized=False, **chosen)
        return np.asarray(fit.forecast(horizon)), np.asarray(fit.fittedvalues)


def naive(weekly: Floats, horizon: int) -> Floats:
    """The seasonal naive forecast: each week to come is like the last one."""
    return np.repeat(weekly[:, -1:], horizon, axis=1)


def _scale(weekly: Floats) -> Floats:
    """Mean absolute error of the naive forecast within the history; NaN where it has none."""
    steps = np.abs(np.diff(weekly, axis=1)).mean(axis=1)
    return np.where(steps > 0, steps, np.nan)


def _choose(weekly: Floats) -> Weights:
    """The choice with the least scaled error a week ahead, over the SKUs that judge."""
    judges = weekly[np.linspace(0, len(weekly) - 1, min(JUDGES, len(weekly))).astype(int)]
    scale = _scale(judges)
    if not np.isfinite(scale).any():
        return CHOICES[0]
    first = min(START_WEEKS, weekly.shape[1] - 1)

    def error(weights: Weights) -> float:
        fitted = np.array([_smoothed(series, 1, weights)[1] for series in judges])
        off = np.abs(fitted - judges)[:, first:].mean(axis=1)
        return float(np.nanmean(off / scale))

    return min(CHOICES, key=error)


def forecast(weekly: Floats, horizon: int) -> Forecast:
    """Forecast each row of `weekly` (units, SKUs x weeks) for `horizon` weeks; never below 0.

    Raises `ProblemFault` for a history too short to say anything, `ForecastMissing` without the
    extra.
    """
    if weekly.shape[1] < WEEKS_LEAST or not len(weekly):
        message = f"sales are of {weekly.shape[1]} whole weeks: a forecast needs {WEEKS_LEAST}"
        raise ProblemFault(message)
    weights = _choose(weekly)
    both = [_smoothed(series, horizon, weights) for series in weekly]
    ahead = np.array([ahead for ahead, _ in both])
    fitted = np.array([fitted for _, fitted in both])
    return Forecast(weights, np.maximum(ahead, 0), np.maximum(fitted, 0))


def smoothing(weekly: Floats, horizon: int) -> Floats:
    """`forecast` as a forecaster to be measured."""
    return forecast(weekly, horizon).ahead


def backtest(
    weekly: Floats, horizon: int, origins: Sequence[int], forecaster: Forecaster
) -> Accuracy:
    """What `forecaster` would have been off by, had it been asked after each of `origins` weeks.

    It sees the weeks before an origin and is judged by the `horizon` weeks from it (Tashman 2000,
    "Out-of-sample tests of forecasting accuracy").
    """
    for origin in origins:
        if not WEEKS_LEAST <= origin <= weekly.shape[1] - horizon:
            message = (
                f"origin {origin}: from {WEEKS_LEAST} to {weekly.shape[1] - horizon} weeks, so "
                "that there is history before and demand after"
            )
            raise ProblemFault(message)
    off = np.array(
        [
            forecaster(weekly[:, :origin], horizon) - weekly[:, origin : origin + horizon]
            for origin in origins
        ]
    )
    scale = np.array([_scale(weekly[:, :origin]) for origin in origins])
    scaled = np.abs(off).mean(axis=2) / scale
    known = np.isfinite(scaled)
    mase = float(scaled[known].mean()) if known.any() else None
    return Accuracy(float(np.abs(off).mean()), float(off.mean()), mase)
