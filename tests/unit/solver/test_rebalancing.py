"""Transfers by hand and against brute force; the checker that judges them is shown wrong ones."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.errors import ProblemFault
from solver.mip import Limits
from solver.planning import rebalancing
from solver.planning.rebalancing import Lanes, Moves, Stocks, Transfer, rebalance, validate
from solver.planning.rebalancing_check import costs, earned, findings
from tests.transfers import BOTH_WAYS, LOPSIDED, lanes, stocks

QUICK = Limits(20.0)


def test_units_go_where_they_are_worth_more() -> None:
    moves = rebalance(LOPSIDED, BOTH_WAYS, QUICK)
    assert moves.transfers == (Transfer(0, 0, 5),)
    assert moves.gain == 5 * (80 - 5 - 10)
    assert findings(LOPSIDED, BOTH_WAYS, moves) == []


def test_nothing_goes_for_what_it_costs_or_risks() -> None:
    assert rebalance(LOPSIDED, lanes([(0, 1)], unit=75), QUICK).transfers == ()
    assert rebalance(LOPSIDED, lanes([(0, 1)], unit=60, risk=15), QUICK).transfers == ()
    assert rebalance(LOPSIDED, lanes([(0, 1)], unit=60, risk=14), QUICK).transfers != ()


def test_what_must_stay_stays() -> None:
    kept = dataclasses.replace(LOPSIDED, keep=np.array([[8, 0]]))
    assert rebalance(kept, BOTH_WAYS, QUICK).transfers == (Transfer(0, 0, 2),)
    short = dataclasses.replace(LOPSIDED, keep=np.array([[20, 0]]))
    assert rebalance(short, BOTH_WAYS, QUICK).transfers == ()


def test_a_truck_goes_only_when_it_is_full_enough() -> None:
    by_truck = {"load": 100, "trucks": 9}
    assert rebalance(LOPSIDED, lanes([(0, 1)], truck=325, **by_truck), QUICK).transfers == ()
    cheap = lanes([(0, 1)], truck=310, **by_truck)
    moves = rebalance(LOPSIDED, cheap, QUICK)
    assert (moves.trucks.tolist(), moves.gain) == ([1], 15)
    assert findings(LOPSIDED, cheap, moves) == []


def test_skus_share_a_truck() -> None:
    """Neither of them would earn a truck of its own."""
    two = stocks(
        [[10, 0], [10, 0]],
        [[[(4, 100), (6, 5)], [(5, 80), (5, 5)]]] * 2,
        volume=[10, 10],
    )
    shared = lanes([(0, 1)], truck=400, load=100, trucks=9)
    moves = rebalance(two, shared, QUICK)
    assert sum(one.quantity for one in moves.transfers) == 10
    assert moves.trucks.tolist() == [1]
    assert moves.gain == 250


def test_trucks_run_out() -> None:
    few = lanes([(0, 1)], truck=1, load=2, trucks=2)
    moves = rebalance(LOPSIDED, few, QUICK)
    assert sum(one.quantity for one in moves.transfers) == 4
    assert moves.trucks.tolist() == [2]


def test_a_node_gives_its_unit_and_takes_another() -> None:
    """Node 2's unit is of no use there and has no lane to where it is wanted."""
    chain = stocks([[0, 1, 1]], [[[(1, 100)], [(1, 40)], [(1, 0)]]])
    ways = lanes([(1, 0), (2, 1)])
    moves = rebalance(chain, ways, QUICK)
    assert moves.transfers == (Transfer(0, 0, 1), Transfer(0, 1, 1))
    assert moves.gain == 100 - 20


@st.composite
def small_problems(draw: st.DrawFn) -> tuple[Stocks, Lanes]:
    """One or two SKUs at three nodes with a few units, lanes with and without trucks."""
    skus = draw(st.integers(1, 2))
    number = st.integers
    stock = draw(st.lists(st.lists(number(0, 2), min_size=3, max_size=3),
                          min_size=skus, max_size=skus))  # fmt: skip
    steps = [
        [
            list(zip(draw(st.lists(number(0, 2), min_size=2, max_size=2)),
                     sorted(draw(st.lists(number(0, 40), min_size=2, max_size=2)), reverse=True),
                     strict=True))
            for _ in range(3)
        ]
        for _ in range(skus)
    ]  # fmt: skip
    pairs = draw(st.lists(st.sampled_from(list(itertools.permutations(range(3), 2))),
                          min_size=1, max_size=3, unique=True))  # fmt: skip
    each = st.lists(number(0, 12), min_size=len(pairs), max_size=len(pairs))
    load = draw(st.lists(st.sampled_from([0, 2, 3]), min_size=len(pairs), max_size=len(pairs)))
    truck = [cents * 2 if volume else 0 for cents, volume in zip(draw(each), load, strict=True)]
    some = stocks(stock, steps, keep=draw(number(0, 1)), volume=[1, 2][:skus])
    return some, lanes(pairs, unit=draw(each), risk=draw(each), load=load, truck=truck, trucks=2)


