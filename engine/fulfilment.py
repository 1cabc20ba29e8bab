"""Units leave: a parcel's lines against what a confirmed reservation still has."""

from typing import Any

from engine.accounts import account_of
from engine.backings import units_left
from engine.commands import Command, Reply
from engine.events import Event
from engine.holds import as_read, change, owe
from engine.outcome import Outcome
from engine.record import PIECES, SHIPPED, Reservation, Status
from engine.state import PIECE, ShardState
from engine.stock import ON_ITS_WAY

OK = Outcome.OK


def fulfil(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Ship lines of a reservation, each reference once; see ``commands.fulfil``."""
    _, key, reference, digest, wanted, over_shards = command
    record = state.known(key)
    if record is None or key[0] == PIECE:
        return [Outcome.UNKNOWN_RESERVATION, [key]]
    reservation = Reservation(record)
    shipped = reservation.extra.get(SHIPPED, {})
    if reference in shipped:
        same = shipped[reference][0] == digest.hex()
        return [OK, record] if same else [Outcome.KEY_REUSED, reference]
    if reservation.status is not Status.CONFIRMED:
        return [Outcome.NOT_CONFIRMED, Reservation(as_read(record, now_ms)).status, []]
    left = units_left(reservation)
    coming = _coming(left)
    lines = [(*at, units) for at, units in (left if wanted is None else added(wanted)).items()]
    excess = [
        [sku, node, most, units]
        for sku, node, units in lines
        if units > (most := left.get((sku, node), 0) + coming.get((sku, node), 0))
    ]
    if excess:
        return [Outcome.EXCEEDS_COMMITTED, excess]
    # What is named by its node and has not come yet is short there.
    missing = [
        [sku, node, units, there]
        for sku, node, units in lines
        if units > (there := left.get((sku, node), 0))
    ]
    missing = missing or _missing(state, lines)
    if missing:
        return [Outcome.SHORT, missing, False]
    if PIECES in reservation.extra and not over_shards:
        return [Outcome.ELSEWHERE, record]
    _ship(state, key, reservation, reference, [digest.hex(), [list(line) for line in lines]])
    return [OK, reservation.packed()]


def added(lines: Any) -> dict[tuple[str, str], int]:
    """Units by (sku, node): the same place on two lines counts once, with both."""
    units_at: dict[tuple[str, str], int] = {}
    for sku, node, units in lines:
        units_at[sku, node] = units_at.get((sku, node), 0) + units
    return units_at


def _coming(left: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Units by (sku, node) that are on their way there."""
    coming: dict[tuple[str, str], int] = {}
    for (sku, slot), units in left.items():
        node, on_its_way, _ = slot.partition(ON_ITS_WAY)
        if on_its_way:
            coming[sku, node] = coming.get((sku, node), 0) + units
    return coming


def _missing(state: ShardState, lines: Any) -> list[list[Any]]:
    """Lines of this shard that are not on hand (a shortfall), as short lines."""
    missing = []
    for sku, slot, units in lines:
        book = state.books.get(sku)
        position = book.positions[slot] if book is not None else None
        if position is not None:
            there = position.on_hand if position.supply is None else 0  # It has not come yet.
            if there < units:
                missing.append([sku, position.node, units, there])
    return missing


def _ship(
    state: ShardState, key: str, reservation: Reservation, reference: str, parcel: list[Any]
) -> None:
    for sku, node, units in parcel[1]:
        book = state.books.get(sku)
        if book is not None:
            position = book.positions[node]
            state.touch(position)
            position.restock(position.on_hand - units, position.safety_stock)
            position.committed -= units
            state.movements.note(state, position, -units)
            counted = account_of(book, reservation.extra)
            if counted is not None:
                counted.ship(state, units)
    reservation.extra.setdefault(SHIPPED, {})[reference] = parcel
    if not units_left(reservation):
        reservation.status = Status.FULFILLED
    owe(state, key, reservation)
    change(state, key, reservation, Event.SHIPPED)
