"""What a plan promises beyond its cost: rules, repeatability, words for what is wrong."""

import dataclasses

import numpy as np
import pytest

from bench.assignment.generated import Shape, draw
from solver import plan as plans
from solver.check import check
from solver.effort import Effort, Step
from solver.errors import ProblemFault
from solver.plan import Plan
from solver.problem import NOWHERE, Problem, Weights, validate
from solver.solve import solve
from tests.waves import network, orders, problem

QUICK = Effort(seconds=20.0, gap=0.02, blocks=3)


def test_a_wave_without_orders_has_an_empty_plan() -> None:
    wave = problem(network([[300]]), orders([]), [[5]])
    plan = solve(wave, QUICK)
    assert (plan.cost.total, plan.parcels, plan.unserved_lines, plan.gap) == (0, 0, 0, 0.0)


def test_the_same_wave_and_seed_give_the_same_plan() -> None:
    wave = draw(Shape(orders=400, nodes=12, skus=60, seed=5))
    first, second = solve(wave, QUICK), solve(wave, QUICK)
    assert np.array_equal(first.line_dock, second.line_dock)
    assert first.bound == second.bound


def test_the_plan_is_near_the_bound_and_holds() -> None:
    wave = draw(Shape(orders=400, nodes=12, skus=60, seed=5))
    steps: list[Step] = []
    plan = solve(wave, Effort(seconds=60.0, gap=0.01, blocks=20), steps.append)
    assert check(plan, wave) == []
    assert plan.gap <= 0.01
    costs = [step.cost for step in steps]
    assert costs == sorted(costs, reverse=True), "no step may make the plan worse"
    assert all(step.bound <= plan.cost.total for step in steps)


def test_several_processes_find_a_plan_that_holds() -> None:
    wave = draw(Shape(orders=600, nodes=10, skus=80, seed=3))
    plan = solve(wave, Effort(seconds=12.0, gap=0.0, workers=2))
    assert check(plan, wave) == []
    assert plan.gap < 0.05


def test_a_large_wave_takes_the_way_of_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solver.solve.WHOLE_ORDERS", 100)
    wave = draw(Shape(orders=400, nodes=12, skus=60, seed=5))
    plan = solve(wave, Effort(seconds=5.0, gap=0.02))
    assert check(plan, wave) == []
    assert plan.gap < 0.1


def test_two_lines_of_one_sku_never_take_a_unit_twice() -> None:
    wave = problem(network([[300], [400]]), orders([[(0, 2), (0, 2)]]), [[3, 2]])
    plan = solve(wave, QUICK)
    assert check(plan, wave) == []
    assert plan.unserved_lines == 1


def test_a_line_in_pieces_leaves_from_the_nodes_of_its_pieces() -> None:
    wanted = orders([[(0, 3), (0, 2)]], only=np.array([0, 1]))
    plan = solve(problem(network([[300], [400]]), wanted, [[3, 2]]), QUICK)
    assert plan.line_dock.tolist() == [0, 1]


def test_docks_of_a_node_share_its_stock_and_have_their_own_room() -> None:
    net = network([[300]], capacity=[1])
    net = dataclasses.replace(
        net,
        dock_node=np.array([0, 0]),
        departure=np.array([0.0, 30.0]),
        capacity=np.array([1, 5]),
    )
    wave = problem(net, orders([[(0, 1)], [(0, 1)], [(0, 1)]]), [[2]])
    plan = solve(wave, QUICK)
    assert check(plan, wave) == []
    assert sorted(plan.line_dock.tolist()) == [NOWHERE, 0, 1]
    # The later one comes (30 + 10 - 24) hours after its promise.
    assert plan.cost.lateness == round(16 / 24 * wave.weights.lateness_day)


def test_a_standing_plan_is_left_only_for_more_than_its_price() -> None:
    wave = problem(network([[300], [320]]), orders([[(0, 1)]]), [[5, 5]], Weights(change=50))
    wave = dataclasses.replace(wave, standing=np.array([1]))
    assert solve(wave, QUICK).line_dock.tolist() == [1]
    cheap = dataclasses.replace(wave, weights=Weights(change=5))
    assert solve(cheap, QUICK).line_dock.tolist() == [0]


def planted(wave: Problem, line_dock: list[int], **wrong: object) -> list[str]:
    found = plans.make(wave, np.array(line_dock), 0.0, 0, "")
    broken: Plan = dataclasses.replace(found, **wrong)  # type: ignore[arg-type]
    return check(broken, wave)


def test_the_checker_finds_what_is_planted() -> None:
    net = network([[300, -1], [400, 10]], capacity=[1, 9], kind=[0, 1])
    wanted = orders(
        [[(0, 2), (1, 1)], [(0, 2)]],
        zone=np.array([0, 1]),
        most_parcels=np.array([1, 3]),
        complete=np.array([True, False]),
        kinds=np.array([1, 3]),
        together=np.array([0, 0, -1]),
    )
    wave = problem(net, wanted, [[3, 9], [0, 9]])
    assert planted(wave, [NOWHERE, NOWHERE, 1]) == []
    found = planted(wave, [0, 1, 0])
    for words in (
        "s0 at n0: 4 units of 3",
        "dock 0 of n0: 2 parcels of 1",
        "order o0: 2 parcels of 1",
        "order o0: lines that leave together are apart",
        "order o0: n1 is of a kind that it may not leave from",
        "order o1: no lane from n0 to z1",
    ):
        assert words in found
    assert "order o0: ships complete, but 1 lines are left" in planted(wave, [0, NOWHERE, 1])
    right = plans.cost_of(wave, np.array([NOWHERE, NOWHERE, 1]))
    dearer = dataclasses.replace(right, lane=right.lane + 1)
    assert any("cents and costs" in one for one in planted(wave, [-1, -1, 1], cost=dearer))
    assert any("parcels and makes" in one for one in planted(wave, [-1, -1, 1], parcels=7))
    assert any("the bound" in one for one in planted(wave, [-1, -1, 1], bound=1e9))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("quantity", [0], "quantity of o0 .row 0.: at least one unit"),
        ("line_sku", [4], "line_sku of o0 .row 0.: a SKU below 1"),
        ("zone", [9], "zone of o0 .row 0.: a zone below 1"),
        ("priority", [0], "priority of o0"),
        ("most_parcels", [4], "most_parcels of o0 .row 0.: 1 to 3 parcels"),
        ("pickup", [2], "pickup of o0"),
        ("due", [np.inf], "due of o0 .row 0.: hours from now"),
        ("together", [[1]], "together has the shape"),
    ],
)
def test_what_is_wrong_with_an_order_is_named(field: str, value: list[float], words: str) -> None:
    wave = problem(network([[300]]), orders([[(0, 1)]]), [[5]])
    wrong = dataclasses.replace(wave.orders, **{field: np.array(value)})  # type: ignore[arg-type]
    with pytest.raises(ProblemFault, match=words):
        validate(dataclasses.replace(wave, orders=wrong))


def test_what_is_wrong_with_stock_and_weights_is_named() -> None:
    wave = problem(network([[300]]), orders([[(0, 1)]]), [[5]])
    with pytest.raises(ProblemFault, match=r"stock of s0 .row 0.: units net of what is locked"):
        validate(dataclasses.replace(wave, stock=np.array([[-1]], np.int32)))
    with pytest.raises(ProblemFault, match=r"weights.split is -1"):
        validate(dataclasses.replace(wave, weights=Weights(split=-1)))
