"""The files of a plan, checked row by row. A row that is wrong ends it, with file, line, column."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from engine.ids import ID
from gateway.importing import rows
from gateway.importing.rows import Unreadable
from solver.planning.sales import Sale

Cents = Annotated[int, Meta(ge=0, le=10_000_000)]
Units = Annotated[int, Meta(ge=0, le=10_000_000)]
Days = Annotated[float, Meta(ge=0, le=1_000)]
_Share = Annotated[float, Meta(ge=0.5, le=0.9999)]


class SaleRow(msgspec.Struct, forbid_unknown_fields=True):
    """What a SKU sold on a day; SKUs of a group are bought alike."""

    day: date
    sku: str
    region: str
    units: Units
    channel: str = "all"
    group: str = ""


class ServesRow(msgspec.Struct, forbid_unknown_fields=True):
    """Which node serves a region, for one channel or for all that have no row of their own."""

    region: str
    node: str
    channel: str = ""


class OrderedRow(msgspec.Struct, forbid_unknown_fields=True):
    """A SKU at a node that may be ordered; what is left out is an option of the command."""

    sku: str
    node: str
    on_hand: Units
    unit_cents: Cents
    on_order: Units = 0
    promised: Units = 0
    pack: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    minimum: Units = 0
    pool: str = ""  # Nodes of one pool cover for each other.
    lead_days: Days | None = None
    lead_deviation_days: Days = 0.0
    cover_days: Days | None = None
    service: _Share | None = None
    shortage_cents: Cents | None = None  # With holding_cents, instead of a service.
    holding_cents: Cents | None = None


class MovedRow(msgspec.Struct, forbid_unknown_fields=True):
    """A SKU at a node that may be moved: `margin_cents` is earned with a unit sold."""

    sku: str
    node: str
    on_hand: Units
    margin_cents: Cents
    keep: Units = 0
    volume_ml: Units = 0


class LaneRow(msgspec.Struct, forbid_unknown_fields=True):
    """A way from a node to another; with `truck_ml` units travel by the truck."""

    from_node: str
    to_node: str
    transit_days: Days
    unit_cents: Cents = 0
    truck_cents: Cents = 0
    truck_ml: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    trucks: Annotated[int, Meta(ge=0, le=1_000)] = 1
    risk_cents: Cents | None = None


RowT = TypeVar("RowT", bound=msgspec.Struct)


def read(path: Path, kind: type[RowT]) -> Iterator[RowT]:
    """Rows of a file in order. Raises `Unreadable` that names file, line and column."""
    for line, row in rows.read(path):
        try:
            made = msgspec.convert(row, kind, strict=False)
        except msgspec.ValidationError as error:
            message = f"{path}, line {line}: {error}"
            raise Unreadable(message) from None
        for name in ("sku", "node", "from_node", "to_node"):
            value = getattr(made, name, None)
            if value is not None and ID.match(value) is None:
                message = (
                    f"{path}, line {line}: {name}: 1-64 of letters, digits, '.', '_', ':', '-'"
                )
                raise Unreadable(message)
        yield made


def read_sales(path: Path) -> tuple[list[Sale], dict[str, str]]:
    """(sales, the group of each SKU that has one). Raises `Unreadable`."""
    sales: list[Sale] = []
    groups: dict[str, str] = {}
    for row in read(path, SaleRow):
        sales.append(Sale(row.day.toordinal(), row.sku, row.region, row.channel, row.units))
        if row.group:
            groups[row.sku] = row.group
    return sales, groups
