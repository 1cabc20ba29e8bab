"""Waves of real baskets: The Complete Journey's, of 9 to 24 articles, over its busiest stores.

Orders are the retailer's, and so is what lies in stores: a SKU's units there are spread as it sold
there. Warehouses, places, tariffs and promises are drawn, for the data has none.
"""

import dataclasses
from typing import Final

import numpy as np

from bench.assignment.generated import (
    SCARCITY,
    WAREHOUSE,
    Shape,
    draw_network,
    order_terms,
    plain_orders,
    spread_as_sold,
)
from gateway.sample.columns import Columns, read_columns
from solver.problem import NOWHERE, Ints, Problem, Weights, sums, validate

#: Articles of a basket: what the mean basket of the year and the longer ones hold.
LINES: Final = (9, 24)
#: Units of a line that goes by parcel: bulk buyers fetch theirs.
_UNITS_MAX: Final = 6
#: The share of all units that lies in warehouses, and of the SKUs that each of them lists.
WAREHOUSED, LISTED = 0.7, 0.9
#: Parcels of a basket beside those of a generated order: it needs more of them.
_PARCELS: Final = 2


def draw(shape: Shape) -> Problem:
    """The instance of `shape`: its first `orders` baskets after a start that `seed` chooses."""
    columns = read_columns()
    rng = np.random.default_rng(shape.seed)
    sizes = np.diff(columns.basket_starts)
    fit = np.flatnonzero((sizes >= LINES[0]) & (sizes <= LINES[1]))
    start = int(rng.integers(0, len(fit) - shape.orders))
    chosen = fit[start : start + shape.orders]
    lines = np.concatenate([np.arange(*columns.basket_starts[b : b + 2]) for b in chosen.tolist()])
    line_order = np.repeat(np.arange(len(chosen)), sizes[chosen])
    kept, line_sku = np.unique(columns.sku[lines], return_inverse=True)
    quantity = np.minimum(columns.units[lines], _UNITS_MAX)
    net, _ = draw_network(dataclasses.replace(shape, skus=len(kept)), rng)
    net = dataclasses.replace(net, capacity=net.capacity * _PARCELS)
    orders = plain_orders(
        tuple(f"basket-{b}" for b in chosen.tolist()),
        order_terms(len(chosen), len(net.zones), rng),
        (line_order, line_sku, quantity),
    )
    factor = SCARCITY[shape.scarcity][0]
    units = sums(line_sku, quantity, len(kept)) * factor
    stock = np.concatenate(
        [
            _in_warehouses(units * WAREHOUSED, int((net.kind == WAREHOUSE).sum()), rng),
            _in_stores(columns, kept, units * (1 - WAREHOUSED), int((net.kind != WAREHOUSE).sum())),
        ],
        axis=1,
    )
    return validate(
        Problem(
            network=net,
            skus=tuple(str(i) for i in columns.product_ids[kept].tolist()),
            unit_grams=rng.integers(100, 1500, len(kept)),
            stock=stock,
            orders=orders,
            weights=Weights(),
            standing=np.full(len(lines), NOWHERE),
        )
    )


def _in_warehouses(units: np.ndarray, nodes: int, rng: np.random.Generator) -> np.ndarray:
    """(S x nodes): each warehouse lists most SKUs, and at least one lists every SKU."""
    listed = rng.random((len(units), nodes)) < LISTED
    listed[np.arange(len(units)), rng.integers(0, nodes, len(units))] = True
    share = listed * rng.uniform(0.5, 1.5, listed.shape)
    share /= share.sum(axis=1, keepdims=True)
    return np.asarray(np.ceil(units[:, None] * share), np.int32)


def _in_stores(columns: Columns, skus: Ints, units: np.ndarray, nodes: int) -> np.ndarray:
    """(S x nodes): `units` of each SKU over the busiest stores as they sold it, rounded up."""
    busiest = np.argsort(-np.bincount(columns.store))[:nodes]
    node_of = np.full(len(columns.store_ids), NOWHERE)
    node_of[busiest] = np.arange(nodes)
    rank = np.full(int(columns.sku.max()) + 1, NOWHERE)
    rank[skus] = np.arange(len(skus))
    inside = np.flatnonzero((node_of[columns.store] != NOWHERE) & (rank[columns.sku] != NOWHERE))
    cell = rank[columns.sku[inside]] * nodes + node_of[columns.store[inside]]
    sold = np.bincount(cell, minlength=len(skus) * nodes).reshape(len(skus), nodes)
    return spread_as_sold(units, sold)
