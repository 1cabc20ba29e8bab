"""Waves of real marketplace orders: Olist, Brazil 2017, with the freight that was paid.

Places, weights, freight, promises and how long parcels took are real. Sellers near each other are
one node; products of one category and weight class are one SKU, for a product has one seller and
an order of it would have no choice. Stock is as nodes sold: `SCARCITY` times what is asked for.
"""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Final

import numpy as np

from bench.assignment.files import read_csv
from bench.assignment.generated import SCARCITY, STORE, Shape, plain_orders, spread_as_sold
from bench.assignment.retail import window
from solver.problem import NOWHERE, Floats, Ints, Network, Problem, Weights, no_steps, validate

#: What was never sent.
_NOT_SOLD: Final = frozenset({"canceled", "unavailable"})
#: Latitudes and longitudes of Brazil: some postcodes lie in Europe by mistake.
_BRAZIL: Final = ((-34.0, 6.0), (-74.5, -34.0))
#: Upper ends of weight classes, grams.
_CLASSES: Final = (300, 700, 1_500, 3_000, 7_000, 15_000)
_EARTH_KM: Final = 6_371.0
#: Digits of a postcode that make a zone.
_ZONE_DIGITS: Final = 2
_STEPS: Final = 25
#: What an order left for later costs, centavos: more than any freight that was paid.
_UNSERVED: Final = 50_000


@dataclasses.dataclass(frozen=True, slots=True)
class Sales:
    """Real orders O in the order of their times, and their items I.

    `order_ids` (O), `zone` (O, first digits of the postcode), `buyer` (O x 2) and `seller` (I x 2)
    degrees, `due` (O, hours from purchase to the promised day); `order` (I), `kind` (I), `grams`
    (I), `cents` (I, freight paid); `waited` and `carried` (O, hours until the carrier had it, and
    from there to the buyer; NaN where unknown).
    """

    order_ids: tuple[str, ...]
    zone: tuple[str, ...]
    buyer: Floats
    due: Floats
    waited: Floats
    carried: Floats
    order: Ints
    kind: tuple[str, ...]
    grams: Ints
    cents: Floats
    seller: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Tariff:
    """Freight in cents: `parcel + km * parcel_km + kg * (per_kg + km * per_kg_km)`.

    `explained` is the share of the variance that the fit explains.
    """

    parcel: float
    parcel_km: float
    per_kg: float
    per_kg_km: float
    explained: float


def distance_km(one: Floats, other: Floats) -> Floats:
    """Along the earth, of places (... x 2: latitude, longitude in degrees)."""
    a, b = np.radians(one), np.radians(other)
    half = np.sin((b - a) / 2) ** 2
    inner = half[..., 0] + np.cos(a[..., 0]) * np.cos(b[..., 0]) * half[..., 1]
    return np.asarray(2 * _EARTH_KM * np.arcsin(np.sqrt(inner)))


def fit_tariff(km: Floats, kg: Floats, cents: Floats) -> Tariff:
    """The least squares fit of freight paid on distance, weight and their product."""
    known = np.stack([np.ones_like(km), km, kg, km * kg], axis=1)
    found, *_ = np.linalg.lstsq(known, cents, rcond=None)
    rest = cents - known @ found
    explained = 1.0 - float(rest @ rest) / float(((cents - cents.mean()) ** 2).sum())
    parcel, parcel_km, per_kg, per_kg_km = found.tolist()
    return Tariff(parcel, parcel_km, per_kg, per_kg_km, explained)


def _places(folder: Path) -> dict[str, tuple[float, float]]:
    (south, north), (west, east) = _BRAZIL
    found = {}
    for row in read_csv(folder, "olist/geolocation_aggregated.csv"):
        lat, lng = float(row["geolocation_lat"]), float(row["geolocation_lng"])
        if south <= lat <= north and west <= lng <= east:
            found[row["geolocation_zip_code_prefix"]] = (lat, lng)
    return found


