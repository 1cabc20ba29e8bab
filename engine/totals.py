"""Limits of a buyer that go over several SKUs: counted on the shard of the customer.

A campaign's total is of the units that a customer holds, has paid for and was sent; a channel's is
of those that he holds and has not paid for. A reservation to which one applies has a piece on the
customer's shard, which carries no stock but counts. Home alone knows how much (``due``); whoever
counts, the piece or a home that is the customer's shard itself, keeps in its record what it has
counted. So a copy from the store counts the same, and news that come twice change nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from engine.commands import Reply
from engine.counting import add_to
from engine.demand import OF_CAMPAIGN, OF_CHANNEL
from engine.ids import shard_of
from engine.limits import IN_PROGRESS_RETRY_MS
from engine.outcome import Outcome
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    COUNTED,
    CUSTOMER,
    LIMITS,
    SHIPPED,
    SUPERSEDES,
    Extra,
    Line,
    Reservation,
    Status,
    line_units,
)

if TYPE_CHECKING:
    from engine.state import ShardState

#: [customer, {name of a limit: units}]; names are those of shares, see ``demand.share_name``.
Counted: TypeAlias = list[Any]

#: The member of a channel that limits units held and not paid for.
UNPAID: Final = "unpaid_units_per_customer"
_SOLD: Final = (Status.CONFIRMED, Status.FULFILLED)


class Total(NamedTuple):
    """What a request would have its customer's shard count."""

    counted: Counted
    replaced: str | None  # Field of the record whose units it takes over.


def asked(extra: Extra | None, lines: Sequence[Line], *, late: bool) -> Counted | None:
    """What counts of a request for these lines, all of its; None where no limit is counted.

    ``late``: a payment after expiry, of which nothing will be unpaid.
    """
    if not extra or LIMITS not in extra:
        return None
    units = sum(line[2] for line in lines)
    names = [name for name in extra[LIMITS] if not late or _is_campaign(name)]
    return [extra[CUSTOMER], dict.fromkeys(names, units)]


def due(reservation: Reservation) -> Counted | None:
    """What counts of a reservation in its state, as its home says; None: it is under no limit."""
    if LIMITS not in reservation.extra:
        return None
    units = sum(map(line_units, reservation.lines))
    if reservation.status is not Status.HELD and reservation.status not in _SOLD:
        parcels = reservation.extra.get(SHIPPED, {}).values()
        units = sum(line[2] for _, lines in parcels for line in lines)
    unpaid = units if reservation.status is Status.HELD else 0
    counts = {name: units if _is_campaign(name) else unpaid for name in reservation.extra[LIMITS]}
    return [reservation.extra[CUSTOMER], counts]


def is_here(state: "ShardState", counted: Counted | None) -> bool:
    """Whether it is this shard that counts for the customer."""
    return counted is not None and shard_of(counted[0], state.shards) == state.shard


def recount(state: "ShardState", record: Reservation, counted: Counted | None) -> None:
    """Count so much of a record and no more or less, where its customer is counted here."""
    if counted is None or not is_here(state, counted):
        return
    customer, counts = counted
    before = record.extra.get(COUNTED, [customer, {}])[1]
    for name in sorted(before.keys() | counts.keys()):
        change = counts.get(name, 0) - before.get(name, 0)
        if change:
            state.count(state.totals.setdefault(name, {}), customer, change)
    kept = {name: units for name, units in counts.items() if units}
    if kept:
        record.extra[COUNTED] = [customer, kept]
    else:
        record.extra.pop(COUNTED, None)


def load(state: "ShardState", extra: Extra) -> None:
    """Count what a record from the store has counted."""
    if COUNTED in extra:
        customer, counts = extra[COUNTED]
        for name, units in counts.items():
            add_to(state.totals.setdefault(name, {}), customer, units)


def replaced_by(extra: Extra | None, prefix: str = "") -> str | None:
    """The field of the hold that a request takes over; ``prefix``: what begins those of pieces."""
    old = extra.get(SUPERSEDES) if extra else None
    return None if old is None else prefix + old


def total_here(state: "ShardState", counted: Counted | None, replaced: str | None) -> Total | None:
    """What this shard would have to count; None where another one does, or nobody."""
    if counted is None or not is_here(state, counted):
        return None
    return Total(counted, replaced)


def refuse(
    state: "ShardState", lines: Sequence[Line], extra: Extra | None, total: Total | None
) -> Reply | None:
    """OVER_LIMIT where the customer would have too much; ELSEWHERE with limits yet to be counted.

    The latter before anybody has said so, with ``{name: limit}``: see ``Reserve.under``.
    """
    if not extra:
        return None
    limits = _limits(state, lines, extra)
    if not limits.keys() <= extra.get(LIMITS, {}).keys():
        if CUSTOMER not in extra:
            return [Outcome.INVALID, "customer", "is required where a limit applies"]
        return [Outcome.ELSEWHERE, limits]
    if total is None:
        return None
    if not state.closed_loaded and any(map(_is_campaign, total.counted[1])):
        return [Outcome.IN_PROGRESS, IN_PROGRESS_RETRY_MS]  # What was sent is not counted yet.
    return _over(state, extra[LIMITS], total)


def _is_campaign(name: str) -> bool:
    return name.startswith(OF_CAMPAIGN)


def _limits(state: "ShardState", lines: Sequence[Line], extra: Extra) -> dict[str, int]:
    """The limits over several SKUs that this shard knows to apply, by name."""
    limits: dict[str, int] = {}
    unpaid = unpaid_limit(state, extra)
    if unpaid is not None:
        limits[OF_CHANNEL + extra[CHANNEL]] = unpaid
    if CAMPAIGN in extra:
        name = OF_CAMPAIGN + extra[CAMPAIGN]
        for line in lines:
            share = state.books[line[0]].shares.get(name)
            if share is not None and share.terms.limit_total is not None:
                limits[name] = share.terms.limit_total
    return limits


def unpaid_limit(state: "ShardState", extra: Extra) -> int | None:
    """Unpaid units that a customer may hold through the channel of a request."""
    channel = state.channels.get(extra.get(CHANNEL, ""))
    return None if channel is None else channel.get(UNPAID)


def _over(state: "ShardState", limits: dict[str, int], total: Total) -> Reply | None:
    customer, wanted = total.counted
    record = state.reservations.get(total.replaced) if total.replaced is not None else None
    freed = Reservation(record).extra.get(COUNTED) if record is not None else None
    over = []
    for name, units in sorted(wanted.items()):
        taken = state.totals.get(name, {}).get(customer, 0)
        if freed is not None and freed[0] == customer:
            taken -= freed[1].get(name, 0)
        if taken + units > limits[name]:
            over.append([None, limits[name], taken, units, name])
    return [Outcome.OVER_LIMIT, over] if over else None
