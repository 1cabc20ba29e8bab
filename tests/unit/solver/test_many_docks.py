"""Thousands of nodes: only docks that can serve an order are looked at, and nothing is lost."""

import dataclasses

import numpy as np

from bench.assignment.generated import Shape, draw
from solver import bound, prices
from solver.able import able
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE, Problem
from solver.search import MANY_DOCKS
from solver.solve import solve
from tests.waves import network, orders, problem


def _docks(wave: Problem, portion: int = 1_000) -> dict[int, list[int]]:
    rows = np.arange(len(wave.orders.ids))
    return {
        int(order): sorted(some.docks[row][some.real[row]].tolist())
        for some in able(wave, rows, portion)
        for row, order in enumerate(some.at)
    }


def test_docks_have_a_line_a_lane_and_a_room() -> None:
    net = network([[100], [100], [-1], [100]], capacity=[9, 9, 9, 0])
    wanted = orders([[(0, 2)], [(0, 1), (1, 1)], [(1, 9)]])
    wave = problem(net, wanted, [[1, 2, 9, 9], [1, 0, 0, 0]])
    assert _docks(wave) == {0: [1], 1: [0, 1], 2: []}


def test_all_departures_of_a_node_and_only_the_node_that_may() -> None:
    net = network([[100], [100]])
    twice = dataclasses.replace(
        net,
        dock_node=np.array([1, 0, 1]),
        departure=np.array([0.0, 0.0, 8.0]),
        capacity=np.array([5, 5, 5]),
    )
    wave = problem(twice, orders([[(0, 1)], [(0, 1)]], only=np.array([NOWHERE, 0])), [[1, 1]])
    assert _docks(wave) == {0: [0, 1, 2], 1: [1]}


def test_portions_hold_every_order_once() -> None:
    wave = draw(Shape(orders=200, nodes=40, seed=5))
    assert _docks(wave, portion=50) == _docks(wave, portion=10**9)
    assert len(_docks(wave, portion=50)) == 200


def test_the_market_and_the_proof_agree() -> None:
    wave = draw(Shape(orders=300, nodes=50, seed=2))
    market = bound.everywhere(wave)
    found = prices.find(market, stride=200.0, rounds=20)
    mu = np.zeros(wave.stock.size)
    mu[market.cells] = found.mu
    proof = bound.prove(wave, mu.reshape(wave.stock.shape), found.nu)
    assert proof.exact == 1.0
    assert np.isclose(proof.bound, found.bound)
    assert (market.look(found.mu, found.nu)[1] == proof.line_dock).all()


def test_a_few_steps_come_near_the_bound_of_the_linear_program() -> None:
    # Docks lack hundreds of parcels here and cells a unit: each price needs steps of its own size.
    wave = draw(Shape(orders=600, nodes=20, seed=3))
    found = prices.find(bound.everywhere(wave), stride=200.0, rounds=60)
    program = solve(wave, Effort(seconds=20.0, gap=0.01)).bound
    assert 0.997 * program <= found.bound


def test_many_docks_are_planned_near_the_bound() -> None:
    wave = draw(Shape(orders=250, nodes=MANY_DOCKS + 50, seed=1))
    made = solve(wave, Effort(seconds=20.0, gap=0.01))
    assert check(made, wave) == []
    assert made.gap < 0.05
