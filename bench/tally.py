"""What came back: raw arrays while a run is hot, figures and histograms after it."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.client import LOST

Numbers: TypeAlias = NDArray[Any]

#: Answers by what they mean for a buyer; in this order in series and tables.
KINDS: Final = ("ok", "sold_out", "shed", "unknown", "errors")
#: Width of one step of the time series.
SERIES_MS: Final = 100
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 100.0)

_HIGHEST_US: Final = 60_000_000
_SIGNIFICANT_DIGITS: Final = 3


class Tally:
    """One row an answer, as it comes: appending to arrays costs a tenth of a microsecond."""

    __slots__ = ("batch", "codes", "ended", "numbers", "parts", "spent")

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch  # Reservations each request asks for.
        self.numbers = array("q")  # Of the request, as its sender counts.
        self.ended = array("d")  # perf_counter() of its answer.
        self.spent = array("d")  # Seconds from sending, or from the planned time, to the answer.
        self.codes = array("h")  # HTTP status, or ``client.LOST``.
        self.parts: dict[int, Sequence[int]] = {}  # Of a batch request: each element's status.

    def add(self, number: int, status: int, ended: float = 0.0, spent: float = 0.0) -> None:
        """Add one row; hot loops append to the arrays themselves."""
        self.numbers.append(number)
        self.codes.append(status)
        self.ended.append(ended)
        self.spent.append(spent)

    def statuses(self) -> dict[int, Sequence[int]]:
        """Request number → status of each of its reservations.

        Those of a batch that was not taken apart met one fate as a whole.
        """
        return {
            number: self.parts.get(number) or (code,) * self.batch
            for number, code in zip(self.numbers, self.codes, strict=True)
        }


def kind_of(status: int) -> str:
    """What a status means for a buyer."""
    if status in (200, 201):
        return "ok"
    if status in (LOST, 503):  # The client may not know whether it was done.
        return "unknown"
    return {409: "sold_out", 429: "shed"}.get(status, "errors")


class Histogram:
    """Latencies in an HDR histogram: 1 µs to 60 s with three significant digits."""

    def __init__(self) -> None:
        self._counts = HdrHistogram(1, _HIGHEST_US, _SIGNIFICANT_DIGITS)

    def fold(self, seconds: Numbers) -> None:
        """Add raw latencies: equal ones together, since recording one costs a microsecond."""
        micros = np.clip(np.rint(seconds * 1e6), 1, _HIGHEST_US).astype(np.int64)
        values, counts = np.unique(micros, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._counts.record_value(value, count)

    @property
    def count(self) -> int:
        """Latencies in it."""
        return int(self._counts.get_total_count())

    def ms_at(self, percentile: float) -> float:
        """The latency in ms that this percentage of answers did not exceed; 0 if empty."""
        return float(self._counts.get_value_at_percentile(percentile)) / 1000 if self.count else 0.0

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, ms) up to 99.999, evenly spread over the nines."""
        nines = np.linspace(0, 5, 101)
        return [(100 - 100 / 10**x, self.ms_at(100 - 100 / 10**x)) for x in nines.tolist()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one step of a run came to, warm-up left out."""

    name: str
    connections: int
    seconds: float
    counts: dict[str, int]  # Answers of each kind.
    latency_ms: dict[str, float]  # p50 … max of decided answers: ok and sold out.
    refusal_p99_ms: float  # Of answers that shed load, seen from outside.
    curve: list[tuple[float, float]] = field(repr=False)
    series: dict[str, list[int]] = field(repr=False)  # Answers of each kind in each 100 ms.
    lag_p99_ms: float = 0.0  # Open loop: how far the generator fell behind its plan.
    void: str | None = None  # Why its speed must not be believed.

    @property
    def rate_per_s(self) -> float:
        """Successes a second."""
        return self.counts["ok"] / self.seconds

    @property
    def answered_per_s(self) -> float:
        """Decided answers a second, yes or no."""
        return (self.counts["ok"] + self.counts["sold_out"]) / self.seconds

    @property
    def failures(self) -> int:
        """Answers that should not occur in a run without faults."""
        return self.counts["unknown"] + self.counts["errors"]


def measure(
    tally: Tally,
    name: str,
    connections: int,
    window: tuple[float, float],
    *,
    planned: bool = False,
) -> Measure:
    """Fold the answers that came within ``window`` (perf_counter seconds).

    ``planned``: those that were planned within it instead. So an open loop forgets none that
    came late, or not at all.
    """
    ended = np.frombuffer(tally.ended, dtype=np.float64)
    spent = np.frombuffer(tally.spent, dtype=np.float64)
    at = ended - spent if planned else ended
    inside = (at >= window[0]) & (at < window[1])
    weights = _weights(tally)
    decided = (weights["ok"] + weights["sold_out"]) > 0
    histogram, refusals = Histogram(), Histogram()
    histogram.fold(spent[inside & decided])
    refusals.fold(spent[inside & (weights["shed"] > 0)])
    return Measure(
        name=name,
        connections=connections,
        seconds=window[1] - window[0],
        counts={kind: int(weights[kind][inside].sum()) for kind in KINDS},
        latency_ms={_label(p): round(histogram.ms_at(p), 3) for p in PERCENTILES},
        refusal_p99_ms=round(refusals.ms_at(99.0), 3),
        curve=histogram.curve(),
        series=_series(ended, weights, window),
    )


def _weights(tally: Tally) -> dict[str, Numbers]:
    """For each kind: how many reservations of that kind each answer carries."""
    codes = np.frombuffer(tally.codes, dtype=np.int16)
    kinds = {int(code): kind_of(int(code)) for code in np.unique(codes)}
    weights = {kind: np.zeros(len(codes), dtype=np.int64) for kind in KINDS}
    for code, kind in kinds.items():
        weights[kind][codes == code] = tally.batch
    for row, number in enumerate(tally.numbers if tally.parts else ()):
        if number in tally.parts:
            weights["ok"][row] = 0
            for status in tally.parts[number]:
                weights[kind_of(status)][row] += 1
    return weights


def _series(
    ended: Numbers, weights: dict[str, Numbers], window: tuple[float, float]
) -> dict[str, list[int]]:
    """Answers of each kind in each 100 ms of the window."""
    steps = max(1, round((window[1] - window[0]) * 1000 / SERIES_MS))
    edges = np.linspace(window[0], window[1], steps + 1)
    return {
        kind: np.histogram(ended, edges, weights=weights[kind])[0].astype(int).tolist()
        for kind in KINDS
    }


def _label(percentile: float) -> str:
    """``p50``, ``p999``, ``max``: names that can stand in a condition."""
    return "max" if percentile == 100.0 else f"p{percentile:g}".replace(".", "")
