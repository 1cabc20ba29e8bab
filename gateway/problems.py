"""Every refusal the API can give (RFC 9457), and which one each outcome of a shard becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from engine.commands import Reply
from engine.demand import OF_CAMPAIGN
from engine.ids import split_id
from engine.limits import IN_PROGRESS_RETRY_MS, RETRY_AFTER_MS
from engine.outcome import Outcome
from engine.record import Status
from gateway.times import written


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of problem: what never differs between two of its kind."""

    name: str
    title: str
    status: int
    retryable: bool = False
    outcome: str = "none"
    help: str  # What the caller can do; on the page of the type.
    members: tuple[str, ...] = ()


_AGAIN: Final = "Send the same request with the same key again after the time in Retry-After."

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(name="invalid-request", title="Invalid request", status=422, members=("field",),
             help="The member named by field is missing, unknown, of the wrong type or out of "
             "range. Correct it; the same request will be refused again."),
        Kind(name="key-reused", title="Key used for another request", status=422, members=("id",),
             help="The key or reference has been used with another body. A repeat must have the "
             "same content; a new request needs a new key."),
        Kind(name="too-large", title="Body too large", status=413,
             help="Split the request: the limits stand in the API description."),
        Kind(name="unsupported-media-type", title="Unsupported media type", status=415,
             help="Send application/json; POST takes application/msgpack too."),
        Kind(name="unknown-route", title="Unknown route", status=404,
             help="There is nothing at this path. A trailing slash makes another path."),
        Kind(name="method-not-allowed", title="Method not allowed", status=405,
             help="The header Allow names the methods of this path."),
        Kind(name="bad-request", title="Malformed HTTP", status=400,
             help="The bytes sent are not an HTTP/1.1 request; the connection is closed."),
        Kind(name="headers-too-large", title="Headers too large", status=431,
             help="Send fewer or shorter headers; the connection is closed."),
        Kind(name="unknown-sku", title="Unknown SKU", status=404, members=("skus",),
             help="Define the SKUs with PUT /v1/skus/{sku} first."),
        Kind(name="unknown-node", title="Unknown node", status=404, members=("nodes",),
             help="Define the nodes with PUT /v1/nodes/{node} first."),
        *(
            Kind(name=f"unknown-{thing}", title=f"Unknown {thing}", status=404, members=("id",),
                 help=f"No {thing} has this id, or it ended so long ago that it was forgotten.")
            for thing in ("reservation", "campaign", "supply", "wave", "zone", "pool")
        ),
        Kind(name="unknown-waiting", title="Not on the waiting list", status=404, members=("id",),
             help="No entry has this id, or it ended so long ago that it was forgotten."),
        Kind(name="already-waiting", title="Waiting already", status=409, members=("id",),
             help="A customer has one place in the list of a SKU: the entry named by id."),
        Kind(name="waiting-list-full", title="The waiting list is full", status=409,
             members=("sku",), help="As many customers wait for this SKU as may."),
        Kind(name="over-limit", title="More than one customer may have", status=409,
             members=("limits",),
             help="limits has what the customer has taken, and how much is allowed: of a SKU, or"
                  " where sku is null, of all in the campaign, or unpaid through the channel."),
        Kind(name="over-quota", title="The share is used up", status=409,
             members=("short_lines", "available"),
             help="available is what is left of the channel's or campaign's share: of each short"
                  " line, and of the first of them beside the list."),
        Kind(name="insufficient-stock", title="Not enough stock", status=409,
             members=("short_lines",),
             help="short_lines has every line that is short and what is available of it."),
        Kind(name="sold-out", title="Sold out", status=409, members=("short_lines",),
             help="Nothing is left of this SKU. Units may return when holds end."),
        Kind(name="not-held", title="Reservation is not held", status=409,
             members=("reservation_status", "short_lines"),
             help="The hold has ended. A new attempt needs a new key."),
        Kind(name="not-confirmed", title="Reservation is not confirmed", status=409,
             members=("reservation_status", "short_lines"),
             help="Only a confirmed reservation can be fulfilled."),
        Kind(name="exceeds-committed", title="More than is left of a line", status=409,
             members=("lines",), help="lines has what is left of each."),
        Kind(name="negative-stock", title="Stock would fall below zero", status=409,
             members=("sku", "node"), help="Count the position and send on_hand instead."),
        Kind(name="out-of-range", title="Stock would exceed the limit", status=409,
             members=("sku", "node"), help="A position holds at most 1,000,000,000 units."),
        Kind(name="quota-exceeds-stock", title="More set apart than is there", status=409,
             members=("sku", "channel", "available"),
             help="Set apart at most what is available, or bring stock in first."),
        Kind(name="campaign-not-open", title="Campaign is not open", status=409,
             members=("id", "state"),
             help="Its units are sold between its start and its end, once it has been opened."),
        Kind(name="campaign-state", title="Campaign is in another state", status=409,
             members=("id", "state"), help="What was asked for is not possible in this state."),
        Kind(name="supply-closed", title="Supply is closed", status=409, members=("id", "state"),
             help="All of it has come, or it was cancelled."),
        Kind(name="wave-running", title="A wave is running", status=409, members=("id", "state"),
             help="One wave runs at a time. Wait until the one named by id is done."),
        Kind(name="cursor-expired", title="Cursor too old", status=410, members=("oldest",),
             help="What is behind this cursor is not kept. Go on from oldest, after a snapshot."),
        Kind(name="in-progress", title="The same key is being decided", status=409,
             retryable=True, members=("retry_after_ms",), help=_AGAIN),
        Kind(name="contended", title="Units are in baskets not yet decided", status=409,
             retryable=True, members=("retry_after_ms",), help=_AGAIN),
        Kind(name="overloaded", title="Too many requests", status=429, retryable=True,
             members=("retry_after_ms",), help=_AGAIN),
        Kind(name="unavailable", title="Not ready", status=503, retryable=True,
             members=("retry_after_ms",), help="Nothing was done. " + _AGAIN),
        Kind(name="outcome-unknown", title="The answer was lost or late", status=503,
             retryable=True, outcome="unknown", members=("retry_after_ms",),
             help="It was done or not; a repeat settles it. " + _AGAIN),
        Kind(name="durability-not-met", title="Done, but less durable than asked", status=503,
             retryable=True, outcome="applied", members=("retry_after_ms", "durability"),
             help="The change is made, with fewer copies than the level asks for. " + _AGAIN),
        Kind(name="internal", title="A defect", status=500, outcome="unknown",
             help="This is our mistake, not yours; the log has more."),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. ``members`` are those that its kind adds."""

    kind: Kind
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The body, in the order a reader wants it."""
        return {
            "type": f"/problems/{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "retryable": self.kind.retryable,
            "outcome": self.kind.outcome,
            **self.members,
        }

    @property
    def retry_after_s(self) -> int | None:
        """For the header Retry-After, where the kind has a time to come back."""
        wait_ms: int | None = self.members.get("retry_after_ms")
        return None if wait_ms is None else max(1, ceil(wait_ms / 1000))


