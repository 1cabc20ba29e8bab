"""When buyers come: plans made ahead of a run, seeded, in seconds from its start.

A plan is written before anything is sent, so a slow answer never slows the next arrival. All of
them are Poisson processes but ``constant`` and ``replay``: those of a changing rate are made by
inverting the rate's integral (Çinlar 1975, time change of a unit-rate process).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Times: TypeAlias = NDArray[np.float64]

KINDS: Final = ("constant", "poisson", "spike", "ramp", "replay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """A step: everybody comes when the sale opens, for a while."""

    base_per_s: float
    peak_per_s: float
    begins_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an open loop offers. However they come, ``rate_per_s`` is their mean."""

    kind: str  # One of KINDS.
    rate_per_s: float
    seconds: float
    seed: int
    order_times_s: Times | None = None  # Of real orders: what a replay repeats.

    def times(self) -> Times:
        """When each buyer comes."""
        rate, seconds, seed = self.rate_per_s, self.seconds, self.seed
        match self.kind:
            case "constant":
                return constant(rate, seconds)
            case "spike":  # A fifth of the time twice the mean.
                shape = Spike(base_per_s=0.75 * rate, peak_per_s=2 * rate, begins_s=0.4 * seconds,
                              lasts_s=0.2 * seconds)  # fmt: skip
                return spike(shape, seconds, seed)
            case "ramp":
                return ramp(0, 2 * rate, seconds, seed)
            case "replay":
                assert self.order_times_s is not None
                return replay(repeated(self.order_times_s, round(rate * seconds)), seconds)
            case _:
                return poisson(rate, seconds, seed)


def constant(rate_per_s: float, seconds: float) -> Times:
    """Arrivals at equal distances."""
    return np.arange(round(rate_per_s * seconds), dtype=np.float64) / rate_per_s


def poisson(rate_per_s: float, seconds: float, seed: int) -> Times:
    """Independent buyers at one mean rate."""
    return following([0.0, seconds], [rate_per_s, rate_per_s], seed)


def ramp(from_per_s: float, to_per_s: float, seconds: float, seed: int) -> Times:
    """A rate that grows, or falls, evenly."""
    return following([0.0, seconds], [from_per_s, to_per_s], seed)


def spike(shape: Spike, seconds: float, seed: int) -> Times:
    """A base rate with one step up and down again."""
    begins, ends = shape.begins_s, shape.begins_s + shape.lasts_s
    times = [0.0, begins, begins, ends, ends, seconds]
    rates = [shape.base_per_s] * 2 + [shape.peak_per_s] * 2 + [shape.base_per_s] * 2
    return following(times, rates, seed)


def following(times_s: Sequence[float], rates_per_s: Sequence[float], seed: int) -> Times:
    """A Poisson process whose rate is piecewise linear through the given points."""
    fine = np.unique(np.concatenate([np.linspace(times_s[0], times_s[-1], 10_001), times_s]))
    middles = (fine[1:] + fine[:-1]) / 2
    expected = np.concatenate(
        [[0.0], np.cumsum(_rate(middles, times_s, rates_per_s) * np.diff(fine))]
    )
    generator = np.random.default_rng(seed)
    count = generator.poisson(expected[-1])
    times: Times = np.interp(np.sort(generator.uniform(0.0, expected[-1], count)), expected, fine)
    return times


def replay(order_times_s: Times, seconds: float) -> Times:
    """Real order times, compressed so that the first comes at 0 and the last by ``seconds``."""
    times = np.sort(np.asarray(order_times_s, dtype=np.float64))
    span = float(times[-1] - times[0]) if len(times) else 0.0
    if span == 0.0:
        return np.zeros(len(times))
    compressed: Times = (times - times[0]) * (seconds * (1 - 1e-9) / span)
    return compressed


def repeated(order_times_s: Times, count: int) -> Times:
    """The first ``count`` order times; when they are used up they begin anew, a second later."""
    rounds, at = np.divmod(np.arange(count), len(order_times_s))
    times: Times = order_times_s[at] + rounds * (order_times_s[-1] - order_times_s[0] + 1)
    return times


def _rate(at: Times, times_s: Sequence[float], rates_per_s: Sequence[float]) -> Times:
    """The rate at each moment; of two points at one time the later holds from there on."""
    spread = np.array(times_s, dtype=np.float64)
    spread[1:] += np.arange(1, len(times_s)) * 1e-12  # np.interp wants rising times.
    rates: Times = np.interp(at, spread, rates_per_s)
    return rates
