"""What a command line comes to: options reach the run, and its end reaches the exit code."""

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import tree
from bench.audit import Audit
from bench.catalogue import SCENARIOS
from bench.cli import main
from bench.processes import CannotStart
from bench.scenario import Options, Run, Scenario
from bench.tally import Tally, measure

Play = Callable[[Scenario, Options], Run]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Play], list[Options]]:
    """Have a scenario played by a function; → the options that it was played with."""
    monkeypatch.setattr(tree, "busy_share", lambda: 0.0)

    def patch(name: str, come: Play) -> list[Options]:
        seen: list[Options] = []

        async def play(scenario: Scenario, options: Options) -> Run:
            seen.append(options)
            return come(scenario, options)

        monkeypatch.setitem(SCENARIOS, name, replace(SCENARIOS[name], play=play))
        return seen

    return patch


def _fine(scenario: Scenario, options: Options) -> Run:
    step = measure(Tally(), "open loop", 1, (0.0, 1.0))
    return Run(audit=Audit(acknowledged=1), measures=[step], figures={"rate_256_per_s": 7.0})


def _late(scenario: Scenario, options: Options) -> Run:
    run = _fine(scenario, options)
    run.measures = [replace(run.measures[0], void="generator lag p99 9.0 ms > 5 ms")]
    return run


def test_the_demo_takes_what_other_scenarios_take(
    tmp_path: Path,
    played: Callable[[str, Play], list[Options]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = played("demo", _fine)
    arguments = [
        *("demo", "--seconds", "2", "--seed", "7", "--durability", "memory", "--actors", "3"),
        *("--shards", "12", "--workers", "2", "--runs", "2", "--no-baselines"),
        *("--out", str(tmp_path / "out"), "--html", str(tmp_path / "page.html"), "--json"),
    ]
    assert main(arguments) == 0
    options = seen[1]
    setup = options.setup
    assert (options.seconds, options.seed, options.baselines) == (2.0, 7, False)
    assert (setup.durability, setup.actors, setup.shards, setup.workers) == ("memory", 3, 12, 2)
    assert json.loads(capsys.readouterr().out)["runs"] == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json", "report.html", "sale.svg",
    }  # fmt: skip
    assert (tmp_path / "page.html").exists()


def test_a_condition_is_judged_in_the_demo_too(
    tmp_path: Path, played: Callable[[str, Play], list[Options]]
) -> None:
    played("demo", _fine)
    assert main(["demo", "--out", str(tmp_path), "--fail-if", "rate_256_per_s<8"]) == 1
    assert main(["demo", "--out", str(tmp_path), "--fail-if", "rate_256_per_s<7"]) == 0


def test_a_demo_whose_generator_fell_behind_is_void_and_says_so(
    tmp_path: Path,
    played: Callable[[str, Play], list[Options]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    played("demo", _late)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("bench: void: open loop: generator lag")
    assert "VOID" in (tmp_path / "sale.svg").read_text()


def test_a_failed_audit_leaves_no_picture(
    tmp_path: Path, played: Callable[[str, Play], list[Options]]
) -> None:
    played("demo", lambda *_: Run(audit=Audit(oversold_units=1)))
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html"}


def test_what_went_wrong_with_the_product_is_not_fine(
    played: Callable[[str, Play], list[Options]], capsys: pytest.CaptureFixture[str]
) -> None:
    played("startup", lambda *_: Run(findings=["shard 3 stays away"]))
    assert main(["startup"]) == 1
    assert capsys.readouterr().err.endswith("bench: not fine: shard 3 stays away\n")


def test_what_cannot_start_says_why_in_the_last_line(
    played: Callable[[str, Play], list[Options]], capsys: pytest.CaptureFixture[str]
) -> None:
    def come(scenario: Scenario, options: Options) -> Run:
        raise CannotStart("tidegate up: not ready\nlog line 1\nlog line 2")

    played("startup", come)
    assert main(["startup"]) == 3
    *_, line, last = capsys.readouterr().err.strip().splitlines()
    assert line == "log line 2"
    assert last == "bench: cannot start: tidegate up: not ready; it said what is above"


@pytest.mark.parametrize("name", ["asyncpg", "psutil"])
def test_a_missing_extra_is_named_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == "bench"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # What makes an import of it fail.
    with pytest.raises(SystemExit) as end:
        runpy.run_module("bench", run_name="__main__")
    assert end.value.code == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bench: {name} is not installed;")
    assert "tidegate[bench]" in line
