"""The real year as the planner sees it, and the rest of it, which it does not see."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.sample.columns import Columns, Ints, data_folder, read_columns
from gateway.sample.journey import grams_of
from solver.planning.sales import Sale

#: Where the package size does not tell, in grams; a gram counts as a millilitre.
_GRAMS: Final = 500
_SECONDS_OF_A_DAY: Final = 86_400
#: The year's days after its last whole week are left.
WEEKS: Final = 52
CHANNEL: Final = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Best sellers at the busiest stores, both of the weeks that are known.

    `known` are the sales of those weeks, `groups` the department of each SKU; `later` is what was
    bought in the rest of the year: days x SKUs x nodes, in units. `price` (SKUs) is the mean cents
    paid for a unit in the known weeks, `volume` (SKUs) millilitres.
    """

    skus: tuple[str, ...]
    nodes: tuple[str, ...]
    groups: dict[str, str]
    known: list[Sale]
    known_days: int
    later: Ints
    price: Ints
    volume: Ints


def read(sku_count: int, node_count: int, known_weeks: int) -> History:
    """The first `known_weeks` weeks to plan on, the others to be judged by.

    Which SKUs and stores are in it is chosen by the known weeks alone, SKUs by baskets: the rest
    of the year would know what becomes popular. Raises `SampleMissing`.
    """
    columns = read_columns()
    day = (columns.basket_at_s - columns.basket_at_s[0]) // _SECONDS_OF_A_DAY
    days = np.repeat(day, np.diff(columns.basket_starts))
    known_days = known_weeks * 7
    known = days < known_days
    skus = _most(columns.sku[known], np.ones(int(known.sum())), sku_count)
    nodes = _most(columns.store[known], columns.units[known], node_count)
    row, node = _place(columns.sku, skus), _place(columns.store, nodes)
    inside = (row >= 0) & (node >= 0) & (days < WEEKS * 7)
    shape = (WEEKS * 7, len(skus), len(nodes))
    units = np.zeros(shape, np.int64)
    np.add.at(units, (days[inside], row[inside], node[inside]), columns.units[inside])
    names = tuple(str(product) for product in columns.product_ids[skus])
    stores = tuple(f"store-{store}" for store in columns.store_ids[nodes])
    return History(
        skus=names,
        nodes=stores,
        groups={name: _department(columns, name) for name in names},
        known=_rows(units[:known_days], names, stores),
        known_days=known_days,
        later=units[known_days:],
        price=_prices(columns.product_ids[skus], known_days, int(columns.basket_at_s[0])),
        volume=np.array([_millilitres(columns, name) for name in names], np.int64),
    )


def _most(place: Ints, weight: Ints | np.ndarray[tuple[int], np.dtype[np.float64]], count: int) -> (
    Ints
):  # fmt: skip
    return np.argsort(-np.bincount(place, weight), kind="stable")[:count]


def _place(values: Ints, chosen: Ints) -> Ints:
    """The row of each value in `chosen`, or -1."""
    place = np.full(int(max(values.max(), chosen.max())) + 1, -1)
    place[chosen] = np.arange(len(chosen))
    return np.asarray(place[values])


def _department(columns: Columns, sku: str) -> str:
    product = columns.products.get(int(sku))
    return (product.department if product else None) or ""


def _millilitres(columns: Columns, sku: str) -> int:
    product = columns.products.get(int(sku))
    return grams_of(product.package_size if product else None) or _GRAMS


def _rows(units: Ints, skus: tuple[str, ...], nodes: tuple[str, ...]) -> list[Sale]:
    """A row for each day, SKU and node that sold something, and the first and the last day."""
    rows = [Sale(int(day), skus[sku], nodes[node], CHANNEL, int(units[day, sku, node]))
            for day, sku, node in zip(*np.nonzero(units), strict=True)]  # fmt: skip
    ends = [Sale(day, sku, node, CHANNEL, 0) for day in (0, len(units) - 1)
            for sku in skus for node in nodes]  # fmt: skip
    return rows + ends


def _prices(products: Ints, days: int, began_at_s: int) -> Ints:
    """Mean cents paid for a unit of each product in the first days."""
    from pyarrow import parquet

    names = ["product_id", "quantity", "sales_value", "transaction_timestamp"]
    table = parquet.read_table(data_folder() / "transactions.parquet", columns=names)
    product, quantity, paid = (table[name].to_numpy() for name in names[:3])
    at_s = table[names[3]].to_numpy().astype("datetime64[s]").astype(np.int64)
    row = _place(product, products)
    seen = (row >= 0) & (quantity > 0) & (at_s < began_at_s + days * _SECONDS_OF_A_DAY)
    units = np.bincount(row[seen], quantity[seen], len(products))
    cents = np.bincount(row[seen], 100 * paid[seen], len(products))
    return np.maximum(1, np.rint(cents / np.maximum(units, 1))).astype(np.int64)
