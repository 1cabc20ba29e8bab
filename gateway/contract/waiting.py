"""Operations on the waiting list for units that may come back."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from engine.limits import OFFER_SECONDS_MAX, OFFER_SECONDS_MIN, WAIT_SECONDS_MAX
from gateway.contract.operation import (
    KEY,
    LOAD,
    OWNER,
    SHAPE,
    WRITES,
    Answer,
    Operation,
)
from gateway.schema import Body, Destination, Id, Key, Quantity, Time

_WaitSeconds = Annotated[int, Meta(ge=1, le=WAIT_SECONDS_MAX)]
_OfferSeconds = Annotated[int, Meta(ge=OFFER_SECONDS_MIN, le=OFFER_SECONDS_MAX)]


class WaitingBody(Body):
    """A customer who waits for units of one SKU."""

    sku: Id
    quantity: Quantity
    customer: Id
    id: Key | None = None
    channel: Id | None = None
    campaign: Id | None = None
    destination: Destination | None = None
    preorder: bool | None = None
    wait_seconds: _WaitSeconds | None = None
    offer_seconds: _OfferSeconds | None = None


class Waiting(Struct):
    """A place in the waiting list as it stands."""

    id: Id
    key: Key
    status: Literal["waiting", "offered", "left", "expired", "over_limit"]
    sku: Id
    quantity: int
    customer: Id
    channel: Id | None
    campaign: Id | None
    destination: Destination | None
    preorder: bool
    place: int | None
    joined_at: Time
    expires_at: Time
    reservation: Id | None


ENTRY: Final[dict[str, Any]] = {
    "id": "03f.wait-1", "key": "wait-1", "status": "waiting", "sku": "85123A", "quantity": 1,
    "customer": "c-42", "channel": None, "campaign": None, "destination": None,
    "preorder": False, "place": 3,
    "joined_at": "2026-12-01T11:00:00.000Z", "expires_at": "2026-12-02T11:00:00.000Z",
    "reservation": None,
}  # fmt: skip
_OFFERED: Final[dict[str, Any]] = {
    **ENTRY, "status": "offered", "place": None, "expires_at": "2026-12-01T11:32:00.000Z",
    "reservation": "03f.offer-1f0a8c2d9b7e4a5f6c3d2e1b",
}  # fmt: skip
_LEFT: Final[dict[str, Any]] = {
    **ENTRY, "status": "left", "place": None, "expires_at": "2026-12-01T11:30:00.000Z",
}  # fmt: skip

WAITING: Final = (
    Operation(
        method="POST", path="/v1/waiting", text="Wait for units that may come back",
        body=WaitingBody, parameters=(KEY,),
        body_example={"id": "wait-1", "sku": "85123A", "quantity": 1, "customer": "c-42"},
        answers={
            201: Answer(kind=Waiting, example=ENTRY, text="A place, or an offer at once"),
            200: Answer(kind=Waiting, example=_OFFERED, text="The same again: as it stands now"),
        },
        problems=(*WRITES, "key-reused", "unknown-sku", "unknown-zone", "unknown-campaign",
                  "campaign-not-open", "over-limit",
                  "already-waiting", "waiting-list-full"),
    ),
    Operation(
        method="GET", path="/v1/waiting/{id}", text="One's place, or the offer",
        answers={200: Answer(kind=Waiting, example=_OFFERED, text="The entry")},
        problems=(*SHAPE, *OWNER, "unknown-waiting"),
    ),
    Operation(
        method="DELETE", path="/v1/waiting/{id}",
        text="Leave the list; an offer that is still open goes to the next",
        answers={200: Answer(kind=Waiting, example=_LEFT, text="The entry as it stands now")},
        problems=(*SHAPE, *LOAD, "durability-not-met", "unknown-waiting"),
    ),
)  # fmt: skip
