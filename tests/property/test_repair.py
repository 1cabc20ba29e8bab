"""Whatever an event hits: the repair holds, moves nothing locked, and never costs more."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import plan, residual
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE, Problem, Weights
from solver.repair import repair, resourced
from solver.solve import solve
from tests.waves import small_waves


@st.composite
def _outages(draw: st.DrawFn) -> tuple[Problem, np.ndarray, np.ndarray]:
    """The world after an outage with the plan that stood, and who is touched and who locked."""
    wave = draw(small_waves())
    weights = Weights(change=draw(st.sampled_from([0, 30, 5_000])))
    wave = dataclasses.replace(wave, weights=weights)
    many, line_order = len(wave.orders.ids), wave.orders.line_order
    standing = solve(wave, Effort(seconds=10.0)).line_dock
    locked = np.array(draw(st.lists(st.booleans(), min_size=many, max_size=many)), bool)
    lost = draw(st.integers(0, len(wave.network.nodes) - 1))
    packed = residual.without(wave, standing, ~locked)
    stock = wave.stock.copy()
    stock[:, lost] -= packed.stock[:, lost]
    capacity = wave.network.capacity.copy()
    capacity[lost] -= packed.network.capacity[lost]
    touched = np.zeros(many, bool)
    touched[line_order[standing == lost]] = True
    after = dataclasses.replace(
        wave,
        stock=stock,
        standing=standing,
        network=dataclasses.replace(wave.network, capacity=capacity),
    )
    return after, touched & ~locked, locked


@given(_outages())
@settings(max_examples=80, deadline=None)
def test_a_repair_holds_and_is_never_dearer_than_placing_anew(
    outage: tuple[Problem, np.ndarray, np.ndarray],
) -> None:
    after, touched, locked = outage
    mended = repair(after, after.standing, touched, locked, Effort(seconds=10.0))
    assert check(mended, after) == []
    kept = locked[after.orders.line_order]
    assert (mended.line_dock[kept] == after.standing[kept]).all()
    greedy = plan.cost_of(after, resourced(after, after.standing, touched))
    assert mended.cost.total <= greedy.total
    if not touched.any():
        assert (mended.line_dock == after.standing).all()
    # Whoever was served by the lost node, and was not packed, is not any more.
    stood = touched[after.orders.line_order] & (after.standing != NOWHERE)
    assert not stood.any() or mended.cost.change > 0 or after.weights.change == 0
