"""What a record's lines stand on."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from engine.record import BACKINGS, DELIVER_BY, Line, Reservation, Status
from engine.stock import Book, Position

#: Records in these states hold what they stand on.
_STANDING: Final = frozenset({Status.HELD, Status.TAKEN, Status.CONFIRMED})
_TIMELESS: Final = 2**62


class Promise(NamedTuple):
    """Units of a supply that a record stands on; the one to be served first is the smallest."""

    deliver_by_ms: int
    field: str
    units: int
    reservation: Reservation


def stand_on(book: Book, line: Line, field: str) -> None:
    """Note with the supplies that a record's line stands on them."""
    for at in range(BACKINGS, len(line), 2):
        supply = book.positions[line[at]].supply
        if supply is not None:
            supply.promised.append(field)


def units_left(reservation: Reservation) -> dict[tuple[str, str], int]:
    """Units by (sku, node) that back a reservation and have not been shipped."""
    left: dict[tuple[str, str], int] = {}
    for sku, node, units in reservation.backings():
        left[sku, node] = left.get((sku, node), 0) + units
    for _, lines in reservation.extra.get("s", {}).values():
        for sku, node, units in lines:
            left[sku, node] -= units
    return {backing: units for backing, units in left.items() if units}


def promises(position: Position, records: Mapping[str, bytes]) -> Iterator[Promise]:
    """What stands on a supply, in no order."""
    supply, at = position.supply, (position.book.sku, position.slot)
    for field in dict.fromkeys(supply.promised) if supply is not None else ():
        record = records.get(field)
        reservation = Reservation(record) if record is not None else None
        if reservation is None or reservation.status not in _STANDING:
            continue
        units = units_left(reservation).get(at, 0)
        if units:
            by_ms = reservation.extra.get(DELIVER_BY, _TIMELESS)
            yield Promise(by_ms, field, units, reservation)


def is_standing(reservation: Reservation) -> bool:
    """Whether its units are promised still; some records are kept for what they owe."""
    return reservation.status in _STANDING
