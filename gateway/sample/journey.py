"""Articles, nodes, stock and baskets of a real retailer, ready for the gateway.

Every product sold is an article. Fresh departments lie in one warehouse, the rest in the other:
a quarter of the year's sales of each article. A store holds four weeks of what it sells often.
Weights come from the package size; the data has no other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np

from gateway.sample.columns import NOTHING_KNOWN, Columns, Product, read_columns

#: What a load takes time for; 67,879 of them are in the warehouses.
POSITIONS_MAX: Final = 148_000
#: Above this a package size is a misprint: `83718713 OZ` of hair conditioner.
WEIGHT_GRAMS_MAX: Final = 25_000
#: Stock lasts this share of a year, and is never less than this many units.
WAREHOUSE_SHARE: Final = 1 / 4
WAREHOUSE_UNITS_MIN: Final = 12
STORE_SHARE: Final = 4 / 52

CENTRAL: Final = "warehouse-central"
FRESH: Final = "warehouse-fresh"
FRESH_DEPARTMENTS: Final = frozenset(
    {
        "CHEF SHOPPE",
        "DELI",
        "FLORAL",
        "MEAT",
        "MEAT-PCKGD",
        "PASTRY",
        "PRODUCE",
        "SALAD BAR",
        "SEAFOOD",
        "SEAFOOD-PCKGD",
    }
)
#: Smaller is served first: an order that names no node leaves the shops alone while it can.
WAREHOUSE_PRIORITY: Final = 10
STORE_PRIORITY: Final = 100

_GRAMS: Final = {
    "OZ": 28.35,
    "LB": 453.6,
    "ML": 1,
    "L": 1000,
    "GA": 3785,
    "GAL": 3785,
    "QT": 946,
    "PT": 473,
}
_SIZE: Final = re.compile(
    r"(?:(?P<count>\d+)\s*(?:PK|CT)\s*/\s*)?(?P<size>\d+\.?\d*|\.\d+)\s*(?P<unit>OZ|LB|ML|L|GAL?|QT|PT)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One SKU of the catalogue and what was sold of it in the year."""

    sku: str
    name: str
    category: str | None
    weight_grams: int  # 0 where the package size does not tell.
    baskets: int
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A warehouse or a store."""

    node: str
    kind: str
    name: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A count of one SKU at one node."""

    sku: str
    node: str
    on_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """What one customer bought at once. ``lines``: (sku, units), each SKU once."""

    at_s: int  # Seconds since the first basket of the year.
    store: str
    lines: tuple[tuple[str, int], ...]


