"""Real sales as arrays: one row for what a SKU sold on a day in a region through a channel.

Sales are what was sold, not what was wanted: where a SKU was sold out, add what was refused (the
engine keeps refused demand as data), or the plan learns that nobody wanted it.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from solver.errors import ProblemFault
from solver.problem import Floats, Ints

DAYS_OF_WEEK = 7
CELLS_MOST = 200_000_000  # SKUs x pairs x weeks in memory at a time: 1.6 GB.
UNITS_MOST = 10_000_000  # Of one row: sums over a year of rows stay exact in a double.


class Sale(NamedTuple):
    """`units` of a SKU sold on a day (any count of days that grows by 1 a day)."""

    day: int
    sku: str
    region: str
    channel: str
    units: int


@dataclasses.dataclass(frozen=True, slots=True)
class Sales:
    """Rows of sales, with names as places in tuples.

    `group` (SKUs, place in `groups`): SKUs that are bought alike, such as a department. `day` is
    0 on the first day of the data, and `days` is how many there are; all rows are of one length.
    """

    skus: tuple[str, ...]
    regions: tuple[str, ...]
    channels: tuple[str, ...]
    groups: tuple[str, ...]
    group: Ints
    days: int
    day: Ints
    sku: Ints
    region: Ints
    channel: Ints
    units: Ints

    @property
    def weeks(self) -> int:
        """Whole weeks; they end with the last day, so days before the first of them are left."""
        return self.days // DAYS_OF_WEEK

    @property
    def cells(self) -> int:
        """Pairs of region and channel; pair number is region x channels + channel."""
        return len(self.regions) * len(self.channels)

    def weekly(self) -> Floats:
        """Units by SKU, pair of region and channel, and whole week, oldest week first.

        Raises `ProblemFault` where that is more than a machine should hold.
        """
        shape = (len(self.skus), self.cells, self.weeks)
        size = math.prod(shape)
        if size > CELLS_MOST:
            message = (
                f"sales are of {shape[0]} SKUs x {shape[1]} regions and channels x {shape[2]} "
                f"weeks, more than {CELLS_MOST}: plan a part of the SKUs at a time"
            )
            raise ProblemFault(message)
        week = (self.day - (self.days - self.weeks * DAYS_OF_WEEK)) // DAYS_OF_WEEK
        whole = week >= 0
        cell = self.region * len(self.channels) + self.channel
        place = np.ravel_multi_index((self.sku[whole], cell[whole], week[whole]), shape)
        return np.bincount(place, self.units[whole], size).astype(np.float64).reshape(shape)


def _row_fault(row: int, field: str, remedy: str) -> ProblemFault:
    return ProblemFault(f"{field} of row {row}: {remedy}")


def _checked(row: int, sale: Sale) -> Sale:
    for field in ("sku", "region", "channel"):
        if not getattr(sale, field):
            raise _row_fault(row, field, "is empty; every sale has one")
    if not 0 <= sale.units <= UNITS_MOST:
        raise _row_fault(row, "units", f"{sale.units} is not from 0 to {UNITS_MOST}")
    return sale


def sales_of(rows: Iterable[Sale], groups: Mapping[str, str]) -> Sales:
    """`rows` as arrays; a SKU without an entry in `groups` is of the group "".

    Raises `ProblemFault` with the field and the row (counted from 1).
    """
    checked = [_checked(number, sale) for number, sale in enumerate(rows, 1)]
    if not checked:
        message = "there are no sales: give at least one whole week"
        raise ProblemFault(message)
    day = np.array([sale.day for sale in checked], np.int64)
    days = int(day.max() - day.min()) + 1
    if days < DAYS_OF_WEEK:
        message = f"day: the sales are of {days} days; give at least one whole week"
        raise ProblemFault(message)
    skus, sku = _places([sale.sku for sale in checked])
    regions, region = _places([sale.region for sale in checked])
    channels, channel = _places([sale.channel for sale in checked])
    kinds, group = _places([groups.get(sku, "") for sku in skus])
    return Sales(
        skus=skus,
        regions=regions,
        channels=channels,
        groups=kinds,
        group=group,
        days=days,
        day=day - day.min(),
        sku=sku,
        region=region,
        channel=channel,
        units=np.array([sale.units for sale in checked], np.int64),
    )


def _places(names: list[str]) -> tuple[tuple[str, ...], Ints]:
    """(names in order, each once; the place of each given name)."""
    found, place = np.unique(names, return_inverse=True)
    return tuple(found.tolist()), place.astype(np.int64)
