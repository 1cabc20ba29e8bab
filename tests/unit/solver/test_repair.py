"""A repair keeps what is locked, moves who is in the way, and says what it cannot work with."""

import dataclasses

import numpy as np
import pytest

from solver.check import check
from solver.effort import Effort
from solver.errors import ProblemFault
from solver.problem import NOWHERE, Problem, Weights
from solver.repair import neighbours, repair, resourced
from tests.waves import network, orders, problem

QUICK = Effort(seconds=5.0)


def _chain() -> Problem:
    """Order 0 lost n0 and can only go to n1, whose one unit order 1 holds; order 1 may go to n2."""
    net = network([[100, 100], [110, 100], [-1, 150]])
    wanted = orders([[(0, 1)], [(0, 1)]], zone=np.array([0, 1]))
    return problem(net, wanted, [[0, 1, 1]], Weights(change=30))


def _bools(*values: bool) -> np.ndarray:
    return np.array(values, bool)


def test_who_is_in_the_way_is_moved() -> None:
    wave = dataclasses.replace(_chain(), standing=np.array([0, 1]))
    greedy = resourced(wave, wave.standing, _bools(True, False))
    assert greedy.tolist() == [NOWHERE, 1]
    mended = repair(wave, wave.standing, _bools(True, False), _bools(False, False), QUICK)
    assert mended.line_dock.tolist() == [1, 2]
    assert check(mended, wave) == []
    assert mended.cost.change == 60


def test_a_locked_order_makes_no_room() -> None:
    wave = dataclasses.replace(_chain(), standing=np.array([0, 1]))
    mended = repair(wave, wave.standing, _bools(True, False), _bools(False, True), QUICK)
    assert mended.line_dock.tolist() == [NOWHERE, 1]


def test_without_time_the_touched_are_placed_greedily() -> None:
    wave = dataclasses.replace(_chain(), standing=np.array([0, 1]))
    none = Effort(seconds=0.0)
    mended = repair(wave, wave.standing, _bools(True, False), _bools(False, False), none)
    assert mended.line_dock.tolist() == [NOWHERE, 1]


def test_nothing_touched_is_nothing_changed() -> None:
    wave = dataclasses.replace(_chain(), standing=np.array([NOWHERE, 1]))
    nobody = _bools(False, False)
    mended = repair(wave, wave.standing, nobody, nobody, QUICK)
    assert mended.line_dock.tolist() == [NOWHERE, 1]
    assert mended.cost.change == 0


def test_a_way_that_is_forbidden_by_now_is_not_stood_on() -> None:
    # The lane from n0 is gone; as it stands the order would seem to cost next to nothing.
    net = network([[-1], [800]])
    wave = problem(net, orders([[(0, 1)]]), [[1, 1]], Weights(change=30))
    wave = dataclasses.replace(wave, standing=np.array([0]))
    mended = repair(wave, wave.standing, _bools(True), _bools(False), QUICK)
    assert mended.line_dock.tolist() == [1]


def test_neighbours_hold_what_is_asked_for_or_the_last_room() -> None:
    net = network([[100], [100], [100]], capacity=[9, 9, 1])
    wanted = orders([[(0, 1)], [(0, 1)], [(1, 1)], [(1, 1)]])
    wave = problem(net, wanted, [[9, 9, 9], [9, 9, 9]])
    standing = np.array([NOWHERE, 1, 2, 1])
    touched = _bools(True, False, False, False)
    assert neighbours(wave, standing, touched, ~_bools(True, True, True, True)).tolist() == [1, 2]
    assert neighbours(wave, standing, touched, _bools(False, True, False, False)).tolist() == [2]


@pytest.mark.parametrize(
    ("standing", "touched", "locked", "told"),
    [
        ([0, 1], [True, False], [True, False], "order o0 is touched and locked"),
        ([0, 1], [False, False], [False, False], "hold more s0 at n0 than there is"),
        ([0, 1], [True], [False, False], r"touched has the shape \(1,\)"),
        ([0], [True, False], [False, False], r"standing has the shape \(1,\)"),
        ([0, 9], [True, False], [False, False], "standing of line 1"),
    ],
)
def test_what_cannot_be_repaired_is_named(
    standing: list[int], touched: list[bool], locked: list[bool], told: str
) -> None:
    with pytest.raises(ProblemFault, match=told):
        repair(_chain(), np.array(standing), _bools(*touched), _bools(*locked), QUICK)


def test_parcels_beyond_a_dock_of_orders_not_touched_are_named() -> None:
    net = network([[100], [100]], capacity=[1, 9])
    wave = problem(net, orders([[(0, 1)], [(0, 1)]]), [[9, 9]])
    nobody = _bools(False, False)
    with pytest.raises(ProblemFault, match="more parcels at dock 0 of n0"):
        repair(wave, np.array([0, 0]), nobody, nobody, QUICK)
