"""What a shard should do, said as plainly as possible: two dicts, no speed, no bytes.

``Model`` answers each command with the outcome it expects and keeps stock and reservations; the
machine beside it compares. Sums are taken anew each time, nodes are sorted for each choice.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from engine.outcome import Outcome
from engine.record import Status

Place = tuple[str, str]


@dataclass
class Line:
    """A line and where its units lie, in the order they were taken."""

    sku: str
    wish: str | None
    asked: int
    backings: list[tuple[str, int]] = field(default_factory=list)

    @property
    def units(self) -> int:
        """Units that back it."""
        return sum(units for _, units in self.backings)

    def flat(self) -> list[Any]:
        """As a record has it."""
        parts = [part for backing in self.backings for part in backing]
        return [self.sku, self.wish, self.asked, *parts]


@dataclass
class Record:
    """A reservation, or a piece of one (its digest is the nonce)."""

    status: Status
    expires_at_ms: int
    digest: bytes
    lines: list[Line]
    channel: str | None = None
    pieces: tuple[int, ...] = ()
    nonce: bytes = b""
    owes: tuple[int, ...] = ()
    shipped: dict[str, tuple[bytes, list[tuple[str, str, int]]]] = field(default_factory=dict)
    ended_at_ms: int = 0

    def left(self) -> dict[Place, int]:
        """Units by place that back it and have not left."""
        at: dict[Place, int] = {}
        for line in self.lines:
            for node, units in line.backings:
                at[line.sku, node] = at.get((line.sku, node), 0) + units
        for _, parcel in self.shipped.values():
            for sku, node, units in parcel:
                at[sku, node] -= units
        return {place: units for place, units in at.items() if units}

    def as_of(self, now_ms: int) -> Status:
        """A hold whose time is over reads as expired."""
        over = self.status is Status.HELD and now_ms >= self.expires_at_ms
        return Status.EXPIRED if over else self.status


#: States in which a verb is done anew, and in which it has been done.
DO = {
    "confirm": {Status.HELD},
    "release": {Status.HELD},
    "extend": {Status.HELD},
    "cancel": {Status.HELD, Status.CONFIRMED},
}
SAME = {
    "confirm": {Status.CONFIRMED, Status.FULFILLED},
    "release": {Status.RELEASED, Status.EXPIRED},
    "extend": set(),
    "cancel": {Status.CANCELLED},
}


class Model:
    """Stock and reservations of one shard; what other shards own is ignored."""

    def __init__(self, skus: set[str], nodes: dict[str, tuple[int, frozenset[str]]]) -> None:
        self.skus = skus
        self.nodes = nodes  # (priority, channels)
        self.on_hand: dict[Place, int] = {}
        self.safety: dict[Place, int] = {}
        self.records: dict[str, Record] = {}
        self.references: dict[str, tuple[bytes, list[Outcome]]] = {}
        self.aborted: set[tuple[str, bytes]] = set()

    # Stock

    def promised(self, place: Place, *states: Status) -> int:
        """Units at a place in records of these states."""
        return sum(
            record.left().get(place, 0)
            for record in self.records.values()
            if record.status in states
        )

    def reserved(self, place: Place) -> int:
        """In holds and taken pieces."""
        return self.promised(place, Status.HELD, Status.TAKEN)

    def committed(self, place: Place) -> int:
        """In confirmed ones, not shipped."""
        return self.promised(place, Status.CONFIRMED)

    def free(self, place: Place) -> int:
        """Negative while promises exceed what is there."""
        return self.on_hand[place] - self.reserved(place) - self.committed(place)

    def sellable(self, place: Place) -> int:
        """What a new promise may take."""
        return max(0, self.free(place) - self.safety.get(place, 0))

    def serving(self, sku: str, wish: str | None, channel: str | None) -> list[Place]:
        """Places a line may take from, in the order in which it does."""
        places = [
            (sku, node)
            for node, (_, channels) in self.nodes.items()
            if (sku, node) in self.on_hand
            and node == (wish or node)
            and (not channels or channel in channels)
        ]
        return sorted(places, key=lambda at: (self.nodes[at[1]][0], -self.sellable(at), at[1]))

    def allocated(
        self, wanted: list[Line], channel: str | None, *, partial: bool
    ) -> list[Line] | None:
        """The lines with backings, or None where they cannot be had."""
        lines = [replace(line, backings=[]) for line in wanted]
        key = "allocating"
        assert key not in self.records
        self.records[key] = Record(Status.HELD, 0, b"", lines)
        for line in sorted(lines, key=lambda line: line.wish is None):
            for place in self.serving(line.sku, line.wish, channel):
                part = min(line.asked - line.units, self.sellable(place))
                if part:
                    line.backings.append((place[1], part))
        del self.records[key]
        complete = all(line.units == line.asked for line in lines)
        some = any(line.units for line in lines)
        return lines if complete or (partial and some) else None

    def short(self, wanted: list[Line], channel: str | None) -> list[list[Any]]:
        """Every short line: sku, wish, asked, available."""
        kept: dict[str, int] = {}
        short: dict[int, int] = {}
        for line in sorted(wanted, key=lambda line: line.wish is None):
            there = sum(map(self.sellable, self.serving(line.sku, line.wish, channel)))
            if line.wish is None:
                there = max(0, there - kept.get(line.sku, 0))
            elif there >= line.asked:
                kept[line.sku] = kept.get(line.sku, 0) + line.asked
            if there < line.asked:
                short[id(line)] = there
        return [
            [line.sku, line.wish, line.asked, short[id(line)]]
            for line in wanted
            if id(line) in short
        ]

    def shortage(self, wanted: list[Line], channel: str | None) -> Outcome:
        """Whether units of a short line lie in baskets that are not decided yet."""
        short = {line[0] for line in self.short(wanted, channel)}
        undecided = any(
            line.sku in short and line.units
            for record in self.records.values()
            if record.status is Status.TAKEN
            for line in record.lines
        )
        return Outcome.CONTENDED if undecided else Outcome.SHORT

    def unknown(self, wanted: list[Line]) -> Outcome | None:
        """SKUs before nodes."""
        if any(line.sku not in self.skus for line in wanted):
            return Outcome.UNKNOWN_SKU
        if any(line.wish and line.wish not in self.nodes for line in wanted):
            return Outcome.UNKNOWN_NODE
        return None

    # Reservations

    def reserve(
        self, key: str, digest: bytes, wanted: list[Line], until_ms: int,
        channel: str | None, *, partial: bool,
    ) -> Outcome:  # fmt: skip
        """Hold units, once for each key."""
        known = self.records.get(key)
        if known is not None:
            return Outcome.REPEATED if known.digest == digest else Outcome.KEY_REUSED
        if (unknown := self.unknown(wanted)) is not None:
            return unknown
        lines = self.allocated(wanted, channel, partial=partial)
        if lines is None:
            return self.shortage(wanted, channel)
        self.records[key] = Record(Status.HELD, until_ms, digest, lines, channel)
        return Outcome.OK

    def verb(self, verb: str, key: str, now_ms: int, until_ms: int = 0) -> Outcome:
        """Confirm, release, extend or cancel."""
        record = self.records.get(key)
        if record is None or key[0] == "/":
            return Outcome.UNKNOWN_RESERVATION
        if record.status is not record.as_of(now_ms):
            self.end(record, Status.EXPIRED, now_ms)
        if record.status in SAME[verb]:
            return Outcome.OK
        if record.status is Status.EXPIRED and verb == "confirm":
            return self.confirm_late(record)
        if record.status not in DO[verb]:
            return Outcome.NOT_HELD
        if verb == "extend":
            record.expires_at_ms = max(record.expires_at_ms, until_ms)
        elif verb == "confirm":
            self.confirm(record)
        else:
            cancelled = record.status is Status.CONFIRMED
            self.end(record, Status.CANCELLED if cancelled else Status.RELEASED, now_ms)
        return Outcome.OK

    def confirm(self, record: Record) -> None:
        """Its pieces must hear of it."""
        record.status, record.owes = Status.CONFIRMED, record.pieces

    def confirm_late(self, record: Record) -> Outcome:
        """The same units again, from wherever they are."""
        if record.pieces:
            return Outcome.ELSEWHERE
        again = [Line(line.sku, line.wish, line.units) for line in record.lines if line.units]
        lines = self.allocated(again, record.channel, partial=False)
        if lines is None:
            return Outcome.NOT_HELD
        self.revive(record, lines)
        return Outcome.OK

    def revive(self, record: Record, lines: list[Line]) -> None:
        """New backings for the old lines; what was asked stays what it was."""
        anew = {(line.sku, line.wish): line.backings for line in lines}
        for line in record.lines:
            line.backings = anew.get((line.sku, line.wish), [])
        self.confirm(record)

    def end(self, record: Record, status: Status, now_ms: int) -> None:
        """Units are free again because its state does not count any more."""
        record.status, record.ended_at_ms, record.owes = status, now_ms, record.pieces

    def fulfil(
        self, key: str, name: str, digest: bytes, wanted: list[tuple[str, str, int]] | None,
        *, over_shards: bool,
    ) -> Outcome:  # fmt: skip
        """Units leave, each reference once."""
        record = self.records.get(key)
        if record is None or key[0] == "/":
            return Outcome.UNKNOWN_RESERVATION
        if name in record.shipped:
            return Outcome.OK if record.shipped[name][0] == digest else Outcome.KEY_REUSED
        if record.status is not Status.CONFIRMED:
            return Outcome.NOT_CONFIRMED
        left = record.left()
        parcel: dict[Place, int] = {}
        for sku, node, units in wanted or ():
            parcel[sku, node] = parcel.get((sku, node), 0) + units
        parcel = left if wanted is None else parcel
        if any(units > left.get(at, 0) for at, units in parcel.items()):
            return Outcome.EXCEEDS_COMMITTED
        mine = {at: units for at, units in parcel.items() if at in self.on_hand}
        if any(self.on_hand[at] < units for at, units in mine.items()):
            return Outcome.SHORT
        if record.pieces and not over_shards:
            return Outcome.ELSEWHERE
        for at, units in mine.items():
            self.on_hand[at] -= units
        record.shipped[name] = (digest, [(*at, units) for at, units in parcel.items()])
        if not record.left():
            record.status = Status.FULFILLED
        record.owes = record.pieces
        return Outcome.OK

    def expire(self, keys: list[str], now_ms: int) -> int:
        """How many holds have ended."""
        ended = 0
        for key in keys:
            record = self.records.get(key) if key[0] != "/" else None
            if record is not None and record.status is not record.as_of(now_ms):
                self.end(record, Status.EXPIRED, now_ms)
                ended += 1
        return ended
