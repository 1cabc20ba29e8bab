"""Bid prices: what a unit here, and a parcel from here, is worth to orders that are still to come.

Orders to come are drawn from those that came: the same demand in another order (bootstrap: Efron,
The Annals of Statistics 7(1), 1979). Of each draw the Lagrangian prices against what is free are
found, and their mean is the bid price: the duals of what remains, as in Acimovic and Graves
(Manufacturing & Service Operations Management 17(1), 2015), with capacity and baskets.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from solver import search
from solver.problem import NOWHERE, Floats, Ints, Problem, first_lines, validate

#: Draws that prices are the mean of: fewer are noise where a SKU sells a few units a day.
SCENARIOS: Final = 8
#: Subgradient steps of a draw, in two goes: the second on candidates that the first made cheap.
STEPS: Final = 40
#: Seconds that nothing here ever takes: there is no program in it.
_NO_LIMIT: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class BidPrices:
    """Cents a unit, `units` (S x N), and cents a parcel, `parcels` (N); whole, none below zero."""

    units: npt.NDArray[np.int64]
    parcels: npt.NDArray[np.int64]


def bid_prices(
    problem: Problem,
    *,
    orders: int,
    scenarios: int = SCENARIOS,
    seed: int = 1,
    before_draw: Callable[[], object] = lambda: None,
) -> BidPrices:
    """The prices where `orders` more come like those of `problem`, whose stock is what is free.

    ``before_draw`` is called before each of the ``scenarios``: it may end the search by raising.

    Raises `ProblemFault` for a problem that is not well formed.
    """
    validate(problem)
    cells = np.zeros(problem.stock.shape)
    docks = np.zeros(len(problem.network.capacity))
    if orders < 1 or not problem.orders.ids:
        return _whole(problem, cells, docks)
    for scenario in range(scenarios):
        before_draw()
        rng = np.random.default_rng([seed, scenario])
        rows = np.sort(rng.integers(0, len(problem.orders.ids), orders))
        begun = search.begin(drawn(problem, rows), _NO_LIMIT)
        for _ in range(2):
            search.price(begun, STEPS)
        cells += begun.mu
        docks += begun.nu
    return _whole(problem, cells / scenarios, docks / scenarios)


def drawn(problem: Problem, rows: Ints) -> Problem:
    """`problem` with its orders `rows` in their place, each as often as it is named."""
    orders = problem.orders
    first = first_lines(problem)
    counts = first[rows + 1] - first[rows]
    begin = np.cumsum(counts) - counts
    lines = np.repeat(first[rows] - begin, counts) + np.arange(counts.sum())
    of_order = {
        name: getattr(orders, name)[rows]
        for name in ("zone", "due", "priority", "most_parcels", "complete", "kinds", "pickup")
    }
    of_line = {name: getattr(orders, name)[lines] for name in ("line_sku", "quantity", "only")}
    return dataclasses.replace(
        problem,
        orders=dataclasses.replace(
            orders,
            ids=tuple(f"{at}" for at in range(len(rows))),
            line_order=np.repeat(np.arange(len(rows)), counts),
            together=orders.together[lines],
            **of_order,
            **of_line,
        ),
        standing=np.full(len(lines), NOWHERE, np.int64),
    )


def _whole(problem: Problem, cells: Floats, docks: Floats) -> BidPrices:
    """Prices of nodes: a parcel leaves a node at the departure that costs least."""
    net = problem.network
    parcels = np.full(len(net.nodes), np.inf)
    np.minimum.at(parcels, net.dock_node, docks)
    parcels[~np.isfinite(parcels)] = 0.0
    return BidPrices(np.rint(cells).astype(np.int64), np.rint(parcels).astype(np.int64))
