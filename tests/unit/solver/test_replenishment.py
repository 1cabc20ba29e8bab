"""Reorder points by hand, pools, cases, and what a machine may order by itself."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import ProblemFault
from solver.planning.replenishment import (
    Approval,
    Positions,
    levels,
    newsvendor_service,
    propose,
    quantities,
    validate,
)

NO_LIMIT = Approval(order=10**9, total=10**9)


def positions(count: int = 1, **changed: Any) -> Positions:
    """`count` positions alike, each alone, with nothing on the shelf."""
    given: dict[str, Any] = {
        "daily": 10.0, "deviation": 4.0, "lead": 9.0, "lead_deviation": 2.0, "cover": 7.0,
        "service": 0.95, "on_hand": 0, "on_order": 0, "promised": 0, "pack": 1, "minimum": 0,
        "cost": 250, "pool": list(range(count)),
    } | changed  # fmt: skip
    floats = {"daily", "deviation", "lead", "lead_deviation", "cover", "service"}
    arrays = {
        name: np.broadcast_to(np.array(value, float if name in floats else np.int64), count).copy()
        for name, value in given.items()
    }
    return Positions(names=tuple(f"sku-{row} at dc" for row in range(count)), **arrays)


def test_levels_are_those_of_the_formula() -> None:
    goal = levels(positions())
    safety = 1.6448536 * math.sqrt(9 * 4**2 + 10**2 * 2**2)
    assert goal.safety.tolist() == [math.ceil(safety)]
    assert goal.reorder.tolist() == [math.ceil(90 + safety)]
    assert goal.up_to.tolist() == [math.ceil(90 + safety + 70)]


def test_half_of_all_cycles_need_no_safety_stock() -> None:
    assert levels(positions(service=0.5)).safety.tolist() == [0]


def test_four_nodes_that_cover_for_each_other_need_half_the_safety_stock() -> None:
    alone = levels(positions(4, lead_deviation=0.0, deviation=400.0))
    pooled = levels(positions(4, lead_deviation=0.0, deviation=400.0, pool=0))
    assert pooled.safety.sum() == pytest.approx(alone.safety.sum() / 2, abs=4)


def test_a_late_supplier_is_late_for_the_whole_pool() -> None:
    alone = levels(positions(4, deviation=0.0))
    pooled = levels(positions(4, deviation=0.0, pool=0))
    assert pooled.safety.tolist() == alone.safety.tolist()


def test_nothing_is_ordered_above_the_reorder_point() -> None:
    reorder = int(levels(positions()).reorder[0])
    assert propose(positions(on_hand=reorder + 1), NO_LIMIT) == []
    (one,) = propose(positions(on_hand=reorder), NO_LIMIT)
    assert one.quantity == 70


def test_what_is_on_order_counts_and_what_is_promised_does_not() -> None:
    reorder = int(levels(positions()).reorder[0])
    assert propose(positions(on_hand=1, on_order=reorder), NO_LIMIT) == []
    (one,) = propose(positions(on_hand=reorder + 50, promised=60), NO_LIMIT)
    assert one.quantity == 80


def test_orders_are_whole_cases_and_at_least_the_minimum() -> None:
    reorder = int(levels(positions()).reorder[0])
    (one,) = propose(positions(on_hand=reorder, pack=12), NO_LIMIT)
    assert one.quantity == 72
    (one,) = propose(positions(on_hand=reorder, pack=12, minimum=100), NO_LIMIT)
    assert one.quantity == 108


def test_a_pool_with_enough_in_all_orders_nothing() -> None:
    both = positions(2, pool=0, on_hand=[0, 1_000])
    assert quantities(both, levels(both)).tolist() == [0, 0]


def test_a_pool_orders_no_more_than_it_lacks_in_all() -> None:
    both = positions(2, pool=0, on_hand=[0, 250])
    goal = levels(both)
    units = quantities(both, goal)
    assert units[1] == 0
    assert units[0] == goal.up_to.sum() - 250 < goal.up_to[0]


def test_below_safety_is_told_and_comes_first() -> None:
    two = propose(positions(2, on_hand=[60, 10]), NO_LIMIT)
    assert [(one.row, one.short) for one in two] == [(1, True), (0, False)]


def test_what_costs_more_than_the_limit_waits_for_a_person() -> None:
    (one,) = propose(positions(cost=100), NO_LIMIT)
    assert not propose(positions(cost=100), Approval(one.cents, one.cents))[0].needs_approval
    assert propose(positions(cost=100), Approval(one.cents - 1, one.cents))[0].needs_approval


def test_many_small_orders_do_not_get_around_the_limit() -> None:
    (one,) = propose(positions(), NO_LIMIT)
    three = propose(positions(3), Approval(one.cents, 2 * one.cents))
    assert [each.needs_approval for each in three] == [False, False, True]


def test_the_newsvendor_pays_for_what_a_shortage_costs() -> None:
    assert newsvendor_service(900, 100) == 0.9
    assert newsvendor_service(10**9, 1) == 0.9999
    with pytest.raises(ProblemFault, match="holding above 0"):
        newsvendor_service(1, 0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("daily", -1.0, r"daily of sku-1 at dc \(row 1\): not negative"),
        ("lead", math.nan, r"lead of sku-1 at dc \(row 1\): a number"),
        ("pack", 0, "pack of sku-1 at dc"),
        ("service", 0.4, r"service of sku-1 .* a share from 0.5"),
    ],
)
def test_a_wrong_row_is_named(field: str, value: float, message: str) -> None:
    good = positions(2)
    column = getattr(good, field).copy()
    column[1] = value
    with pytest.raises(ProblemFault, match=message):
        validate(dataclasses.replace(good, **{field: column}))


def test_lengths_and_names_are_checked() -> None:
    with pytest.raises(ProblemFault, match="pack has 1 rows: there are 2 names"):
        validate(dataclasses.replace(positions(2), pack=np.array([1])))
    with pytest.raises(ProblemFault, match="stands twice"):
        validate(dataclasses.replace(positions(2), names=("a", "a")))
    with pytest.raises(ProblemFault, match="approval"):
        propose(positions(), Approval(-1, 0))
    assert propose(positions(0), NO_LIMIT) == []


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2), st.integers(1, 30)), max_size=8),
    st.integers(0, 40),
)
def test_orders_bring_every_pool_to_its_level(
    rows: list[tuple[int, int, int]], minimum: int
) -> None:
    """However stock lies: a pool that orders reaches its level, and overshoots by cases only."""
    on_hand, pool, daily = ([row[member] for row in rows] for member in range(3))
    given = positions(len(rows), on_hand=on_hand, pool=pool, daily=daily, pack=6, minimum=minimum)
    goal = levels(given)
    units = quantities(given, goal)
    assert (units % 6 == 0).all()
    assert (units[units > 0] >= minimum).all()
    for number in set(pool):
        members = given.pool == number
        after = (given.on_hand + units)[members].sum()
        if given.on_hand[members].sum() > goal.reorder[members].sum():
            assert units[members].sum() == 0
        else:
            lack = goal.up_to[members].sum() - given.on_hand[members].sum()
            assert after >= goal.up_to[members].sum()
            assert units[members].sum() <= lack + (5 + minimum + 6) * members.sum()
