"""Operations on quotas of channels."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from engine.limits import QUANTITY_MAX
from gateway.contract.operation import OWNER, SHAPE, WRITES, Answer, Operation
from gateway.schema import Body, Id, Stock


class QuotaBody(Body):
    """What a channel may take of a SKU. What is absent gets its default, not its old value."""

    exclusive: Stock | None = None
    cap: Stock | None = None
    safety_stock: Stock | None = None
    share_permille: Annotated[int, Meta(ge=0, le=1000)] | None = None


class BorrowBody(Body):
    """Exclusive units that another channel lends, under a reference."""

    reference: Id
    lender: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class Quota(Struct):
    """What a channel may take of a SKU, and has."""

    sku: Id
    channel: Id
    exclusive: int
    cap: int | None
    taken: int
    short: int
    safety_stock: int
    share_permille: int | None
    borrowed: int


class Quotas(Struct):
    """All quotas of a SKU, by channel."""

    sku: Id
    quotas: list[Quota]


_QUOTA: Final[dict[str, Any]] = {
    "sku": "85123A", "channel": "live-room-1", "exclusive": 20, "cap": None, "taken": 2,
    "short": 0, "safety_stock": 0, "share_permille": None, "borrowed": 0,
}  # fmt: skip
_LENDER: Final = {**_QUOTA, "channel": "shop", "exclusive": 40, "taken": 0, "borrowed": -10}

QUOTAS: Final = (
    Operation(
        method="PUT", path="/v1/quotas/{sku}/{channel}",
        text="Set units apart for a channel, or bound what it takes",
        body=QuotaBody, body_example={"exclusive": 20, "cap": None},
        problems=(*WRITES, "unknown-sku", "quota-exceeds-stock"),
        answers={200: Answer(kind=Quota, example=_QUOTA, text="The quota")},
    ),
    Operation(
        method="GET", path="/v1/quotas/{sku}", text="All quotas of a SKU",
        problems=(*SHAPE, *OWNER, "unknown-sku"),
        answers={200: Answer(kind=Quotas, text="By channel",
                             example={"sku": "85123A", "quotas": [_QUOTA]})},
    ),
    Operation(
        method="POST", path="/v1/quotas/{sku}/{channel}/borrow",
        text="Take over exclusive units that another channel lends; lending them back is the same",
        body=BorrowBody,
        body_example={"reference": "loan-1", "lender": "shop", "quantity": 10},
        problems=(*WRITES, "unknown-sku", "quota-exceeds-stock", "key-reused"),
        answers={200: Answer(kind=Quotas, text="The lender's quota and the borrower's",
                             example={"sku": "85123A", "quotas": [_LENDER, _QUOTA]})},
    ),
)  # fmt: skip
