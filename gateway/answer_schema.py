"""What callers are told, as documented. Members may be added later; none of these goes away."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.schema import Id, Key, Text, Time


def _either(success: str) -> dict[str, Any]:
    """An element's answer: what its kind is, or a problem."""
    names = (success, "ProblemDetails")
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


class Backing(Struct):
    """Units that stand behind a line."""

    node: Id
    quantity: int
    supply: Id | None
    deliver_by: Time | None
    cost_cents: int | None
    bid_price_cents: int | UnsetType = UNSET
    price_version: int | UnsetType = UNSET


class ReservedLine(Struct):
    """One (sku, node) of a reservation."""

    sku: Id
    node: Id | None
    requested: int
    quantity: int
    backings: list[Backing]


class Reservation(Struct):
    """The reservation as it stands."""

    id: Id
    key: Key
    status: Literal["held", "confirmed", "fulfilled", "released", "expired", "cancelled"]
    durability: Literal["memory", "everysec", "fsync", "replicated", "replicated_fsync"]
    expires_at: Time
    lines: list[ReservedLine]


class ShortLine(Struct):
    """A line that cannot be had."""

    sku: Id
    node: Id | None
    requested: int
    available: int
    next_available_at: Time | None


class ProblemDetails(Struct):
    """RFC 9457. Which further members there are depends on the type."""

    type: str
    title: str
    status: int
    detail: str
    retryable: bool
    outcome: Literal["none", "applied", "unknown"]


class ReservationResult(Struct):
    """One element's answer: what its single route would have said."""

    status: int
    body: Annotated[Any, Meta(extra_json_schema=_either("Reservation"))]


class ReservationResults(Struct):
    """One result for each element, in order."""

    results: list[ReservationResult]


class Node(Struct):
    """A node with its defaults filled in."""

    node: Id
    kind: Literal["warehouse", "store", "dealer", "third_party"]
    name: Text
    zone: Id | None
    latitude: float | None
    longitude: float | None
    channels: list[Id]
    handling_hours: float
    capacity_per_hour: int | None
    priority: int
    owner: Text | None
    minimum: int
    settlement_cents: int
    cutoff: str | None
    opening_hours: list[dict[str, Any]]
    pickup_hold_hours: int


class Nodes(Struct):
    """All nodes, by id."""

    nodes: list[Node]


class Sku(Struct):
    """An article."""

    sku: Id
    name: Text
    weight_grams: int
    category: Text | None
    low_stock: int | UnsetType = UNSET
    limit_per_customer: int | UnsetType = UNSET


class Position(Struct):
    """What one node has of one SKU, in whole units."""

    sku: Id
    node: Id
    on_hand: int
    safety_stock: int
    reserved: int
    committed: int
    quarantined: int
    damaged: int
    sellable: int
    shortfall: int


class AdjustmentResult(Struct):
    """The position afterwards, or why not."""

    status: int
    body: Annotated[Any, Meta(extra_json_schema=_either("Position"))]


class Adjusted(Struct):
    """One result for each adjustment, in order."""

    reference: Id
    repeated: bool
    results: list[AdjustmentResult]


class Shortfall(Struct):
    """Units promised that are not there."""

    id: str
    sku: Id
    node: Id
    supply: Id | None
    quantity: int
    reason: str
    opened_at: Time
    deadline: Time
    reservations: list[str]


class Stock(Struct):
    """One SKU at all nodes."""

    sku: Id
    as_of_seq: int
    positions: list[Position]
    quotas: list[Any]
    supplies: list[Any]
    shortfalls: list[Shortfall]


class AvailableAt(Struct):
    """What one node can promise."""

    node: Id
    atp: int


class Available(Struct):
    """What all nodes together can promise of one SKU."""

    sku: Id
    atp: int
    as_of_seq: int
    by_node: list[AvailableAt]


class Availability(Struct):
    """In the order asked."""

    items: list[Available]
    age_ms: int  # Since the owners were asked for the oldest of it.


class Changes(Struct):
    """A page of SKUs with their figures now; one may come again unchanged."""

    items: list[Available]
    next: str
    more: bool  # Ask again at once.


class Event(Struct):
    """Something that happened."""

    cursor: str
    shard: int
    seq: int
    at: Time
    type: str
    sku: Id | None
    data: dict[str, Any]


class Events(Struct):
    """A page of the feed."""

    events: list[Event]
    next: str
    more: bool


class Alive(Struct):
    """The process runs."""

    status: Literal["alive"]


class Ready(Struct):
    """Whether commands are served, and if not, why."""

    ready: bool
    reasons: list[str]


class Percentiles(Struct):
    """Over the last minute."""

    p50: int
    p99: int


class Shard(Struct):
    """One shard and its owner; times over the last minute."""

    shard: int
    owner: str | None
    state: Literal["serving", "recovering", "moving", "unowned"]
    epoch: int
    seq: int
    open_reservations: int
    queue: int
    batch_size: Percentiles
    queue_ms_p99: float
    decide_ms_p99: float
    commit_ms_p99: float
    sweep_lag_ms: float


class Shards(Struct):
    """All shards, by number."""

    shards: list[Shard]


class Rebuilt(Struct):
    """From what the stock was rebuilt."""

    source: Literal["stream", "base", "live", "nothing"]  # See ``docs/protocol.md``.
    base_seq: int  # 0: from the first commit on.
    since: Time | None  # When live state was taken: nothing is known of what was before.


class AuditedShard(Struct):
    """What was compared."""

    shard: int
    epoch: int
    seq: int
    reservations: int
    rebuilt: Rebuilt | None  # None: it was not asked for.


class Repair(Struct):
    """A request that mends what was found, once however often it is sent."""

    units: int  # By how many the copies differ.
    path: str  # For a POST.
    body: dict[str, Any]  # Of that request.


class Finding(Struct):
    """A difference between an owner's books, the store and the events; and what would mend it."""

    shard: int
    kind: str
    sku: Id | None
    node: Id | None
    reservation: str | None
    owner: Any
    store: Any
    events: Any  # What these say, where they were asked.
    last_seq: int | None  # Of the last entry known that touched it.
    advice: str
    repair: Repair | None  # None: none is safe.


class Audit(Struct):
    """Clean means no finding."""

    clean: bool
    shards: list[AuditedShard]
    findings: list[Finding]
