"""The cheapest pattern by subsets of lines is that found by trying every set of docks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solver import subsets
from solver.costs import FORBIDDEN
from solver.pricing import pattern_costs
from solver.problem import NOWHERE, Floats


@given(
    m=st.integers(1, 4),
    width=st.integers(1, subsets.WIDEST),
    docks=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_set_of_docks_is_cheaper(m: int, width: int, docks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    split = 7.0
    parcel: Floats = rng.integers(1, 60, (m, docks)).astype(float) + split
    line = rng.integers(0, 90, (m, width, docks)).astype(float)
    line[rng.random(line.shape) < 0.3] = FORBIDDEN
    complete = rng.random(m) < 0.3
    unserved = rng.integers(10, 90, (m, width)).astype(float)
    left = np.where(complete[:, None], FORBIDDEN, unserved)
    capped: Floats = np.minimum(line, left[:, :, None])
    most = rng.integers(1, 4, m)
    found = subsets.cheapest(parcel, capped, left, unserved.sum(axis=1), most, split)
    sets = pattern_costs(capped, parcel, unserved.sum(axis=1), most, split)
    assert np.allclose(found.value, sets.min(axis=0))
    for order in range(m):
        used = {dock for dock in found.place[order].tolist() if dock != NOWHERE}
        assert len(used) <= most[order]
        paid = sum(parcel[order, dock] for dock in used) - (split if used else 0.0)
        for number, dock in enumerate(found.place[order].tolist()):
            paid += unserved[order, number] if dock == NOWHERE else line[order, number, dock]
        assert paid <= found.value[order] + 1e-6
