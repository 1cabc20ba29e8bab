"""Whatever a narrowed wave plans can be done beside all that stays as it is."""

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.waves.problem import Wave, build
from actors.waves.touching import Touching
from solver import plan
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE, Ints
from solver.solve import solve
from tests.wave_shop import Shop

NODES, SKUS = ("n1", "n2", "n3"), ("A", "B", "C")


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Orders of one to two lines that take what there is, at nodes that could send cheaper."""
    stock = {sku: {node: draw(st.integers(0, 4)) for node in NODES} for sku in SKUS}
    lanes = {node: {"z": draw(st.integers(0, 900))} for node in NODES}
    members = {node: {"priority": draw(st.integers(1, 3))} for node in NODES}
    shop = Shop(stock, lanes, members)
    for number in range(draw(st.integers(1, 6))):
        wanted = draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=2, unique=True))
        if all(shop.ledgers[0].books[sku].positions["n1"].sellable for sku in wanted):
            shop.order(f"o-{number}", "z", *((sku, 1) for sku in wanted))
    return shop


touched = st.builds(
    Touching,
    st.lists(st.sampled_from(NODES), max_size=2).map(tuple),
    st.lists(st.sampled_from(SKUS), max_size=2).map(tuple),
    st.lists(st.sampled_from(("000.o-0", "000.o-1")), max_size=1).map(tuple),
)


def in_the_whole(whole: Wave, part: Wave, line_dock: Ints) -> Ints:
    """The standing plan of all orders with the lines of a part as ``line_dock`` has them."""
    chosen = dict(zip(_named(part), line_dock.tolist(), strict=True))
    docks = whole.problem.standing.tolist()
    return np.array(
        [chosen.get(name, dock) for name, dock in zip(_named(whole), docks, strict=True)], np.int64
    )


def _named(wave: Wave) -> list[tuple[str, str, str]]:
    orders = wave.problem.orders.line_order.tolist()
    return [(wave.orders[order].key, *line) for order, line in zip(orders, wave.lines, strict=True)]


@given(shops(), touched)
@settings(max_examples=40, deadline=None)
def test_a_narrowed_plan_fits_beside_the_rest_and_is_no_dearer(shop: Shop, at: Touching) -> None:
    now_ms = time.time_ns() // 1_000_000
    whole, part = build(shop.gathered(), now_ms), build(shop.gathered(at), now_ms)
    before = plan.cost_of(whole.problem, whole.problem.standing).total
    found = solve(part.problem, Effort(seconds=5.0))
    assert not (found.line_dock == NOWHERE).any()  # Where they stand is always a way.
    both = in_the_whole(whole, part, found.line_dock)
    assert check(plan.make(whole.problem, both, 0.0, 0, ""), whole.problem) == []
    assert plan.cost_of(whole.problem, both).total <= before
