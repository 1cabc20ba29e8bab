"""SKUs that run low: told once when they fall below their mark, and again only after they rose.

Looked at once for each batch that moved units of a SKU with a mark, and of no other. What counts
are units that are there and promised to nobody, but for safety stock; what is set aside for
channels and campaigns is for sale, and counts.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.events import Event
from engine.limits import LOW_STOCK_BACK_PERMILLE
from engine.record import pack
from engine.stock import Book

if TYPE_CHECKING:
    from engine.state import ShardState


def watch(state: "ShardState", books: Iterable[Book]) -> None:
    """Note who has fallen below his mark, or risen well above it, in this batch."""
    for book in {book.sku: book for book in books}.values():
        mark = book.low_stock
        if book.is_low:
            if mark is None or _has(book, _back_at(mark)):
                _turn(state, book, low=False)
                state.fact(Event.STOCK_LOW, book.sku, None)
        elif mark is not None and not _has(book, mark):
            _turn(state, book, low=True)
            state.fact(Event.STOCK_LOW, book.sku, [sum(_for_sale(book)), mark])


def _back_at(mark: int) -> int:
    """It is over at so many units: a SKU that goes up and down at its mark is told of once."""
    return mark + max(1, mark * LOW_STOCK_BACK_PERMILLE // 1000)


def _turn(state: "ShardState", book: Book, *, low: bool) -> None:
    def restore() -> None:
        book.is_low = not low

    state.undo(restore)
    book.is_low = low
    state.field(f"d|{book.sku}", pack(1) if low else None)  # The next owner tells nobody again.


def _has(book: Book, units: int) -> bool:
    """Whether there are so many; of thousands of nodes only as many are looked at as it takes."""
    for there in _for_sale(book):
        units -= there
        if units <= 0:
            return True
    return units <= 0


def _for_sale(book: Book) -> Iterable[int]:
    return (
        max(0, position.free - position.withheld + position.aside)
        for position in book.positions.values()
        if position.supply is None
    )
