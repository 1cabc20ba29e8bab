"""Holds on one shard: reserve, confirm, release, extend, expire, cancel, read."""

from engine import accounts, totals
from engine.accounts import account_of
from engine.allowances import hold_for, refuse_share
from engine.backings import stand_on, units_left
from engine.commands import Command, Reply
from engine.costing import costs_of
from engine.demand import demand_of
from engine.demand_log import note
from engine.effects import HELD
from engine.events import Event
from engine.granting import grant, refuse, short_reply, store_hold
from engine.lanes import HOUR_MS, ready_at
from engine.late_payments import HOLD_AGAIN, instead, late_policy, short_again, wanted_again
from engine.limits import PICKUP_HOLD_HOURS_DEFAULT
from engine.outcome import Outcome
from engine.pickups import leave
from engine.record import (
    BACKINGS,
    COSTS,
    ENDED_AT,
    HOLD_NUMBER,
    OWES,
    OWNER_LOOKS,
    PICKUP,
    PICKUP_UNTIL,
    PIECES,
    SHIPPED,
    SUPERSEDES,
    Line,
    Reservation,
    Status,
    pack,
    plain_record,
    unpack,
    with_flags,
)
from engine.reservation import AnswerTo, Verb, answer
from engine.short_way import reserve_short
from engine.shortfalls import late_ended, review
from engine.sourcing import withheld
from engine.state import PIECE, ShardState
from engine.stock import rose
from engine.superseding import take_over
from engine.to_store import call_back_unpaid

OK = Outcome.OK
_HELD = Status.HELD
_HELD_FLAG = int(Status.HELD)
_CONFIRMED_FLAG = int(Status.CONFIRMED)
_EVENTS = {
    Status.RELEASED: Event.RELEASED,
    Status.EXPIRED: Event.EXPIRED,
    Status.CANCELLED: Event.CANCELLED,
}


