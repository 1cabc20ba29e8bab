"""The online bench: costs as waves count them, and what prices are for."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.assignment.generated import Shape
from bench.online import cli
from bench.online.case import draw
from bench.online.play import Policy, judged, play
from engine.record import Durability, Reservation, Status
from solver import plan
from solver.problem import NOWHERE


def _silent(text: str) -> None:
    """Nobody looks."""


def test_costs_are_those_of_a_plan() -> None:
    """Where every line leaves whole from one node, the plan that it is costs the same."""
    case = draw(Shape(orders=60, nodes=6, skus=20, seed=3))
    problem = case.future
    records: list[bytes | None] = []
    line_dock = np.full(len(problem.orders.line_order), NOWHERE)
    for order in range(len(problem.orders.ids)):
        mine = np.flatnonzero(problem.orders.line_order == order)
        line_dock[mine[:2]] = order % 6  # A third line waits.
        node = problem.network.nodes[order % 6]
        record = Reservation.__new__(Reservation)
        record.status, record.level, record.digest = Status.HELD, Durability.FSYNC, b"d" * 16
        record.expires_at_ms, record.extra = 1, {}
        record.lines = [
            [f"sku-{problem.orders.line_sku[line]}", None, int(problem.orders.quantity[line])]
            + ([node, int(problem.orders.quantity[line])] if line in mine[:2] else [])
            for line in mine
        ]
        records.append(record.packed())
    told = judged(problem, records)
    made = plan.make(problem, line_dock, 0.0, 1, "by hand")
    assert told == (made.cost.total, made.unserved_lines, made.parcels)


def test_prices_save_something_where_stock_is_tight() -> None:
    case = draw(Shape(orders=400, nodes=10, skus=40, seed=1))
    cheapest = play(case, Policy("cheapest"), _silent, 1)
    priced = play(case, Policy("priced", 3, 3), _silent, 1)
    assert priced.cost < cheapest.cost
    assert priced.unserved_lines <= cheapest.unserved_lines


def test_a_run_writes_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "POLICIES", (cli.CHEAPEST, Policy("priced", 2, 2)))
    told = tmp_path / "online.json"
    words = ["--orders", "120", "--nodes", "6", "--seconds", "2", "--json", str(told)]
    assert cli.main(words) == 0
    document = json.loads(told.read_text())
    assert document["cases"][0]["gap_closed"]["cheapest at the time"] == 0.0
    assert all(0 < case["bound"] <= entry["cost"]
               for case in document["cases"] for entry in case["entries"])  # fmt: skip
