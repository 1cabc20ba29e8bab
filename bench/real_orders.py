"""Demand as it was: the baskets of a real retailer, each SKU once, in the order of their times."""

from dataclasses import dataclass
from functools import cache

from bench.orders import Basket, Demand
from bench.processes import CannotStart
from gateway.sample.columns import SampleMissing
from gateway.sample.journey import Journey


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

    def baskets(self) -> list[Basket]:
        """What customers had in them."""
        whole = journey(self.sku_count).baskets(0, self.baskets_max)
        return [basket.lines for basket in whole]
