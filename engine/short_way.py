"""The short way for one line of a campaign, or to a destination, or both: one place, one step.

A drop is thousands of these a second; anything rarer goes the long way in ``holds``, which decides
the same.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from engine.bids import as_decided
from engine.commands import Command, Reply
from engine.costed import by_cost, looked_through, whole
from engine.demand import OF_CAMPAIGN, Demand
from engine.effects import HELD
from engine.lanes import Lane, ready_at
from engine.outcome import Outcome
from engine.ranking import for_everybody, worth_keeping
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    COSTS,
    CUSTOMER,
    DELIVER_BY,
    FIVE_MEMBERS,
    PARTIAL,
    ZONE,
    Extra,
    pack,
)
from engine.shares import Share
from engine.sourcing import drawn_on
from engine.state import ShardState
from engine.stock import Book, Position
from engine.totals import unpaid_limit
from engine.visible import cost_key

OK = Outcome.OK
#: Members that a request may have here: of a campaign, and of none.
_DECLARED: Final = frozenset({CAMPAIGN, CHANNEL, CUSTOMER, ZONE})
_SENT: Final = frozenset({ZONE, CUSTOMER, DELIVER_BY, PARTIAL})
#: A lane, and the cents of the units' weight on it.
Way: TypeAlias = tuple[Lane, int]


class Place(NamedTuple):
    """Where the units are, and their way to the destination if one was said."""

    position: Position
    way: Way | None


def reserve_short(state: ShardState, command: Command, now_ms: int) -> Reply | None:
    """Hold units; None where the long way must look."""
    _, key, digest, lines, hold_ms, extra = command
    sku, wish, units = lines[0]
    book = state.books.get(sku)
    if book is None or wish is not None or book.limit is not None:
        return None
    if book.stopped or book.hinted_until_ms:
        return None
    if CAMPAIGN in extra:
        share = book.shares.get(OF_CAMPAIGN + extra[CAMPAIGN])
        place = _declared(state, book, share, extra, units, now_ms)
    else:
        share = None
        place = _sent(state, book, extra, units, now_ms)
    if place is None or not _within_limit(state, share, extra.get(CUSTOMER), units):
        return None
    position = place.position
    effects = state.effects
    if position not in effects.positions:
        effects.positions[position] = position.counts()
    position.reserved += units
    if share is not None:
        if share not in effects.shares:
            effects.shares[share] = share.counts()
        share.sold(position, units)
        hold_ms = share.hold_ms(hold_ms, extra.get(CUSTOMER))
    due = state.due_at
    if due.expires_at_ms != now_ms + hold_ms:
        due = state.expiring(now_ms + hold_ms)
    if place.way is not None:
        lane, by_weight = place.way
        by_ms = lane.arrival(ready_at(position.place, now_ms))
        told = [by_ms, lane.fixed_cents, by_weight, *as_decided(position, units, state.bids)]
        extra = {**extra, COSTS: {position.backing: told}}
    elif position.supply is not None:
        by_ms = max(now_ms, position.supply.available_at_ms)
        extra = {**extra, COSTS: {position.backing: [by_ms, None, None]}}
    tail = position.tails.get((None, units)) or position.pack_tail(None, units)
    record = b"".join((FIVE_MEMBERS, due.prefix[1:], digest, tail, pack(extra)))
    state.reservations[key] = record
    effects.holds = True
    effects.facts += (HELD, key, record)
    book.takers.append(key)
    if position.supply is not None:
        position.supply.promised.add(key, None, state.reservations)
    due.fields.append(key)
    return [OK, record]


def _within_limit(state: ShardState, share: Share | None, customer: str | None, units: int) -> bool:
    """Whether the customer may have them; they are counted then."""
    if share is None or share.terms.limit is None:
        return True
    counts = share.by_customer
    taken = counts.get(customer, 0) + units if customer is not None else 0
    if customer is None or taken > share.terms.limit:
        return False
    counts[customer] = taken
    state.effects.counted.append((counts, customer, units))
    return True


def _declared(
    state: ShardState, book: Book, share: Share | None, extra: Extra, units: int, now_ms: int
) -> Place | None:
    """Where a campaign has the units, if nothing stands against them but the customer's limit."""
    if share is None or not extra.keys() <= _DECLARED:
        return None
    terms = share.terms
    if terms.limit_total is not None:
        return None  # Counted on the customer's shard too.
    if CHANNEL in extra and unpaid_limit(state, extra) is not None:
        return None
    if terms.tranches or terms.closed or not terms.starts_at_ms <= now_ms < terms.ends_at_ms:
        return None
    zone = extra.get(ZONE)
    if zone is not None and state.lanes:
        return _cheapest(state, book, share, zone, units)
    position = drawn_on(share).best()
    if position is None or share.aside.get(position.slot, 0) < units:
        return None
    if for_everybody(position) + position.aside < units:
        return None  # The world has taken some.
    return Place(position, None)


def _sent(state: ShardState, book: Book, extra: Extra, units: int, now_ms: int) -> Place | None:
    """The cheapest place that has all units for everybody, where somebody says where to."""
    zone = extra.get(ZONE)
    if zone is None or book.restricted or book.waiting is not None or not extra.keys() <= _SENT:
        return None
    due_ms = extra.get(DELIVER_BY)
    if due_ms is None:
        return _cheapest(state, book, None, zone, units)
    lanes = state.lanes.get(zone)
    if lanes is None or due_ms <= now_ms:
        return None
    demand = Demand(zone=zone, lanes=lanes, bids=state.bids, now_ms=now_ms, deliver_by_ms=due_ms)
    return _sent_from(whole(book, units, demand), lanes, units)


def _cheapest(
    state: ShardState, book: Book, share: Share | None, zone: str, units: int
) -> Place | None:
    lanes = state.lanes.get(zone)
    if lanes is None:
        return None
    name = None if share is None else share.name
    key = cost_key(name, zone, units, units)
    order = book.orders.get(key)
    if order is None:
        demand = Demand(share=name, zone=zone, lanes=lanes, bids=state.bids)
        if not worth_keeping(book, key):
            position = looked_through(book, units, demand)
        else:
            position = by_cost(book, units, demand, units).best()
    else:
        position = order.best()
    return _sent_from(position, lanes, units)


def _sent_from(position: Position | None, lanes: Mapping[str, Lane], units: int) -> Place | None:
    if position is None:
        return None
    lane = lanes[position.node]
    return Place(position, (lane, lane.by_weight(position.book.members[1] * units)))
