"""Planned waves for tests: drawn at will, or one that is known by heart."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from solver import plan
from solver.case import Case
from solver.problem import NOWHERE, Problem
from tests.waves import network, orders, problem, small_waves


def case_of(wave: Problem, line_dock: list[int], origin: list[int]) -> Case:
    """`wave` planned as `line_dock` (L) has it, its lines standing at the nodes `origin` (L)."""
    nodes = len(wave.network.nodes)
    return Case(
        problem=wave,
        plan=plan.make(wave, np.array(line_dock, np.int64), 0.0, 7, "by hand"),
        origin=np.array(origin, np.int64),
        latitude=np.array([50.0, 55.0, np.nan][:nodes]),
        longitude=np.array([-2.0, 1.0, np.nan][:nodes]),
    )


def swapped() -> Case:
    """Two orders that change places, as in the first example of the documentation.

    ``n0`` is near with one unit and room for one parcel, ``n1`` far with plenty.
    """
    steps: list[list[list[tuple[int, int]]]] = [
        [[], []],
        [[], [(5_000, 20)]],
    ]  # Nothing here weighs as much.
    net = network([[100, 100], [130, 900]], capacity=[1, 50], transit=1.0, steps=steps)
    zones = np.array([0, 1])
    wave = problem(net, orders([[(0, 1)], [(0, 2)]], zone=zones, due=np.full(2, 99.0)), [[2, 5]])
    standing = np.array([0, 1], np.int64)
    return case_of(dataclasses.replace(wave, standing=standing), [1, 0], [0, 1])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any wave with any plan over lanes that there are, which need not hold otherwise."""
    wave = draw(small_waves())
    docks = st.integers(NOWHERE, len(wave.network.nodes) - 1)
    many = len(wave.orders.line_order)
    origin = draw(st.lists(docks, min_size=many, max_size=many))
    drawn = draw(st.lists(docks, min_size=many, max_size=many))
    zones = wave.orders.zone[wave.orders.line_order].tolist()
    line_dock = [
        dock if wave.network.lane_fixed[dock, zone] >= 0 else NOWHERE
        for dock, zone in zip(drawn, zones, strict=True)
    ]
    stood = dataclasses.replace(wave, standing=np.array(origin, np.int64))
    return case_of(stood, line_dock, origin)
