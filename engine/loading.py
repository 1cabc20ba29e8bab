"""A working copy from the store's hashes: what an owner does before it serves."""

from collections.abc import Iterable, Mapping
from typing import Any

from engine import totals
from engine.accounts import account_of, units_sent
from engine.announcing import TOLD
from engine.backings import units_left
from engine.bids import OF_NODES, OF_SKU, Bids
from engine.network import load_element
from engine.pickups import QUEUE, Queue
from engine.record import (
    BACKINGS,
    CUSTOMER,
    DELIVER_BY,
    LEVEL_UNIT,
    UNTOLD,
    Reservation,
    Status,
    unpack,
)
from engine.shares import Share
from engine.state import ATTEMPT, PIECE, TIMED, ShardState
from engine.stock import ON_ITS_WAY, Book, Position, Supply, SupplyMembers


class LoadedState(ShardState):
    """A shard's state that can be taken from its store, in portions."""

    def load_state(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Take fields of ``state`` in; nodes and SKUs may come after the positions of them."""
        later: list[tuple[str, bytes]] = []
        supplies: dict[str, SupplyMembers] = {}
        shares: list[tuple[str, str, bytes]] = []
        marks: list[tuple[str, str, bytes]] = []
        for name, value in items:
            kind, _, rest = name.partition("|")
            if kind in ("n", "l", "p", "h", "b"):
                load_element(self, name, unpack(value))
            elif kind in ("N", OF_NODES, "x", QUEUE):
                self._load_beside(kind, rest, unpack(value))
            elif kind == "k":
                self.books[rest] = Book(rest, unpack(value))
            elif kind in ("d", OF_SKU, TOLD):
                marks.append((kind, rest, value))
            elif kind == "u":
                supplies[rest] = SupplyMembers(*unpack(value))
            elif kind in ("s", "a"):
                shares.append((kind, rest, value))
            elif kind == "q":
                later.append((rest, value))
            else:
                self._kept(kind)[rest] = unpack(value)
        for backing, value in later:
            sku, _, slot = backing.partition("|")
            position = self._position(self.books[sku], slot, supplies.get(backing))
            on_hand, safety_stock, position.quarantined, *more = unpack(value)
            position.restock(on_hand, safety_stock)
            position.damaged = more[0] if more else 0
            position.withhold()
        self._load_marks(marks)
        self._load_shares(shares)
        totals.load_sent(self)
        self.waiting.load(self.books)
        self.movements.sort()
        # Oldest first, as they were made: they are forgotten in that order.
        self.references = dict(sorted(self.references.items(), key=lambda kept: kept[1][2]))

    def _load_marks(self, marks: Iterable[tuple[str, str, bytes]]) -> None:
        """What is kept of SKUs beside their members."""
        for kind, sku, value in marks:
            if kind == OF_SKU:
                self.books[sku].bids = unpack(value)
            elif kind == TOLD:
                self.books[sku].announced = unpack(value)
            else:
                self.books[sku].is_low = True
        self.marked = any(b.is_low or b.low_stock is not None for b in self.books.values())

    def _load_beside(self, kind: str, rest: str, value: Any) -> None:
        """Fields that are of no SKU."""
        if kind == "N":
            self.network = value
        elif kind == OF_NODES:
            self.bids = Bids(*value)
        elif kind == QUEUE:
            self.queues.put(rest, Queue(*value))
        else:
            self.movements.load(rest, value)

    def _kept(self, kind: str) -> dict[str, Any]:
        """Fields that are kept as they are."""
        return {
            "r": self.references, "f": self.shortfalls, "F": self.late, "m": self.campaigns,
            "U": self.supply_names, "w": self.waiting.kept, totals.SENT: self.totals.kept,
        }[kind]  # fmt: skip

    def _position(self, book: Book, slot: str, members: SupplyMembers | None) -> Position:
        node, _, supply = slot.partition(ON_ITS_WAY)
        if members is None:
            return book.add(self.nodes[node])
        position = book.add(self.nodes[node], Supply(supply, members))
        if members.pending:
            self.arriving.add(position.backing)
        if members.ended_at_ms:
            self.ended_supplies[position.backing] = members.ended_at_ms
        return position

    def _load_shares(self, fields: Iterable[tuple[str, str, bytes]]) -> None:
        """Rights before what is set aside for them."""
        for kind, rest, value in sorted(fields, reverse=True):
            sku, _, at = rest.partition("|")
            name, _, slot = at.partition("|")
            book = self.books[sku]
            share = book.shares.get(name)
            if share is None:
                share = book.shares[name] = Share(book, name)
            if kind == "s":
                share.load(unpack(value))
            else:
                share.set_aside(slot, unpack(value))

    def load_record(self, field: str, record: bytes) -> None:
        """Take an open record in: its units count as reserved or committed again, once."""
        if field in self.reservations:
            return  # A scan may name a field twice.
        self.reservations[field] = record
        self.piece_count += field[0] == PIECE
        reservation = Reservation(record)
        totals.load(self, reservation.extra)
        self.watch(field, record)  # A taken piece: within seconds, it has not heard from home.
        confirmed = reservation.status in (Status.CONFIRMED, Status.FULFILLED)
        if not confirmed and reservation.status not in TIMED:
            self._load_customer(reservation, units_sent(reservation))
            return  # Ended, kept for what it owes.
        left = units_left(reservation)
        for (sku, node), units in left.items():
            book = self.books.get(sku)
            if book is None:
                continue  # Another shard's line of a reservation decided here.
            position = book.positions[node]
            if confirmed:
                position.committed += units
            else:
                position.reserved += units
                if reservation.status is Status.TAKEN:
                    book.unsealed += units
            counted = account_of(book, reservation.extra)
            if counted is not None:
                counted.load(units, confirmed=confirmed)
            book.takers.append(field)
            supply = position.supply
            if supply is not None:
                by_ms = reservation.extra.get(DELIVER_BY)
                supply.promised.add(field, by_ms, self.reservations)
        self._load_customer(reservation, reservation.backings())
        if UNTOLD in reservation.extra:
            self.untold.add(field)

    def _load_customer(
        self, reservation: Reservation, backings: Iterable[tuple[str, str, int]]
    ) -> None:
        """Count units of its, the shipped ones too, under its customer's limits."""
        if CUSTOMER not in reservation.extra:
            return
        for sku, _, units in backings:
            book = self.books.get(sku)
            counted = account_of(book, reservation.extra) if book is not None else None
            if counted is not None:
                counted.load_customer(units)

    def load_records(self, portion: Iterable[tuple[str, bytes]]) -> None:
        """Take many open records in; plain holds, nearly all of them, by a short way.

        A million of them must be back within seconds of a crash.
        """
        books, reservations = self.books, self.reservations
        for field, record in portion:
            members = unpack(record)
            status = members[0] % LEVEL_UNIT
            plain = len(members) == 4 and status <= Status.CONFIRMED and field[0] != PIECE
            if not plain or field in reservations:
                self.load_record(field, record)
                continue
            if any(ON_ITS_WAY in slot for line in members[3] for slot in line[BACKINGS::2]):
                self.load_record(field, record)
                continue
            reservations[field] = record
            for line in members[3]:
                book = books[line[0]]
                position = book.positions[line[3]]
                if len(line) > 5:
                    position = self._load_many(book, line, status)
                elif status == Status.HELD:
                    position.reserved += line[4]
                else:
                    position.committed += line[4]
                book.takers.append(field)
            if status == Status.HELD:
                self.schedule(field, members[1])

    def _load_many(self, book: Book, line: list[Any], status: int) -> Position:
        for at in range(3, len(line), 2):
            position = book.positions[line[at]]
            if status == Status.HELD:
                position.reserved += line[at + 1]
            else:
                position.committed += line[at + 1]
        return position

    def load_closed(self, hour: int, portion: Iterable[tuple[str, bytes]]) -> None:
        """Take ended records into the index; their keys count among a SKU's takers."""
        self.closed_hours.setdefault(hour, [])
        for field, record in portion:
            if self.closed.get(hash(field), -1) < hour:
                self.remember_closed(field, hour)
            if field[0] != ATTEMPT:
                for line in unpack(record)[3]:
                    if line[0] in self.books:
                        self.books[line[0]].takers.append(field.partition(ATTEMPT)[0])

    def stop_where_books_differ(self, guard: Mapping[str, int]) -> list[str]:
        """Backings whose free units are not what the store's guard says; their SKUs stop.

        The audit of every start: reserved and committed are summed from the open records.
        """
        free = self.free_units()
        differing = [
            backing
            for backing in sorted(free.keys() | guard.keys())
            if free.get(backing, 0) != guard.get(backing, 0)
        ]
        for backing in differing:
            self.stop(backing.partition("|")[0])
        return differing

    def stop(self, sku: str) -> None:
        """Sell nothing of a SKU of this shard."""
        book = self.books.get(sku)
        if book is not None:
            self.stopped_skus.add(sku)
            book.stopped = True
            book.reorder()