class Journey:
    """One year of a retailer; with ``skus_max`` only its best sellers, by baskets.

    Everything is derived from the same columns, in the same order each time, so a load can be
    repeated and a bench run can be compared.
    """

    def __init__(self, columns: Columns, skus_max: int | None = None) -> None:
        self._columns = columns
        self._skus = min(len(columns.product_ids), skus_max or len(columns.product_ids))
        self._kept = columns.sku < self._skus
        self._names = [str(product) for product in columns.product_ids[: self._skus]]
        self._stores = [f"store-{store}" for store in columns.store_ids]

    @classmethod
    def read(cls, skus_max: int | None = None) -> Self:
        """Read the installed sample; about 2 s. Raises SampleMissing."""
        return cls(read_columns(), skus_max)

    @cached_property
    def articles(self) -> list[Article]:
        """All articles, the one in the most baskets first."""
        sku = self._columns.sku[self._kept]
        baskets = np.bincount(sku, minlength=self._skus).tolist()
        units = self._units_sold.tolist()
        return [
            _article(name, self._product(name), baskets[rank], units[rank])
            for rank, name in enumerate(self._names)
        ]

    @cached_property
    def nodes(self) -> list[Node]:
        """The two warehouses and all stores."""
        warehouses = [
            Node(node=node, kind="warehouse", name=name, priority=WAREHOUSE_PRIORITY)
            for node, name in ((CENTRAL, "Central warehouse"), (FRESH, "Fresh warehouse"))
        ]
        return warehouses + [
            Node(node=store, kind="store", name=f"Store {number}", priority=STORE_PRIORITY)
            for store, number in zip(self._stores, self._columns.store_ids.tolist(), strict=True)
        ]

    def stock(self, positions_max: int = POSITIONS_MAX) -> list[Stock]:
        """Every article at its warehouse, then best sellers at the stores that sell them most."""
        at_warehouses = [
            Stock(sku=name, node=self._warehouse_of(name), on_hand=on_hand)
            for name, on_hand in zip(self._names, self._warehouse_levels(), strict=True)
        ]
        return at_warehouses + self._stock_at_stores(max(0, positions_max - len(at_warehouses)))

    def baskets(self, first: int = 0, count: int | None = None) -> Iterator[Basket]:
        """Baskets in the order of their times, made one by one; those without lines left are out.

        ``first`` and ``count`` count baskets of the whole year.
        """
        columns = self._columns
        last = len(columns.basket_at_s) if count is None else first + count
        starts = columns.basket_starts[first : last + 1].tolist()
        times = (columns.basket_at_s[first:last] - columns.basket_at_s[0]).tolist()
        for at_s, start, end in zip(times, starts, starts[1:], strict=False):
            ranks = columns.sku[start:end].tolist()
            units = columns.units[start:end].tolist()
            lines = tuple(
                (self._names[rank], number)
                for rank, number in zip(ranks, units, strict=True)
                if rank < self._skus
            )
            if lines:
                yield Basket(at_s=at_s, store=self._stores[columns.store[start]], lines=lines)

    @cached_property
    def _units_sold(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        sku, units = self._columns.sku[self._kept], self._columns.units[self._kept]
        return np.bincount(sku, weights=units, minlength=self._skus).astype(np.int64)

    def _warehouse_levels(self) -> list[int]:
        levels = np.ceil(self._units_sold * WAREHOUSE_SHARE).astype(np.int64)
        return list(np.maximum(levels, WAREHOUSE_UNITS_MIN).tolist())

    def _warehouse_of(self, sku: str) -> str:
        return FRESH if self._product(sku).department in FRESH_DEPARTMENTS else CENTRAL

    def _product(self, sku: str) -> Product:
        return self._columns.products.get(int(sku), NOTHING_KNOWN)

    def _stock_at_stores(self, positions_max: int) -> list[Stock]:
        """The (store, SKU) pairs that were in the most baskets."""
        columns = self._columns
        pair = columns.store[self._kept] * self._skus + columns.sku[self._kept]
        pairs, code, baskets = np.unique(pair, return_inverse=True, return_counts=True)
        sold = np.bincount(code, weights=columns.units[self._kept])
        chosen = np.argsort(-baskets, kind="stable")[:positions_max]
        levels = np.ceil(sold[chosen] * STORE_SHARE).astype(np.int64).tolist()
        places, skus = (part.tolist() for part in np.divmod(pairs[chosen], self._skus))
        return [
            Stock(sku=self._names[sku], node=self._stores[place], on_hand=level)
            for place, sku, level in zip(places, skus, levels, strict=True)
        ]


def grams_of(package_size: str | None) -> int:
    """Weight in grams of a package such as ``16 OZ`` or ``6 PK/12 OZ``; 0 if it does not tell.

    Liquids count as water; a fluid ounce as an ounce.
    """
    match = _SIZE.search(package_size or "")
    if match is None:
        return 0
    grams = round(int(match["count"] or 1) * float(match["size"]) * _GRAMS[match["unit"]])
    return grams if grams <= WEIGHT_GRAMS_MAX else 0


def _article(sku: str, product: Product, baskets: int, units: int) -> Article:
    name = " ".join(f"{product.kind or ''} {product.package_size or ''}".split())
    return Article(
        sku=sku,
        name=name or sku,
        category=product.category or product.department,
        weight_grams=grams_of(product.package_size),
        baskets=baskets,
        units=units,
    )
