"""Bid prices: scarce units have one, ample ones none, and they are worth what they save."""

import dataclasses

import numpy as np
import pytest

from bench.assignment.generated import Shape, draw
from solver.bids import bid_prices, drawn
from solver.errors import ProblemFault
from solver.problem import first_lines
from tests.waves import network, orders, problem


def test_the_last_units_near_those_who_have_no_other_are_dear() -> None:
    """Both zones want the unit of the first node, and only one of them has another way."""
    lanes = network([[100, 100], [200, 2_000]])
    wave = problem(lanes, orders([[(0, 1)]] * 20, zone=np.array([0, 1] * 10)), [[10, 20]])
    prices = bid_prices(wave, orders=20, scenarios=8)
    assert 50 <= prices.units[0, 0] <= 1_950, "more than one loses by giving way, less than two"
    assert prices.units[0, 1] == 0, "there are enough of them"


def test_what_nobody_lacks_has_no_price() -> None:
    wave = problem(network([[100], [200]]), orders([[(0, 1)]] * 10), [[1_000, 1_000]])
    prices = bid_prices(wave, orders=50)
    assert not prices.units.any()
    assert not prices.parcels.any()


def test_a_node_with_few_hours_has_a_price_for_a_parcel() -> None:
    lanes = network([[100, 100], [200, 2_000]])
    lanes = dataclasses.replace(lanes, capacity=np.array([10, 100]))
    wave = problem(lanes, orders([[(0, 1)]] * 20, zone=np.array([0, 1] * 10)), [[100, 100]])
    prices = bid_prices(wave, orders=20)
    assert prices.parcels[0] >= 50
    assert prices.parcels[1] == 0


@pytest.mark.parametrize("to_come", [0, 1])
def test_where_little_comes_little_is_scarce(to_come: int) -> None:
    wave = problem(network([[100], [200]]), orders([[(0, 1)]] * 10), [[5, 5]])
    assert not bid_prices(wave, orders=to_come).units.any()


def test_the_same_seed_finds_the_same_prices() -> None:
    wave = draw(Shape(orders=200, nodes=8, skus=30, seed=4))
    first, second = (bid_prices(wave, orders=300, scenarios=2, seed=9) for _ in range(2))
    assert np.array_equal(first.units, second.units)
    assert np.array_equal(first.parcels, second.parcels)
    assert first.units.min() >= 0


def test_orders_are_drawn_with_all_that_is_theirs() -> None:
    wave = draw(Shape(orders=50, nodes=5, skus=20, seed=2))
    rows = np.array([3, 3, 41])
    made = drawn(wave, rows)
    first, old = first_lines(made), first_lines(wave)
    for at, row in enumerate(rows.tolist()):
        mine, its = slice(first[at], first[at + 1]), slice(old[row], old[row + 1])
        assert made.orders.zone[at] == wave.orders.zone[row]
        assert (made.orders.line_order[mine] == at).all()
        assert np.array_equal(made.orders.line_sku[mine], wave.orders.line_sku[its])
        assert np.array_equal(made.orders.quantity[mine], wave.orders.quantity[its])


def test_a_problem_that_is_not_well_formed_is_refused() -> None:
    wave = problem(network([[100]]), orders([[(0, 1)]]), [[1]])
    with pytest.raises(ProblemFault, match="stock of s0"):
        bid_prices(dataclasses.replace(wave, stock=np.array([[-1]], np.int32)), orders=1)
