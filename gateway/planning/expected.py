"""Demand by SKU and node: the regions and channels that a node serves, added up."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from gateway.planning.files import ServesRow, read, read_sales
from solver.planning.demand import Demand, accuracy, demand
from solver.planning.sales import DAYS_OF_WEEK, sales_of
from solver.problem import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`daily` (SKUs x nodes) units a day, `variance` its variance, `scatter` of each SKU."""

    skus: Mapping[str, int]
    nodes: Mapping[str, int]
    daily: Floats
    variance: Floats
    scatter: Floats
    errors: list[dict[str, Any]] | None  # Of forecasts by name, where they were asked for.

    def of(self, sku: str, node: str) -> tuple[float, float]:
        """(mean, standard deviation) of a day's demand; nothing where nothing was ever sold."""
        row, place = self.skus.get(sku), self.nodes.get(node)
        if row is None or place is None:
            return 0.0, 0.0
        return float(self.daily[row, place]), float(np.sqrt(self.variance[row, place]))

    def scatter_of(self, sku: str) -> float:
        """Variance through mean of a SKU's demand."""
        row = self.skus.get(sku)
        return 1.0 if row is None else float(self.scatter[row])


def expected(sales: Path, serves: Path | None, days: float, *, backtest: bool) -> Expected:
    """Demand of the next `days` days, from the files; with `backtest` its errors lately, too.

    A region without a row in `serves` is served by the node of its own name. Raises `Unreadable`,
    `ProblemFault`, `ForecastMissing`.
    """
    rows, groups = read_sales(sales)
    known = sales_of(rows, groups)
    horizon = max(1, -(-ceil(days) // DAYS_OF_WEEK))
    errors = None
    if backtest:
        each = accuracy(known, horizon)
        errors = [{"forecast": name, **asdict(one)} for name, one in each.items()]
    return _by_node(demand(known, horizon), read(serves, ServesRow) if serves else (), errors)


def _by_node(
    told: Demand, serves: Iterable[ServesRow], errors: list[dict[str, Any]] | None
) -> Expected:
    ways = {(row.region, row.channel): row.node for row in serves}
    cells = [
        ways.get((region, channel), ways.get((region, ""), region))
        for region in told.sales.regions
        for channel in told.sales.channels
    ]
    nodes = {name: place for place, name in enumerate(dict.fromkeys(cells))}
    daily = np.zeros((len(told.sales.skus), len(nodes)))
    variance = np.zeros_like(daily)
    for cell, node in enumerate(cells):
        daily[:, nodes[node]] += told.daily[:, cell]
        variance[:, nodes[node]] += told.deviation[:, cell] ** 2
    return Expected(
        skus={name: row for row, name in enumerate(told.sales.skus)},
        nodes=nodes,
        daily=daily,
        variance=variance,
        scatter=told.scatter,
        errors=errors,
    )
