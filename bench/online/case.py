"""Orders to come, those that came before, and the stock that lies there for them."""

import dataclasses
from typing import Final

import numpy as np

from bench.assignment.generated import SCARCITY, Shape, draw_network, draw_orders, draw_stock
from engine.limits import LATE_CENTS_PER_HOUR, SPLIT_CENTS
from solver.bids import drawn
from solver.problem import NOWHERE, UNBOUNDED, Problem, Weights, validate

#: Orders known from before, for each that is to come.
PAST: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """Orders to come and those that came before, over one network and the same stock.

    Nodes send any number of parcels: a reservation does not ask for their hours.
    """

    future: Problem
    past: Problem


def draw(shape: Shape) -> Case:
    """The case of `shape`: the same for the same numbers."""
    rng = np.random.default_rng(shape.seed)
    net, size = draw_network(shape, rng)
    net = dataclasses.replace(net, capacity=np.full(len(net.capacity), UNBOUNDED))
    skus = shape.sku_count
    # All orders in one draw: a SKU is as popular afterwards as before.
    all_of_them = dataclasses.replace(shape, orders=shape.orders * (1 + PAST), skus=skus)
    orders = draw_orders(all_of_them, len(net.zones), rng)
    made = Problem(
        network=net,
        skus=tuple(f"sku-{sku}" for sku in range(skus)),
        unit_grams=rng.integers(100, 4000, skus),
        stock=np.zeros((skus, shape.nodes), np.int32),
        orders=orders,
        weights=Weights(lateness_day=24 * LATE_CENTS_PER_HOUR, split=SPLIT_CENTS),
        standing=np.full(len(orders.line_order), NOWHERE),
    )
    rows = np.arange(len(orders.ids))
    future, past = drawn(made, rows[: shape.orders]), drawn(made, rows[shape.orders :])
    wanted = np.bincount(future.orders.line_sku, future.orders.quantity, minlength=skus)
    stock = draw_stock(wanted, size, SCARCITY[shape.scarcity][0], rng)
    return Case(
        validate(dataclasses.replace(future, stock=stock)),
        validate(dataclasses.replace(past, stock=stock)),
    )
