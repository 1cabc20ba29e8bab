"""Small waves for tests, drawn at will, and their optimum by trying everything."""

import itertools

import numpy as np
from hypothesis import strategies as st

from solver import plan
from solver.problem import (
    NO_GROUP,
    NO_STEP,
    NOWHERE,
    Network,
    Orders,
    Problem,
    Weights,
    no_steps,
    validate,
)

ALL_KINDS = 0b111


def network(
    lanes: list[list[int]],
    *,
    capacity: list[int] | None = None,
    kind: list[int] | None = None,
    transit: float = 10.0,
    steps: list[list[list[tuple[int, int]]]] | None = None,
) -> Network:
    """Nodes with one dock each; `lanes` (N x Z) are fixed costs, the kilogram costs ten cents.

    Unless `steps` (N x Z x K) say otherwise from so many grams on.
    """
    fixed = np.array(lanes, np.int64)
    nodes, zones = fixed.shape
    return Network(
        nodes=tuple(f"n{n}" for n in range(nodes)),
        zones=tuple(f"z{z}" for z in range(zones)),
        kind=np.array(kind or [0] * nodes),
        handling=np.arange(nodes, dtype=np.int64) * 5,
        lane_fixed=fixed,
        lane_kg=np.full((nodes, zones), 10),
        lane_steps=_padded(steps) if steps else no_steps(nodes, zones),
        transit=np.full((nodes, zones), transit),
        dock_node=np.arange(nodes),
        departure=np.arange(nodes, dtype=float) * 12.0,
        capacity=np.array(capacity or [1_000] * nodes),
    )


def orders(baskets: list[list[tuple[int, int]]], **given: np.ndarray) -> Orders:
    """Orders of (SKU, quantity) lines, all to the first zone unless `given` says otherwise."""
    many = len(baskets)
    lines = [(o, sku, units) for o, basket in enumerate(baskets) for sku, units in basket]
    fields: dict[str, np.ndarray] = {
        "zone": np.zeros(many, np.int64),
        "due": np.full(many, 24.0),
        "priority": np.ones(many, np.int64),
        "most_parcels": np.full(many, 3),
        "complete": np.zeros(many, bool),
        "kinds": np.full(many, ALL_KINDS),
        "pickup": np.full(many, NOWHERE),
        "line_order": np.array([o for o, _, _ in lines], np.int64),
        "line_sku": np.array([sku for _, sku, _ in lines], np.int64),
        "quantity": np.array([units for _, _, units in lines], np.int64),
        "together": np.full(len(lines), NO_GROUP),
        "only": np.full(len(lines), NOWHERE),
    }
    return Orders(ids=tuple(f"o{o}" for o in range(many)), **{**fields, **given})


def problem(
    net: Network, wanted: Orders, stock: list[list[int]], weights: Weights | None = None
) -> Problem:
    """A wave over `stock` (S x N) that nothing stands for yet."""
    units = np.array(stock, np.int32)
    return validate(
        Problem(
            network=net,
            skus=tuple(f"s{s}" for s in range(len(units))),
            unit_grams=np.full(len(units), 500),
            stock=units,
            orders=wanted,
            weights=weights or Weights(),
            standing=np.full(len(wanted.line_order), NOWHERE),
        )
    )


def _padded(steps: list[list[list[tuple[int, int]]]]) -> np.ndarray:
    most = max(len(way) for ways in steps for way in ways)
    rows = [[[*way, *[(NO_STEP, 0)] * (most - len(way))] for way in ways] for ways in steps]
    return np.array(rows, np.int64).reshape(len(steps), len(steps[0]), most, 2)


def _steps(nodes: int) -> st.SearchStrategy[list[list[list[tuple[int, int]]]]]:
    """Up to two steps for each way to two zones; a unit weighs 500 grams."""
    step = st.tuples(st.sampled_from([1, 500, 501, 1_000]), st.integers(0, 900))
    way = st.lists(step, max_size=2, unique_by=lambda one: one[0]).map(sorted)
    zones = st.lists(way, min_size=2, max_size=2)
    return st.lists(zones, min_size=nodes, max_size=nodes)


@st.composite
def small_waves(draw: st.DrawFn) -> Problem:
    """Two or three nodes and a few orders of one to three lines, stock scarce, some with rules."""
    nodes = draw(st.integers(2, 3))
    lanes = draw(
        st.lists(
            st.lists(st.integers(-1, 900), min_size=2, max_size=2), min_size=nodes, max_size=nodes
        )
    )
    net = network(
        lanes,
        capacity=draw(st.lists(st.integers(0, 4), min_size=nodes, max_size=nodes)),
        kind=draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes)),
        steps=draw(st.none() | _steps(nodes)),
    )
    skus = 3
    baskets = draw(
        st.lists(
            st.lists(
                st.tuples(st.integers(0, skus - 1), st.integers(1, 2)),
                min_size=1,
                max_size=3,
                unique_by=lambda line: line[0],
            ),
            min_size=1,
            max_size=3,
        )
    )
    many = len(baskets)
    lines = sum(len(basket) for basket in baskets)

    def each(values: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=many, max_size=many)), np.int64)

    pairs = draw(st.booleans())
    wanted = orders(
        baskets,
        zone=each(st.integers(0, 1)),
        due=each(st.sampled_from([6, 24, 48])).astype(float),
        priority=each(st.sampled_from([1, 2])),
        most_parcels=each(st.integers(1, 3)),
        complete=each(st.integers(0, 1)).astype(bool),
        kinds=each(st.sampled_from([0b001, 0b110, ALL_KINDS])),
        pickup=each(st.sampled_from([NOWHERE, NOWHERE, 0])),
        together=np.full(lines, 0 if pairs else NO_GROUP),
        only=np.array(
            draw(
                st.lists(
                    st.sampled_from([NOWHERE, NOWHERE, NOWHERE, 1]), min_size=lines, max_size=lines
                )
            )
        ),
    )
    stock = draw(
        st.lists(
            st.lists(st.integers(0, 3), min_size=nodes, max_size=nodes),
            min_size=skus,
            max_size=skus,
        )
    )
    return problem(net, wanted, stock)


def best_by_trying(wave: Problem) -> int:
    """The least that a plan of `wave` can cost: every dock for every line is tried."""
    from solver.check import check

    docks = range(NOWHERE, len(wave.network.dock_node))
    least = None
    for chosen in itertools.product(docks, repeat=len(wave.orders.line_order)):
        line_dock = np.array(chosen, np.int64)
        cost = plan.cost_of(wave, line_dock).total
        if least is not None and cost >= least:
            continue
        if not check(plan.make(wave, line_dock, 0.0, 0, ""), wave):
            least = cost
    assert least is not None, "leaving everything is always a plan"
    return least
