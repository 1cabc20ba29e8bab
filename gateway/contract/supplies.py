"""Operations on units that are on their way, and on promises that break."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from engine.limits import ON_HAND_MAX
from gateway.contract.operation import (
    ID_SCHEMA,
    OWNER,
    SHAPE,
    WRITES,
    Answer,
    Operation,
    Parameter,
)
from gateway.schema import Body, Id, Stock, Text, Time

_Units = Annotated[int, Meta(ge=1, le=ON_HAND_MAX)]


class SupplyBody(Body):
    """Units that will come in."""

    id: Id
    kind: Literal["purchase_order", "return"]
    sku: Id
    node: Id
    quantity: _Units
    available_at: Time
    preorder_cap: Stock | None = None


class TransferBody(Body):
    """Units that go from one node to another."""

    id: Id
    sku: Id
    from_node: Id
    to_node: Id
    quantity: _Units
    available_at: Time


class ReceiveBody(Body):
    """Units that have come."""

    quantity: Stock
    final: bool | None = None


class DelayBody(Body):
    """When the units will come instead."""

    available_at: Time


class Supply(Struct):
    """Units on their way."""

    id: Id
    kind: Literal["purchase_order", "return", "transfer"]
    sku: Id
    node: Id
    from_node: Id | None
    quantity: int
    received: int
    promised: int
    available_at: Time
    state: Literal["open", "closed", "cancelled"]
    preorder_cap: int | None


class Alternative(Struct):
    """Where else units could be had."""

    node: Id
    supply: Id | None
    quantity: int
    available_at: Time | None


class Shortfall(Struct):
    """Promises that cannot be kept as they are."""

    id: Id
    sku: Id
    node: Id
    supply: Id | None
    quantity: int
    reason: Text
    opened_at: Time
    deadline: Time
    reservations: list[Id]
    alternatives: list[Alternative]


class Changed(Struct):
    """A supply, and the promises that break by what became of it."""

    supply: Supply
    shortfalls: list[Shortfall]


class Shortfalls(Struct):
    """Open shortfalls by id, and where to go on; null at the end."""

    shortfalls: list[Shortfall]
    next: Id | None


SUPPLY: Final[dict[str, Any]] = {
    "id": "po-18", "kind": "purchase_order", "sku": "85123A", "node": "store-leeds",
    "from_node": None, "quantity": 600, "received": 0, "promised": 0,
    "available_at": "2026-12-01T08:00:00.000Z", "state": "open", "preorder_cap": None,
}  # fmt: skip
_TRANSFER: Final = {**SUPPLY, "id": "tr-4", "kind": "transfer", "from_node": "dc-1"}
SHORTFALL: Final[dict[str, Any]] = {
    "id": "sf-3-1042-0", "sku": "85123A", "node": "store-leeds", "supply": "po-18", "quantity": 2,
    "reason": "did not come", "opened_at": "2026-12-01T08:00:00.000Z",
    "deadline": "2026-12-02T08:00:00.000Z", "reservations": ["order-1001"],
    "alternatives": [{"node": "dc-1", "supply": None, "quantity": 5, "available_at": None}],
}  # fmt: skip
_RECEIVED: Final[dict[str, Any]] = {
    "supply": {**SUPPLY, "received": 500, "promised": 2, "state": "closed"},
    "shortfalls": [SHORTFALL],
}  # fmt: skip
_KEY: Final = Parameter(
    name="Idempotency-Key", where="header", schema=ID_SCHEMA, example="delivery-note-7",
    required=True, text="The same key again changes nothing.",
)  # fmt: skip
_CHANGES: Final = (*WRITES, "unknown-supply", "supply-closed")


def _opening(path: str, text: str, body: type, example: dict[str, Any], told: Any) -> Operation:
    return Operation(
        method="POST", path=path, text=text, body=body, body_example=example,
        answers={
            201: Answer(kind=Supply, example=told, text="The supply"),
            200: Answer(kind=Supply, example=told, text="The same again: as it stands now"),
        },
        problems=(*WRITES, "key-reused", "unknown-sku", "unknown-node", "insufficient-stock",
                  "out-of-range"),
    )  # fmt: skip


SUPPLIES: Final = (
    _opening("/v1/supplies", "Announce units that will come in", SupplyBody, {
        "id": "po-18", "kind": "purchase_order", "sku": "85123A", "node": "store-leeds",
        "quantity": 600, "available_at": "2026-12-01T08:00:00.000Z",
    }, SUPPLY),
    _opening("/v1/transfers", "Send units from one node to another", TransferBody, {
        "id": "tr-4", "sku": "85123A", "from_node": "dc-1", "to_node": "store-leeds",
        "quantity": 600, "available_at": "2026-12-01T08:00:00.000Z",
    }, _TRANSFER),
    Operation(
        method="GET", path="/v1/supplies/{id}", text="A supply as it stands",
        problems=(*SHAPE, *OWNER, "unknown-supply"),
        answers={200: Answer(kind=Changed, example={"supply": SUPPLY, "shortfalls": []},
                             text="The supply and its shortfalls")},
    ),
    Operation(
        method="POST", path="/v1/supplies/{id}/receive", text="Units have come",
        body=ReceiveBody, body_example={"quantity": 500, "final": True}, parameters=(_KEY,),
        problems=(*_CHANGES, "key-reused", "out-of-range"),
        answers={200: Answer(kind=Changed, example=_RECEIVED, text="The supply, what falls short")},
    ),
    Operation(
        method="POST", path="/v1/supplies/{id}/delay", text="The units will come later or earlier",
        body=DelayBody, body_example={"available_at": "2026-12-03T08:00:00.000Z"},
        problems=_CHANGES,
        answers={200: Answer(kind=Changed, example=_RECEIVED, text="The supply, what falls short")},
    ),
    Operation(
        method="POST", path="/v1/supplies/{id}/cancel", problems=(*_CHANGES, "in-progress"),
        text="The units will not come; those of a transfer go back",
        answers={200: Answer(kind=Changed, example=_RECEIVED, text="The supply, what falls short")},
    ),
    Operation(
        method="GET", path="/v1/shortfalls", text="Promises that break, and whose they are",
        parameters=(
            Parameter(name="after", schema=ID_SCHEMA, text="Only those behind this id"),
            Parameter(name="limit", text="Most to answer",
                      schema={"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
        ),
        problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Shortfalls, text="By id",
                             example={"shortfalls": [SHORTFALL], "next": None})},
    ),
)  # fmt: skip
