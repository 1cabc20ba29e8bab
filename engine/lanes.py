"""Lanes: what it costs, and how long it takes, to send a parcel from a node to a zone."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.record import unpack

if TYPE_CHECKING:
    from engine.stock import Node

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
_GRAMS: Final = 1000  # Of a kilogram.
#: Days looked ahead for a place to be open; one that never is counts as always open.
_DAYS_AHEAD: Final = 14
#: 1970-01-01 was a Thursday; ISO counts from Monday as 1.
_EPOCH_WEEKDAY: Final = 3


class Lane(NamedTuple):
    """One node's way to one zone."""

    fixed_cents: int
    per_kg_cents: int
    transit_ms: int
    cutoff_minute: int | None = None  # Of the UTC day: what is ready later leaves the next day.
    #: (from so many grams on, cents per kg), ascending: heavier parcels cost another rate.
    steps: tuple[tuple[int, int], ...] = ()

    def by_weight(self, grams: int) -> int:
        """Cents of a parcel of this weight beyond the fixed part, rounded up."""
        rate = self.per_kg_cents
        for from_grams, cents in self.steps:
            if grams < from_grams:
                break
            rate = cents
        return -(-rate * grams // _GRAMS)

    def arrival(self, ready_ms: int) -> int:
        """When a parcel is there that is ready then."""
        leaves = ready_ms
        if self.cutoff_minute is not None:
            leaves = ready_ms // DAY_MS * DAY_MS + self.cutoff_minute * MINUTE_MS
            if leaves < ready_ms:
                leaves += DAY_MS
        return leaves + self.transit_ms


@lru_cache(maxsize=8_192)
def table_of(packed: bytes) -> dict[str, Lane]:
    """A zone's lanes by node. All shards of a process share it: there may be a million lanes."""
    return {
        node: Lane(fixed, per_kg, transit_ms, cutoff, tuple(map(tuple, steps)))
        for node, (fixed, per_kg, transit_ms, cutoff, steps) in unpack(packed).items()
    }


def ready_at(place: "Node", from_ms: int) -> int:
    """When a node has a line ready that it hears of then: handled while it is open."""
    if place.cutoff_minute is not None and from_ms % DAY_MS > place.cutoff_minute * MINUTE_MS:
        from_ms = (from_ms // DAY_MS + 1) * DAY_MS
    return open_until(place, from_ms, place.handling_ms)


def open_until(place: "Node", from_ms: int, left_ms: int) -> int:
    """When a node has been open for so long since then; one that never is counts as always open."""
    if not place.opening:
        return from_ms + left_ms
    week_ms = sum(len(days) * (closes - opens) for days, opens, closes in place.opening) * MINUTE_MS
    if not week_ms:
        return from_ms + left_ms
    weeks = max(0, left_ms - 1) // week_ms
    from_ms += weeks * 7 * DAY_MS
    left_ms -= weeks * week_ms
    begins = from_ms
    for begins, ends in _open(place, from_ms, from_ms + 8 * DAY_MS):
        if begins + left_ms <= ends:
            break
        left_ms -= ends - begins
    return begins + left_ms


def open_within_a_day(place: "Node", from_ms: int) -> int:
    """For how many ms a node is open in the day that begins when it next is; all day by default."""
    if not place.opening:
        return DAY_MS
    soon = _open(place, from_ms, from_ms + _DAYS_AHEAD * DAY_MS)
    begins = next((begins for begins, _ in soon), from_ms)
    return sum(to - at for at, to in _open(place, begins, begins + DAY_MS))


def _open(place: "Node", from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """When a node with opening hours is open between two instants, in their order by day."""
    for day in range(from_ms // DAY_MS, -(-until_ms // DAY_MS)):
        for days, opens, closes in place.opening:
            if (day + _EPOCH_WEEKDAY) % 7 + 1 not in days:
                continue
            begins = max(from_ms, day * DAY_MS + opens * MINUTE_MS)
            ends = min(until_ms, day * DAY_MS + closes * MINUTE_MS)
            if begins < ends:
                yield begins, ends
