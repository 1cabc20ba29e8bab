"""The short way to a campaign's units: one line, one place, the limit counted in the same step.

A drop is thousands of these a second; anything rarer goes the long way in ``holds``, which
decides the same.
"""

from typing import Final

from engine.commands import Command, Reply
from engine.demand import OF_CAMPAIGN
from engine.effects import HELD
from engine.outcome import Outcome
from engine.record import CAMPAIGN, CHANNEL, CUSTOMER, FIVE_MEMBERS, Extra, pack
from engine.shares import Share
from engine.state import ShardState
from engine.stock import Book, Position

OK = Outcome.OK
#: Members that a request may have here.
_KNOWN: Final = frozenset({CAMPAIGN, CHANNEL, CUSTOMER})


def reserve_declared(state: ShardState, command: Command, now_ms: int) -> Reply | None:
    """Hold units of a campaign; None where the long way must look."""
    _, key, digest, lines, hold_ms, extra = command
    sku, wish, units = lines[0]
    book = state.books.get(sku)
    if book is None or wish is not None or CAMPAIGN not in extra:
        return None
    share = book.shares.get(OF_CAMPAIGN + extra[CAMPAIGN])
    position = _position(book, share, extra, units, now_ms)
    if share is None or position is None:
        return None
    effects = state.effects
    customer = extra.get(CUSTOMER)
    if share.terms.limit is not None:
        counts = share.by_customer
        taken = counts.get(customer, 0) + units
        if customer is None or taken > share.terms.limit:
            return None
        counts[customer] = taken
        effects.counted.append((counts, customer, units))
    if position not in effects.positions:
        effects.positions[position] = position.counts()
    if share not in effects.shares:
        effects.shares[share] = share.counts()
    position.reserved += units
    share.sold(position, units)
    if not hold_ms or customer is None:
        hold_ms = share.hold_ms(hold_ms, customer)
    due = state.due_at
    if due.expires_at_ms != now_ms + hold_ms:
        due = state.expiring(now_ms + hold_ms)
    tail = position.tails.get((None, units)) or position.pack_tail(None, units)
    record = b"".join((FIVE_MEMBERS, due.prefix[1:], digest, tail, pack(extra)))
    state.reservations[key] = record
    effects.holds = True
    effects.facts += (HELD, key, record)
    book.takers.append(key)
    if position.supply is not None:
        position.supply.promised.append(key)
    due.fields.append(key)
    return [OK, record]


def _position(
    book: Book, share: Share | None, extra: Extra, units: int, now_ms: int
) -> Position | None:
    """Where the units are, if nothing stands against them but the customer's limit."""
    if share is None or book.limit is not None or book.stopped or book.hinted_until_ms:
        return None
    terms = share.terms
    if terms.tranches or terms.closed or not extra.keys() <= _KNOWN:
        return None
    if not terms.starts_at_ms <= now_ms < terms.ends_at_ms:
        return None
    position = share.first()
    if position is None or share.aside[position.slot] < units:
        return None
    there = position.free - position.withheld + position.aside
    return position if there >= units else None
