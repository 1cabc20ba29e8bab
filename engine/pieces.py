"""Reservations over several shards: pieces that never decide, and the home that does.

Every other shard *takes* its piece first; home is asked last and *seals*: its commit is the one
commit point. What is left behind when anybody stops, and how it ends, stands in docs/protocol.md.
"""

from typing import Any

from engine import accounts, holds, totals
from engine.accounts import account, account_of
from engine.allowances import hold_for
from engine.commands import Command, Reply
from engine.costing import Costs, costs_of
from engine.demand import Demand, demand_of
from engine.events import Event
from engine.granting import grant, put_back, refuse, shares_of, short_reply
from engine.ids import shard_of
from engine.limits import PIECE_ASK_MS
from engine.lost_pieces import found_again, nowhere
from engine.outcome import Outcome
from engine.rebacking import stand_where_left
from engine.record import (
    BACKINGS,
    COSTS,
    COUNTED,
    HOME,
    KEPT_BY_PIECES,
    NONCE,
    PIECES,
    REBACKED,
    SHIPPED,
    SUPERSEDES,
    Line,
    Reservation,
    Status,
)
from engine.shortfalls import review
from engine.state import ATTEMPT, PIECE, ShardState
from engine.stock import rose
from engine.superseding import take_over
from engine.to_store import call_back_unpaid

OK = Outcome.OK


def attempt(key: str, nonce: bytes) -> str:
    """The field that marks an attempt as come to nothing."""
    return f"{ATTEMPT}{key}{ATTEMPT}{nonce.hex()}"


def ended_piece(reservation_id: str, nonce: bytes) -> str:
    """The field of a piece that home has ended."""
    return f"{PIECE}{reservation_id}{ATTEMPT}{nonce.hex()}"


