"""Waves of real invoices: UCI Online Retail (Chen, Sain and Guo 2012), a wholesaler of gifts.

Baskets and units are the wholesaler's. Places, tariffs, promises, weights and where stock lies are
drawn, for the data has none.
"""

import dataclasses
import re
from pathlib import Path
from typing import Final

import numpy as np

from bench.assignment.files import read_parquet
from bench.assignment.generated import (
    SCARCITY,
    Shape,
    draw_network,
    draw_stock,
    order_terms,
    plain_orders,
)
from bench.figures import UsageError
from solver.problem import NOWHERE, Ints, Problem, Weights, sums, validate

_FILE: Final = "online_retail/online_retail_2010-12_2011-06.parquet"
#: Everything else is postage, fees, gift vouchers, samples and corrections.
_PRODUCT: Final = re.compile(r"\d{5}[A-Z]{0,2}")
#: A cancelled invoice takes goods back.
_CANCELLED: Final = "C"
#: Longer invoices, one in a hundred, are many customers' orders booked as one.
LINES_MAX: Final = 100
#: One line in a hundred has more units: those go by the pallet.
UNITS_MAX: Final = 100
#: Parcels of an invoice beside those of a generated order.
_PARCELS: Final = 3
_GRAMS: Final = (50, 600)


@dataclasses.dataclass(frozen=True, slots=True)
class Invoices:
    """All lines in the order of invoices: `line` indexes `ids`, `code` indexes `codes`."""

    ids: tuple[str, ...]
    codes: tuple[str, ...]
    line: Ints
    code: Ints
    units: Ints


def read(folder: Path) -> Invoices:
    """The invoices that were goods sold, one line for each (invoice, product).

    Raises ``UsageError`` where the file, or what reads it, is missing.
    """
    names = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice"]
    table = read_parquet(folder, _FILE, names)
    sold: dict[str, dict[str, int]] = {}
    for invoice, raw, quantity, price in zip(*(table[name] for name in names), strict=True):
        code = str(raw).strip().upper()
        # What costs nothing was not sold: it is a correction of the stock.
        if invoice.startswith(_CANCELLED) or quantity <= 0 or price <= 0:
            continue
        if _PRODUCT.fullmatch(code):
            basket = sold.setdefault(invoice, {})
            basket[code] = basket.get(code, 0) + quantity
    fit = {invoice: basket for invoice, basket in sold.items() if len(basket) <= LINES_MAX}
    lines = [(i, code, units) for i, basket in enumerate(fit.values())
             for code, units in basket.items()]  # fmt: skip
    codes, which = np.unique([code for _, code, _ in lines], return_inverse=True)
    return Invoices(
        ids=tuple(fit),
        codes=tuple(codes.tolist()),
        line=np.array([i for i, _, _ in lines], np.int64),
        code=which.astype(np.int64),
        units=np.minimum([units for _, _, units in lines], UNITS_MAX).astype(np.int64),
    )


def draw(shape: Shape, folder: Path) -> Problem:
    """The instance of `shape`: its first `orders` invoices after a start that `seed` chooses."""
    invoices = read(folder)
    rng = np.random.default_rng(shape.seed)
    start = window(shape, len(invoices.ids), rng)
    inside = (invoices.line >= start) & (invoices.line < start + shape.orders)
    line_order = invoices.line[inside] - start
    kept, line_sku = np.unique(invoices.code[inside], return_inverse=True)
    quantity = invoices.units[inside]
    net, size = draw_network(dataclasses.replace(shape, skus=len(kept)), rng)
    net = dataclasses.replace(net, capacity=net.capacity * _PARCELS)
    demand = sums(line_sku, quantity, len(kept))
    return validate(
        Problem(
            network=net,
            skus=tuple(invoices.codes[code] for code in kept.tolist()),
            unit_grams=rng.integers(*_GRAMS, len(kept)),
            stock=draw_stock(demand, size, SCARCITY[shape.scarcity][0], rng),
            orders=plain_orders(
                invoices.ids[start : start + shape.orders],
                order_terms(shape.orders, len(net.zones), rng),
                (line_order, line_sku, quantity),
            ),
            weights=Weights(),
            standing=np.full(len(line_order), NOWHERE),
        )
    )


def window(shape: Shape, many: int, rng: np.random.Generator) -> int:
    """Where the orders of `shape` begin among `many`. Raises ``UsageError`` for too many."""
    if shape.orders > many:
        message = f"--orders: the data has {many:,}, {shape.orders:,} were asked for"
        raise UsageError(message)
    return int(rng.integers(0, many - shape.orders + 1))
