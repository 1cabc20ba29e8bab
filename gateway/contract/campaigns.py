"""Operations on campaigns."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from engine.limits import CAMPAIGN_ITEMS_MAX, ON_HAND_MAX, QUANTITY_MAX
from gateway.contract.operation import BODY, OWNER, SHAPE, WRITES, Answer, Operation
from gateway.schema import Body, HoldSeconds, Id, Text, Time

_Declared = Annotated[int, Meta(ge=1, le=ON_HAND_MAX)]
_Limit = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class ItemBody(Body):
    """Units of one SKU that are declared."""

    sku: Id
    quantity: _Declared


class TrancheBody(Body):
    """From when on how much of the declared units is on sale, all earlier ones included."""

    at: Time
    permille: Annotated[int, Meta(ge=0, le=1000)]


class CampaignBody(Body):
    """A sale with a window. What is absent gets its default, not its old value."""

    starts_at: Time
    ends_at: Time
    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=CAMPAIGN_ITEMS_MAX)]
    name: Text | None = None
    channel: Id | None = None
    nodes: Annotated[list[Id], Meta(min_length=1)] | None = None
    include_supplies: bool | None = None
    limit_per_customer: _Limit | None = None
    limit_per_customer_total: _Limit | None = None
    hold_seconds: HoldSeconds | None = None
    anonymous_hold_seconds: HoldSeconds | None = None
    tranches: Annotated[list[TrancheBody], Meta(min_length=1, max_length=100)] | None = None


class Item(Struct):
    """Units of one SKU that are declared."""

    sku: Id
    quantity: int


class Tranche(Struct):
    """From when on how much is on sale."""

    at: Time
    permille: int


class Counters(Struct):
    """Units, summed over items."""

    declared: int
    reserved: int
    confirmed: int
    refused: int
    left: int


class Campaign(Struct):
    """The campaign as it stands."""

    id: Id
    name: Text
    channel: Id | None
    starts_at: Time
    ends_at: Time
    items: list[Item]
    nodes: list[Id] | None
    include_supplies: bool
    limit_per_customer: int | None
    limit_per_customer_total: int | None
    hold_seconds: int | None
    anonymous_hold_seconds: int | None
    tranches: list[Tranche] | None
    state: Literal["draft", "open", "closed"]
    counters: Counters


class Campaigns(Struct):
    """All campaigns, by id."""

    campaigns: list[Campaign]


class Source(Struct):
    """Where declared units come from."""

    node: Id
    supply: Id | None
    quantity: int
    available_at: Time | None


class PreviewItem(Struct):
    """What can be promised of an item."""

    sku: Id
    declared: int
    promised: int
    short: int
    backings: list[Source]


class Preview(Struct):
    """Whether all of it can be promised."""

    feasible: bool
    items: list[PreviewItem]


class ReportItem(Struct):
    """What became of an item's units."""

    sku: Id
    declared: int
    sold: int
    returned: int
    refused: int
    oversold: int


class Report(Struct):
    """What became of the declared units."""

    id: Id
    items: list[ReportItem]


_BODY_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Spring drop", "channel": "live-room-1", "starts_at": "2026-12-01T20:00:00.000Z",
    "ends_at": "2026-12-01T20:30:00.000Z", "items": [{"sku": "85123A", "quantity": 5000}],
    "nodes": None, "include_supplies": True, "limit_per_customer": 2,
    "limit_per_customer_total": 3, "hold_seconds": 300,
}  # fmt: skip
_CAMPAIGN: Final[dict[str, Any]] = {
    "id": "spring-drop", **_BODY_EXAMPLE, "anonymous_hold_seconds": None, "tranches": None,
    "state": "draft",
    "counters": {"declared": 5000, "reserved": 0, "confirmed": 0, "refused": 0, "left": 5000},
}  # fmt: skip
_CLOSED: Final = {
    **_CAMPAIGN, "state": "closed",
    "counters": {"declared": 5000, "reserved": 0, "confirmed": 4500, "refused": 310, "left": 0},
}  # fmt: skip
_PREVIEW: Final[dict[str, Any]] = {
    "feasible": True,
    "items": [{
        "sku": "85123A", "declared": 5000, "promised": 5000, "short": 0,
        "backings": [
            {"node": "dc-1", "supply": None, "quantity": 4200, "available_at": None},
            {"node": "dc-1", "supply": "po-18", "quantity": 800,
             "available_at": "2026-12-01T08:00:00.000Z"},
        ],
    }],
}  # fmt: skip
_REPORT: Final[dict[str, Any]] = {
    "id": "spring-drop",
    "items": [{"sku": "85123A", "declared": 5000, "sold": 4500, "returned": 500, "refused": 310,
               "oversold": 0}],
}  # fmt: skip


def _step(verb: str, text: str, answer: Answer, *problems: str) -> Operation:
    return Operation(
        method="POST", path=f"/v1/campaigns/{{id}}/{verb}", text=text, answers={200: answer},
        problems=(*WRITES, "unknown-campaign", *problems),
    )  # fmt: skip


CAMPAIGNS: Final = (
    Operation(
        method="PUT", path="/v1/campaigns/{id}", text="Declare a campaign, all members of it",
        body=CampaignBody, body_example=_BODY_EXAMPLE, problems=(*WRITES, "campaign-state"),
        answers={200: Answer(kind=Campaign, example=_CAMPAIGN, text="The campaign")},
    ),
    Operation(
        method="GET", path="/v1/campaigns", text="All campaigns", problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Campaigns, example={"campaigns": [_CAMPAIGN]}, text="By id")},
    ),
    Operation(
        method="GET", path="/v1/campaigns/{id}", text="A campaign and its live counters",
        problems=(*SHAPE, *OWNER, "unknown-campaign"),
        answers={200: Answer(kind=Campaign, example=_CAMPAIGN, text="The campaign")},
    ),
    Operation(
        method="POST", path="/v1/campaigns/{id}/preview",
        text="Whether it can be promised, and from where; nothing is set apart",
        problems=(*BODY, *OWNER, "unknown-campaign", "unknown-sku"),
        answers={200: Answer(kind=Preview, example=_PREVIEW, text="What can be promised")},
    ),
    _step("open", "Set its units apart, all or none",
          Answer(kind=Campaign, example={**_CAMPAIGN, "state": "open"}, text="Open"),
          "unknown-sku", "insufficient-stock", "campaign-state"),
    _step("close", "Give the rest back",
          Answer(kind=Campaign, example=_CLOSED, text="Closed"), "campaign-state"),
    Operation(
        method="GET", path="/v1/campaigns/{id}/report", text="What became of its units",
        problems=(*SHAPE, *OWNER, "unknown-campaign", "campaign-state"),
        answers={200: Answer(kind=Report, example=_REPORT, text="By SKU")},
    ),
)  # fmt: skip
