"""Demand as it was: the baskets of a real retailer, each SKU once, in the order of their times."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from bench import orders
from bench.arrivals import Times
from bench.orders import Demand
from bench.processes import CannotStart
from gateway.sample.columns import SampleMissing
from gateway.sample.journey import Basket, Journey


@cache
def journey(skus_max: int | None) -> Journey:
    """The sample, read once. Raises ``CannotStart`` where it is not installed."""
    try:
        return Journey.read(skus_max)
    except SampleMissing as missing:
        raise CannotStart(str(missing)) from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class RealDemand(Demand):
    """The first baskets of the year, as far as they hold best sellers."""

    baskets_max: int = 20_000

    def skus(self) -> list[str]:
        """The best sellers, by baskets."""
        return [article.sku for article in journey(self.sku_count).articles]

    def baskets(self) -> list[orders.Basket]:
        """What customers had in them."""
        return [basket.lines for basket in self._whole()]

    def times(self) -> Times:
        """When they came, in seconds."""
        return np.array([basket.at_s for basket in self._whole()], dtype=np.float64)

    def _whole(self) -> Iterator[Basket]:
        return journey(self.sku_count).baskets(0, self.baskets_max)


#: What the catalogue's baskets are, and what a replay takes its times from.
REAL: Final = RealDemand(sku_count=10_000)
