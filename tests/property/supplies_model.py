"""Units on their way as anybody would note them: plain sums, no counters kept."""

from dataclasses import dataclass, field
from typing import Any

_TIMELESS = 2**62


@dataclass
class Held:
    """Somebody's request, and by line what it stands on: slot, units, slot, units …"""

    by_ms: int | None
    preorder: bool
    lines: list[list[Any]] = field(default_factory=list)
    paid: bool = False

    def on(self, slot: str) -> int:
        """Units it has of a slot."""
        return sum(
            units
            for line in self.lines
            for at, units in zip(line[::2], line[1::2], strict=True)
            if at == slot
        )

    def total(self) -> list[int]:
        """Units by line."""
        return [sum(line[1::2]) for line in self.lines]


@dataclass
class Coming:
    """A supply."""

    node: str
    origin: str | None
    to_come: int
    at_ms: int
    cap: int | None
    received: int = 0
    pending: int = 0
    last: bool = False
    state: str = "open"
    ended_at_ms: int = 0
    quantity: int = 0
    watched: bool = False  # It was put off, and somebody's date is broken since.

    def on_the_road(self) -> int:
        """Units of a transfer that have left and have not come."""
        sent = self.origin is not None and not self.last
        return max(0, self.quantity - self.received) if sent else 0


