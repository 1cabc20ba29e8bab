"""Later demand against stock: every unit is somewhere, and the effect is told as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import ProblemFault
from solver.mip import Limits
from solver.planning.rebalancing import rebalance
from solver.planning.replay import Shipment, effect_of, order_up_to, replay, totals
from tests.transfers import BOTH_WAYS, LOPSIDED


def units(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_what_is_not_there_is_lost() -> None:
    effect = replay(units(3, 5), np.array([[2, 1], [2, 1]]))
    assert effect.sold.tolist() == [3, 2]
    assert effect.lost.tolist() == [1, 0]
    assert (effect.stock_days, effect.left, effect.fill) == (5 + 3, 3, 5 / 6)


def test_an_order_comes_after_its_lead_time() -> None:
    demand = np.full((6, 1), 1)
    effect = replay(units(2), demand, rule=order_up_to(units(1), units(4)), lead=units(3))
    # The first evening leaves 1, so 3 are ordered and there on the morning of the fourth day.
    assert effect.lost.tolist() == [1]
    assert (effect.orders, effect.ordered) == (2, 6)


def test_a_shipment_is_nowhere_while_it_travels() -> None:
    demand = np.array([[0, 1], [0, 1], [0, 1]])
    effect = replay(units(5, 0), demand, shipments=[Shipment(0, 1, 2, day=1)])
    assert effect.lost.tolist() == [0, 1]
    late = replay(units(5, 0), demand, shipments=[Shipment(0, 1, 2, day=9)])
    assert (late.left, late.transferred) == (5, 2)


def test_the_effect_of_transfers_is_what_was_sold_more_less_what_they_cost() -> None:
    moves = rebalance(LOPSIDED, BOTH_WAYS, Limits(10.0))
    demand = np.array([[[1, 1]]] * 4)
    told = effect_of(LOPSIDED, BOTH_WAYS, moves, demand=demand, transit=units(1, 1),
                     margin=units(100)).report()  # fmt: skip
    assert told["sold_units"] - told["sold_units_without"] == 3
    assert told["transferred_units"] == 5
    assert told["transfer_cents"] == 50
    assert told["net_cents"] == 300 - 50


def test_transfers_that_nobody_needed_cost() -> None:
    moves = rebalance(LOPSIDED, BOTH_WAYS, Limits(10.0))
    told = effect_of(LOPSIDED, BOTH_WAYS, moves, demand=np.array([[[9, 0]]]), transit=units(1, 1),
                     margin=units(100))  # fmt: skip
    assert told.net_cents == -4 * 100 - 50


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=1, max_size=12),
    st.lists(st.integers(0, 20), min_size=2, max_size=2),
    st.integers(0, 12), st.integers(0, 9), st.integers(0, 20),
)  # fmt: skip
def test_every_unit_is_sold_or_left(
    demand: list[list[int]], stock: list[int], reorder: int, day: int, shipped: int
) -> None:
    sent = [Shipment(0, 1, min(shipped, stock[0]), day)]
    rule = order_up_to(units(reorder, 2 * reorder), units(reorder + 3, 2 * reorder + 5))
    effect = replay(units(*stock), np.array(demand), rule=rule, lead=units(1, 3), shipments=sent)
    assert sum(stock) + effect.ordered == effect.sold.sum() + effect.left
    assert (effect.sold + effect.lost == np.array(demand).sum(axis=0)).all()
    (row,) = totals({"rule": effect})
    assert row["wanted_units"] == row["sold_units"] + row["lost_units"]


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(ProblemFault, match=r"demand has the shape \(2, 3\)"):
        replay(units(1, 2), np.zeros((2, 3), np.int64))
    with pytest.raises(ProblemFault, match="not negative"):
        replay(units(-1), np.zeros((1, 1), np.int64))
    with pytest.raises(ProblemFault, match="more than is there"):
        replay(units(1, 0), np.zeros((1, 2), np.int64), shipments=[Shipment(0, 1, 2, 0)])
