"""What is said of a run: the audit first, and no speed at all where it failed."""

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.audit import Audit
from bench.cli import main
from bench.page import page, picture
from bench.report import document, figures_of, number, show
from bench.scenario import Options
from gateway.svg import Axis, Series, linear_ticks, lines, log_ticks
from tests.unit.bench.reports import FLASH_SALE, report_of, run_of


def test_a_report_has_figures_targets_and_where_it_was_made() -> None:
    report = json.loads(json.dumps(report_of(Audit(acknowledged=32))))
    assert report["figures"]["rate_256_per_s"] == {"median": 16, "min": 16, "max": 16}
    assert report["figures"]["p99_ms"]["median"] == pytest.approx(20, rel=0.01)
    (target,) = [t for t in report["targets"] if t["figure"] == "times_fastapi_lua_256"]
    assert (target["bound"], target["met"]) == ("≥ 9", False)
    assert {"cpu", "kernel", "durability", "seed", "packages"} <= report["environment"].keys()
    assert figures_of(report)["rate_256_per_s"].median == 16


def test_a_failed_audit_leaves_no_speed_in_report_table_or_page() -> None:
    report = report_of(Audit(acknowledged=32, acknowledged_missing=1, findings=["key: not there"]))
    assert "figures" not in report
    assert "steps" not in report
    shown = io.StringIO()
    show(report, Console(width=100, file=shown))
    for text in (shown.getvalue(), page(report)):
        assert "FAILED" in text
        assert "key: not there" in text
        assert "rate_256_per_s" not in text


def test_a_target_that_must_be_met_is_a_finding_where_it_is_missed() -> None:
    strict = replace(FLASH_SALE, strict=True)
    report = document(strict, Options(), [run_of(Audit())])
    assert any("256 connections, × the same: 8" in finding for finding in report["findings"])
    assert not document(FLASH_SALE, Options(), [run_of(Audit())])["findings"]


def test_a_page_loads_nothing_and_shows_the_audit_before_any_speed() -> None:
    text = page(report_of(Audit(acknowledged=32)))
    assert not re.search(r'(src|href)="|@import|url\(', text)
    assert "<script" not in text
    assert text.index("0 units oversold") < text.index("<svg") < text.index("rate_256_per_s")
    assert text.count("<svg") == 3


def test_a_picture_is_one_well_formed_svg_that_says_when_it_is_void() -> None:
    ET.fromstring(picture(report_of(Audit())))
    assert "VOID (open loop: too late)" in picture(report_of(Audit(), void="too late"))


def test_a_legend_stays_inside_its_plot() -> None:
    names = [f"{count} connections, beside a crowd" for count in (64, 128, 256, 512)]
    axis = Axis(label="x", ticks=[(0, "0"), (1, "1")])
    text = lines("Latency", [Series(name=name, points=[(0, 0)]) for name in names], axis, axis)
    assert all(float(x) > 70 for x in re.findall(r'<rect x="(-?[\d.]+)"', text))
    assert all(name in text for name in names)


def test_figures_are_written_to_three_or_four_digits() -> None:
    assert [number(x) for x in (52_123.4, 17.0, 3.14159, 123.45, 0.00123)] == [
        "52,123", "17", "3.14", "123.5", "0.00123",
    ]  # fmt: skip


def test_ticks_are_round_and_reach_beyond_the_greatest_value() -> None:
    assert [tick for tick, _ in linear_ticks(47)] == [0, 10, 20, 30, 40, 50]
    assert linear_ticks(0)[-1][0] > 0
    assert [label for _, label in log_ticks(0.4, 30)] == ["0.1", "1", "10", "100"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "invalid choice"),
        (["flash-sale", "--seconds", "-1"], "out of range"),
        (["flash-sale", "--fail-if", "fast"], "p99_ms>25"),
        (["flash-sale", "extra.json"], "extra.json: flash-sale does not take it; only compare"),
        (["flash-sale", "--seed", "-1"], "out of range"),
        (["sold-out", "--arrivals", "ramp"], "only flash-sale and baskets do"),
        (["flash-sale", "--arrivals", "sometimes"], "invalid choice"),
        (["demo", "--count", "5000"], "only memory and recovery do"),
        (["demo", "--arrivals", "ramp"], "demo does not take it"),
        (["core", "--out", "there"], "only demo does"),
        (["compare", "a.json", "b.json", "--seconds", "1"], "compare does not take it"),
        (["compare", "one.json"], "two reports"),
        (["compare", "none.json", "none.json"], "No such file"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_line_that_helps(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith("bench: ")
    assert says in last
