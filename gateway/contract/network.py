"""Operations on lanes, pools and channels."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from engine.limits import LANES_MAX, ON_HAND_MAX, QUANTITY_MAX
from gateway.contract.operation import (
    ID_SCHEMA,
    OWNER,
    SHAPE,
    WRITES,
    Answer,
    Operation,
    Parameter,
)
from gateway.schema import Body, HoldSeconds, Id, Text, TimeOfDay

_Cents = Annotated[int, Meta(ge=0, le=ON_HAND_MAX)]


class StepBody(Body):
    """From this weight on a kilogram costs so much."""

    from_grams: Annotated[int, Meta(ge=1, le=ON_HAND_MAX)]
    per_kg_cents: _Cents


class LaneBody(Body):
    """From a node to a zone."""

    node: Id
    zone: Id
    fixed_cents: _Cents
    per_kg_cents: _Cents
    transit_hours: Annotated[float, Meta(ge=0, le=8_760)]
    cutoff: TimeOfDay | None = None
    steps: Annotated[list[StepBody], Meta(max_length=20)] | None = None


class LanesBody(Body):
    """Lanes to be added or replaced."""

    lanes: Annotated[list[LaneBody], Meta(min_length=1, max_length=LANES_MAX)]


class PoolBody(Body):
    """The nodes of a pool."""

    nodes: Annotated[list[Id], Meta(max_length=10_000)]


class ChannelBody(Body):
    """How a channel is served. What is absent gets its default, not its old value."""

    name: Text | None = None
    late_payment: Literal["hold_again", "alternatives", "refuse"] | None = None
    anonymous_hold_seconds: HoldSeconds | None = None
    pool: Id | None = None
    unpaid_units_per_customer: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] | None = None
    availability_events: bool | None = None


class Lanes(Struct):
    """How many lanes there are, and since which version of the network."""

    lanes: int
    version: int


class Pool(Struct):
    """A pool of nodes; pools may overlap."""

    pool: Id
    nodes: list[Id]


class Pools(Struct):
    """All pools, by id."""

    pools: list[Pool]


class Channel(Struct):
    """A channel with its defaults filled in."""

    channel: Id
    name: Text
    late_payment: Literal["hold_again", "alternatives", "refuse"]
    anonymous_hold_seconds: int | None
    pool: Id | None
    unpaid_units_per_customer: int | None
    availability_events: bool


class Channels(Struct):
    """All channels that were defined, by id."""

    channels: list[Channel]


class Step(Struct):
    """From this weight on a kilogram costs so much."""

    from_grams: int
    per_kg_cents: int


class Lane(Struct):
    """From a node to a zone."""

    node: Id
    zone: Id
    fixed_cents: int
    per_kg_cents: int
    transit_hours: float
    cutoff: str | None
    steps: list[Step]


class ZoneLanes(Struct):
    """All lanes to a zone, by node."""

    lanes: list[Lane]


_LANE: Final[dict[str, Any]] = {
    "node": "store-leeds", "zone": "GB-LDS", "fixed_cents": 350, "per_kg_cents": 80,
    "transit_hours": 24, "cutoff": "17:00",
}  # fmt: skip
_CHANNEL: Final[dict[str, Any]] = {
    "name": "Live room 1", "late_payment": "hold_again",
    "anonymous_hold_seconds": 120, "pool": None, "unpaid_units_per_customer": 10,
    "availability_events": True,
}  # fmt: skip

NETWORK: Final = (
    Operation(
        method="PUT", path="/v1/lanes", text="Add or replace lanes, keep the others",
        body=LanesBody, body_example={"lanes": [_LANE]}, problems=(*WRITES, "unknown-node"),
        answers={200: Answer(kind=Lanes, example={"lanes": 2, "version": 7}, text="All there are")},
    ),
    Operation(
        method="GET", path="/v1/lanes", text="All lanes to a zone",
        parameters=(Parameter(name="zone", schema=ID_SCHEMA, required=True, example="GB-LDS",
                              text="Where they go"),),
        problems=(*SHAPE, *OWNER, "unknown-zone"),
        answers={200: Answer(kind=ZoneLanes, example={"lanes": [{**_LANE, "steps": []}]},
                             text="By node")},
    ),
    Operation(
        method="PUT", path="/v1/pools/{pool}", text="Define a pool of nodes",
        body=PoolBody, body_example={"nodes": ["store-leeds"]},
        problems=(*WRITES, "unknown-node"),
        answers={200: Answer(kind=Pool, example={"pool": "north", "nodes": ["store-leeds"]},
                             text="The pool")},
    ),
    Operation(
        method="GET", path="/v1/pools", text="All pools", problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Pools, text="By id",
                             example={"pools": [{"pool": "north", "nodes": ["store-leeds"]}]})},
    ),
    Operation(
        method="PUT", path="/v1/channels/{channel}",
        text="Say how a channel is served; one that nobody defined is served as all are",
        body=ChannelBody, body_example=_CHANNEL, problems=(*WRITES, "unknown-pool"),
        answers={200: Answer(kind=Channel, example={"channel": "live-room-1", **_CHANNEL},
                             text="The channel")},
    ),
    Operation(
        method="GET", path="/v1/channels", text="All channels that were defined",
        problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Channels, text="By id",
                             example={"channels": [{"channel": "live-room-1", **_CHANNEL}]})},
    ),
)  # fmt: skip
