"""`tidegate solve`: what it asks of a gateway, and what it makes of the answers."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.contract.waves import WAVES
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
