"""Medians over runs, and conditions that must not hold."""

import pytest

from bench.catalogue import FLASH_SALE
from bench.doors import quantile
from bench.figures import FailIf, Figure, UsageError, summarise
from bench.scenario import Run, Target


def _figure(value: float) -> Figure:
    return Figure(median=value, low=value, high=value)


def test_figures_are_medians_with_their_spread() -> None:
    runs = [Run(figures={"rate": value}) for value in (3.0, 1.0, 10.0)]
    assert summarise(FLASH_SALE, runs)["rate"] == Figure(median=3.0, low=1.0, high=10.0)


def test_a_figure_that_some_runs_lack_is_the_median_of_the_others() -> None:
    runs = [Run(figures={"rate": 1.0}), Run()]
    assert summarise(FLASH_SALE, runs)["rate"].median == 1.0


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("p99_ms>25", 25.1, True), ("p99_ms>25", 25.0, False), ("p99_ms >= 25", 25.0, True),
     ("p99_ms<1e3", 999.0, True), (" p99_ms <= -1", 0.0, False)],
)  # fmt: skip
def test_a_condition_compares_the_median_with_its_bound(
    text: str, value: float, *, holds: bool
) -> None:
    assert FailIf.parse(text).holds({"p99_ms": _figure(value)}) is holds


@pytest.mark.parametrize("text", ["p99_ms", "p99_ms=3", ">3", "p99_ms>three", "p99_ms>1.2.3", ""])
def test_what_is_no_condition_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"p99_ms>25|no number"):
        FailIf.parse(text)


def test_a_condition_on_an_unknown_figure_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="there are p99_ms"):
        FailIf.parse("p98_ms>25").holds({"p99_ms": _figure(1)})


def test_a_target_bounds_from_below_or_from_above() -> None:
    assert Target(figure="rate", words="", at_least=5).met(5)
    assert not Target(figure="rate", words="", at_least=5).met(4.9)
    assert not Target(figure="p99_ms", words="", at_most=15).met(15.1)
    assert str(Target(figure="p99_ms", words="", at_most=15)) == "≤ 15"


def test_a_quantile_of_a_prometheus_histogram_is_the_edge_of_its_bucket() -> None:
    text = """\
tidegate_refusal_seconds_bucket{le="0.001"} 90
tidegate_refusal_seconds_bucket{le="0.005"} 99
tidegate_refusal_seconds_bucket{le="+Inf"} 100
tidegate_refusal_seconds_count 100
"""
    assert quantile(text, "tidegate_refusal_seconds", 0.5) == 0.001
    assert quantile(text, "tidegate_refusal_seconds", 0.99) == 0.005
    assert quantile(text, "tidegate_refusal_seconds", 0.999) == 0.005
    assert quantile(text, "tidegate_other_seconds", 0.99) is None
    assert quantile(text.replace(" 100", " 0"), "tidegate_refusal_seconds", 0.99) is None
