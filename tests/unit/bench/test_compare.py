"""Two reports side by side: real differences, differences that are noise, other machines."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.compare import changes, compare, warnings
from bench.figures import UsageError


def _report(scenario: str = "core", runs: int = 3, **figures: tuple[float, ...]) -> dict[str, Any]:
    """``figures``: the values of all runs, the middle one being the median."""
    return {
        "scenario": scenario,
        "finished_at": "2026-01-01T00:00:00+00:00",
        "runs": runs,
        "seconds": 4.0,
        "environment": {"cpu": "x", "commit": "abc", "packages": {"ray": "2"}, "fsync_p50_ms": 1.0},
        "void": [],
        "findings": [],
        "figures": {
            name: {"median": sorted(values)[len(values) // 2], "min": min(values),
                   "max": max(values)}
            for name, values in figures.items()
        },
    }  # fmt: skip


def _verdict(before: dict[str, Any], after: dict[str, Any]) -> str:
    (change,) = changes(before, after)
    return change.verdict


def test_reports_are_compared_by_the_figures_both_have() -> None:
    before = _report(rate=(100.0,), gone=(1.0,), zero=(0.0,))
    found = changes(before, _report(rate=(150.0,), new=(1.0,), zero=(0.0,)))
    assert [(change.name, change.ratio) for change in found] == [("rate", 1.5), ("zero", None)]


def test_what_the_runs_themselves_differ_by_is_no_difference() -> None:
    before = _report(rate=(90.0, 100.0, 110.0))
    assert _verdict(before, _report(rate=(105.0, 120.0, 130.0))) == "within"
    assert _verdict(before, _report(rate=(111.0, 120.0, 130.0))) == "beyond"
    assert _verdict(before, _report(runs=1, rate=(100.5,))) == "within"
    assert _verdict(before, _report(runs=1, rate=(80.0,))) == "beyond"


def test_of_single_runs_nobody_knows_the_spread() -> None:
    one, other = _report(runs=1, rate=(100.0,)), _report(runs=1, rate=(101.0,))
    assert _verdict(one, other) == "unknown"
    assert _verdict(one, one) == "within"


def test_reports_of_different_scenarios_are_not_compared() -> None:
    with pytest.raises(UsageError, match="different questions"):
        compare(_report("core"), _report("sold-out"))


def test_other_conditions_are_warned_of_and_another_commit_is_not() -> None:
    other = _report()
    other["environment"] = {
        "cpu": "y", "commit": "def", "packages": {"ray": "3"}, "fsync_p50_ms": 2.0,
    }  # fmt: skip
    assert not warnings(_report(), _report())
    assert warnings(_report(), other) == [
        "cpu was x and is y: not the same conditions",
        "packages.ray was 2 and is 3: not the same conditions",
        "the disk took 1.0 ms an append before and 2.0 ms after",
    ]


def test_a_void_report_is_warned_of() -> None:
    void = _report()
    void["void"] = ["open loop: too late"]
    assert warnings(_report(), void) == ["after is void: open loop: too late"]


def _written(folder: Path, name: str, report: dict[str, Any]) -> str:
    path = folder / name
    path.write_text(json.dumps(report))
    return str(path)


def test_with_json_standard_output_is_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = _written(tmp_path, "a.json", _report(rate=(1.0, 2.0, 3.0)))
    b = _written(tmp_path, "b.json", _report(rate=(2.0, 3.0, 4.0)))
    assert main(["compare", a, b, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (change,) = said["changes"]
    assert (change["figure"], change["ratio"], change["spread"]) == ("rate", 1.5, "within")
    assert main(["compare", a, b]) == 0
    assert "1.50" in capsys.readouterr().out


def test_a_report_without_speed_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = _report()
    del failed["figures"]
    a = _written(tmp_path, "a.json", _report(rate=(1.0,)))
    b = _written(tmp_path, "b.json", failed)
    assert main(["compare", a, b, "--json"]) == 1
    said = capsys.readouterr()
    assert "its audit failed" in json.loads(said.out)["warnings"][0]
    assert said.err.strip().splitlines()[-1].startswith("bench: nothing to compare")


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, "a.json", {"scenario": "core"})
    assert main(["compare", path, path]) == 2
