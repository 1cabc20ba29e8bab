"""What a record's lines stand on."""

from engine.record import BACKINGS, Line, Reservation
from engine.stock import Book


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
