"""Many orders planned together."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from actors.waves.touching import TOUCHED_MAX
from gateway.contract.operation import (
    BODY,
    ID_SCHEMA,
    OWNER,
    SHAPE,
    Answer,
    File,
    Operation,
    Parameter,
)
from gateway.examples import PAGE
from gateway.schema import Body, Id, Time

SECONDS_MAX: Final = 600
#: What a dry run may suppose: ten times what a node sends, lanes a month faster.
Percent = Annotated[int, Meta(ge=0, le=1_000)]
DaysFaster = Annotated[int, Meta(ge=1, le=30)]


_Names = Annotated[list[Id], Meta(max_length=TOUCHED_MAX)]

Trigger = Literal[
    "request", "clock", "count", "outage", "refusal", "late_receipt", "correction", "better_stock"
]


class TouchingBody(Body):
    """Orders with units of one of ``skus`` on one of ``nodes`` (absent: any), and those named."""

    nodes: _Names | None = None
    skus: _Names | None = None
    reservations: _Names | None = None


class WaveBody(Body):
    """How long to plan, and what."""

    max_seconds: Annotated[int, Meta(ge=1, le=SECONDS_MAX)] | None = None
    scope: Literal["confirmed", "confirmed_and_held"] | None = None
    dry_run: bool | None = None
    closed_nodes: _Names | None = None
    touching: TouchingBody | None = None
    capacity_percent: Percent | Annotated[dict[Id, Percent], Meta(max_length=1_000)] | None = None
    days_faster: DaysFaster | None = None
    merge_orders: bool | None = None


class Step(Struct):
    """Where the plan stood after so many seconds of solving."""

    seconds: float
    stage: str
    cost_cents: int
    bound_cents: int | None


class Touching(Struct):
    """What a wave is narrowed to."""

    nodes: list[Id]
    skus: list[Id]
    reservations: list[Id]


class Wave(Struct):
    """A wave as it stands; null while unknown.

    ``hit_orders`` of ``orders`` are touched, null where the wave is not narrowed. ``saved_cents``:
    what the moved orders cost less than from where they stood; negative where a repair costs more.
    ``late_days``: how late all parcels come, added up.
    """

    id: Id
    state: Literal["gathering", "solving", "applying", "done", "failed"]
    scope: Literal["confirmed", "confirmed_and_held"]
    max_seconds: int
    dry_run: bool
    closed_nodes: list[Id]
    touching: Touching | None
    trigger: Trigger
    capacity_percent: Percent | dict[Id, Percent] | None
    days_faster: int | None
    merge_orders: bool
    orders: int | None
    lines_without_place: int | None
    cost_cents_before: int | None
    cost_cents_after: int | None
    bound_cents: int | None
    gap_share: float | None
    moved: int
    refused_moves: int
    hit_orders: int | None
    saved_cents: int | None
    late_days_before: float | None
    late_days_after: float | None
    started_at: Time
    finished_at: Time | None
    reason: str | None
    steps: list[Step]


class Waves(Struct):
    """The last waves, oldest first."""

    waves: list[Wave]


class Place(Struct):
    """Units of a line at a node, or on their way to it."""

    node: Id
    quantity: int
    supply: Id | None


class WaveLine(Struct, rename={"from_": "from"}):
    """Where units of a line stood, and where the plan has them."""

    sku: Id
    quantity: int
    from_: list[Place]
    to: list[Place]


class OtherWay(Struct):
    """Another set of nodes, and what the order would cost from there."""

    nodes: list[Id]
    cost_cents: int


class WaveOrder(Struct):
    """What a wave did with an order, and why."""

    reservation: Id
    cost_cents: int
    refused: bool
    lines: list[WaveLine]
    next_best: OtherWay | None
    binding: list[str]


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "w-7", "state": "done", "scope": "confirmed", "max_seconds": 15, "dry_run": False,
    "closed_nodes": [], "touching": None, "trigger": "request", "capacity_percent": None,
    "days_faster": None, "merge_orders": False, "orders": 1204, "lines_without_place": 0,
    "cost_cents_before": 912_033, "cost_cents_after": 841_220,
    "bound_cents": 838_114, "gap_share": 0.0037, "moved": 388, "refused_moves": 2,
    "hit_orders": None, "saved_cents": 69_120, "late_days_before": 31.5, "late_days_after": 4.0,
    "started_at": "2026-12-01T20:31:00.000Z", "finished_at": "2026-12-01T20:31:16.000Z",
    "reason": None,
    "steps": [{"seconds": 1.2, "stage": "prices", "cost_cents": 850_110, "bound_cents": None}],
}  # fmt: skip
_ORDER: Final[dict[str, Any]] = {
    "reservation": "3.order-1001", "cost_cents": 640, "refused": False,
    "lines": [{
        "sku": "85123A", "quantity": 2,
        "from": [{"node": "store-leeds", "quantity": 2, "supply": None}],
        "to": [{"node": "wh-1", "quantity": 2, "supply": None}],
    }],
    "next_best": {"nodes": ["store-leeds"], "cost_cents": 700},
    "binding": ["stock 85123A store-york"],
}  # fmt: skip
_KEY: Final = Parameter(
    name="Idempotency-Key", where="header", schema=ID_SCHEMA, example="evening-wave",
    text="The id of the wave: a repeat finds it and starts no other.",
)  # fmt: skip

WAVES: Final = (
    Operation(
        method="POST", path="/v1/waves",
        text="Plan the open orders of all shards together, and move them where the plan has them",
        body=WaveBody,
        body_example={"max_seconds": 15, "scope": "confirmed"},
        parameters=(_KEY,),
        problems=(*BODY, *OWNER, "key-reused", "wave-running"),
        answers={202: Answer(kind=Wave, example=_EXAMPLE, text="Begun; Location has it")},
    ),
    Operation(
        method="GET", path="/v1/waves", text="The last waves",
        problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Waves, example={"waves": [_EXAMPLE]}, text="Oldest first")},
    ),
    Operation(
        method="GET", path="/v1/waves/{id}", text="How a wave is doing",
        problems=(*SHAPE, *OWNER, "unknown-wave"),
        answers={200: Answer(kind=Wave, example=_EXAMPLE, text="As it stands")},
    ),
    Operation(
        method="POST", path="/v1/waves/{id}/cancel",
        text="End a wave; moves that were made stay made",
        problems=(*BODY, *OWNER, "unknown-wave"),
        answers={200: Answer(kind=Wave, example={**_EXAMPLE, "state": "failed"}, text="Ended")},
    ),
    Operation(
        method="GET", path="/v1/waves/{id}/orders/{reservation}",
        text="What a wave did with an order, and why; of the last three waves",
        problems=(*SHAPE, *OWNER, "unknown-wave", "unknown-reservation"),
        answers={200: Answer(kind=WaveOrder, example=_ORDER, text="The order in the plan")},
    ),
    Operation(
        method="GET", path="/v1/waves/{id}/page",
        text="A wave as a page for people; with its plan, if it is one of the last three",
        problems=(*SHAPE, *OWNER, "unknown-wave"),
        file=File(media="text/html", text="The page", example=PAGE),
    ),
    Operation(
        method="GET", path="/v1/waves/{id}/problem",
        text="What a wave planned and its plan, for `tidegate solve`; of the last three waves",
        problems=(*SHAPE, *OWNER, "unknown-wave"),
        file=File(media="application/octet-stream", text="A NumPy archive", example="PK"),
    ),
)  # fmt: skip
