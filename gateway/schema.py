"""Bodies that callers send, JSON and MessagePack alike: one struct each, unknown members refused.

Ids are documented by pattern and checked where they are used: most are known by then, and a look
into a table costs a tenth of a match.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from engine.ids import ID_PATTERN, KEY_PATTERN
from engine.limits import (
    ADJUSTMENTS_MAX,
    BATCH_REQUEST_MAX,
    HOLD_SECONDS_MAX,
    LINES_MAX,
    ON_HAND_MAX,
    QUANTITY_MAX,
    TEXT_CHARS_MAX,
)

#: Above this a JavaScript client would read another number than was sent.
EXACT_INTEGER_MAX: Final = 2**53 - 1

Id = Annotated[str, Meta(extra_json_schema={"pattern": ID_PATTERN})]
Key = Annotated[str, Meta(extra_json_schema={"pattern": KEY_PATTERN})]
Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
HoldSeconds = Annotated[int, Meta(ge=1, le=HOLD_SECONDS_MAX)]
Stock = Annotated[int, Meta(ge=0, le=ON_HAND_MAX)]
StockState = Literal["on_hand", "quarantined", "damaged"]


class Body(Struct, forbid_unknown_fields=True, gc=False):
    """What all bodies share."""


class EmptyBody(Body):
    """For POSTs that take none or ``{}``."""


class WishedLine(Body):
    """Units of one SKU; with ``node`` from there or none."""

    sku: Id
    quantity: Quantity
    node: Id | None = None


class Destination(Body):
    """Where the parcel goes."""

    zone: Id


class ReservationBody(Body):
    """A reservation as asked for."""

    lines: Annotated[list[WishedLine], Meta(min_length=1, max_length=LINES_MAX)]
    id: Key | None = None
    channel: Id | None = None
    campaign: Id | None = None
    customer: Id | None = None
    destination: Destination | None = None
    deliver_by: Time | None = None
    fulfilment: Literal["ship", "pickup"] | None = None
    hold_seconds: HoldSeconds | None = None
    partial: bool | None = None
    preorder: bool | None = None
    supersedes: Id | None = None


class ReservationsBody(Body):
    """Many reservations, each with its own ``id``."""

    reservations: Annotated[list[ReservationBody], Meta(min_length=1, max_length=BATCH_REQUEST_MAX)]


class IdsBody(Body):
    """Reservations to confirm or release."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=BATCH_REQUEST_MAX)]


class ExtendBody(Body):
    """How much longer to hold, from now."""

    hold_seconds: HoldSeconds


class ParcelLine(Body):
    """Units of one SKU that leave one node."""

    sku: Id
    node: Id
    quantity: Quantity


class FulfilBody(Body):
    """What left the house; without ``lines`` all that was left."""

    reference: Id
    lines: Annotated[list[ParcelLine], Meta(min_length=1, max_length=LINES_MAX)] | None = None


class OpeningHours(Body, rename={"from_": "from"}):
    """When a place is open, UTC; days as ISO counts them, Monday 1."""

    days: Annotated[list[Annotated[int, Meta(ge=1, le=7)]], Meta(min_length=1, max_length=7)]
    from_: TimeOfDay
    to: TimeOfDay


class NodeBody(Body):
    """A place that serves orders. What is absent gets its default, not its old value."""

    kind: Literal["warehouse", "store", "dealer", "third_party"]
    name: Text | None = None
    zone: Id | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    channels: list[Id] | None = None
    handling_hours: Annotated[float, Meta(ge=0, le=8_760)] | None = None
    capacity_per_hour: Annotated[int, Meta(ge=0, le=EXACT_INTEGER_MAX)] | None = None
    priority: Annotated[int, Meta(ge=-ON_HAND_MAX, le=ON_HAND_MAX)] | None = None
    owner: Text | None = None
    minimum: Stock | None = None
    settlement_cents: Stock | None = None
    cutoff: TimeOfDay | None = None
    opening_hours: Annotated[list[OpeningHours], Meta(max_length=50)] | None = None
    pickup_hold_hours: Annotated[int, Meta(ge=1, le=8_760)] | None = None


class SkuBody(Body):
    """An article."""

    name: Text | None = None
    weight_grams: Annotated[int, Meta(ge=0, le=EXACT_INTEGER_MAX)] | None = None
    category: Text | None = None
    low_stock: Annotated[int, Meta(ge=1, le=ON_HAND_MAX)] | None = None
    limit_per_customer: Quantity | None = None


class Adjustment(Body):
    """A movement (``delta``) or a count (``on_hand``) of one position, or its safety stock."""

    sku: Id
    node: Id
    delta: Annotated[int, Meta(ge=-ON_HAND_MAX, le=ON_HAND_MAX)] | None = None
    on_hand: Stock | None = None
    safety_stock: Stock | None = None
    reason: Text | None = None
    as_of: Time | None = None


class AdjustmentsBody(Body):
    """Adjustments under one reference; each stands alone."""

    reference: Id
    adjustments: Annotated[list[Adjustment], Meta(min_length=1, max_length=ADJUSTMENTS_MAX)]


class Move(Body, rename={"from_": "from"}):
    """Units of one position that change their state."""

    sku: Id
    node: Id
    from_: StockState
    to: StockState
    quantity: Quantity
    reason: Text | None = None


class MovesBody(Body):
    """Moves under one reference; each stands alone."""

    reference: Id
    moves: Annotated[list[Move], Meta(min_length=1, max_length=ADJUSTMENTS_MAX)]
