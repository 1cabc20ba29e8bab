"""The waiting list of a SKU: joining it, leaving it, asking for one's place."""

from typing import Any

from engine import holds
from engine.commands import Command, Reply
from engine.demand import demand_of
from engine.events import Event
from engine.granting import refuse
from engine.limits import SWEEP_MAX, WAITING_MAX, WAITING_SHARD_MAX
from engine.offering import offer, put
from engine.outcome import Outcome
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    CUSTOMER,
    PREORDER,
    ZONE,
    Reservation,
    Status,
)
from engine.shares import share_of
from engine.state import ShardState
from engine.waiting_list import Entry, Standing

OK = Outcome.OK
#: Refusals that waiting may help against.
_PASSING = (Outcome.OVER_QUOTA, Outcome.CONTENDED, Outcome.ELSEWHERE)
#: What the elements of a reported entry are. Times in ms.
ENTRY_MEMBERS = (
    "key", "status", "sku", "quantity", "channel", "customer", "zone", "joined_at", "until",
    "reservation", "place", "campaign", "preorder",
)  # fmt: skip


def join(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.waiting.join``; units that are there are offered at once."""
    _, key, digest, sku, units, extra, wait_ms, offer_ms = command
    known = state.waiting.entries.get(key)
    if known is not None:
        if known.digest != digest.hex():
            return [Outcome.KEY_REUSED, key]
        return [Outcome.REPEATED, _report(known, state, now_ms)]
    demand = demand_of(state, extra, now_ms)
    refused = refuse(state, [[sku, None, units]], extra, demand)
    # What others than this shard count is asked once there are units.
    if refused is not None and refused[0] not in _PASSING:
        return refused
    queue = state.books[sku].waiting
    others = queue.entries if queue is not None else {}
    for other in others.values():
        if other.customer == extra[CUSTOMER] and other.waits(now_ms):
            return [Outcome.ALREADY_WAITING, other.key]
    if len(others) >= WAITING_MAX or len(state.waiting.entries) >= WAITING_SHARD_MAX:
        return [Outcome.WAITING_FULL, sku]
    until_ms, share = now_ms + wait_ms, share_of(state.books[sku], demand)
    if share is not None and share.is_campaign:
        until_ms = min(until_ms, share.terms.ends_at_ms)
    entry = Entry(
        key=key, number=(queue.last_number() if queue is not None else 0) + 1,
        standing=Standing.WAITING, sku=sku, units=units, channel=extra.get(CHANNEL),
        customer=extra[CUSTOMER], zone=extra.get(ZONE), digest=digest.hex(), offer_ms=offer_ms,
        joined_at_ms=now_ms, until_ms=until_ms, reservation=None,
        campaign=extra.get(CAMPAIGN), preorder=bool(extra.get(PREORDER)),
    )  # fmt: skip
    put(state, key, entry, Event.WAITING_JOINED)
    offer(state, now_ms)
    return [OK, _report(state.waiting.entries[key], state, now_ms)]


def leave(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.waiting.leave``; units offered and not confirmed go to the next."""
    entry = state.waiting.entries.get(command[1])
    if entry is None:
        return [Outcome.UNKNOWN_WAITING, command[1]]
    given_back = _give_back(state, entry, now_ms)
    if entry.waits(now_ms) or given_back or entry.standing is Standing.ASKED:
        entry = _end(state, entry, Standing.LEFT, now_ms)
    return [OK, _report(entry, state, now_ms)]


def _end(state: ShardState, entry: Entry, standing: Standing, until_ms: int) -> Entry:
    """The entry as it ends; of an offer that its customer has never heard of it says nothing."""
    heard = entry.reservation if entry.standing is Standing.OFFERED else None
    ended = entry._replace(standing=standing, until_ms=until_ms, reservation=heard)
    put(state, entry.key, ended, Event.WAITING_ENDED)
    return ended


def _give_back(state: ShardState, entry: Entry, now_ms: int) -> bool:
    """Release an offer that is still open; whether it was."""
    offered = _held(state, entry, now_ms)
    if offered is None or entry.reservation is None:
        return False
    holds.end(state, entry.reservation, offered, Status.RELEASED, now_ms)
    return True


def _held(state: ShardState, entry: Entry, now_ms: int) -> Reservation | None:
    """The offer of an entry, while it is open."""
    record = state.reservations.get(entry.reservation or "")
    offered = Reservation(record) if record is not None else None
    if offered is None or offered.status is not Status.HELD or now_ms >= offered.expires_at_ms:
        return None
    return offered


def read(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.waiting.read``."""
    entry = state.waiting.entries.get(command[1])
    if entry is None:
        return [Outcome.UNKNOWN_WAITING, command[1]]
    return [OK, _report(entry, state, now_ms)]


def serve(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.waiting.serve``; offers are made after every command."""
    for entry in state.waiting.due(now_ms, SWEEP_MAX):
        if entry.is_served:
            put(state, entry.key, None, Event.FORGOTTEN)
        else:
            _give_back(state, entry, now_ms)
            _end(state, entry, Standing.EXPIRED, entry.until_ms)
    return [OK]


def answer(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.waiting.answer``; without its offer the entry is in its place again."""
    _, key, offered, is_within = command
    entry = state.waiting.entries.get(key)
    if entry is None or entry.standing is not Standing.ASKED or entry.reservation != offered:
        return [OK]  # Heard before, or nobody waits any more.
    held = _held(state, entry, now_ms)
    if not is_within:
        _give_back(state, entry, now_ms)
        _end(state, entry, Standing.OVER_LIMIT, now_ms)
    elif held is not None:
        told = entry._replace(standing=Standing.OFFERED, until_ms=held.expires_at_ms)
        put(state, key, told, Event.WAITING_OFFERED)
    else:
        again = entry._replace(standing=Standing.WAITING, reservation=None)
        put(state, key, again, Event.WAITING_ASKED)
    return [OK]


def _report(entry: Entry, state: ShardState, now_ms: int) -> list[Any]:
    """An entry as replies carry it: one whose time is over reads as expired before the sweep."""
    standing, place, offered = entry.standing, None, entry.reservation
    queue = state.books[entry.sku].waiting
    if not entry.is_served and now_ms >= entry.until_ms:
        standing, offered = Standing.EXPIRED, None
    elif standing is Standing.ASKED:  # Nobody is before him.
        standing, place, offered = Standing.WAITING, 1, None
    elif standing is Standing.WAITING and queue is not None:
        place = queue.place(entry.key)
    return [
        entry.key, standing, entry.sku, entry.units, entry.channel, entry.customer, entry.zone,
        entry.joined_at_ms, entry.until_ms, offered, place,
        entry.campaign, entry.preorder,
    ]  # fmt: skip
