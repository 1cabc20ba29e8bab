"""Positions of a SKU in the order of what it costs to send so many units from them to a zone.

Looked up once for many requests: a SKU may lie in 2,000 stores. Positions where nothing is left
are dropped when they are met, and entered again when units come back.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from engine.limits import RANKS_MAX

if TYPE_CHECKING:
    from engine.lanes import Lane
    from engine.stock import Book, Position

#: (cents, priority, slot)
Key = tuple[int, int, str]


class Rank:
    """One zone and one number of units."""

    __slots__ = ("_keys", "_listed", "_places", "lanes", "units")

    def __init__(self, book: "Book", lanes: "Mapping[str, Lane]", units: int) -> None:
        self.lanes = lanes
        self.units = units
        grams = book.members[1] * units
        self._places: dict[str, Key] = {}
        for position in book.here():
            lane = lanes.get(position.node)
            if lane is not None:
                place = position.place
                cents = lane.fixed_cents + lane.by_weight(grams) + place.settlement_cents * units
                self._places[position.slot] = (cents, place.priority, position.slot)
        self._keys = sorted(self._places.values())
        self._listed = set(self._places)

    def enter(self, position: "Position") -> None:
        """Units are there, perhaps again."""
        key = self._places.get(position.slot)
        if key is not None and position.slot not in self._listed:
            self._keys.insert(bisect_left(self._keys, key), key)
            self._listed.add(position.slot)

    def walk(self, book: "Book") -> "Iterator[tuple[int, Position]]":
        """(cents, position), the cheapest first, of those where anything may be left."""
        keys, positions, at = self._keys, book.positions, 0
        while at < len(keys):
            cents, _, slot = keys[at]
            position = positions[slot]
            if position.free <= position.withheld - position.aside:
                del keys[at]
                self._listed.discard(slot)
            else:
                at += 1
                yield cents, position


def rank_of(book: "Book", zone: str, lanes: "Mapping[str, Lane]", units: int) -> Rank:
    """The order for a zone; kept, as buyers of a SKU ask for few quantities and live in zones."""
    rank = book.ranks.get((zone, units))
    if rank is None or rank.lanes is not lanes:
        if len(book.ranks) >= RANKS_MAX:
            book.ranks.clear()
        rank = book.ranks[zone, units] = Rank(book, lanes, units)
    return rank