class Refused(Exception):
    """Ends the handling of one request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def problem(name: str, detail: str, **members: Any) -> Problem:
    """A problem of the kind ``name``."""
    return Problem(KINDS[name], detail, members)


def invalid(path: str | None, detail: str) -> Problem:
    """The request's shape is wrong at ``path``; None where the body could not be read."""
    return problem("invalid-request", f"{path}: {detail}" if path else detail, field=path)


def retry(name: str, detail: str, after_ms: int) -> Problem:
    """A problem that is expected to pass."""
    return problem(name, detail, retry_after_ms=after_ms)


def too_late(*, read: bool) -> Problem:
    """The answer did not come in time; where nothing was to be changed, nothing was."""
    kind = "unavailable" if read else "outcome-unknown"
    return retry(kind, "the answer came too late", RETRY_AFTER_MS)


def short_lines(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Every line that is short, as the API lists them; a fifth member has what else there is."""
    return [
        {"sku": sku, "node": node, "requested": requested, "available": available,
         "next_available_at": _first_date(others), **_alternatives(others)}
        for sku, node, requested, available, *others in rows
    ]  # fmt: skip


def _first_date(others: Sequence[Any]) -> str | None:
    dates = [at_ms for each in others for _, _, _, at_ms in each if at_ms is not None]
    return written(min(dates)) if dates else None


def _alternatives(others: Sequence[Any]) -> dict[str, Any]:
    told = [
        {"node": node, "supply": supply, "quantity": units,
         "available_at": None if at_ms is None else written(at_ms)}
        for each in others
        for node, supply, units, at_ms in each
    ]  # fmt: skip
    return {"alternatives": told} if told else {}


def _short(reply: Reply, _name: str) -> Problem:
    rows = reply[1]
    told = "; ".join(f"{row[0]}: {row[2]} asked, {row[3]} available" for row in rows[:3])
    sold_out = len(reply) > 2 and reply[2]
    kind = "sold-out" if sold_out else "insufficient-stock"
    return problem(kind, told + ("; …" if len(rows) > 3 else ""), short_lines=short_lines(rows))


def _not_in_state(kind: str) -> Callable[[Reply, str], Problem]:
    def told(reply: Reply, name: str) -> Problem:
        status = Status(reply[1]).name.lower()
        rows = reply[2] if len(reply) > 2 and reply[2] else []
        return problem(
            kind, f"{name} is {status}", reservation_status=status, short_lines=short_lines(rows)
        )

    return told


def _exceeds(reply: Reply, name: str) -> Problem:
    lines = [
        {"sku": sku, "node": node, "left": left, "requested": requested}
        for sku, node, left, requested in reply[1]
    ]
    return problem("exceeds-committed", f"more than is left of {name}", lines=lines)


def _position(kind: str) -> Callable[[Reply, str], Problem]:
    return lambda reply, _name: problem(
        kind, f"{reply[1]} at {reply[2]}", sku=reply[1], node=reply[2]
    )


def _unknown(kind: str, member: str) -> Callable[[Reply, str], Problem]:
    return lambda reply, _name: problem(
        kind, ", ".join(reply[1][:10]) + (", …" if len(reply[1]) > 10 else ""), **{member: reply[1]}
    )


def _unknown_one(kind: str) -> Callable[[Reply, str], Problem]:
    return lambda _reply, name: problem(kind, name, id=name)


def _unknown_reservation(reply: Reply, name: str) -> Problem:
    """The one asked about, or the one that was to be superseded: that is told by its whole id."""
    told = reply[1][0] if split_id(reply[1][0]) is not None else name
    return problem("unknown-reservation", told, id=told)


def _unknown_one_of(kind: str) -> Callable[[Reply, str], Problem]:
    return lambda reply, _name: problem(kind, str(reply[1][0]), id=reply[1][0])


def _limit(
    sku: str | None, limit: int, taken: int, requested: int, share: str | None = None
) -> dict[str, Any]:
    """A limit as told; one over several SKUs by the campaign or the channel that sets it."""
    told = {"sku": sku, "limit": limit, "taken": taken, "requested": requested}
    if share is None:
        return told
    kind = "campaign" if share.startswith(OF_CAMPAIGN) else "channel"
    return {**told, kind: share.partition(":")[2]}


def _over_limit(reply: Reply, _name: str) -> Problem:
    limits = [_limit(*row) for row in reply[1]]
    told = "; ".join(
        f"{at['sku'] or at.get('campaign') or at.get('channel')}: {at['limit']} for each"
        f" customer, {at['taken']} taken"
        for at in limits[:3]
    )
    return problem("over-limit", told, limits=limits)


def _over_quota(reply: Reply, _name: str) -> Problem:
    rows = reply[1]
    told = "; ".join(f"{row[0]}: {row[3]} left of the share" for row in rows[:3])
    return problem("over-quota", told, short_lines=short_lines(rows), available=rows[0][3])


def _in_state(kind: str) -> Callable[[Reply, str], Problem]:
    shown = {"opening": "draft", "closing": "open"}

    def told(reply: Reply, _name: str) -> Problem:
        state = shown.get(reply[2], reply[2])
        return problem(kind, f"{reply[1]} is {state}", id=reply[1], state=state)

    return told


def _quota_exceeds(reply: Reply, _name: str) -> Problem:
    _, sku, channel, available = reply
    return problem(
        "quota-exceeds-stock", f"{available} of {sku} can be set apart for {channel}",
        sku=sku, channel=channel, available=available,
    )  # fmt: skip


def _already_waiting(reply: Reply, name: str) -> Problem:
    home, _, _ = name.partition(".")
    other = f"{home}.{reply[1]}"
    return problem("already-waiting", f"the customer waits as {other}", id=other)


def _waiting(kind: str, detail: str, default_ms: int = RETRY_AFTER_MS) -> Callable[..., Problem]:
    def told(reply: Reply, _name: str) -> Problem:
        given = reply[1] if len(reply) > 1 and isinstance(reply[1], int) else default_ms
        return retry(kind, detail, given)

    return told


def _contended(_reply: Reply, _name: str) -> Problem:
    return retry("contended", "units are in baskets not yet decided", IN_PROGRESS_RETRY_MS)


def _weaker(_reply: Reply, _name: str) -> Problem:
    # Every level that asks for copies has them beside one server's own fsync.
    return problem("durability-not-met", "done, with fewer copies than asked",
                   retry_after_ms=RETRY_AFTER_MS, durability="fsync")  # fmt: skip


_NOT_READY: Final = _waiting("unavailable", "the owner or its store is not ready")
_LOST: Final = _waiting("outcome-unknown", "the answer was lost or late")
_DECIDING: Final = _waiting("in-progress", "the same key is being decided", IN_PROGRESS_RETRY_MS)

#: What each outcome that is no success becomes. The second argument names what was asked about.
BY_OUTCOME: Final[Mapping[Outcome, Callable[[Reply, str], Problem]]] = {
    Outcome.KEY_REUSED: lambda _reply, name: problem(
        "key-reused", f"{name} was used with another body", id=name
    ),
    Outcome.INVALID: lambda reply, _name: invalid(reply[1], reply[2]),
    Outcome.UNKNOWN_RESERVATION: _unknown_reservation,
    Outcome.UNKNOWN_SKU: _unknown("unknown-sku", "skus"),
    Outcome.UNKNOWN_NODE: _unknown("unknown-node", "nodes"),
    Outcome.UNKNOWN_CAMPAIGN: _unknown_one_of("unknown-campaign"),
    Outcome.NOT_HELD: _not_in_state("not-held"),
    Outcome.NOT_CONFIRMED: _not_in_state("not-confirmed"),
    Outcome.EXCEEDS_COMMITTED: _exceeds,
    Outcome.NEGATIVE_STOCK: _position("negative-stock"),
    Outcome.OUT_OF_RANGE: _position("out-of-range"),
    Outcome.OVER_LIMIT: _over_limit,
    Outcome.OVER_QUOTA: _over_quota,
    Outcome.CAMPAIGN_NOT_OPEN: _in_state("campaign-not-open"),
    Outcome.CAMPAIGN_STATE: _in_state("campaign-state"),
    Outcome.QUOTA_EXCEEDS_STOCK: _quota_exceeds,
    Outcome.UNKNOWN_ZONE: _unknown_one_of("unknown-zone"),
    Outcome.UNKNOWN_SUPPLY: _unknown_one("unknown-supply"),
    Outcome.SUPPLY_CLOSED: _in_state("supply-closed"),
    Outcome.UNKNOWN_WAITING: _unknown_one("unknown-waiting"),
    Outcome.ALREADY_WAITING: _already_waiting,
    Outcome.WAITING_FULL: lambda reply, _name: problem(
        "waiting-list-full", f"{reply[1]} has no place left", sku=reply[1]
    ),
    Outcome.SHORT: _short,
    Outcome.CONTENDED: _contended,
    Outcome.IN_PROGRESS: _DECIDING,
    Outcome.ABORTED: _DECIDING,
    Outcome.STALE: _DECIDING,
    Outcome.ELSEWHERE: _NOT_READY,
    Outcome.GAP: _NOT_READY,
    Outcome.OVERLOADED: _waiting("overloaded", "too many requests are waiting"),
    Outcome.UNAVAILABLE: _NOT_READY,
    Outcome.LOST: _LOST,
    Outcome.WEAKER: _weaker,
    Outcome.NOT_OWNER: _NOT_READY,
    Outcome.IN_DOUBT: _LOST,
}


def of_read(reply: Reply, name: str) -> Problem:
    """``of_reply`` for a command that changes nothing: a lost answer leaves nothing in doubt."""
    if reply[0] in (Outcome.LOST, Outcome.IN_DOUBT):
        return too_late(read=True)
    return of_reply(reply, name)


def of_reply(reply: Reply, name: str) -> Problem:
    """The problem that a refusing reply about ``name`` stands for."""
    return BY_OUTCOME[Outcome(reply[0])](reply, name)
