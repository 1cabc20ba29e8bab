"""The tables that a wave is written to and read from, column by column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from engine.limits import ON_HAND_MAX, QUANTITY_MAX

_Cents = Annotated[int, Meta(ge=0, le=2**31)]
_Hours = Annotated[float, Meta(ge=-1e7, le=1e7)]
_Number = Annotated[int, Meta(ge=1, le=2**31)]


class Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Columns without a default must have a value in every row."""


class OrderRow(Row):
    """An order."""

    order: str
    zone: str
    due_hours: _Hours | None = None
    priority: Annotated[int, Meta(ge=1, le=1_000)] = 1
    most_parcels: Annotated[int, Meta(ge=1, le=3)] = 3
    complete: bool = False
    kinds: Annotated[int, Meta(ge=1, lt=2**62)] = 2**62 - 1
    pickup: str | None = None


class LineRow(Row):
    """A line of an order, or a part of one that stands on a node of its own."""

    order: str
    line: _Number
    sku: str
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    together: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    only: str | None = None
    origin: str | None = None
    standing: str | None = None


class SkuRow(Row):
    """A SKU."""

    sku: str
    unit_grams: Annotated[int, Meta(ge=0, le=10**9)]


class NodeRow(Row):
    """A node."""

    node: str
    kind: Annotated[int, Meta(ge=0, le=61)] = 0
    handling_cents: _Cents = 0
    departure_hours: _Hours = 0.0
    capacity_parcels: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None


class LaneRow(Row):
    """A lane."""

    node: str
    zone: str
    fixed_cents: _Cents
    per_kg_cents: _Cents = 0
    transit_hours: Annotated[float, Meta(ge=0, le=1e7)] = 0.0


class StepRow(Row):
    """Another rate on a lane, for heavier lines."""

    node: str
    zone: str
    from_grams: Annotated[int, Meta(ge=1, le=10**9)]
    per_kg_cents: _Cents


class StockRow(Row):
    """Units of a SKU at a node."""

    sku: str
    node: str
    units: Annotated[int, Meta(ge=0, le=ON_HAND_MAX)]


class WeightRow(Row):
    """The weights: one row."""

    lateness_day_cents: _Cents
    split_cents: _Cents
    unserved_line_cents: _Cents
    change_cents: _Cents
    displaced_line_cents: _Cents = 0


class PlanRow(Row):
    """Where a line leaves from."""

    order: str
    line: _Number
    node: str | None = None


class ResultRow(Row):
    """What the plan comes to: one row."""

    total_cents: Annotated[int, Meta(ge=0)]
    bound_cents: Annotated[float, Meta(ge=0)]
    parcels: Annotated[int, Meta(ge=0)]
    unserved_lines: Annotated[int, Meta(ge=0)]
    seed: int
    version: str
    seconds: Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, slots=True)
class Table:
    """A file of the folder: its rows, and what each column means."""

    row: type[Row]
    columns: Mapping[str, str]


TABLES: Final[Mapping[str, Table]] = {
    "orders": Table(OrderRow, {
        "order": "the reservation's id",
        "zone": "where it goes: the zone of its lanes",
        "due_hours": "hours from the moment of the wave until it was promised; none: never late",
        "priority": "weight of its lateness and of lines that are left, from 1",
        "most_parcels": "parcels it may come in, 1 to 3",
        "complete": "all of its lines leave, or none",
        "kinds": "the sum of 2 to the power of each kind of node that it may leave from; none: all",
        "pickup": "the node where it is handed over; none: it is sent",
    }),
    "lines": Table(LineRow, {
        "order": "the order",
        "line": "its number within the order, from 1",
        "sku": "the SKU",
        "quantity": "units, which leave from one node",
        "together": "lines of an order with one number here leave from one node; none: free",
        "only": "the one node it may leave from; none: any",
        "origin": "the node it stood on before; none: on none",
        "standing": "the node it would keep without a change; none, too, where that is closed",
    }),
    "skus": Table(SkuRow, {
        "sku": "the SKU",
        "unit_grams": "grams of a unit",
    }),
    "nodes": Table(NodeRow, {
        "node": "the node",
        "kind": "its kind, 0 to 61: see kinds of orders",
        "handling_cents": "cents for each unit that leaves",
        "departure_hours": "hours from the moment of the wave until its parcels leave",
        "capacity_parcels": "parcels it may send; none: no bound",
        "latitude": "degrees north; none: unknown",
        "longitude": "degrees east; none: unknown",
    }),
    "lanes": Table(LaneRow, {
        "node": "from where",
        "zone": "to where; a pair that has no row has no lane",
        "fixed_cents": "cents a parcel",
        "per_kg_cents": "cents a kilogram",
        "transit_hours": "hours on the way",
    }),
    "steps": Table(StepRow, {
        "node": "from where",
        "zone": "to where",
        "from_grams": "what a line weighs at least for this rate; no row: one rate for all",
        "per_kg_cents": "cents a kilogram instead of the lane's",
    }),
    "stock": Table(StockRow, {
        "sku": "the SKU",
        "node": "where",
        "units": "units that orders of the wave may take; no row: none",
    }),
    "weights": Table(WeightRow, {
        "lateness_day_cents": "cents for each day a parcel is late, times the priority",
        "split_cents": "cents for each parcel of an order beyond its first",
        "unserved_line_cents": "cents for a line that is left, times the priority",
        "change_cents": "cents for an order that leaves from elsewhere than it stood",
        "displaced_line_cents": "cents on top for a line that is left and stands somewhere",
    }),
    "plan": Table(PlanRow, {
        "order": "the order",
        "line": "the number of the line",
        "node": "where it leaves from; none: it is left",
    }),
    "result": Table(ResultRow, {
        "total_cents": "what the plan costs, with the price of changes",
        "bound_cents": "no plan costs less",
        "parcels": "parcels",
        "unserved_lines": "lines that are left",
        "seed": "what the search was begun with",
        "version": "of the solver",
        "seconds": "how long it was allowed to search",
    }),
}  # fmt: skip
