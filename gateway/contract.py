"""Every operation of the API in one table: what routes, the API description and tests go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.ids import ID_PATTERN, KEY_PATTERN
from gateway import answer_schema as told
from gateway import examples, schema

_LOAD: Final = ("overloaded", "unavailable", "outcome-unknown")
_SHAPE: Final = ("invalid-request",)
_BODY: Final = ("invalid-request", "too-large", "unsupported-media-type")
_OWNER: Final = ("unavailable", "overloaded")  # Of reads: nothing of them is ever in doubt.
_WRITES: Final = (*_BODY, *_LOAD, "durability-not-met")
_UNITS: Final = ("unknown-sku", "unknown-node", "insufficient-stock", "sold-out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success: its schema and an example."""

    kind: type
    example: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or a header."""

    name: str
    schema: Mapping[str, Any]
    text: str
    where: str = "query"
    required: bool = False
    example: Any = None


DEADLINE: Final = Parameter(
    name="X-Deadline-Ms", where="header", text="Later than this the answer is a 503.",
    schema={"type": "integer", "minimum": 1, "maximum": 30_000, "default": 2_000},
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    text: str
    answers: Mapping[int, Answer]
    problems: tuple[str, ...] = ()
    body: type | None = None
    body_example: Mapping[str, Any] | None = None
    parameters: tuple[Parameter, ...] = ()
    deadline: Parameter = DEADLINE
    hot: bool = False

    @property
    def packed(self) -> bool:
        """Whether it speaks MessagePack too."""
        return self.method == "POST"


ID_SCHEMA: Final = {"type": "string", "pattern": ID_PATTERN}
_KEY_SCHEMA: Final = {"type": "string", "pattern": KEY_PATTERN}

_PATIENCE: Final = Parameter(
    name="X-Deadline-Ms", where="header",
    text="Later than this the answer is a 503. Without it the audit takes the time it needs.",
    schema={"type": "integer", "minimum": 1, "maximum": 30_000},
)  # fmt: skip
_KEY: Final = Parameter(
    name="Idempotency-Key", where="header", schema=_KEY_SCHEMA, example="order-1001",
    text="The caller's key, bare; or the member id. Both given must be equal.",
)  # fmt: skip


def _reservation(example: Mapping[str, Any], text: str) -> dict[int, Answer]:
    return {200: Answer(kind=told.Reservation, example=example, text=text)}


def _one(
    verb: str, text: str, example: Mapping[str, Any], *problems: str, **more: Any
) -> Operation:
    return Operation(
        method="POST", path=f"/v1/reservations/{{id}}/{verb}", text=text,
        answers=_reservation(example, "The reservation as it stands now"),
        problems=(*_WRITES, "unknown-reservation", "in-progress", *problems), **more,
    )  # fmt: skip


def _many(verb: str, example: Mapping[str, Any]) -> Operation:
    return Operation(
        method="POST", path=f"/v1/reservations:{verb}", hot=True,
        text=f"{verb.capitalize()} many reservations, each on its own",
        body=schema.IdsBody, body_example=examples.IDS_BODY,
        answers={200: Answer(
            kind=told.ReservationResults, text="One result for each, in order",
            example={"results": [{"status": 200, "body": example}]},
        )},
        problems=_BODY,
    )  # fmt: skip


_RESERVATIONS: Final = (
    Operation(
        method="POST", path="/v1/reservations", text="Set units aside", hot=True,
        body=schema.ReservationBody, body_example=examples.RESERVATION_BODY, parameters=(_KEY,),
        answers={
            201: Answer(kind=told.Reservation, example=examples.RESERVATION, text="Held"),
            200: Answer(kind=told.Reservation, example=examples.RESERVATION,
                        text="The same request again: the reservation as it stands now"),
        },
        problems=(*_WRITES, *_UNITS, "key-reused", "unknown-campaign", "in-progress", "contended"),
    ),
    Operation(
        method="GET", path="/v1/reservations", text="Find a reservation by the caller's key",
        parameters=(Parameter(name="key", schema=_KEY_SCHEMA, required=True, example="order-1001",
                              text="The key it was made with"),),
        answers=_reservation(examples.RESERVATION, "The reservation"),
        problems=(*_SHAPE, *_OWNER, "unknown-reservation"),
    ),
    Operation(
        method="POST", path="/v1/reservations:batch", hot=True,
        text="Make many reservations, each on its own",
        body=schema.ReservationsBody, body_example=examples.RESERVATIONS_BODY,
        answers={200: Answer(kind=told.ReservationResults, example=examples.RESULTS,
                             text="One result for each, in order")},
        problems=_BODY,
    ),
    _many("confirm", examples.CONFIRMED),
    _many("release", examples.RELEASED),
    Operation(
        method="GET", path="/v1/reservations/{id}", text="A reservation as it stands",
        answers=_reservation(examples.RESERVATION, "The reservation"),
        problems=(*_SHAPE, *_OWNER, "unknown-reservation"),
    ),
    _one("confirm", "Payment has come", examples.CONFIRMED, "not-held", hot=True),
    _one("release", "Give a hold back", examples.RELEASED, "not-held", hot=True),
    _one("extend", "Hold longer", examples.RESERVATION, "not-held",
         body=schema.ExtendBody, body_example={"hold_seconds": 600}),
    _one("fulfil", "Units leave", examples.FULFILLED, "not-confirmed", "exceeds-committed",
         "insufficient-stock", "key-reused", hot=True,
         body=schema.FulfilBody, body_example=examples.FULFIL_BODY),
    _one("cancel", "Take back what was confirmed", examples.CANCELLED, "not-held"),
)  # fmt: skip

_STOCK: Final = (
    Operation(
        method="PUT", path="/v1/nodes/{node}", text="Define a node, all members of it",
        body=schema.NodeBody, body_example=examples.NODE_BODY, problems=_WRITES,
        answers={200: Answer(kind=told.Node, example=examples.NODE, text="The node")},
    ),
    Operation(
        method="GET", path="/v1/nodes", text="All nodes", problems=(*_SHAPE, *_OWNER),
        answers={200: Answer(kind=told.Nodes, example={"nodes": [examples.NODE]}, text="By id")},
    ),
    Operation(
        method="PUT", path="/v1/skus/{sku}", text="Define a SKU, all members of it",
        body=schema.SkuBody, body_example=examples.SKU_BODY, problems=_WRITES,
        answers={200: Answer(kind=told.Sku, example=examples.SKU, text="The SKU")},
    ),
    Operation(
        method="GET", path="/v1/skus/{sku}", text="A SKU",
        problems=(*_SHAPE, *_OWNER, "unknown-sku"),
        answers={200: Answer(kind=told.Sku, example=examples.SKU, text="The SKU")},
    ),
    Operation(
        method="POST", path="/v1/stock/adjustments", text="Receipts, counts, safety stock",
        body=schema.AdjustmentsBody, body_example=examples.ADJUSTMENTS_BODY,
        problems=(*_WRITES, "key-reused"),
        answers={200: Answer(kind=told.Adjusted, example=examples.ADJUSTED,
                             text="One result for each, in order")},
    ),
    Operation(
        method="GET", path="/v1/stock/{sku}", text="Stock of a SKU, read from its owner",
        problems=(*_SHAPE, *_OWNER, "unknown-sku"),
        answers={200: Answer(kind=told.Stock, example=examples.STOCK, text="All positions")},
    ),
    Operation(
        method="GET", path="/v1/availability", hot=True,
        text="What may be promised, at most 100 ms old",
        parameters=(
            Parameter(name="sku", required=True, example=["85123A"], text="1-200 times",
                      schema={"type": "array", "items": ID_SCHEMA, "minItems": 1, "maxItems": 200}),
            Parameter(name="channel", schema=ID_SCHEMA, text="As in a reservation"),
            Parameter(name="zone", schema=ID_SCHEMA, text="Has no effect before lanes exist"),
            Parameter(name="pool", schema=ID_SCHEMA, text="Only the nodes of this pool"),
            Parameter(name="by", schema={"type": "string", "format": "date-time"},
                      text="Counts supply that is there by then"),
        ),
        answers={200: Answer(kind=told.Availability, example=examples.AVAILABILITY,
                             text="In the order asked")},
        problems=(*_SHAPE, *_OWNER, "too-large", "unknown-sku", "unknown-pool"),
    ),
)  # fmt: skip

_OPERATIONS: Final = (
    Operation(
        method="GET", path="/v1/events", text="What happened, in order within a shard",
        parameters=(
            Parameter(name="after", schema={"type": "string"}, text="A cursor; none: oldest kept"),
            Parameter(name="limit", text="Most events to answer",
                      schema={"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
        ),
        problems=(*_SHAPE, *_OWNER, "cursor-expired"),
        answers={200: Answer(kind=told.Events, example=examples.EVENTS, text="A page")},
    ),
    Operation(
        method="GET", path="/v1/shards", text="Shards, their owners and figures",
        problems=(*_SHAPE, *_OWNER),
        answers={200: Answer(kind=told.Shards, example=examples.SHARDS, text="By number")},
    ),
    Operation(
        method="POST", path="/v1/audit", text="Compare owners' books with the store",
        problems=(*_BODY, *_OWNER), deadline=_PATIENCE,
        answers={200: Answer(kind=told.Audit, example=examples.AUDIT, text="Clean or not")},
    ),
    Operation(
        method="GET", path="/healthz", text="Whether the process runs", problems=_SHAPE,
        answers={200: Answer(kind=told.Alive, example={"status": "alive"}, text="It does")},
    ),
    Operation(
        method="GET", path="/readyz", text="Whether commands are served", problems=_SHAPE,
        answers={
            200: Answer(kind=told.Ready, example=examples.READY, text="They are"),
            503: Answer(kind=told.Ready, example=examples.NOT_READY, text="Not yet, and why"),
        },
    ),
)  # fmt: skip

OPERATIONS: Final = (*_RESERVATIONS, *_STOCK, *_OPERATIONS)
