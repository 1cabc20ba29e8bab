"""The working copy of one shard: its books and reservations, and the few moves that change them.

Handlers (``holds``, ``pieces``, ``corrections`` …) decide; everything they change goes through
here, so that ``effects`` know it and the batch can be taken back.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from engine.backings import stand_on
from engine.bids import NO_BIDS, Bids, Staged
from engine.counting import add_to
from engine.demand_log import Refusal
from engine.effects import HELD, Effects, Sealed, seal
from engine.events import Event
from engine.lanes import Lane
from engine.limits import CLOSED_WINDOW_MS, DUE_MS, SWEEP_MAX
from engine.low_stock import watch
from engine.movements import Movements
from engine.pickups import Queues
from engine.record import (
    FLAGS_AT,
    FOUR_MEMBERS,
    LEVEL_UNIT,
    OWES,
    PICKUP_UNTIL,
    RAW_16,
    UINT64,
    Durability,
    Line,
    Reservation,
    Status,
)
from engine.shares import Share, follow_stock
from engine.stock import Book, Node, Position, rose
from engine.totals import Totals
from engine.waiting_list import WaitingList

#: First character of a piece's field; no key can begin with it.
PIECE: Final = "/"
#: First character of the mark of an aborted attempt.
ATTEMPT: Final = "!"
#: Records in these states hold units and end by themselves.
TIMED: Final = frozenset({Status.HELD, Status.TAKEN})


class Expiring(NamedTuple):
    """What one-line holds with the same end share: the record up to the digest, the due list."""

    expires_at_ms: int
    prefix: bytes
    fields: list[str]


class ShardState:
    """Everything one shard's owner holds in memory."""

    bids: Bids = NO_BIDS
    staged_bids: Staged | None = None

    def __init__(
        self, shard: int, shards: int, level: Durability, *, window_ms: int = CLOSED_WINDOW_MS
    ) -> None:
        self.shard, self.shards = shard, shards
        self.level_flags = LEVEL_UNIT * level
        self.level = level
        self.window_ms = window_ms  # How long ended reservations answer for their keys.
        self.seq, self.head, self.epoch = 0, b"", 0
        self.books: dict[str, Book] = {}
        self.nodes: dict[str, Node] = {}
        self.network = 0  # Version of nodes, lanes, pools, channels and bundles.
        self.elements: dict[str, tuple[int, Any]] = {}  # (version that changed it, value) by name.
        self.lanes: dict[str, dict[str, Lane]] = {}  # By zone and node.
        self.pools: dict[str, frozenset[str]] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.bundles: dict[str, dict[str, Any]] = {}
        self.reservations: dict[str, bytes] = {}
        #: hash(field) -> hour of ended ones. A false hit costs one look into the store.
        self.closed: dict[int, int] = {}
        self.closed_hours: dict[int, list[int]] = {}
        self.closed_loaded = True
        #: Ended in commits not yet accepted: the store does not have them yet.
        self.just_closed: dict[str, bytes] = {}
        #: What the store said about ended ones this batch may ask for; None: nothing.
        self.recalled: dict[str, bytes | None] = {}
        #: Of those asked for, what was not yet in the store then; it may be accepted meanwhile.
        self.closing: dict[str, bytes] = {}
        self.owing: set[str] = set()  # Reservations that owe other shards news.
        self.totals = Totals()
        self.piece_count = 0  # Records that are pieces of reservations decided elsewhere.
        self.waiting = WaitingList(window_ms)
        self.references: dict[str, list[Any]] = {}
        self.shortfalls: dict[str, list[Any]] = {}
        self.supply_names: dict[str, list[str]] = {}  # Net only: [sku, digest] by supply.
        #: By backing: promises that a supply comes too late for.
        self.late: dict[str, list[Any]] = {}
        self.arriving: set[str] = set()  # Backings whose units have come and are not on hand yet.
        self.ended_supplies: dict[str, int] = {}  # When, by backing.
        self.untold: set[str] = set()  # Pieces whose homes do not know their backings yet.
        self.campaigns: dict[str, list[Any]] = {}  # Net only: [state, members, since when].
        self.queues = Queues()
        self.stopped_skus: set[str] = set()  # Not sold until somebody has looked.
        #: SKUs and places in their lists from which on takers may be those of keys free again.
        self.untidied: list[tuple[str, int]] = []
        #: When each SKU last changed, oldest first: what views ask for.
        self.changed: dict[str, int] = {}
        self.changed_floor = 0
        self.sku_order: list[str] | None = None  # See ``changes``.
        self.movements = Movements()
        self.marked = False  # Some SKU has a mark below which it is told of.
        self.refusals: list[Refusal] = []  # Said by the batch being decided.
        self.effects = Effects()
        self.due_at = Expiring(-1, b"", [])
        self._due_spans: list[int] = []
        self._due: dict[int, list[str]] = {}

    # Records

    def known(self, field: str) -> bytes | None:
        """The record of a field, open or ended; None if there never was one in the window."""
        record = self.reservations.get(field)
        if record is None and (self.closed or not self.closed_loaded):
            record = self.just_closed.get(field)
            if record is None:
                record = self.closing.get(field) or self.recalled.get(field)
        return record

    def held(self, key: str, record: bytes) -> None:
        """Store a new hold: its fact is also what the store writes."""
        self.reservations[key] = record
        self.effects.holds = True
        self.effects.facts += (HELD, key, record)

    def put(self, field: str, record: bytes) -> None:
        """Store an open record that has changed."""
        records = self.effects.records
        if field not in records:
            records[field] = self.reservations.get(field)
        self.reservations[field] = record

    def close(self, field: str, record: bytes) -> None:
        """Move a record to the ended ones."""
        effects = self.effects
        if field not in effects.records:
            effects.records[field] = self.reservations.get(field)
        self.reservations.pop(field, None)
        if hash(field) in self.closed:
            self.reopen(field)  # It ended before and lived again since.
        if not effects.closed:
            known = self.closed_hours.get(effects.hour())
            effects.closed_before = None if known is None else len(known)
        effects.closed[field] = record
        self.just_closed[field] = record
        self.remember_closed(field, effects.hour())

    def reopen(self, field: str) -> None:
        """What is known of an earlier end can be brought back: it is to be forgotten now."""
        if field in self.effects.closed:
            return  # It ended in this very batch: before that it was open.
        hour, record = self.closed.get(hash(field)), self.just_closed.get(field)

        def restore() -> None:
            if hour is not None:
                self.closed[hash(field)] = hour
            if record is not None:
                self.just_closed[field] = record

        self.undo(restore)

    def remember_closed(self, field: str, hour: int) -> None:
        """Note that a field has ended in that hour."""
        known_as = hash(field)
        self.closed[known_as] = hour
        self.closed_hours.setdefault(hour, []).append(known_as)

    def count_pieces(self, change: int) -> None:
        """So many pieces more."""
        self.piece_count += change

        def restore() -> None:
            self.piece_count -= change

        self.undo(restore)

    def open_count(self) -> int:
        """Reservations decided here that are held or confirmed; what only owes news has ended."""
        known = [self.reservations[key] for key in self.owing if key in self.reservations]
        ended = sum(record[FLAGS_AT] % LEVEL_UNIT > Status.CONFIRMED for record in known)
        return len(self.reservations) - self.piece_count - ended

    def schedule(self, field: str, at_ms: int) -> None:
        """Look at a field when its time has come."""
        self._due_in(at_ms // DUE_MS + 1).append(field)

    def _due_in(self, span: int) -> list[str]:
        fields = self._due.get(span)
        if fields is None:
            fields = self._due[span] = []
            heappush(self._due_spans, span)
        return fields

    def expiring(self, expires_at_ms: int) -> "Expiring":
        """What holds that end at this instant have in common; kept for the rest of the batch."""
        flags = (self.level_flags + Status.HELD).to_bytes(1, "big")
        at = expires_at_ms.to_bytes(8, "big")
        self.due_at = Expiring(
            expires_at_ms,
            FOUR_MEMBERS + flags + UINT64 + at + RAW_16,
            self._due_in(expires_at_ms // DUE_MS + 1),
        )
        return self.due_at

    def due(self, now_ms: int, most: int = SWEEP_MAX) -> list[str]:
        """Up to ``most`` fields whose time has come; each is named once for each schedule."""
        fields: list[str] = []
        while self._due_spans and self._due_spans[0] * DUE_MS <= now_ms and len(fields) < most:
            waiting = self._due[self._due_spans[0]]
            cut = most - len(fields)
            fields += waiting[:cut]
            del waiting[:cut]
            if not waiting:
                del self._due[heappop(self._due_spans)]
                self.due_at = Expiring(-1, b"", [])
        return fields

    def overdue_ms(self, now_ms: int) -> int:
        """How long the oldest due field has been waiting."""
        return max(0, now_ms - self._due_spans[0] * DUE_MS) if self._due_spans else 0

    # Stock

    def touch(self, position: Position) -> None:
        """Keep the counters of a position as they were before this batch."""
        positions = self.effects.positions
        if position not in positions:
            positions[position] = position.counts()

    def touch_share(self, share: Share) -> None:
        """Keep a share as it was before this batch."""
        shares = self.effects.shares
        if share not in shares:
            shares[share] = share.counts()

    def count(self, counts: dict[str, int], name: str, units: int) -> None:
        """Count units under a name."""
        before = counts.get(name, 0)
        add_to(counts, name, units)
        # As much as there really was: nobody is counted below nothing.
        self.effects.counted.append((counts, name, counts.get(name, 0) - before))

    def hold(self, position: Position, units: int) -> None:
        """Set free units aside; negative gives them back."""
        self.touch(position)
        position.reserved += units
        if units < 0:
            rose(position)

    def commit(self, position: Position, units: int) -> None:
        """Reserved units become committed ones."""
        self.touch(position)
        position.reserved -= units
        position.committed += units

    def commit_again(self, position: Position, units: int) -> None:
        """Count units as committed whose record was lost; the guard is told that they have gone."""
        self.touch(position)
        added, removed = self.effects.world.get(position, (0, 0))
        self.effects.world[position] = (added, removed + units)
        position.committed += units

    def taken(self, line: Line, field: str) -> None:
        """Note that a record has taken units of a SKU, which no hint holds up any more."""
        book = self.books[line[0]]
        book.takers.append(field)
        if book.supplies:
            stand_on(book, line, field, self.reservations)
        if 0 < book.hinted_until_ms < self.effects.now_ms:
            self.hint(book, 0)

    def hint(self, book: Book, until_ms: int) -> None:
        """Let gateways call a SKU sold out until then; 0: not any more."""
        before = book.hinted_until_ms
        self.undo(lambda: book.hint(before))
        book.hint(until_ms)

    def correct(self, position: Position, on_hand: int) -> None:
        """The world says there are ``on_hand`` units."""
        self.touch(position)
        added, removed = self.effects.world.get(position, (0, 0))
        change = on_hand - position.on_hand
        self.effects.world[position] = (added + max(0, change), removed + max(0, -change))
        position.restock(on_hand, position.safety_stock)
        if position.supply is not None:
            position.withhold()  # A cap is of what is still to come.
        if position.book.shares:
            follow_stock(self, position.book)
        rose(position)

    def position(self, sku: str, slot: str) -> Position:
        """A position that a record names, hence exists."""
        return self.books[sku].positions[slot]

    def field(self, name: str, value: bytes | None) -> None:
        """Write (or with None delete) a field of ``state``."""
        self.effects.fields[name] = value

    def fact(self, event: Event, subject: str, payload: Any) -> None:
        """Note what happened."""
        self.effects.facts += (event, subject, payload)

    def undo(self, step: Callable[[], object]) -> None:
        """How to take back what counters and records do not tell."""
        self.effects.undo.append(step)

    # Batches

    def refused(self) -> list[Refusal]:
        """What the batch being decided has refused."""
        refusals = self.refusals
        if refusals:
            self.refusals = []
        return refusals

    def seal(self) -> Sealed | None:
        """End the batch: what to commit, or None if nothing changed. The next one begins."""
        effects = self.effects
        if not effects:
            self.effects = Effects()  # What was only looked at is no part of the next batch.
            return None
        skus = [*effects.seen, *[position.book.sku for position in effects.positions]]
        if self.marked:
            watch(self, [self.books[sku] for sku in skus])
        sealed = seal(effects, self.reservations, self.seq, self.head, self.network)
        self.seq, self.head = sealed.seq, sealed.hash_after
        changed = self.changed
        for sku in skus:
            changed.pop(sku, None)
            changed[sku] = sealed.seq
        self.effects = Effects()
        return sealed

    def accepted(self, sealed: Sealed) -> None:
        """The store has this batch: its ended records can be asked for there."""
        for field, record in sealed.effects.closed.items():
            if self.just_closed.get(field) is record:
                del self.just_closed[field]

    def take_back(self, sealed: Sealed | None) -> None:
        """Undo the last sealed batch, or with None the one being decided. Last first."""
        effects = self.effects if sealed is None else sealed.effects
        effects.restore_counts()
        for field, before in effects.records.items():
            if before is None:
                self.reservations.pop(field, None)
            else:
                self.reservations[field] = before
        for key in effects.new_holds():
            self.reservations.pop(key, None)
        for field in effects.closed:
            self.just_closed.pop(field, None)
            self.closed.pop(hash(field), None)
        if effects.closed:
            self._unlist_closed(effects)
        self.closing = {}  # It may hold ends that are being taken back.
        for step in reversed(effects.undo):
            step()
        for field, before in effects.records.items():
            self.owing.discard(field)
            if before is not None:
                self.watch(field, before)
        if sealed is None:
            self.effects = Effects()
            self.refusals = []
        else:
            self.seq, self.head = sealed.seq - 1, sealed.hash_before

    def _unlist_closed(self, effects: Effects) -> None:
        if effects.closed_before is None:
            del self.closed_hours[effects.hour()]
        else:
            del self.closed_hours[effects.hour()][effects.closed_before :]

    def watch(self, field: str, record: bytes) -> None:
        """Enter an open record where its time or its debts will be looked after."""
        reservation = Reservation(record)
        if reservation.status in TIMED:
            self.schedule(field, reservation.expires_at_ms)
        if reservation.status is Status.CONFIRMED and PICKUP_UNTIL in reservation.extra:
            self.schedule(field, reservation.extra[PICKUP_UNTIL])
        if OWES in reservation.extra:
            self.owing.add(field)

    def free_units(self) -> dict[str, int]:
        """Free units of every backing, as the store's guard must have them."""
        return {
            position.backing: position.free
            for book in self.books.values()
            for position in book.positions.values()
        }
