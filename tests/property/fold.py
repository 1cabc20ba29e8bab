"""Stock and reservations rebuilt from the event stream alone, as a consumer of it would."""

from typing import Any

from engine.backings import units_left
from engine.events import Event
from engine.limits import CLOSED_BUCKET_MS
from engine.record import SHIPPED, Reservation, Status, unpack

#: What may become of a reservation, read off its events; nothing ends twice.
_AFTER: dict[Event, set[Event | None]] = {
    Event.HELD: {None},
    Event.EXTENDED: {Event.HELD, Event.EXTENDED},
    Event.CONFIRMED: {Event.HELD, Event.EXTENDED, Event.EXPIRED},
    Event.RELEASED: {Event.HELD, Event.EXTENDED},
    Event.EXPIRED: {Event.HELD, Event.EXTENDED},
    Event.SHIPPED: {Event.CONFIRMED, Event.SHIPPED},
    Event.CANCELLED: {Event.CONFIRMED, Event.SHIPPED},
}
_ENDS = {Event.RELEASED, Event.EXPIRED, Event.CANCELLED, Event.SHIPPED}
_OF_PIECES = (Event.PIECE, Event.PIECE_DROPPED)
_OF_SUPPLIES = (
    Event.SUPPLY_OPENED, Event.SUPPLY_RECEIVED, Event.SUPPLY_DELAYED, Event.SUPPLY_CANCELLED,
)  # fmt: skip


class Fold:
    """What the events say; ``skus`` are those that this shard owns."""

    def __init__(self, skus: set[str]) -> None:
        self.skus = skus
        self.on_hand: dict[str, int] = {}
        self.safety_stock: dict[str, int] = {}
        self.records: dict[str, Reservation] = {}
        self.short: set[str] = set()
        self.last: dict[str, Event] = {}
        self.last_at_ms: dict[str, int] = {}
        self.free: set[str] = set()
        self.at_ms = 0

    def take(self, events: bytes) -> None:
        """One entry of the stream."""
        _, self.at_ms, _, facts = unpack(events)
        for at in range(0, len(facts), 3):
            event = Event(facts[at])
            payload = facts[at + 2]
            if isinstance(payload, str):
                payload = payload.encode("utf-8", "surrogateescape")
            self.fact(event, facts[at + 1], payload)

    def fact(self, event: Event, subject: str, payload: Any) -> None:
        """One fact."""
        if event is Event.ADJUSTED:
            self.on_hand[subject], self.safety_stock[subject] = payload[:2]
        elif event is Event.SHORT:
            (self.short.add if payload else self.short.discard)(subject)
        elif event in _AFTER or event is Event.SETTLED:
            if event in _AFTER:
                anew = subject in self.free and event is Event.HELD
                assert anew or self.last.get(subject) in _AFTER[event], (subject, event, self.last)
                self.free.discard(subject)
                self.last[subject] = event
                self.last_at_ms[subject] = self.at_ms
            self.record(subject, Reservation(payload))
        elif event in _OF_SUPPLIES:
            self.on_hand[subject] = payload[0]
            self.safety_stock[subject] = 0
        elif event is Event.MOVED:
            self.record(subject, Reservation(payload))
        elif event is Event.FORGOTTEN and subject.startswith("u|"):
            del self.on_hand[subject[2:]], self.safety_stock[subject[2:]]
        elif event is Event.FORGOTTEN and subject.startswith("closed:"):
            self.forget(int(subject.partition(":")[2]))
        elif event in _OF_PIECES:
            self.record(subject, Reservation(payload))
            if event is Event.PIECE_DROPPED:
                del self.records[subject]

    def forget(self, hour: int) -> None:
        """Keys that ended in an hour may be free again; a batch may have seen the next begin."""
        for key, event in list(self.last.items()):
            if event in _ENDS and self.last_at_ms[key] // CLOSED_BUCKET_MS in (hour, hour + 1):
                self.free.add(key)

    def record(self, subject: str, reservation: Reservation) -> None:
        """A record as it is now; what it has shipped since it was last seen has left."""
        known = self.records.get(subject)
        before = known.extra.get(SHIPPED, {}) if known else {}
        for reference, (_, parcel) in reservation.extra.get(SHIPPED, {}).items():
            if reference in before:
                continue
            for sku, node, units in parcel:
                if sku in self.skus:
                    left = self.on_hand[f"{sku}|{node}"] - units
                    self.on_hand[f"{sku}|{node}"] = max(0, left)
        self.records[subject] = reservation

    def promised(self) -> dict[str, list[int]]:
        """Reserved and committed units by backing."""
        units: dict[str, list[int]] = {backing: [0, 0] for backing in self.on_hand}
        for reservation in self.records.values():
            held = reservation.status in (Status.HELD, Status.TAKEN)
            if not held and reservation.status is not Status.CONFIRMED:
                continue
            for (sku, node), left in units_left(reservation).items():
                if sku in self.skus:
                    units[f"{sku}|{node}"][0 if held else 1] += left
        return units

    def counters(self) -> dict[str, tuple[int, ...]]:
        """On hand, safety stock, reserved, committed and quarantined, as ``builders.counters``."""
        return {
            backing: (self.on_hand[backing], self.safety_stock[backing], *promised, 0)
            for backing, promised in self.promised().items()
        }
