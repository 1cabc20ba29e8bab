"""Who has taken a SKU, and the filter over their keys that goes with a sold-out hint."""

from collections.abc import Callable

from engine.filter import Filter
from engine.limits import HINT_KEYS_AT_ONCE

#: Keys that the first filter of a SKU has room for; the next has twice as much.
_ROOM_MIN = 1_024


class Takers(list[str]):
    """Fields of the records that took a SKU, oldest first; some may have gone since.

    A list, since every hold appends to it. The filter follows when a hint is asked for.
    """

    __slots__ = ("_added", "_filter", "_room", "version")

    def __init__(self) -> None:
        super().__init__()
        self._filter: Filter | None = None
        self._room = 0
        self._added = 0  # So many of the list are in the filter.
        self.version = 0  # Of the filter: no two are the same as long as this object lives.

    def filter_now(self) -> Filter | None:
        """The filter over all keys; None while some have still to be entered, a few at a time.

        It is filled anew only when its room has doubled: a key is entered twice in all.
        """
        if self._filter is None or len(self) > self._room:
            self._room = max(self._room, _ROOM_MIN)
            while self._room < len(self):
                self._room *= 2
            self._filter = Filter.of_room(self._room)
            self._added = 0
            self.version += 1
        portion = self[self._added : self._added + HINT_KEYS_AT_ONCE]
        for field in portion:
            # A piece counts under the key of its basket.
            self._filter.add(field.partition(".")[2] if field[0] == "/" else field)
        self.version += bool(portion)
        self._added += len(portion)
        return self._filter if self._added == len(self) else None

    def prune(self, first: int, most: int, is_known: Callable[[str], bool]) -> int:
        """Drop those of ``most`` takers from ``first`` on of whom nothing is known any more.

        Where to go on. The filter is filled anew if anybody has gone.
        """
        portion = self[first : first + most]
        kept = [field for field in portion if is_known(field)]
        if len(kept) < len(portion):
            self[first : first + most] = kept
            self._filter, self._room = None, 0
        return first + len(kept)
