"""Limits of a buyer that go over several SKUs: counted on the shard of the customer.

A campaign's total is of the units that a customer holds, has paid for and was sent; a channel's is
of those that he holds and has not paid for. A reservation to which one applies has a piece on the
customer's shard, which carries no stock but counts. Home alone knows how much (``due``); whoever
counts, the piece or a home that is the customer's shard itself, keeps in its record what it has
counted. So a copy from the store counts the same, and news that come twice change nothing. What was
sent outlives the record, until its campaign is over; under the limits of single SKUs too
(``accounts``), there until the SKU has no limit any more.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from engine.commands import Reply
from engine.counting import add_to
from engine.demand import OF_CAMPAIGN, OF_CHANNEL
from engine.events import Event
from engine.ids import shard_of
from engine.limits import FORGOTTEN_MAX
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
    pack,
)

if TYPE_CHECKING:
    from engine.state import ShardState

#: [customer, {name of a limit: units}, when its campaign ends (ms; 0: none)]; names are those of
#: shares, see ``demand.share_name``.
Counted: TypeAlias = list[Any]
#: {name of a limit: [units for each customer, when it ends (ms; 0: never)]}
Limits: TypeAlias = dict[str, list[int]]

#: How fields of ``state`` begin that keep what was sent: units, and when the limit ends (ms).
SENT: Final = "t"
#: The member of a channel that limits units held and not paid for.
UNPAID: Final = "unpaid_units_per_customer"
_SOLD: Final = (Status.CONFIRMED, Status.FULFILLED)


class Totals:
    """What the customers of a shard have, by limit."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}  # Units by limit and customer.
        #: Of these, what no open record counts any more: it was sent. With when the limit ends.
        self.sent: dict[str, tuple[int, dict[str, int]]] = {}
        #: The same as the store has it, until it is loaded.
        self.kept: dict[str, list[int]] = {}

    def of(self, name: str) -> dict[str, int]:
        """Units by customer under one limit."""
        return self.counts.setdefault(name, {})


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
    return [extra[CUSTOMER], dict.fromkeys(names, units), _end(extra[LIMITS])]


def _end(limits: Limits) -> int:
    return max(until_ms for _, until_ms in limits.values())


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
    return [reservation.extra[CUSTOMER], counts, _end(reservation.extra[LIMITS])]


def is_here(state: "ShardState", counted: Counted | None) -> bool:
    """Whether it is this shard that counts for the customer."""
    return counted is not None and shard_of(counted[0], state.shards) == state.shard


def recount(state: "ShardState", record: Reservation, counted: Counted | None) -> None:
    """Count so much of a record and no more or less, where its customer is counted here."""
    if counted is None or not is_here(state, counted):
        return
    customer, counts, until_ms = counted
    before = record.extra.get(COUNTED, [customer, {}])[1]
    for name in sorted(before.keys() | counts.keys()):
        change = counts.get(name, 0) - before.get(name, 0)
        if change:
            state.count(state.totals.of(name), customer, change)
    kept = {name: units for name, units in counts.items() if units}
    if kept:
        record.extra[COUNTED] = [customer, kept, until_ms]
    else:
        record.extra.pop(COUNTED, None)


def outlive(state: "ShardState", record: Reservation) -> None:
    """What a record counts as it ends was sent: it is kept beside the records."""
    if COUNTED not in record.extra:
        return
    customer, counts, until_ms = record.extra.pop(COUNTED)
    for name, units in counts.items():
        keep_sent(state, name, customer, units, until_ms)


def keep_sent(state: "ShardState", name: str, customer: str, units: int, until_ms: int) -> None:
    """Units of an ended record still count under a limit, or under ``of_sku`` of one."""
    by_customer = state.totals.sent.setdefault(name, (until_ms, {}))[1]
    state.count(by_customer, customer, units)
    state.field(f"{SENT}|{name}|{customer}", pack([by_customer[customer], until_ms]))


def of_sku(name: str, sku: str) -> str:
    """The name of the limit that a share has for each SKU; without a share the SKU's own."""
    return f"{name}|{sku}"