def take(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Set a piece's units aside; see ``commands.take``."""
    _, reservation_id, nonce, home, lines, extra, ends = command
    field = PIECE + reservation_id
    record = state.reservations.get(field)
    if record is not None:
        piece = Reservation(record)
        if piece.digest == nonce:
            return [OK, record]
        if ends is None or piece.digest != ends:
            return [Outcome.IN_PROGRESS]
        _end_piece(state, field, piece)
    ended = state.known(ended_piece(reservation_id, nonce))
    if ended is not None:
        return [OK, ended]  # A late double: home has said how it ended.
    demand = demand_of(state, extra, now_ms)
    asked = extra.get(COUNTED) if extra else None
    total = totals.total_here(state, asked, totals.replaced_by(extra, f"{PIECE}{home:03x}."))
    refused = refuse(state, lines, extra, demand, late=ends is not None, total=total)
    if refused is not None:
        return refused
    granted = grant(state, lines, demand) if lines else []
    if granted is None:
        if demand.partial:
            granted = [list(line) for line in lines]  # An empty piece: home may have units.
        else:
            short = short_reply(state, lines, demand)
            contended = any(state.books[line[0]].unsealed for line in short[0])
            return [Outcome.CONTENDED if contended else Outcome.SHORT, short[0], False]
    piece = Reservation.__new__(Reservation)
    piece.status, piece.level, piece.digest = Status.TAKEN, state.level, nonce
    # Its units count in the same shares and limits as those at home, and are wanted as early.
    counted = {name: extra[name] for name in KEPT_BY_PIECES if name in extra} if extra else {}
    costs = costs_of(state, granted, demand)
    piece.lines, piece.extra = granted, {HOME: home, **counted}
    if costs:
        piece.extra[COSTS] = costs
    totals.recount(state, piece, asked)
    piece.expires_at_ms = now_ms + PIECE_ASK_MS
    _unsealed(state, piece, 1)
    record = _store(state, field, piece)
    for line in granted:
        state.taken(line, field)
    state.schedule(field, piece.expires_at_ms)
    return [OK, record]


def _unsealed(state: ShardState, piece: Reservation, sign: int) -> None:
    """Count a piece's units among those that home may still refuse, or no longer."""
    for sku, _, units in piece.backings():
        state.books[sku].unsealed += sign * units

    def restore() -> None:
        for sku, _, units in piece.backings():
            state.books[sku].unsealed -= sign * units

    state.undo(restore)


def _store(state: ShardState, field: str, piece: Reservation) -> bytes:
    piece.level = state.level
    record = piece.packed()
    if field not in state.reservations:
        state.count_pieces(1)
    state.put(field, record)
    state.fact(Event.PIECE, field, record)
    return record


def seal(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Decide about a reservation over several shards; see ``commands.seal``."""
    _, key, nonce, digest, _, _, _, extra, late, dry = command
    known = state.known(key)
    if known is not None and Reservation(known).extra.get(NONCE) == nonce.hex():
        # This very seal, sent again because its answer was lost: its pieces are in use.
        return [OK, holds.as_read(known, now_ms)]
    if known is not None and not late:
        return holds.repeat(known, key, digest, now_ms)
    if late:
        refused = _refuse_late(known, key, now_ms)
        if refused is not None:
            return refused
    if not dry and state.known(attempt(key, nonce)) is not None:
        return [Outcome.ABORTED]
    if extra and SUPERSEDES in extra and not late:
        old = extra[SUPERSEDES]
        return take_over(
            state, old, key, lambda: _seal(state, command, known), holds.MOVES, dry=dry
        )
    return _seal(state, command, known)


def _seal(state: ShardState, command: Command, known: bytes | None) -> Reply:
    _, key, nonce, digest, lines, pieces, hold_ms, extra, late, dry = command
    now_ms = state.effects.now_ms
    own = [line[:3] for line in lines if shard_of(line[0], state.shards) == state.shard]
    demand = demand_of(state, extra, now_ms)
    counted = totals.asked(extra, lines, late=late)
    total = totals.total_here(state, counted, key if late else totals.replaced_by(extra))
    refused = refuse(state, own, extra, demand, late=late, total=total)
    if refused is not None:
        return refused
    before = shares_of(state, own, demand)
    whole = _whole(state, own, lines, demand)
    if whole is None:
        short = short_reply(state, own, demand)[0] if own else []
        contended = any(state.books[line[0]].unsealed for line in short)
        return [Outcome.CONTENDED if contended else Outcome.SHORT, short, False]
    if dry:
        _give(state, own, whole, demand)
        put_back(before)
        return [OK]
    mine = [line for line in whole if line[0] in state.books]
    costs = {**(extra or {}).get(COSTS, {}), **costs_of(state, mine, demand)}
    if late and known is not None:
        return _seal_late(state, key, Reservation(known), whole, (nonce, pieces, costs))
    reservation = Reservation.__new__(Reservation)
    reservation.status, reservation.level = Status.HELD, state.level
    reservation.digest = digest
    reservation.expires_at_ms = now_ms + hold_for(state, own, demand, hold_ms)
    reservation.lines = whole
    reservation.extra = {**(extra or {}), NONCE: nonce.hex(), PIECES: pieces}
    if costs:
        reservation.extra[COSTS] = costs
    totals.recount(state, reservation, totals.due(reservation))
    record = reservation.packed()
    state.held(key, record)
    for line in mine:
        state.taken(line, key)
    state.schedule(key, reservation.expires_at_ms)
    return [OK, record]


def _refuse_late(known: bytes | None, key: str, now_ms: int) -> Reply | None:
    if known is None:
        return [Outcome.UNKNOWN_RESERVATION, [key]]
    status = Reservation(holds.as_read(known, now_ms)).status
    if status in (Status.CONFIRMED, Status.FULFILLED):
        return [Outcome.REPEATED, known]
    return None if status is Status.EXPIRED else [Outcome.NOT_HELD, status, []]


def _whole(
    state: ShardState, own: list[Line], lines: list[Line], demand: Demand
) -> list[Line] | None:
    """All lines with their backings, this shard's newly set aside; None if that falls short."""
    granted = grant(state, own, demand) if own else []
    if granted is None:
        elsewhere = any(len(line) > 3 for line in lines)
        if not (demand.partial and elsewhere):
            return None
        granted = own
    by_place = {(line[0], line[1]): line for line in granted}
    return [by_place.get((line[0], line[1]), line) for line in lines]


def _give(state: ShardState, own: list[Line], whole: list[Line], demand: Demand) -> None:
    """Take back what a dry seal has set aside."""
    mine = {line[0] for line in own}
    for line in whole:
        if line[0] in mine:
            counted = account(state.books[line[0]], demand.share, demand.customer)
            for at in range(3, len(line), 2):
                position = state.position(line[0], line[at])
                state.hold(position, -line[at + 1])
                call_back_unpaid(state, position)
                if counted is not None:
                    counted.count(state, -line[at + 1])


def _seal_late(
    state: ShardState,
    key: str,
    reservation: Reservation,
    whole: list[Line],
    attempt: tuple[bytes, list[int], Costs],
) -> Reply:
    """A payment after expiry: the new pieces take the old hold's place, confirmed at once."""
    now_ms = state.effects.now_ms
    if reservation.status is Status.HELD:
        holds.end(state, key, reservation, Status.EXPIRED, now_ms)
    nonce, reservation.extra[PIECES], reservation.extra[COSTS] = attempt
    reservation.extra[NONCE] = nonce.hex()
    reservation.extra.pop(REBACKED, None)  # The new pieces have not changed yet.
    holds.revive(state, key, reservation, whole)
    return [OK, reservation.packed()]


def drop(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Give a taken piece back; see ``commands.drop``."""
    _, reservation_id, nonce = command
    field = PIECE + reservation_id
    record = state.reservations.get(field)
    if record is not None:
        piece = Reservation(record)
        if piece.digest == nonce and piece.status is Status.TAKEN:
            _end_piece(state, field, piece, sealed=False)
    return [OK]


def _end_piece(
    state: ShardState,
    field: str,
    piece: Reservation,
    counted: totals.Counted | None = None,
    *,
    sealed: bool = True,
) -> None:
    """Free what a piece still holds; one that home may have sealed is kept as ended.

    A late double of its take must not start it anew: late doubles of home's news would then
    ship its units once more, or hold them for good. ``counted``: what counts of it nevertheless.
    """
    if piece.status is Status.TAKEN:
        _unsealed(state, piece, -1)
    holds.give_back(state, piece, confirmed=piece.status is Status.CONFIRMED)
    record = before = state.reservations[field]
    if COUNTED in piece.extra:
        totals.recount(state, piece, counted or [piece.extra[COUNTED][0], {}, 0])
        totals.outlive(state, piece)
        record = piece.packed()
    accounts.outlive(state, piece)
    state.fact(Event.PIECE_DROPPED, field, record)
    records = state.effects.records
    if field not in records:
        records[field] = before
    del state.reservations[field]
    state.count_pieces(-1)
    if sealed:
        state.close(ended_piece(field[1:], piece.digest), record)


def ask(state: ShardState, command: Command, now_ms: int) -> Reply:
    """What home says about an attempt; of one it did not seal it commits that it never will."""
    _, key, nonce = command
    known = state.known(key)
    reservation = Reservation(known) if known is not None else None
    if reservation is None or reservation.extra.get(NONCE) != nonce.hex():
        # Also beside a record: this may be the attempt of a late confirm, still to be sealed.
        mark = attempt(key, nonce)
        if state.known(mark) is None:
            state.close(mark, b"\x01")
            state.fact(Event.ABORTED, mark, None)
        return [OK, Status.RELEASED, 0, None, None]
    shipped = reservation.extra.get(SHIPPED)
    news = [reservation.status, reservation.expires_at_ms, shipped]
    return [OK, *news, totals.due(reservation)]


def tell(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Home's news for a piece; see ``commands.tell``."""
    _, reservation_id, nonce, status, expires_at_ms, shipped, counted, lines = command
    field = PIECE + reservation_id
    record = state.reservations.get(field)
    status = Status(status)
    promised = bool(shipped) or status in (Status.CONFIRMED, Status.FULFILLED)
    piece = Reservation(record) if record is not None else None
    if piece is None or piece.digest != nonce:
        if not promised or state.known(ended_piece(reservation_id, nonce)) is not None:
            return [OK]  # It has ended, or there is nothing to make good.
        if piece is not None:
            return [Outcome.IN_PROGRESS]  # Another attempt is in its place, not for long.
        lost = [line for line in lines if len(line) > BACKINGS]
        refused = nowhere(state, lost)
        if refused is not None or not (lost or totals.is_here(state, counted)):
            return refused or [OK]
        piece = found_again(state, reservation_id, nonce, lost)
    if status is Status.HELD:
        _hold_piece(state, field, piece, max(expires_at_ms, now_ms + 1000), counted)
        return [OK]
    if promised:
        _confirm_piece(state, piece)
        _ship(state, field, piece, shipped)
        totals.recount(state, piece, counted)
        _store(state, field, piece)
    if status is not Status.CONFIRMED:
        _end_piece(state, field, piece, counted)
    return [OK]


def _hold_piece(
    state: ShardState,
    field: str,
    piece: Reservation,
    until_ms: int,
    counted: totals.Counted | None,
) -> None:
    if piece.status is Status.CONFIRMED:
        return  # Old news.
    if piece.status is Status.TAKEN:
        _unsealed(state, piece, -1)
    piece.status, piece.expires_at_ms = Status.HELD, until_ms
    totals.recount(state, piece, counted)
    state.schedule(field, until_ms)
    _store(state, field, piece)


def _confirm_piece(state: ShardState, piece: Reservation) -> None:
    if piece.status is Status.CONFIRMED:
        return
    if piece.status is Status.TAKEN:
        _unsealed(state, piece, -1)
    for sku, node, units in piece.backings():
        state.commit(state.position(sku, node), units)
        counted = account_of(state.books[sku], piece.extra)
        if counted is not None:
            counted.confirm(state, units)
    piece.status = Status.CONFIRMED


def _ship(state: ShardState, field: str, piece: Reservation, shipped: Any) -> None:
    """Let the units that home says have left leave here too, each reference once."""
    done = piece.extra.setdefault(SHIPPED, {})
    for reference, (digest, lines) in (shipped or {}).items():
        if reference in done:
            continue
        mine = [line for line in lines if shard_of(line[0], state.shards) == state.shard]
        stand_where_left(state, field, piece, mine)
        done[reference] = [digest, mine]
        for sku, node, units in mine:
            position = state.position(sku, node)
            state.touch(position)
            position.committed -= units
            # A count may have found fewer since home looked: what left cannot be on hand.
            state.movements.note(state, position, -min(units, position.on_hand))
            position.restock(max(0, position.on_hand - units), position.safety_stock)
            counted = account_of(position.book, piece.extra)
            if counted is not None:
                counted.ship(state, units)
            rose(position)
            review(state, position)
    if not done:
        del piece.extra[SHIPPED]