def _hours(later: str, earlier: str) -> float:
    if not later or not earlier:
        return float("nan")
    apart = dt.datetime.fromisoformat(later) - dt.datetime.fromisoformat(earlier)
    return apart.total_seconds() / 3600


def read(folder: Path) -> Sales:
    """All orders with places, weights and a promise. Raises ``UsageError`` for a missing file."""
    at = _places(folder)
    # Postcodes lost their leading zeros.
    sellers = {row["seller_id"]: row["seller_zip_code_prefix"].zfill(5)
               for row in read_csv(folder, "olist/sellers.csv")}  # fmt: skip
    buyers = {row["customer_id"]: row["customer_zip_code_prefix"].zfill(5)
              for row in read_csv(folder, "olist/customers.csv")}  # fmt: skip
    products = {row["product_id"]: row for row in read_csv(folder, "olist/products.csv")}
    items: dict[str, list[dict[str, str]]] = {}
    for row in read_csv(folder, "olist/order_items.csv"):
        known = products.get(row["product_id"], {}).get("product_weight_g")
        if known and sellers.get(row["seller_id"]) in at:
            items.setdefault(row["order_id"], []).append(row)
    orders = [
        row
        for row in read_csv(folder, "olist/orders.csv")
        if row["order_status"] not in _NOT_SOLD
        and row["order_id"] in items
        and buyers.get(row["customer_id"]) in at
    ]
    orders.sort(key=lambda row: row["order_purchase_timestamp"])
    postcode = [buyers[row["customer_id"]] for row in orders]
    lines = [(o, item) for o, row in enumerate(orders) for item in items[row["order_id"]]]
    grams = [int(float(products[item["product_id"]]["product_weight_g"])) for _, item in lines]
    bought, sent = "order_purchase_timestamp", "order_delivered_carrier_date"
    return Sales(
        order_ids=tuple(row["order_id"] for row in orders),
        zone=tuple(code[:_ZONE_DIGITS] for code in postcode),
        buyer=np.array([at[code] for code in postcode]),
        due=np.array([_hours(row["order_estimated_delivery_date"], row[bought]) for row in orders]),
        waited=np.array([_hours(row[sent], row[bought]) for row in orders]),
        carried=np.array(
            [_hours(row["order_delivered_customer_date"], row[sent]) for row in orders]
        ),
        order=np.array([o for o, _ in lines], np.int64),
        kind=tuple(
            f"{products[item['product_id']]['product_category_name'] or 'unknown'}"
            f"-{int(np.searchsorted(_CLASSES, weight))}"
            for (_, item), weight in zip(lines, grams, strict=True)
        ),
        grams=np.array(grams, np.int64),
        cents=np.array([round(float(item["freight_value"]) * 100) for _, item in lines], float),
        seller=np.array([at[sellers[item["seller_id"]]] for _, item in lines]),
    )


def _middles(group: Ints, places: Floats) -> Floats:
    """The mean of the `places` (I x 2) of each `group` (I, none without): (G x 2)."""
    sums = np.stack([np.bincount(group, places[:, axis]) for axis in (0, 1)], axis=1)
    return np.asarray(sums / np.bincount(group)[:, None])


