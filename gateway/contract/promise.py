"""What may be promised to a basket."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from engine.limits import LINES_MAX
from gateway import examples
from gateway.answer_schema import ReservedLine, ShortLine
from gateway.contract.operation import BODY, OWNER, Answer, Operation
from gateway.schema import Body, Destination, Id, Time, WishedLine


class PromiseBody(Body):
    """A basket that somebody may order."""

    lines: Annotated[list[WishedLine], Meta(min_length=1, max_length=LINES_MAX)]
    destination: Destination | None = None
    deliver_by: Time | None = None
    channel: Id | None = None
    prefer: Literal["cheapest", "fastest", "fewest_parcels"] | None = None
    explain: bool | None = None


class Promise(Struct):
    """How a basket could be served; nothing is reserved."""

    feasible: bool
    deliver_by: Time | None
    cost_cents: int | None
    parcels: int
    lines: list[ReservedLine]
    short_lines: list[ShortLine]
    explain: list[Any] | None


_EXAMPLE: Final[dict[str, Any]] = {
    "feasible": True, "deliver_by": "2026-12-01T12:00:00.000Z", "cost_cents": 812, "parcels": 1,
    "lines": examples.RESERVATION["lines"], "short_lines": [], "explain": None,
}  # fmt: skip

PROMISE: Final = (
    Operation(
        method="POST", path="/v1/promise",
        text="From where, for how much and by when a basket could be served; nothing is reserved",
        body=PromiseBody,
        body_example={
            "lines": [{"sku": "85123A", "quantity": 2}], "destination": {"zone": "GB-LDS"},
            "deliver_by": "2026-12-01T12:00:00.000Z", "channel": "shop", "prefer": "cheapest",
        },
        problems=(*BODY, *OWNER, "unknown-sku", "unknown-node", "unknown-zone"),
        answers={200: Answer(kind=Promise, example=_EXAMPLE, text="The best by what is preferred")},
    ),
)  # fmt: skip
