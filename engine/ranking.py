"""Orders of a SKU's positions, kept between requests: a SKU may lie in 2,000 stores.

Nobody says when units leave a position: an order looks when it meets the position, and lowers or
drops it then. Units that come back are said (``stock.rose``), once for all orders of the book;
each catches up when it is asked. So a request looks at what serves it, at what was used up since
the last one, and at what has come back since, never at all there is.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from engine.limits import ORDERS_MAX

if TYPE_CHECKING:
    from engine.stock import Book, Position

#: What of a position's place in the order never changes; None: it is no part of the order.
Fixed: TypeAlias = Callable[["Position"], tuple[int, ...] | None]
#: Units there that may be taken.
Units: TypeAlias = Callable[["Position"], int]
#: Places of a SKU that are looked at one by one sooner than kept in an order.
FEW: Final = 16
#: (fixed, -units or 0, slot)
_Entry: TypeAlias = tuple[tuple[int, ...], int, str]
#: A position's fixed part, the position, and its units.
Found: TypeAlias = tuple[tuple[int, ...], "Position", int]


class Order:
    """Positions that have at least ``need`` units, the smallest fixed part first.

    ``fullest``: among equals the one that has most; then, as always, the smallest slot.
    """

    __slots__ = ("_book", "_entries", "_fixed", "_fullest", "_heap", "_need", "_units", "seen")

    def __init__(
        self, book: "Book", fixed: Fixed, units: Units, need: int = 1, *, fullest: bool = False
    ) -> None:
        self._book = book
        self._fixed = fixed
        self._units = units
        self._need = need
        self._fullest = fullest
        heap: list[_Entry] = []
        for position in book.positions.values():
            place = fixed(position)
            if place is None:
                continue
            there = units(position)
            if there >= need:
                heap.append((place, -there if fullest else 0, position.slot))
                if not fullest:
                    continue
            position.is_watched = True
        #: By slot the entry of the heap that counts; others are skipped.
        self._entries: dict[str, _Entry] = {entry[2]: entry for entry in heap}
        heapify(heap)
        self._heap = heap
        self.seen = len(book.risen)  # So many of those whose units rose are known here.

    def best(self) -> "Position | None":
        """The first position."""
        if self.seen != len(self._book.risen):
            self._catch_up()
        return self._top()

    def first(self, wanted: int, most: int) -> list[Found]:
        """Positions, the first first, until they have so many units, or are so many."""
        if self.seen != len(self._book.risen):
            self._catch_up()
        heap = self._heap
        found: list[Found] = []
        passed: list[_Entry] = []
        position = self._top() if wanted > 0 else None
        while position is not None:
            units = self._units(position)
            found.append((heap[0][0], position, units))
            wanted -= units
            if wanted <= 0 or len(found) == most:
                break
            passed.append(heappop(heap))
            position = self._top()
        for entry in passed:  # Still true until the caller takes the units.
            heappush(heap, entry)
        return found

    def _top(self) -> "Position | None":
        """The position of the first entry, once that counts and says what is there."""
        heap, entries, positions = self._heap, self._entries, self._book.positions
        while heap:
            entry = heap[0]
            slot = entry[2]
            if entries.get(slot) is not entry:
                heappop(heap)
                continue
            position = positions[slot]
            units = self._units(position)
            if units < self._need:
                heappop(heap)
                del entries[slot]
                position.is_watched = True
            elif self._fullest and units != -entry[1]:
                entries[slot] = lowered = (entry[0], -units, slot)
                heapreplace(heap, lowered)
                position.is_watched = True
            else:
                return position
        return None

    def _catch_up(self) -> None:
        risen = self._book.risen
        for position in risen[self.seen :]:
            self._look(position)
        self.seen = len(risen)
        if len(risen) > 4 * len(self._book.positions) + 64:
            _trim(self._book)
        if len(self._heap) > 2 * len(self._entries) + 64:  # Mostly entries that do not count.
            self._heap = list(self._entries.values())
            heapify(self._heap)

    def _look(self, position: "Position") -> None:
        """Enter a position if it is not there, or not where it belongs by now."""
        fixed = self._fixed(position)
        if fixed is None:
            return
        units = self._units(position)
        if units < self._need:
            position.is_watched = True
            return
        entry = (fixed, -units if self._fullest else 0, position.slot)
        known = self._entries.get(position.slot)
        if known is None or entry < known:
            self._entries[position.slot] = entry
            heappush(self._heap, entry)
        if self._fullest:
            position.is_watched = True


def worth_keeping(book: "Book", key: tuple[Any, ...]) -> bool:
    """Whether to make an order for ``key``, or to look through the few places there are this once.

    Who asks for what nobody has asked for lately will mostly be the only one.
    """
    if len(book.positions) > FEW or key in book.orders or key in book.asked:
        return True
    if len(book.asked) >= ORDERS_MAX:
        book.asked.clear()
    book.asked.add(key)
    return False


def order_of(book: "Book", key: tuple[Any, ...], make: Callable[[], Order]) -> Order:
    """The order known under ``key``, made if it is not there yet: requests are much alike."""
    orders = book.orders
    order = orders.get(key)
    if order is None:
        if len(orders) >= ORDERS_MAX:
            del orders[next(iter(orders))]
        order = orders[key] = make()
    return order


def _trim(book: "Book") -> None:
    """Forget the older half of what rose, and the orders nobody has asked since."""
    half = len(book.risen) // 2
    del book.risen[:half]
    for key, order in list(book.orders.items()):
        if order.seen < half:
            del book.orders[key]
        else:
            order.seen -= half


def everywhere(book: "Book") -> Order:
    """What is there for everybody: by priority, then the fullest, then by id."""
    return order_of(
        book, ("everywhere",), lambda: Order(book, by_priority, for_everybody, fullest=True)
    )


def by_priority(position: "Position") -> tuple[int, ...] | None:
    """Smaller is taken first; of what is there now only."""
    return (position.place.priority,) if position.supply is None else None


def for_everybody(position: "Position") -> int:
    """Units there that a demand without a right of its own may take; below 0: none."""
    return position.on_hand - position.reserved - position.committed - position.withheld
