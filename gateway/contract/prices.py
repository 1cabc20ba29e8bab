"""Bid prices: what units and parcels are worth to orders still to come."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from engine.limits import WAVE_ORDERS_MAX
from gateway.contract.operation import BODY, OWNER, SHAPE, Answer, Operation
from gateway.schema import Body, Id, Time

SCENARIOS_MAX: Final = 100


class PricesBody(Body):
    """How many orders are to come (as many as are open), and how often they are drawn."""

    expected_orders: Annotated[int, Meta(ge=1, le=WAVE_ORDERS_MAX)] | None = None
    scenarios: Annotated[int, Meta(ge=1, le=SCENARIOS_MAX)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class PricingRun(Struct):
    """How the last run went; null while unknown."""

    expected_orders: int | None
    scenarios: int
    seed: int
    version: int | None
    skus: int
    prices: int
    started_at: Time
    finished_at: Time | None
    reason: str | None


class NodePrice(Struct):
    """Cents that a parcel of a node counts beyond what it costs."""

    node: Id
    parcel_cents: int


class Prices(Struct):
    """The prices in force, and those a shard that is behind still has."""

    version: int
    versions: list[int]
    nodes: list[NodePrice]
    priced_skus: int
    run: PricingRun | None


class UnitPrice(Struct):
    """Cents that a unit of a SKU at a node counts beyond what it costs."""

    node: Id
    unit_cents: int


class SkuPrices(Struct):
    """The prices of one SKU."""

    sku: Id
    version: int
    units: list[UnitPrice]


_RUN: Final[dict[str, Any]] = {
    "expected_orders": 1204, "scenarios": 8, "seed": 1, "version": 1_796_157_061_000, "skus": 118,
    "prices": 402, "started_at": "2026-12-01T20:31:16.000Z",
    "finished_at": "2026-12-01T20:31:18.000Z", "reason": None,
}  # fmt: skip
_PRICES: Final[dict[str, Any]] = {
    "version": 1_796_157_061_000, "versions": [1_796_157_061_000],
    "nodes": [{"node": "store-leeds", "parcel_cents": 40}], "priced_skus": 118, "run": _RUN,
}  # fmt: skip
_UNITS: Final = {
    "sku": "85123A", "version": 1_796_157_061_000,
    "units": [{"node": "store-leeds", "unit_cents": 310}],
}  # fmt: skip

PRICES: Final = (
    Operation(
        method="POST", path="/v1/prices",
        text="Find bid prices from the open orders and what they leave free, and put them in force",
        body=PricesBody, body_example={"expected_orders": 5000, "scenarios": 8},
        problems=(*BODY, *OWNER),
        answers={202: Answer(kind=PricingRun, text="The run, or one that was under way already",
                             example={**_RUN, "version": None, "finished_at": None})},
    ),
    Operation(
        method="GET", path="/v1/prices", text="The bid prices in force, and how they were found",
        problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Prices, example=_PRICES, text="As they stand")},
    ),
    Operation(
        method="DELETE", path="/v1/prices", text="Let nothing have a bid price",
        problems=(*BODY, *OWNER),
        answers={200: Answer(kind=Prices, text="None are in force",
                             example={**_PRICES, "nodes": [], "priced_skus": 0})},
    ),
    Operation(
        method="GET", path="/v1/prices/{sku}", text="The bid prices of a SKU",
        problems=(*SHAPE, *OWNER, "unknown-sku"),
        answers={200: Answer(kind=SkuPrices, example=_UNITS, text="By node")},
    ),
)  # fmt: skip