class SuppliesModel:
    """One SKU."""

    def __init__(self, on_hand: dict[str, int]) -> None:
        self.on_hand = on_hand
        self.made = sum(on_hand.values())  # Units in the world, on the road too.
        self.coming: dict[str, Coming] = {}
        self.held: dict[str, Held] = {}

    def slots(self) -> dict[str, Coming]:
        """Supplies by slot."""
        return {f"{at.node}|{name}": at for name, at in self.coming.items()}

    def units(self, slot: str) -> int:
        """There, or still to come."""
        return self.on_hand[slot] if slot in self.on_hand else self.slots()[slot].to_come

    def standing(self, slot: str) -> dict[str, int]:
        """Units by key, in the order to be served."""
        on = {key: held.on(slot) for key, held in self.held.items()}
        order = sorted((self.held[key].by_ms or _TIMELESS, key) for key in on if on[key])
        return {key: on[key] for _, key in order}

    def promised(self, slot: str) -> tuple[int, int]:
        """Held and paid units."""
        held = sum(at.on(slot) for at in self.held.values() if not at.paid)
        return held, sum(at.on(slot) for at in self.held.values() if at.paid)

    def free(self, slot: str) -> int:
        """Units that nobody was promised."""
        return self.units(slot) - sum(self.promised(slot))

    # Holds

    def has_enough(self, lines: list[list[Any]], asked: Held, now_ms: int) -> bool:
        """Lines with a node first; there is no use in a supply for who cannot wait."""
        left = {node: max(0, self.free(node)) for node in self.on_hand}
        left |= {slot: self.sellable(slot) for slot in self.usable(asked, now_ms)}
        for _, wish, units in sorted(lines, key=lambda line: line[1] is None):
            missing = units
            for slot in sorted(left, key=lambda slot: ("|" in slot, slot)):
                if wish is None or slot.partition("|")[0] == wish:
                    part = min(missing, left[slot])
                    left[slot] -= part
                    missing -= part
            if missing:
                return False
        return True

    def usable(self, asked: Held, now_ms: int) -> list[str]:
        """Supplies that come in time for somebody."""
        return [
            slot
            for slot, at in self.slots().items()
            if at.state == "open"
            and not at.last
            and (asked.preorder or (asked.by_ms or -1) >= max(now_ms, at.at_ms))
        ]

    def sellable(self, slot: str) -> int:
        """As far as the cap allows."""
        at = self.slots()[slot]
        beyond = 0 if at.cap is None else max(0, at.to_come - at.cap)
        return max(0, self.free(slot) - beyond)

    def take(self, key: str, asked: Held, wishes: list[str | None], now_ms: int) -> None:
        """What was given must be such that it might be asked for."""
        usable = self.usable(asked, now_ms)
        for line, wish in zip(asked.lines, wishes, strict=True):
            assert all(wish in (None, slot.partition("|")[0]) for slot in line[::2])
            assert all("|" not in slot or slot in usable for slot in line[::2])
        self.held[key] = asked
        for line, wish in zip(asked.lines, wishes, strict=True):
            here = self.on_hand if wish is None else [wish]
            if any("|" in slot for slot in line[::2]):  # What is there goes first.
                assert all(self.free(node) <= 0 for node in here)

    def ship(self, key: str) -> bool:
        """Whether everything was there; then it has left."""
        on = {slot: self.held[key].on(slot) for line in self.held[key].lines for slot in line[::2]}
        if any("|" in slot or units > self.on_hand[slot] for slot, units in on.items()):
            return False
        for slot, units in on.items():
            self.on_hand[slot] -= units
            self.made -= units
        del self.held[key]
        return True

    def count(self, node: str, units: int) -> None:
        """So many are there."""
        self.made += units - self.on_hand[node]
        self.on_hand[node] = units

    # Supplies

    def open(self, name: str, at: Coming) -> None:
        """A transfer's units have left."""
        self.coming[name] = at
        if at.origin is not None:
            self.on_hand[at.origin] -= at.to_come
        at.quantity = at.to_come

    def receive(self, name: str, units: int, *, last: bool) -> None:
        """They are at the door."""
        at = self.coming[name]
        self.made += units - min(units, at.on_the_road())
        self._begin(name, units)
        at.received += units
        if last:
            self.made -= at.on_the_road()  # Lost.
            at.last = True

    def cancel(self, name: str, now_ms: int) -> None:
        """A transfer goes back with all that is left of it."""
        at = self.coming[name]
        at.state, at.last, at.ended_at_ms = "cancelled", True, now_ms
        self._begin(name, at.to_come if at.origin is not None else 0)

    def _begin(self, name: str, units: int) -> None:
        at = self.coming[name]
        at.pending += units

    def delay(self, name: str, at_ms: int) -> None:
        """Another date."""
        at = self.coming[name]
        if at.at_ms != at_ms:
            at.at_ms = at_ms
            at.watched = True

    def moved(
        self, name: str, lines: dict[str, list[list[Any]]], pending: int, now_ms: int
    ) -> None:
        """So many have still to be put where they belong: who stands where now, is that fair?"""
        at = self.coming[name]
        slot = f"{at.node}|{name}"
        to = at.origin if at.state == "cancelled" and at.origin is not None else at.node
        before, total = self.standing(slot), {key: held.total() for key, held in self.held.items()}
        there = {key: held.on(to) for key, held in self.held.items()}
        for key, held in self.held.items():
            held.lines = lines[key]
            assert held.total() == total[key]
        served = {key: units - self.held[key].on(slot) for key, units in before.items()}
        assert all(self.held[key].on(to) - there[key] == n for key, n in served.items())
        self._is_fair(before, served)
        done = at.pending - pending
        loose = done - sum(served.values())
        assert loose >= 0
        assert not loose or not any(self.standing(slot).values())
        self.on_hand[to] += done
        at.to_come = max(0, at.to_come - done)
        at.pending = pending
        if not pending:
            self._end(at, now_ms)

    def replan(self, key: str, slot: str, node: str, units: int, lines: list[list[Any]]) -> None:
        """So many units of somebody are to be had at a node now, not from a supply."""
        held = self.held[key]
        wanted = held.on(slot) - units, held.on(node) + units, held.total()
        held.lines = lines
        assert (held.on(slot), held.on(node), held.total()) == wanted

    def _is_fair(self, before: dict[str, int], served: dict[str, int]) -> None:
        """Nobody is served while somebody before him still waits."""
        waiting = False
        for key, units in before.items():
            assert not (waiting and served[key]), (key, served)
            waiting = waiting or served[key] < units

    def _end(self, at: Coming, now_ms: int) -> None:
        if at.last:
            at.to_come = 0
        if at.state == "open" and not at.to_come:
            at.state, at.ended_at_ms = "closed", now_ms

    def is_over(self, name: str, before_ms: int) -> bool:
        """It ended by then, and nobody stands on it."""
        at = self.coming[name]
        ended = at.state != "open" and not at.pending and at.ended_at_ms <= before_ms
        return ended and not self.standing(f"{at.node}|{name}")

    # What must hold

    def check_conserved(self) -> None:
        """Nothing physical is lost or made."""
        at_the_door = sum(at.pending for at in self.coming.values())
        travelling = sum(at.on_the_road() for at in self.coming.values())
        assert sum(self.on_hand.values()) + at_the_door + travelling == self.made

    def late(self, name: str) -> dict[str, int]:
        """Whose date is broken since it was put off, with the units."""
        at = self.coming[name]
        units = {
            key: units
            for key, units in self.standing(f"{at.node}|{name}").items()
            if not self.held[key].preorder and (self.held[key].by_ms or _TIMELESS) < at.at_ms
        }
        at.watched = at.watched and bool(units) and at.state == "open"
        return units if at.watched else {}