def load_sent(state: "ShardState") -> None:
    """Take in what the store has kept, behind the shares."""
    for rest, (units, until_ms) in state.totals.kept.items():
        name, _, customer = rest.rpartition("|")
        state.totals.sent.setdefault(name, (until_ms, {}))[1][customer] = units
        counts = _counts(state, name)
        if counts is not None:
            add_to(counts, customer, units)
    state.totals.kept = {}


def _counts(state: "ShardState", name: str) -> dict[str, int] | None:
    """Units by customer under a limit; None where SKU or share are gone."""
    share, is_of_sku, sku = name.partition("|")
    if not is_of_sku:
        return state.totals.of(name)
    book = state.books.get(sku)
    if book is None or not share:
        return None if book is None else book.by_customer
    return book.shares[share].by_customer if share in book.shares else None


def _is_over(state: "ShardState", name: str, until_ms: int, now_ms: int) -> bool:
    """Whether nobody asks any more what was sent under a limit."""
    share, _, sku = name.partition("|")
    if share:
        return until_ms < now_ms
    return sku not in state.books or state.books[sku].limit is None


def load(state: "ShardState", extra: Extra) -> None:
    """Count what a record from the store has counted."""
    if COUNTED in extra:
        customer, counts, _ = extra[COUNTED]
        for name, units in counts.items():
            add_to(state.totals.of(name), customer, units)


def forget(state: "ShardState", now_ms: int) -> None:
    """Let go of some of what was sent under limits that are over."""
    over = [
        (name, customer, by_customer)
        for name, (until_ms, by_customer) in state.totals.sent.items()
        if _is_over(state, name, until_ms, now_ms)
        for customer in islice(by_customer, FORGOTTEN_MAX)
    ]
    for name, customer, by_customer in over[:FORGOTTEN_MAX]:
        units = by_customer[customer]
        state.count(by_customer, customer, -units)
        counts = _counts(state, name)
        if counts is not None:
            state.count(counts, customer, -units)
        field = f"{SENT}|{name}|{customer}"
        state.field(field, None)
        state.fact(Event.FORGOTTEN, field, None)


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

    The latter before anybody has said so, with ``Limits``: see ``Reserve.under``.
    """
    if not extra:
        return None
    limits = limits_of(state, lines, extra)
    if not limits.keys() <= extra.get(LIMITS, {}).keys():
        if CUSTOMER not in extra:
            return [Outcome.INVALID, "customer", "is required where a limit applies"]
        return [Outcome.ELSEWHERE, limits]
    return None if total is None else over(state, extra[LIMITS], total)


def _is_campaign(name: str) -> bool:
    return name.startswith(OF_CAMPAIGN)


def limits_of(state: "ShardState", lines: Sequence[Line], extra: Extra) -> Limits:
    """The limits over several SKUs that this shard knows to apply, by name."""
    limits: Limits = {}
    unpaid = unpaid_limit(state, extra)
    if unpaid is not None:
        limits[OF_CHANNEL + extra[CHANNEL]] = [unpaid, 0]
    if CAMPAIGN in extra:
        name = OF_CAMPAIGN + extra[CAMPAIGN]
        for line in lines:
            share = state.books[line[0]].shares.get(name)
            if share is not None and share.terms.limit_total is not None:
                limits[name] = [share.terms.limit_total, share.terms.ends_at_ms]
    return limits


def unpaid_limit(state: "ShardState", extra: Extra) -> int | None:
    """Unpaid units that a customer may hold through the channel of a request."""
    channel = state.channels.get(extra.get(CHANNEL, ""))
    return None if channel is None else channel.get(UNPAID)


def over(state: "ShardState", limits: Limits, total: Total) -> Reply | None:
    """OVER_LIMIT where a customer who is counted here would have too much."""
    customer, wanted, _ = total.counted
    record = state.reservations.get(total.replaced) if total.replaced is not None else None
    freed = Reservation(record).extra.get(COUNTED) if record is not None else None
    beyond = []
    for name, units in sorted(wanted.items()):
        taken, most = state.totals.of(name).get(customer, 0), limits[name][0]
        if freed is not None and freed[0] == customer:
            taken -= freed[1].get(name, 0)
        if taken + units > most:
            beyond.append([None, most, taken, units, name])
    return [Outcome.OVER_LIMIT, beyond] if beyond else None
