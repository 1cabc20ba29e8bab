"""Orders that displace each other's lines: the moves that a plan needs and no order makes alone."""

import dataclasses

import numpy as np

from bench.assignment.generated import Shape, draw
from solver import plan
from solver.check import check
from solver.effort import Effort, Step
from solver.moves import Moves
from solver.problem import NOWHERE, Problem, Weights
from solver.solve import solve
from tests.waves import network, orders, problem


def moved(wave: Problem, start: list[int], rounds: int = 20) -> list[int]:
    nothing = np.zeros(wave.stock.shape), np.zeros(len(wave.network.capacity))
    moving = Moves(wave, np.array(start), *nothing)
    rng = np.random.default_rng(1)
    for _ in range(rounds):
        moving.round(0.0, rng)
    found: list[int] = moving.line_dock.tolist()
    return found


def test_a_line_that_waits_displaces_one_that_can_go_elsewhere() -> None:
    # The first order ships from both nodes and holds the near unit of the second's only line.
    wave = problem(
        network([[300], [320]]),
        orders([[(0, 1), (1, 1), (2, 1)], [(0, 1)]], most_parcels=np.array([3, 1])),
        [[1, 1], [1, 0], [0, 1]],
    )
    assert moved(wave, [0, 0, 1, NOWHERE]) in ([1, 0, 1, 0], [0, 0, 1, 1])


def test_units_that_a_displaced_line_does_not_free_are_not_taken() -> None:
    wave = problem(
        network([[300]]),
        orders([[(0, 1)], [(0, 4)]], priority=np.array([1, 4])),
        [[4]],
    )
    assert moved(wave, [0, NOWHERE]) == [NOWHERE, 0]
    assert moved(dataclasses.replace(wave, stock=np.array([[3]], np.int32)), [0, NOWHERE]) == [
        0,
        NOWHERE,
    ]


def test_a_complete_order_and_lines_bound_together_are_not_torn() -> None:
    wanted = orders(
        [[(0, 1), (1, 1)], [(0, 1)]],
        complete=np.array([True, False]),
        priority=np.array([1, 4]),
        together=np.array([0, 0, -1]),
    )
    wave = problem(network([[300]]), wanted, [[1], [1]])
    found = moved(wave, [0, 0, NOWHERE])
    assert not check(plan.make(wave, np.array(found), 0.0, 0, ""), wave)
    assert found in ([0, 0, NOWHERE], [NOWHERE, NOWHERE, 0])


def test_a_standing_order_is_moved_only_for_more_than_its_price() -> None:
    wave = problem(network([[300], [320]]), orders([[(0, 1)]]), [[5, 5]], Weights(change=50))
    wave = dataclasses.replace(wave, standing=np.array([1]))
    assert moved(wave, [1]) == [1]
    assert moved(dataclasses.replace(wave, weights=Weights(change=5)), [1]) == [0]


def long_wave() -> Problem:
    """Orders of eleven lines for too few units."""
    drawn = draw(Shape(orders=400, nodes=12, skus=90, seed=4))
    lines = drawn.orders.line_order
    together = np.minimum(lines // 6, 59)
    kept, sku = np.unique(together * 90 + drawn.orders.line_sku, return_inverse=True)
    first = np.zeros(len(kept), np.int64)
    first[sku[::-1]] = np.arange(len(sku))[::-1]
    wanted = orders(
        [[] for _ in range(60)],
        line_order=kept // 90,
        line_sku=kept % 90,
        quantity=drawn.orders.quantity[first],
        together=np.full(len(kept), -1),
        only=np.full(len(kept), NOWHERE),
    )
    standing = np.full(len(kept), NOWHERE)
    return dataclasses.replace(drawn, orders=wanted, standing=standing)


def test_long_orders_end_near_the_bound_and_alike_for_a_seed() -> None:
    wave = long_wave()
    effort = Effort(seconds=60.0, gap=0.03)
    first, second = solve(wave, effort), solve(wave, effort)
    assert check(first, wave) == []
    assert first.gap <= 0.03
    assert np.array_equal(first.line_dock, second.line_dock)


def test_long_orders_are_moved_by_one_process_while_another_proves_a_bound() -> None:
    wave = long_wave()
    steps: list[Step] = []
    plan_of_two = solve(wave, Effort(seconds=6.0, gap=0.0, workers=2), steps.append)
    assert check(plan_of_two, wave) == []
    assert 0.0 < plan_of_two.gap < 0.1
    assert {"prices", "bound", "blocks"} <= {step.stage for step in steps}


def test_a_bound_is_proven_even_where_no_time_is_left() -> None:
    wave = long_wave()
    assert solve(wave, Effort(seconds=0.3)).bound > 0
