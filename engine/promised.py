"""Who was promised units of a supply, in the order to be served: the earliest date first.

A heap, not a sorted list: a receipt for 200,000 promises must not stop its shard for seconds to
find out who comes first. Entries of records that stand on the supply no more are passed over.
"""

from collections.abc import Container, Iterator
from heapq import heapify, heappop, heappush, nlargest, nsmallest
from typing import Final, TypeAlias

#: When units are wanted (ms), and the field of the record; those without a date come last.
Entry: TypeAlias = tuple[int, str]
_TIMELESS: Final = 2**62
#: Entries up to which nobody looks for those that have gone.
_ROOM_MIN: Final = 1_024


class Promised:
    """Of one supply."""

    __slots__ = ("_entries", "_room")

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._room = _ROOM_MIN

    def add(self, field: str, by_ms: int | None, known: Container[str]) -> None:
        """One more; when there are twice as many as were left last, the unknown ones go."""
        if len(self._entries) >= self._room:
            self._entries = [entry for entry in set(self._entries) if entry[1] in known]
            heapify(self._entries)
            self._room = 2 * len(self._entries) + _ROOM_MIN
        heappush(self._entries, (_TIMELESS if by_ms is None else by_ms, field))

    def first(self) -> str | None:
        """Who is to be served now."""
        return self._entries[0][1] if self._entries else None

    def pop(self) -> Entry:
        """The first has been served."""
        return heappop(self._entries)

    def put_back(self, entries: list[Entry]) -> None:
        """They have not been served after all."""
        for entry in entries:
            heappush(self._entries, entry)

    def before(self, at_ms: int) -> Iterator[Entry]:
        """Whose date lies before an instant, in no order."""
        return (entry for entry in self._entries if entry[0] < at_ms)

    def earliest(self, most: int, before_ms: int) -> list[Entry]:
        """Of those up to ``most``, the earliest first."""
        return nsmallest(most, self.before(before_ms))

    def latest(self, most: int) -> list[Entry]:
        """Up to ``most`` that would be served last, the last first."""
        return nlargest(most, self._entries)