def by_brute_force(some: Stocks, ways: Lanes) -> int:
    """The most that any transfers earn after risk, a cent a unit for ties taken off."""
    ends = list(zip(ways.origin.tolist(), ways.target.tolist(), strict=True))
    choices = []
    for sku in range(len(some.skus)):
        spare = np.maximum(0, some.stock[sku] - some.keep[sku]).tolist()
        sent = itertools.product(*(range(spare[origin] + 1) for origin, _ in ends))
        choices.append([units for units in sent if all(
            sum(n for n, (origin, _) in zip(units, ends, strict=True) if origin == node) <= most
            for node, most in enumerate(spare))])  # fmt: skip
    best = 0
    for chosen in itertools.product(*choices):
        sent_units = tuple(Transfer(sku, lane, n) for sku, units in enumerate(chosen)
                           for lane, n in enumerate(units))  # fmt: skip
        trucks = []
        for lane, load in enumerate(ways.load.tolist()):
            ml = sum(one.quantity * int(some.volume[one.sku]) for one in sent_units
                     if one.lane == lane)  # fmt: skip
            trucks.append(-(-ml // load) if load else 0)
        if any(n > most for n, most in zip(trucks, ways.trucks.tolist(), strict=True)):
            continue
        risk = sum(one.quantity * (1 + int(ways.risk[one.lane])) for one in sent_units)
        best = max(best, earned(some, ways, sent_units) - costs(ways, sent_units, trucks) - risk)
    return best


@settings(max_examples=150, deadline=None)
@given(small_problems())
def test_no_other_transfers_earn_more(problem: tuple[Stocks, Lanes]) -> None:
    some, ways = problem
    moves = rebalance(some, ways, QUICK)
    assert findings(some, ways, moves) == []
    risk = sum(one.quantity * (1 + int(ways.risk[one.lane])) for one in moves.transfers)
    assert moves.gain - risk == by_brute_force(some, ways)
    assert moves.optimal


@settings(max_examples=100, deadline=None)
@given(small_problems(), st.data())
def test_what_time_did_not_suffice_for_is_pruned_until_all_of_it_earns(
    problem: tuple[Stocks, Lanes], data: st.DataObject
) -> None:
    """Any units that may be sent at all, as if the search had been stopped there."""
    some, ways = problem
    arcs = rebalancing._worthwhile(some, ways)
    units = np.zeros(len(arcs.sku), np.int64)
    for arc, (sku, lane) in enumerate(zip(arcs.sku, arcs.lane, strict=True)):
        node = ways.origin[lane]
        gone = units[(arcs.sku == sku) & (ways.origin[arcs.lane] == node)].sum()
        units[arc] = data.draw(st.integers(0, int(some.stock[sku, node] - some.keep[sku, node]
                                                  - gone)))  # fmt: skip
    kept = rebalancing._earning(some, ways, arcs, units)
    assert ((kept == units) | (kept == 0)).all()
    gain = rebalancing._gain(some, ways, arcs, kept)
    assert gain >= (kept * ways.risk[arcs.lane]).sum()


def test_the_checker_names_what_is_wrong() -> None:
    ways = lanes([(0, 1)], truck=10, load=2, trucks=2)
    kept = dataclasses.replace(LOPSIDED, keep=np.array([[8, 0]]))
    moves = Moves((Transfer(0, 0, 7), Transfer(0, 0, 0)), np.array([3]), 99, optimal=True)
    told = "\n".join(findings(kept, ways, moves))
    for words in ("3 are left, 8 must stay", "7 ml in 3 trucks", "3 trucks, there are 2",
                  "a gain of 99 cents is told", "no units"):  # fmt: skip
        assert words in told
    dear = lanes([(0, 1)], unit=75)
    idle = Moves((Transfer(0, 0, 5),), np.array([0]), 0, optimal=True)
    assert "no more than its costs" in findings(LOPSIDED, dear, idle)[0]


@pytest.mark.parametrize(
    ("stocks_changed", "lanes_changed", "message"),
    [
        ({"stock": np.array([[-1, 0]])}, {}, r"stock of sku-0 \(row 0\): from 0"),
        ({"keep": np.array([[1]])}, {}, "keep has the shape"),
        ({"worth": np.array([[[1, 2], [2, 1]]])}, {}, "worth of sku-0 .* never rises"),
        ({}, {"target": np.array([0, 0])}, "target of lane 0 .* another node"),
        ({}, {"target": np.array([1, 7])}, "target of lane 1 .* from 0 to 1"),
        ({}, {"origin": np.array([0, 0]), "target": np.array([1, 1])}, "one lane a pair"),
        ({}, {"truck": np.array([5, 5])}, "load of lane 0 .* above 0 where trucks cost"),
    ],
)
def test_a_wrong_row_is_named(
    stocks_changed: dict[str, Any], lanes_changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProblemFault, match=message):
        validate(
            dataclasses.replace(LOPSIDED, **stocks_changed),
            dataclasses.replace(BOTH_WAYS, **lanes_changed),
        )
