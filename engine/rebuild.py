"""Stock rebuilt from a shard's events alone: what came in is what is there and what has left.

A fold over the facts of each commit, in order. Where the stream begins with the shard's first
commit the result must be the live state; a difference is a defect, or somebody's hand in the
store.
"""

from typing import Any, Final

from engine.events import Event
from engine.record import SHIPPED, Reservation, unpack

#: on_hand, quarantined, damaged
Stock = tuple[int, int, int]

_SUPPLY: Final = frozenset({
    Event.SUPPLY_OPENED, Event.SUPPLY_RECEIVED, Event.SUPPLY_DELAYED, Event.SUPPLY_CANCELLED,
})  # fmt: skip
#: Facts with a record that may have shipped units since it was last seen.
_SHIPPING: Final = frozenset({Event.SHIPPED, Event.PIECE})


class Rebuilt:
    """Stock of one shard as its events say, up to the last entry taken."""

    def __init__(self, is_own: Any) -> None:
        """``is_own``: whether a SKU is of this shard."""
        self._is_own = is_own
        self.stock: dict[str, Stock] = {}  # By backing.
        self.first_seq: int | None = None
        self.seq = 0
        self._shipped: dict[str, set[str]] = {}  # Parcels seen, by record.

    @property
    def whole(self) -> bool:
        """Whether the stream began with the shard's first commit."""
        return self.first_seq in (None, 1)

    def take(self, seq: int, events: bytes) -> None:
        """One entry of the stream."""
        if self.first_seq is None:
            self.first_seq = seq
        self.seq = seq
        facts = unpack(events)[3]
        for at in range(0, len(facts), 3):
            event = Event(facts[at])
            if event is Event.ADJUSTED:
                on_hand, _, quarantined, _, _, *damaged = facts[at + 2]
                self.stock[facts[at + 1]] = (on_hand, quarantined, sum(damaged))
            elif event in _SUPPLY:
                self.stock[facts[at + 1]] = (facts[at + 2][0], 0, 0)
            elif event in _SHIPPING:
                self._ship(facts[at + 1], facts[at + 2])

    def _ship(self, field: str, payload: str) -> None:
        shipped = Reservation(payload.encode("utf-8", "surrogateescape")).extra.get(SHIPPED)
        if not shipped:
            return
        seen = self._shipped.setdefault(field, set())
        for reference, (_, lines) in shipped.items():
            if reference in seen:
                continue
            seen.add(reference)
            for sku, node, units in lines:
                if self._is_own(sku):
                    backing = f"{sku}|{node}"
                    on_hand, quarantined, damaged = self.stock[backing]
                    self.stock[backing] = (max(0, on_hand - units), quarantined, damaged)
