"""The contest of plans: rules keep the rules, ours is never dearer, figures say what they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.assignment import outage, rules
from bench.assignment.contest import hold
from bench.assignment.generated import SCARCITY, Shape, draw
from bench.cli import main
from bench.figures import UsageError
from solver import plan
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE


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
    assert told["medians"]["peak_mb"] > 10
    assert page.read_text().count("<svg") == 4


def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assign", "--orders", "9000", "--models", "5"]) == 2
    assert "at most 2500 orders" in capsys.readouterr().err
    assert main(["assign", "--nodes", "1"]) == 2


def test_an_outage_keeps_the_packed_and_takes_the_rest_from_the_node() -> None:
    wave = draw(Shape(orders=400, nodes=12, skus=60, scarcity="medium", seed=3))
    standing = rules.play(wave, rules.cheapest)
    struck = outage.strike(wave, standing, np.random.default_rng(1))
    orders, net = wave.orders, struck.problem.network
    lost = net.nodes.index(struck.node)
    there = (standing != NOWHERE) & (net.dock_node[standing] == lost)
    packed = there & struck.locked[orders.line_order]
    assert packed.any()
    assert struck.problem.stock[:, lost].sum() == orders.quantity[packed].sum()
    assert net.capacity[lost] == len(np.unique(orders.line_order[packed]))
    assert set(np.flatnonzero(struck.hit)) == set(orders.line_order[there & ~packed].tolist())


def test_a_repair_costs_no_more_than_any_rule(tmp_path: Path) -> None:
    figures = tmp_path / "o.json"
    words = ["assign", "--outage", "--orders", "600", "--nodes", "12", "--seconds", "2"]
    assert main([*words, "--seeds", "2", "--json", str(figures)]) == 0
    told = json.loads(figures.read_text())
    assert told["scenario"] == "assign --outage"
    for one in told["instances"]:
        ours, *others = one["entries"]
        assert not any(entry["broken"] for entry in one["entries"])
        assert ours["extra"] <= min(entry["extra"] for entry in others)
        assert one["figures"]["changed_per_hit"] >= 1.0


def test_an_outage_that_hits_nobody_is_refused() -> None:
    wave = draw(Shape(orders=20, nodes=3, seed=1))
    nowhere = np.full(len(wave.orders.line_order), NOWHERE)
    with pytest.raises(UsageError, match="nobody can be hit"):
        outage.strike(wave, nowhere, np.random.default_rng(1))


def test_an_outage_has_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assign", "--outage", "--models", "5", "--orders", "50"]) == 2
    assert "without --models and --page" in capsys.readouterr().err
