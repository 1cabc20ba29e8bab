"""`tidegate solve`: what it asks of a gateway, and what it makes of the answers."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.cli import main
from gateway.contract.waves import WAVES
from solver.case import Case
from solver.effort import Effort
from solver.plan import cost_of
from solver.saved import pack_case
from solver.solve import solve
from tests.cases import case_of, swapped
from tests.unit.cli.scripted import ScriptedGateway

WAVE: dict[str, Any] = dict(WAVES[0].answers[202].example)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tidegate", "solve", *words])
        code = main()
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def begun(method: str, path: str, body: Any) -> tuple[int, Any]:
    return (202 if method == "POST" else 200), WAVE


@pytest.mark.parametrize(
    ("words", "percent"),
    [
        ((), None),
        (("--capacity-percent", "120"), 120),
        (("--capacity-percent", "a=150", "--capacity-percent", "b=0"), {"a": 150, "b": 0}),
    ],
)
def test_what_is_supposed_is_asked_for(
    run: Run, gateway: ScriptedGateway, words: tuple[str, ...], percent: Any
) -> None:
    gateway.script = begun
    code, _, _ = run("run", "--url", gateway.url, "--dry-run", "--days-faster", "2", *words)
    assert code == 0
    (asked,) = [body for method, path, body in gateway.asked if path == "/v1/waves"]
    assert (asked["capacity_percent"], asked["days_faster"]) == (percent, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [(("a=x",), "give 120, or NODE=120"), (("120", "a=5"), "give NODE=PERCENT for several")],
)
def test_a_percentage_that_is_none_is_refused(
    run: Run, unused_url: str, words: tuple[str, ...], message: str
) -> None:
    given = [part for word in words for part in ("--capacity-percent", word)]
    code, out, err = run("run", "--url", unused_url, "--dry-run", *given)
    assert (code, out) == (2, "")
    assert message in err


def test_what_is_supposed_needs_a_dry_run(run: Run, unused_url: str) -> None:
    for words in (("--days-faster", "1"), ("--capacity-percent", "120")):
        code, _, err = run("run", "--url", unused_url, *words)
        assert (code, "give --dry-run as well" in err) == (2, True)


def test_a_page_is_written_as_it_comes(run: Run, gateway: ScriptedGateway, tmp_path: Path) -> None:
    gateway.script = lambda _method, _path, _body: (200, "any bytes")
    out = tmp_path / "wave.html"
    code, printed, err = run("page", "w 1", "--out", str(out), "--url", gateway.url)
    assert (code, printed, out.read_text()) == (0, "", '"any bytes"')
    assert "wave w 1" in err
    assert gateway.asked == [("GET", "/v1/waves/w%201/page", None)]


def test_a_page_that_cannot_be_had_or_written_is_said(
    run: Run, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script = lambda _method, _path, _body: (404, {"detail": "no wave has this id"})
    code, _, err = run("page", "w", "--out", str(tmp_path / "x.html"), "--url", gateway.url)
    assert (code, "404 no wave has this id" in err) == (3, True)
    gateway.script = lambda _method, _path, _body: (200, "page")
    out = tmp_path / "none" / "x.html"
    code, _, err = run("page", "w", "--out", str(out), "--url", gateway.url)
    assert (code, f"--out {out}: No such file" in err) == (2, True)


def telling(case: Case) -> Callable[[str, str, Any], tuple[int, Any]]:
    """A gateway with one wave: these are its figures and its file."""
    return lambda _method, path, _body: (
        200, pack_case(case) if path.endswith("/problem") else WAVE
    )  # fmt: skip


def solved() -> Case:
    """A wave with the plan that the solver finds for it."""
    case = swapped()
    return dataclasses.replace(case, plan=solve(case.problem, Effort(seconds=5.0)))


def test_a_wave_is_exported_planned_anew_and_compared(
    run: Run, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
    gateway.script = telling(solved())
    folder = str(tmp_path / "wave")
    assert run("export", "w-7", "--out", folder, "--url", gateway.url)[0] == 0
    code, out, _ = run("plan", folder, "--json", "--seed", "5")
    told = json.loads(out)
    assert (code, told["total_cents"], told["lane_cents"], told["gap_share"]) == (0, 250, 230, 0.0)
    code, out, _ = run("compare", "w-7", folder, "--json", "--url", gateway.url)
    told = json.loads(out)
    assert (code, told["differ"], told["a"] == told["b"]) == (0, [], True)
    assert told["orders"] == {"both": 2, "only_a": 0, "only_b": 0}
    code, out, _ = run("replay", folder)
    assert (code, "the same plan" in out) == (0, True)


def test_two_plans_side_by_side(run: Run, gateway: ScriptedGateway) -> None:
    stays = case_of(swapped().problem, [0, -1], [0, 1])

    def script(_method: str, path: str, _body: Any) -> tuple[int, Any]:
        return telling(stays if path.startswith("/v1/waves/b") else solved())("GET", path, None)

    gateway.script = script
    code, out, _ = run("compare", "a", "b", "--url", gateway.url)
    assert code == 0
    assert "2 of both leave from elsewhere" in out
    assert "o0: n1 → n0" in out
    assert "o1: n0 → -" in out
    assert re.search(r"unserved +0.00 +60.00 +60.00", out)


def test_a_replay_says_where_a_plan_should_have_been_the_same(
    run: Run, gateway: ScriptedGateway
) -> None:
    """A plan that is within the gap by its own account, and another than the search finds."""
    found = solved()
    gateway.script = telling(found)
    assert run("replay", "w", "--url", gateway.url)[0] == 0
    by_hand = dataclasses.replace(
        found.plan,
        line_dock=np.array([0, 1]),
        bound=float(cost_of(found.problem, np.array([0, 1])).total),
    )
    gateway.script = telling(dataclasses.replace(found, plan=by_hand))
    code, out, err = run("replay", "w", "--url", gateway.url)
    assert code == 1
    assert "2 of 2 lines leave from elsewhere, though both ended by their gap" in err
    code, out, _ = run("replay", "w", "--seed", "9", "--seconds", "2", "--url", gateway.url)
    assert (code, "as another seed may" in " ".join(out.split())) == (0, True)


def test_what_cannot_be_replayed_is_said(
    run: Run, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    code, _, err = run("replay", str(tmp_path))
    assert (code, "orders.parquet cannot be read" in err) == (2, True)
    gateway.script = telling(solved())
    pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
    assert run("export", "w", "--out", str(tmp_path), "--url", gateway.url)[0] == 0
    (tmp_path / "plan.parquet").unlink()
    code, _, err = run("compare", str(tmp_path), "w", "--url", gateway.url)
    assert (code, "`tidegate solve plan" in err) == (2, True)
    gateway.script = lambda _method, path, _body: (200, b"none" if "problem" in path else WAVE)
    code, _, err = run("replay", "w", "--url", gateway.url)
    assert (code, "this is no wave's file" in err) == (2, True)
