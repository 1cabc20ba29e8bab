"""SKUs that run low: told once when they fall below their mark, and again only after they rose.

Looked at once for each batch that moved units of a SKU with a mark, and of no other.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from engine.events import Event
from engine.stock import Book

if TYPE_CHECKING:
    from engine.state import ShardState

#: Percent of the mark above which a SKU must rise before it may fall below it anew.
_REARM_PERCENT: Final = 110


def sellable_units(book: Book) -> int:
    """Units of all places that everybody may have, and those set aside."""
    return sum(position.sellable + position.aside for position in book.here())


def watch(state: "ShardState", books: Iterable[Book]) -> None:
    """Note who has fallen below his mark, or risen well above it, in this batch."""
    for book in {book.sku: book for book in books}.values():
        mark = book.low_stock
        if mark is None:
            continue
        units = sellable_units(book)
        if not book.is_low and units < mark:
            _turn(state, book, low=True)
            state.fact(Event.STOCK_LOW, book.sku, [units, mark])
        elif book.is_low and units * 100 >= mark * _REARM_PERCENT:
            _turn(state, book, low=False)


def _turn(state: "ShardState", book: Book, *, low: bool) -> None:
    before = book.is_low

    def restore() -> None:
        book.is_low = before

    state.undo(restore)
    book.is_low = low
