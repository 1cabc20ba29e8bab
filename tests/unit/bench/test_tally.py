"""Raw rows → counts, percentiles and series of the measured window."""

import numpy as np
import pytest

from bench.tally import Histogram, Tally, kind_of, measure


def _tally(rows: list[tuple[float, float, int]], batch: int = 1) -> Tally:
    tally = Tally(batch)
    for number, (ended, spent, code) in enumerate(rows):
        tally.add(number, code, ended, spent)
    return tally


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, "ok"), (200, "ok"), (409, "sold_out"), (429, "shed"), (503, "unknown"), (0, "unknown"),
     (422, "errors"), (500, "errors")],
)  # fmt: skip
def test_a_status_means_one_thing_to_a_buyer(status: int, kind: str) -> None:
    assert kind_of(status) == kind


def test_folding_gives_the_percentiles_of_the_raw_latencies() -> None:
    raw = np.random.default_rng(1).lognormal(-6, 1, 50_000)
    histogram = Histogram()
    histogram.fold(raw)
    assert histogram.count == 50_000
    for percentile in (50, 99, 99.9):
        expected = np.percentile(raw, percentile) * 1000
        assert histogram.ms_at(percentile) == pytest.approx(expected, rel=0.01)


def test_folding_in_parts_equals_folding_at_once() -> None:
    raw = np.random.default_rng(2).exponential(0.01, 1_000)
    whole, parts = Histogram(), Histogram()
    whole.fold(raw)
    parts.fold(raw[:300])
    parts.fold(raw[300:])
    assert whole.curve() == parts.curve()


def test_an_empty_histogram_says_zero_and_outliers_are_kept_at_its_edge() -> None:
    histogram = Histogram()
    assert histogram.ms_at(99) == 0
    histogram.fold(np.array([1e-9, 4_000.0]))
    assert histogram.ms_at(100) == pytest.approx(60_000, rel=0.001)


def test_what_comes_before_the_window_is_warm_up_and_counts_nowhere() -> None:
    rows = [(0.5, 9.0, 201), (1.1, 0.002, 201), (1.9, 0.004, 409), (2.0, 9.0, 201)]
    result = measure(_tally(rows), "step", 1, (1.0, 2.0))
    assert result.counts["ok"] == 1
    assert result.counts["sold_out"] == 1
    assert result.rate_per_s == 1.0
    assert result.answered_per_s == 2.0
    assert result.latency_ms["max"] == pytest.approx(4, rel=0.01)


def test_refusals_under_load_have_latencies_of_their_own() -> None:
    rows = [(1.1, 0.1, 201), (1.2, 0.003, 429)]
    result = measure(_tally(rows), "step", 1, (1.0, 2.0))
    assert result.latency_ms["p50"] == pytest.approx(100, rel=0.01)
    assert result.refusal_p99_ms == pytest.approx(3, rel=0.01)


def test_a_series_has_a_step_each_100_ms() -> None:
    rows = [(1.05, 0.1, 201), (1.06, 0.1, 201), (1.95, 0.1, 409)]
    series = measure(_tally(rows), "step", 1, (1.0, 2.0)).series
    assert series["ok"] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert series["sold_out"] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_batch_counts_its_elements_and_one_refused_as_a_whole_counts_them_too() -> None:
    tally = _tally([(1.1, 0.1, 200), (1.2, 0.1, 429), (1.3, 0.1, 503)], batch=4)
    tally.parts[0] = [201, 201, 409, 429]
    result = measure(tally, "batches", 1, (1.0, 2.0))
    assert result.counts == {"ok": 2, "sold_out": 1, "shed": 5, "unknown": 4, "errors": 0}
    assert tally.statuses() == {0: [201, 201, 409, 429], 1: (429,) * 4, 2: (503,) * 4}
