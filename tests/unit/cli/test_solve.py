"""`tidegate solve`: what it asks of a gateway, and what it makes of the answers."""

import sys
from collections.abc import Callable
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
