"""Instances for wave assignment, drawn from a seed: a network in a plane, orders, scarce stock.

Scarcity is stock over demand and parcels that can be shipped over orders. Distances are
kilometres in a square of 1,000; costs follow them as a parcel tariff would.
"""

import dataclasses

import numpy as np

from solver.problem import NO_GROUP, NOWHERE, Network, Orders, Problem, Weights, no_steps, validate

# (stock / demand, capacity / orders)
SCARCITY = {"loose": (2.5, 4.0), "medium": (1.6, 2.2), "tight": (1.3, 1.6)}
LAYOUTS = ("clustered", "spread")
# Lines an order: 1.8 in the mean.
LINES = np.array([0.55, 0.25, 0.10, 0.06, 0.03, 0.01])
QUANTITIES = np.array([0.80, 0.14, 0.04, 0.02])
SQUARE_KM = 1000.0
WAREHOUSE, STORE, DEALER = 0, 1, 2
ALL_KINDS = (1 << 3) - 1
HANDLING = np.array([60, 140, 220])


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn."""

    orders: int
    nodes: int = 30
    skus: int = 0  # 0: a fifth of the orders.
    scarcity: str = "tight"
    layout: str = "clustered"
    seed: int = 1

    @property
    def sku_count(self) -> int:
        """How many SKUs there are."""
        return self.skus or max(20, self.orders // (5 if self.orders <= 10_000 else 10))


def _places(rng: np.random.Generator, count: int, layout: str) -> np.ndarray:
    if layout == "spread":
        return rng.uniform(0, SQUARE_KM, (count, 2))
    centres = rng.uniform(100, SQUARE_KM - 100, (max(3, count // 8), 2))
    chosen = centres[rng.integers(0, len(centres), count)]
    return np.clip(chosen + rng.normal(0, 60, (count, 2)), 0, SQUARE_KM)


def draw_network(shape: Shape, rng: np.random.Generator) -> tuple[Network, np.ndarray]:
    """Nodes, zones and lanes, and how large each node is (shares that sum to 1)."""
    zones = max(40, shape.nodes * 2)
    node_at = _places(rng, shape.nodes, shape.layout)
    zone_at = _places(rng, zones, shape.layout)
    km = np.hypot(*(node_at[:, None, :] - zone_at[None, :, :]).transpose(2, 0, 1))
    kind = np.where(
        np.arange(shape.nodes) < max(2, shape.nodes // 6),
        WAREHOUSE,
        np.where(rng.random(shape.nodes) < 0.75, STORE, DEALER),
    )
    size = np.where(
        kind == WAREHOUSE, rng.uniform(3, 8, shape.nodes), rng.uniform(0.5, 2, shape.nodes)
    )
    size /= size.sum()
    parcels = np.ceil(size * shape.orders * SCARCITY[shape.scarcity][1])
    net = Network(
        nodes=tuple(f"node-{n}" for n in range(shape.nodes)),
        zones=tuple(f"zone-{z}" for z in range(zones)),
        kind=kind.astype(np.int64),
        handling=HANDLING[kind],
        lane_fixed=np.rint(280 + 0.9 * km).astype(np.int64),
        lane_kg=np.rint(30 + 0.12 * km).astype(np.int64),
        lane_steps=no_steps(shape.nodes, zones),
        transit=8 + km / 25,
        dock_node=np.arange(shape.nodes),
        departure=np.where(kind == WAREHOUSE, 4.0, rng.uniform(6, 20, shape.nodes)),
        capacity=parcels.astype(np.int64),
    )
    return net, size


def order_terms(
    many: int, zones: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Zone (some are large), hours until due and priority of `many` orders."""
    return (
        rng.choice(zones, many, p=rng.dirichlet(np.full(zones, 0.8))),
        rng.choice([24.0, 48.0, 72.0], many, p=[0.2, 0.5, 0.3]),
        rng.choice([1, 2, 4], many, p=[0.8, 0.15, 0.05]),
    )