def cluster(places: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Up to `count` centres (N x 2) of `places` (I x 2), and the centre of each (I).

    Lloyd's method from a start that is drawn far apart (Arthur and Vassilvitskii 2007). A degree
    counts the same both ways, near enough to make neighbours of neighbours.
    """
    centres = places[[int(rng.integers(len(places)))]]
    nearest = ((places - centres[0]) ** 2).sum(axis=1)
    while len(centres) < count and nearest.any():
        chosen = places[int(rng.choice(len(places), p=nearest / nearest.sum()))]
        centres = np.concatenate([centres, chosen[None]])
        nearest = np.minimum(nearest, ((places - chosen) ** 2).sum(axis=1))
    for _ in range(_STEPS):
        mine = ((places[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        # A centre that nobody is nearest to is gone.
        mine = np.unique(mine, return_inverse=True)[1]
        centres = _middles(mine, places)
    return centres, ((places[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)


def _network(sales: Sales, shape: Shape, rng: np.random.Generator) -> tuple[Network, Ints, Ints]:
    """The network, the node of each item (I) and the zone of each order (O)."""
    centres, node = cluster(sales.seller, shape.nodes, rng)
    zones, zone = np.unique(sales.zone, return_inverse=True)
    km = distance_km(centres[:, None], _middles(zone, sales.buyer)[None])
    alone = np.bincount(sales.order)[sales.order] == 1
    way = distance_km(sales.seller, sales.buyer[sales.order])
    tariff = fit_tariff(way[alone], sales.grams[alone] / 1000, sales.cents[alone])
    known = alone & (sales.carried[sales.order] > 0)
    rate, base = np.polyfit(way[known], sales.carried[sales.order[known]], 1)
    waited = sales.waited[sales.order]
    size = np.bincount(node, minlength=len(centres)) / len(node)
    many = len(centres)
    net = Network(
        nodes=tuple(f"sellers-{n}" for n in range(many)),
        zones=tuple(zones.tolist()),
        kind=np.full(many, STORE),
        handling=np.zeros(many, np.int64),
        lane_fixed=np.rint(np.maximum(0, tariff.parcel + tariff.parcel_km * km)).astype(np.int64),
        lane_kg=np.rint(np.maximum(0, tariff.per_kg + tariff.per_kg_km * km)).astype(np.int64),
        lane_steps=no_steps(many, len(zones)),
        transit=np.maximum(0.0, base + rate * km),
        dock_node=np.arange(many),
        departure=np.array([_middle(waited[node == n], waited) for n in range(many)]),
        capacity=np.ceil(size * shape.orders * SCARCITY[shape.scarcity][1]).astype(np.int64),
    )
    return net, node, zone


def _middle(some: Floats, everything: Floats) -> float:
    """The median of what is known in `some`, or else of `everything`."""
    known = some[np.isfinite(some)]
    return float(np.median(known if len(known) else everything[np.isfinite(everything)]))


def draw(shape: Shape, folder: Path) -> Problem:
    """The instance of `shape`: its first `orders` orders after a start that `seed` chooses.

    Hours count from an order's purchase: each is planned as it came.
    """
    sales = read(folder)
    rng = np.random.default_rng(shape.seed)
    start = window(shape, len(sales.order_ids), rng)
    net, node, zone = _network(sales, shape, rng)
    kinds, kind = np.unique(sales.kind, return_inverse=True)
    sold = np.bincount(kind * len(net.nodes) + node, minlength=len(kinds) * len(net.nodes))
    inside = np.flatnonzero((sales.order >= start) & (sales.order < start + shape.orders))
    # Items of one kind in an order are one line.
    key, quantity = np.unique(
        (sales.order[inside] - start) * len(kinds) + kind[inside], return_counts=True
    )
    line_order, line_sku = key // len(kinds), key % len(kinds)
    demand = np.bincount(line_sku, quantity, minlength=len(kinds))
    units = demand * SCARCITY[shape.scarcity][0]
    chosen = slice(start, start + shape.orders)
    weight = np.bincount(kind, sales.grams) / np.bincount(kind)
    return validate(
        Problem(
            network=net,
            skus=tuple(kinds.tolist()),
            unit_grams=np.rint(weight).astype(np.int64),
            stock=spread_as_sold(units, sold.reshape(len(kinds), len(net.nodes))),
            orders=plain_orders(
                sales.order_ids[chosen],
                (zone[chosen], sales.due[chosen], np.ones(shape.orders, np.int64)),
                (line_order, line_sku, quantity),
            ),
            weights=Weights(unserved_line=_UNSERVED),
            standing=np.full(len(key), NOWHERE),
        )
    )
