"""The same wave planned twice: the same plan where the search ended by its gap."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.assignment import rules
from bench.assignment.generated import Shape, draw
from gateway.waves.reading import read_folder
from gateway.waves.replay import replayed
from gateway.waves.tables import write_case
from solver.case import Case
from solver.effort import Effort
from solver.problem import NOWHERE
from solver.solve import solve


@pytest.fixture(scope="module")
def case() -> Case:
    """Sixty orders, planned to within the gap long before the clock would end it."""
    drawn = draw(Shape(orders=60, nodes=8, scarcity="medium", seed=5))
    standing = rules.play(drawn, rules.whole_nearest)
    problem = dataclasses.replace(drawn, standing=standing)
    plan = solve(problem, Effort(seconds=30.0))
    assert plan.gap <= Effort().gap
    nowhere = np.full(len(problem.network.nodes), np.nan)
    return Case(problem, plan, standing, nowhere, nowhere)


def test_with_more_or_less_time_the_plan_is_the_same(case: Case) -> None:
    for seconds in (20.0, 60.0):
        again = replayed(case, seconds)
        assert (again.verdict, again.fine) == ("the same plan", True)
        assert again.case.plan.bound == case.plan.bound


def test_from_tables_the_plan_is_the_same(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
    write_case(tmp_path, case, 30.0)
    read = read_folder(tmp_path)
    assert read.case is not None
    assert replayed(read.case, 30.0).verdict == "the same plan"


@pytest.mark.parametrize(
    ("change", "because", "fine"),
    [
        ({}, "though both ended by their gap", False),
        ({"bound": 1.0}, "as a search that the clock ends may", True),
        ({"version": "waves-0"}, "instead of waves-0", True),
    ],
)
def test_another_plan_is_a_fault_only_where_nothing_explains_it(
    case: Case, change: dict[str, Any], because: str, fine: bool
) -> None:
    other = case.plan.line_dock.copy()
    other[0] = (other[0] + 1) % len(case.problem.network.nodes)
    plan = dataclasses.replace(case.plan, line_dock=other, **change)
    again = replayed(dataclasses.replace(case, plan=plan), 30.0)
    assert because in again.verdict
    assert "1 of " in again.verdict
    assert again.fine == fine


def test_what_was_left_waiting_for_a_supply_is_not_compared(case: Case) -> None:
    origin, line_dock = case.origin.copy(), case.plan.line_dock.copy()
    origin[0] = line_dock[0] = NOWHERE
    plan = dataclasses.replace(case.plan, line_dock=line_dock)
    waited = dataclasses.replace(case, plan=plan, origin=origin)
    assert replayed(waited, 30.0).verdict == "the same plan"
    stood = dataclasses.replace(case, plan=plan)
    assert "1 of " in replayed(stood, 30.0).verdict


def test_another_seed_may_find_another_plan(case: Case) -> None:
    assert replayed(case, 30.0, seed=9).fine