def draw_orders(shape: Shape, zones: int, rng: np.random.Generator) -> Orders:
    """Orders by zone (some zones are large) with baskets of SKUs of uneven popularity."""
    many = shape.orders
    zone, due, priority = order_terms(many, zones, rng)
    popularity = 1.0 / np.arange(1, shape.sku_count + 1) ** 0.7
    popularity = rng.permutation(popularity / popularity.sum())
    lines = rng.choice(np.arange(1, 7), many, p=LINES)
    line_order = np.repeat(np.arange(many), lines)
    line_sku = rng.choice(shape.sku_count, len(line_order), p=popularity)
    # A SKU stands in an order once.
    kept = np.unique(line_order * shape.sku_count + line_sku)
    line_order, line_sku = kept // shape.sku_count, kept % shape.sku_count
    quantity = rng.choice(np.arange(1, 5), len(line_order), p=QUANTITIES)
    ids = tuple(f"o-{o}" for o in range(many))
    return plain_orders(ids, (zone, due, priority), (line_order, line_sku, quantity))


def plain_orders(
    ids: tuple[str, ...],
    terms: tuple[np.ndarray, np.ndarray, np.ndarray],
    lines: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Orders:
    """Orders without rules of their own, delivered in at most three parcels.

    `terms` are zone, hours until due and priority of each; `lines` order, SKU and units.
    """
    many, (zone, due, priority), (line_order, line_sku, quantity) = len(ids), terms, lines
    return Orders(
        ids=ids,
        zone=zone,
        due=due,
        priority=priority,
        most_parcels=np.full(many, 3),
        complete=np.zeros(many, bool),
        kinds=np.full(many, ALL_KINDS),
        pickup=np.full(many, NOWHERE),
        line_order=line_order,
        line_sku=line_sku,
        quantity=quantity,
        together=np.full(len(line_order), NO_GROUP),
        only=np.full(len(line_order), NOWHERE),
    )


def draw_stock(
    demand: np.ndarray, size: np.ndarray, factor: float, rng: np.random.Generator
) -> np.ndarray:
    """Units (S x N): `factor` times the demand of each SKU, rounded up where it lies.

    A SKU lies in up to a third of the nodes (at most 60), a slow one in fewer: nobody spreads
    five units over ten stores.
    """
    nodes = len(size)
    stock = np.zeros((len(demand), nodes), np.int32)
    most = min(60, max(2, nodes // 3))
    for sku, units in enumerate((demand * factor).tolist()):
        holders = rng.choice(nodes, min(most, max(2, int(units / 3))), replace=False, p=size)
        share = size[holders] * rng.uniform(0.3, 1.7, len(holders))
        stock[sku, holders] = np.ceil(units * share / share.sum())
    return stock


def spread_as_sold(units: np.ndarray, sold: np.ndarray) -> np.ndarray:
    """Units (S x N): `units` of each SKU over nodes as they `sold` it (S x N), rounded up.

    What none of them sold lies in the first: somebody must be able to send it. Nobody spreads five
    units over ten stores: shares below one unit go to the largest.
    """
    sold = sold.copy()
    sold[sold.sum(axis=1) == 0, 0] = 1
    share = sold / sold.sum(axis=1, keepdims=True)
    wanted = units[:, None] * share
    kept = np.where((wanted >= 1) | (share == share.max(axis=1, keepdims=True)), share, 0.0)
    kept /= kept.sum(axis=1, keepdims=True)
    return np.ceil(units[:, None] * kept - 1e-9).astype(np.int32)


def draw(shape: Shape) -> Problem:
    """The instance of `shape`: the same for the same numbers."""
    rng = np.random.default_rng(shape.seed)
    net, size = draw_network(shape, rng)
    orders = draw_orders(shape, len(net.zones), rng)
    demand = np.bincount(orders.line_sku, weights=orders.quantity, minlength=shape.sku_count)
    return validate(
        Problem(
            network=net,
            skus=tuple(f"sku-{s}" for s in range(shape.sku_count)),
            unit_grams=rng.integers(100, 4000, shape.sku_count),
            stock=draw_stock(demand, size, SCARCITY[shape.scarcity][0], rng),
            orders=orders,
            weights=Weights(),
            standing=np.full(len(orders.line_order), NOWHERE),
        )
    )