def reserve(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Hold units, all or nothing unless partial; see ``commands.reserve``.

    The common case (one line, nothing rare) comes first and whole: it is the flash sale.
    """
    _, key, digest, lines, hold_ms, extra = command
    reservations = state.reservations
    if key in reservations or state.closed or not state.closed_loaded:
        known = state.known(key)
        if known is not None:
            return repeat(known, key, digest, now_ms)
    if extra is not None and SUPERSEDES in extra:
        return take_over(
            state, extra[SUPERSEDES], key, lambda: _reserve_general(state, command, now_ms), MOVES
        )
    if extra is not None and len(lines) == 1:
        short = reserve_short(state, command, now_ms)
        return short or _reserve_general(state, command, now_ms)
    if len(lines) > 1:
        return _reserve_general(state, command, now_ms)
    sku, wish, units = lines[0]
    book = state.books.get(sku)
    position = book.only if book is not None else None
    if book is None or position is None or (wish is not None and wish != position.node):
        return _reserve_general(state, command, now_ms)
    reserved = position.reserved
    if position.on_hand - reserved - position.committed - position.withheld < units:
        return _reserve_general(state, command, now_ms)
    effects = state.effects
    if position not in effects.positions:
        effects.positions[position] = position.counts()
    position.reserved = reserved + units
    due = state.due_at
    if due.expires_at_ms != now_ms + hold_ms:
        due = state.expiring(now_ms + hold_ms)
    tail = position.tails.get((wish, units)) or position.pack_tail(wish, units)
    reservations[key] = record = due.prefix + digest + tail
    effects.holds = True
    effects.facts += (HELD, key, record)
    book.takers.append(key)
    due.fields.append(key)
    return [OK, record]


def repeat(record: bytes, key: str, digest: bytes, now_ms: int) -> Reply:
    """The answer to a key that is known already."""
    if Reservation(record).digest != digest:
        return [Outcome.KEY_REUSED, key]
    return [Outcome.REPEATED, as_read(record, now_ms)]


def as_read(record: bytes, now_ms: int) -> bytes:
    """A record as it stands: a hold whose time is over reads as expired before the sweep."""
    reservation = Reservation(record)
    if reservation.status is not _HELD or now_ms < reservation.expires_at_ms:
        return record
    reservation.status = Status.EXPIRED
    return reservation.packed()


def _reserve_general(state: ShardState, command: Command, now_ms: int) -> Reply:
    _, key, digest, lines, hold_ms, extra = command
    demand = demand_of(state, extra, now_ms)
    refused = refuse(state, lines, extra, demand)
    if refused is not None:
        note(state, lines, demand, refused)
        return refused
    hinted = len(lines) == 1 and (extra is None or OWNER_LOOKS.isdisjoint(extra))
    if hinted and withheld(state.books[lines[0][0]], lines[0], demand, now_ms):
        refused = [Outcome.SHORT, [[*lines[0], 0]], True]
        note(state, lines, demand, refused)
        return refused
    granted = grant(state, lines, demand)
    if granted is None:
        short = short_reply(state, lines, demand)
        contended = any(state.books[line[0]].unsealed for line in short[0])
        refused = [Outcome.CONTENDED if contended else Outcome.SHORT, *short]
        note(state, lines, demand, refused)
        return refused
    expires_at_ms = now_ms + hold_for(state, lines, demand, hold_ms)
    return [OK, store_hold(state, key, digest, granted, extra, demand, expires_at_ms)]


def confirm(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.confirm``.

    The common case, a hold in time without anything rare, comes first: only its status changes.
    """
    key = command[1]
    record = state.reservations.get(key)
    plain = plain_record(record) if record is not None else None
    if record is None or plain is None or plain[0] != state.level_flags + _HELD_FLAG:
        return _verb(state, key, Verb.CONFIRM, now_ms, 0)
    _, expires_at_ms, lines = plain
    if now_ms >= expires_at_ms or key[0] == PIECE:
        return _verb(state, key, Verb.CONFIRM, now_ms, 0)
    for line in unpack(lines):
        positions = state.books[line[0]].positions
        for at in range(BACKINGS, len(line), 2):
            state.commit(positions[line[at]], line[at + 1])
    confirmed = with_flags(record, state.level_flags + _CONFIRMED_FLAG)
    state.fact(Event.CONFIRMED, key, confirmed)
    state.put(key, confirmed)
    return [OK, confirmed]


def release(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.release``."""
    return _verb(state, command[1], Verb.RELEASE, now_ms, 0)


def extend(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.extend``."""
    return _verb(state, command[1], Verb.EXTEND, now_ms, command[2])


def cancel(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.cancel``."""
    return _verb(state, command[1], Verb.CANCEL, now_ms, 0)


def _verb(state: ShardState, key: str, verb: Verb, now_ms: int, hold_ms: int) -> Reply:
    record = state.known(key)
    if record is None or key[0] == PIECE:
        return [Outcome.UNKNOWN_RESERVATION, [key]]
    reservation = Reservation(record)
    if reservation.status is _HELD and now_ms >= reservation.expires_at_ms:
        end(state, key, reservation, Status.EXPIRED, now_ms)
    match answer(reservation.status, verb):
        case AnswerTo.SAME:
            return [OK, reservation.packed()]
        case AnswerTo.REFUSE:
            return [Outcome.NOT_HELD, reservation.status, []]
        case AnswerTo.AGAIN:
            return _confirm_late(state, key, reservation)
    if verb is Verb.CONFIRM:
        _confirm_held(state, key, reservation)
    elif verb is Verb.EXTEND:
        reservation.expires_at_ms = max(reservation.expires_at_ms, now_ms + hold_ms)
        change(state, key, reservation, Event.EXTENDED)
        state.schedule(key, reservation.expires_at_ms)
    else:
        cancelled = reservation.status is Status.CONFIRMED
        end(state, key, reservation, Status.CANCELLED if cancelled else Status.RELEASED, now_ms)
    return [OK, reservation.packed()]


def _confirm_held(state: ShardState, key: str, reservation: Reservation) -> None:
    for sku, node, units in reservation.backings():
        book = state.books.get(sku)
        if book is None:
            continue  # Another shard's line.
        state.commit(book.positions[node], units)
        counted = account_of(book, reservation.extra)
        if counted is not None:
            counted.confirm(state, units)
    reservation.status = Status.CONFIRMED
    if PICKUP in reservation.extra:
        reservation.extra[PICKUP_UNTIL] = until = _kept_until(state, reservation)
        state.schedule(key, until)
    owe(state, key, reservation)
    change(state, key, reservation, Event.CONFIRMED)


def _kept_until(state: ShardState, reservation: Reservation) -> int:
    """How long stores keep what was ordered for pickup, from when it is ready.

    As was promised, or by the hours of now: they may have changed since.
    """
    until_ms = now_ms = state.effects.now_ms
    promised_ms = max([now_ms, *[told[0] for told in reservation.extra.get(COSTS, {}).values()]])
    for line in reservation.lines:
        place = state.nodes[line[1]]
        ready_ms = max(promised_ms, ready_at(place, now_ms))
        hours = place.members.get("pickup_hold_hours", PICKUP_HOLD_HOURS_DEFAULT)
        until_ms = max(until_ms, ready_ms + hours * HOUR_MS)
    return until_ms


def _confirm_late(state: ShardState, key: str, reservation: Reservation) -> Reply:
    """A payment after expiry: a new hold of the same units, or what is short of them."""
    policy = late_policy(state, reservation)
    if policy != HOLD_AGAIN:
        state.fact(Event.LATE_PAYMENT, key, policy)
        return [Outcome.NOT_HELD, reservation.status, instead(state, reservation, policy)]
    if PIECES in reservation.extra:
        return [Outcome.ELSEWHERE, reservation.packed()]
    wanted = wanted_again(reservation)
    demand = demand_of(state, reservation.extra, state.effects.now_ms)._replace(partial=False)
    lines = [line[:3] for line in wanted]
    refused = refuse_share(state, lines, demand)
    if refused is not None:
        return [Outcome.NOT_HELD, reservation.status, short_again(lines, refused)]
    granted = grant(state, lines, demand)
    if granted is None:
        return [Outcome.NOT_HELD, reservation.status, short_reply(state, lines, demand)[0]]
    reservation.extra[COSTS] = costs_of(state, granted, demand)
    state.fact(Event.LATE_PAYMENT, key, HOLD_AGAIN)
    revive(state, key, reservation, granted)
    return [OK, reservation.packed()]


def revive(state: ShardState, key: str, reservation: Reservation, granted: list[Line]) -> None:
    """Make an expired reservation a confirmed one over newly held units."""
    anew = {(line[0], line[1]): line for line in granted}
    if not reservation.extra.get(COSTS):
        reservation.extra.pop(COSTS, None)
    for line in granted:
        if line[0] in state.books:
            stand_on(state.books[line[0]], line, key, state.reservations, reservation.extra)
    for line in reservation.lines:
        line[3:] = anew[line[0], line[1]][3:] if (line[0], line[1]) in anew else []
    state.reopen(key)
    reservation.extra.pop(ENDED_AT, None)
    reservation.extra[HOLD_NUMBER] = reservation.extra.get(HOLD_NUMBER, 1) + 1
    _confirm_held(state, key, reservation)


def end(state: ShardState, key: str, reservation: Reservation, status: Status, now_ms: int) -> None:
    """Give back what is left of a reservation, and move it to the ended ones if it owes nothing."""
    confirmed = reservation.status is Status.CONFIRMED
    give_back(state, reservation, confirmed=confirmed)
    reservation.status = status
    reservation.extra[ENDED_AT] = now_ms
    owe(state, key, reservation)
    change(state, key, reservation, _EVENTS[status])


def give_back(state: ShardState, reservation: Reservation, *, confirmed: bool) -> None:
    """Free the units of a reservation that lie on this shard and have not been shipped."""
    leave(state, reservation)
    for (sku, node), units in units_left(reservation).items():
        book = state.books.get(sku)
        if book is None:
            continue  # Another shard's line.
        position = book.positions[node]
        state.touch(position)
        if confirmed:
            position.committed -= units
        else:
            position.reserved -= units
        counted = account_of(book, reservation.extra)
        if counted is not None:
            counted.give_back(state, position, units, confirmed=confirmed)
        rose(position)
        review(state, position)
        late_ended(state, position, reservation, units)
        if not confirmed:
            call_back_unpaid(state, position)


def owe(state: ShardState, key: str, reservation: Reservation) -> None:
    """Put the news of a reservation's state into what it owes its pieces' shards."""
    pieces = reservation.extra.get(PIECES)
    if pieces:
        news = [reservation.status, reservation.expires_at_ms, reservation.extra.get(SHIPPED)]
        counted = totals.due(reservation)
        if counted is not None:
            news.append(counted)
        reservation.extra[OWES] = dict.fromkeys(pieces, news)
        state.owing.add(key)


def change(state: ShardState, key: str, reservation: Reservation, event: Event) -> None:
    """Store a reservation in its new state, where that belongs."""
    reservation.level = state.level
    totals.recount(state, reservation, totals.due(reservation))
    is_open = reservation.status in (_HELD, Status.CONFIRMED) or OWES in reservation.extra
    if not is_open:
        totals.outlive(state, reservation)
        accounts.outlive(state, reservation)
    record = reservation.packed()
    state.fact(event, key, record)
    if is_open:
        state.put(key, record)
    else:
        state.close(key, record)


#: See ``superseding.take_over``.
MOVES = (give_back, owe, change)


def settle(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.settle``."""
    _, key, shard, news = command
    record = state.reservations.get(key)
    if record is None:
        return [OK]
    reservation = Reservation(record)
    owed = reservation.extra.get(OWES, {})
    if pack(owed.get(shard)) != pack(news):
        return [OK]  # Newer news have taken its place.
    del owed[shard]
    if not owed:
        reservation.extra.pop(OWES, None)
        state.owing.discard(key)
    change(state, key, reservation, Event.SETTLED)
    return [OK]


def expire(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.expire``; pieces are asked after elsewhere, they do not end here."""
    ended = 0
    for key in command[1]:
        record = state.reservations.get(key)
        if record is None or key[0] == PIECE:
            continue
        reservation = Reservation(record)
        if reservation.status is _HELD and now_ms >= reservation.expires_at_ms:
            end(state, key, reservation, Status.EXPIRED, now_ms)
            ended += 1
        elif is_uncollected(reservation, now_ms):
            end(state, key, reservation, Status.CANCELLED, now_ms)
            ended += 1
    return [OK, ended]


def is_uncollected(reservation: Reservation, now_ms: int) -> bool:
    """Whether somebody has paid for a pickup and has not come in time."""
    until_ms = reservation.extra.get(PICKUP_UNTIL)
    return until_ms is not None and now_ms >= until_ms and reservation.status is Status.CONFIRMED


def read(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.read``."""
    record = state.known(command[1])
    if record is None or command[1][0] == PIECE:
        return [Outcome.UNKNOWN_RESERVATION, [command[1]]]
    return [OK, as_read(record, now_ms)]
