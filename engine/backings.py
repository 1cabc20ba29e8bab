"""What a record's lines stand on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from engine.promised import Entry
from engine.record import (
    BACKINGS,
    DELIVER_BY,
    SHIPPED,
    Extra,
    Line,
    Reservation,
    Status,
    status_of,
    unpack,
)
from engine.stock import Book, Position

#: Records in these states hold what they stand on.
_STANDING: Final = frozenset({Status.HELD, Status.TAKEN, Status.CONFIRMED})


class Promise(NamedTuple):
    """Units of a supply that a record stands on."""

    field: str
    units: int
    extra: Extra


def stand_on(
    book: Book,
    line: Line,
    field: str,
    records: Mapping[str, bytes],
    extra: Extra | None = None,
) -> None:
    """Note with the supplies that a record's line stands on them; ``extra``: as it will be."""
    for at in range(BACKINGS, len(line), 2):
        supply = book.positions[line[at]].supply
        if supply is None:
            continue
        if extra is None:
            extra = Reservation(records[field]).extra if field in records else {}
        supply.promised.add(field, extra.get(DELIVER_BY), records)


def restand(line: Line, old: str, new: str, most: int) -> int:
    """Let up to ``most`` units of a line stand elsewhere, each place named once; how many do."""
    at: dict[str, int] = {}
    left = most
    for slot, count in zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True):
        moved = min(left, count) if slot == old else 0
        left -= moved
        if moved:
            at[new] = at.get(new, 0) + moved
        if count - moved:
            at[slot] = at.get(slot, 0) + count - moved
    line[BACKINGS:] = [part for backing in at.items() for part in backing]
    return most - left


def units_left(reservation: Reservation) -> dict[tuple[str, str], int]:
    """Units by (sku, node) that back a reservation and have not been shipped."""
    left: dict[tuple[str, str], int] = {}
    for sku, node, units in reservation.backings():
        left[sku, node] = left.get((sku, node), 0) + units
    for _, lines in reservation.extra.get(SHIPPED, {}).values():
        for sku, node, units in lines:
            left[sku, node] -= units
    return {backing: units for backing, units in left.items() if units}


def standing(
    position: Position, entries: Iterable[Entry], records: Mapping[str, bytes]
) -> Iterator[Promise]:
    """Those of the entries that stand on a supply still, each record once."""
    sku, slot = position.book.sku, position.slot
    for _, field in dict.fromkeys(entries):
        record = records.get(field)
        if record is None or not is_standing(status_of(record)):
            continue
        lines, *rest = unpack(record)[3:]
        # Nothing is shipped from a supply: all that stands there is left.
        units = sum(
            count
            for line in lines
            if line[0] == sku
            for at, count in zip(line[BACKINGS::2], line[BACKINGS + 1 :: 2], strict=True)
            if at == slot
        )
        if units:
            yield Promise(field, units, rest[0] if rest else {})


def is_standing(status: int) -> bool:
    """Whether units are promised in this state; some records are kept for what they owe."""
    return status in _STANDING
