"""The contest of plans: rules keep the rules, ours is never dearer, figures say what they say."""

import json
from pathlib import Path

import pytest

from bench.assignment import rules
from bench.assignment.contest import hold
from bench.assignment.generated import SCARCITY, Shape, draw
from bench.cli import main
from solver import plan
from solver.check import check
from solver.effort import Effort


@pytest.mark.parametrize("scarcity", sorted(SCARCITY))
def test_every_rule_makes_a_plan_that_holds(scarcity: str) -> None:
    wave = draw(Shape(orders=150, nodes=8, skus=40, scarcity=scarcity, seed=4))
    for name, rule in rules.RULES.items():
        made = plan.make(wave, rules.play(wave, rule), 0.0, 0, name)
        assert check(made, wave) == [], name


def test_ours_is_nearest_to_the_bound_and_models_join_in() -> None:
    wave = draw(Shape(orders=80, nodes=6, skus=20, seed=2))
    contest = hold(wave, Effort(seconds=10.0, gap=0.002), lambda _: None, models=2.0)
    assert [entry.name for entry in contest.entries][-2:] == ["compact, HiGHS", "compact, CP-SAT"]
    assert not any(entry.broken for entry in contest.entries)
    assert contest.ours.cost <= contest.best_rule.cost
    assert contest.gap(contest.ours.cost) < 0.02
    assert contest.seconds_to(1.0) <= contest.seconds_to(0.02)


def test_the_command_writes_figures_and_a_page(tmp_path: Path) -> None:
    figures, page = tmp_path / "a.json", tmp_path / "a.html"
    words = ["assign", "--orders", "60", "--nodes", "5", "--seconds", "2", "--seeds", "2"]
    assert main([*words, "--json", str(figures), "--page", str(page)]) == 0
    told = json.loads(figures.read_text())
    assert [one["seed"] for one in told["instances"]] == [1, 2]
    assert set(told["medians"]) >= {"gap", "below_best_rule", "seconds_to_4_percent"}
    assert page.read_text().count("<svg") == 4


def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assign", "--orders", "9000", "--models", "5"]) == 2
    assert "at most 2500 orders" in capsys.readouterr().err
    assert main(["assign", "--nodes", "1"]) == 2
