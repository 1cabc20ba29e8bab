"""The machine under the rules: a ledger with its store, and the model beside it."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from engine.commands import Command, Reply
from engine.effects import Sealed
from engine.ids import shard_of
from engine.ledger import Ledger
from engine.limits import DUE_MS
from engine.outcome import Outcome
from engine.record import OWES, Reservation, Status, unpack
from engine.state import PIECE
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from tests.builders import NOW_MS, WAREHOUSE, counters, empty_ledger, founding
from tests.property.fold import Fold
from tests.property.model import Line, Record
from tests.property.whole_model import WholeModel

SHARDS = 2
NAMES = [f"sku{number}" for number in range(20)]
SKUS = [name for name in NAMES if shard_of(name, SHARDS) == 0][:3]
REMOTE = next(name for name in NAMES if shard_of(name, SHARDS) == 1)
NODES = ["w1", "w2", "w3"]
RIGHT = Right(0, 1, "token")
ASK_AGAIN_MS = 1_000  # When home did not answer a piece.


def totals_of(ledger: Ledger) -> dict[str, dict[str, int]]:
    """What is counted of customers over several SKUs, by limit."""
    return {name: dict(counts) for name, counts in ledger.totals.counts.items() if counts}


def image(ledger: Ledger) -> dict[str, Any]:
    """All of a ledger that decisions rest on, to be compared."""
    return {
        "counters": counters(ledger),
        "reservations": dict(ledger.reservations),
        "closed": dict(ledger.closed),
        "hours": set(ledger.closed_hours),
        "owing": set(ledger.owing),
        "references": dict(ledger.references),
        "shortfalls": dict(ledger.shortfalls),
        "late": dict(ledger.late),
        "arriving": set(ledger.arriving),
        "untold": set(ledger.untold),
        "ended supplies": dict(ledger.ended_supplies),
        "supply names": dict(ledger.supply_names),
        "supplies": {
            position.backing: position.supply.members
            for book in ledger.books.values()
            for position in book.supplies.values()
            if position.supply is not None
        },
        "low": {sku for sku, book in ledger.books.items() if book.is_low},
        "skus": {sku: book.members for sku, book in ledger.books.items()},
        "unsealed": {sku: book.unsealed for sku, book in ledger.books.items()},
        "restricted": {sku: book.restricted for sku, book in ledger.books.items()},
        "nodes": {name: place.members for name, place in ledger.nodes.items()},
        "places": {
            position.backing: position.place.members
            for book in ledger.books.values()
            for position in book.positions.values()
        },
        "versions": (ledger.network, dict(ledger.elements)),
        "waiting": (
            dict(ledger.waiting.entries),
            {
                sku: list(book.waiting.entries.values())
                for sku, book in ledger.books.items()
                if book.waiting is not None
            },
        ),
        "totals": totals_of(ledger),
        "head": (ledger.seq, ledger.head),
    }


def looked_after(ledger: Ledger, now_ms: int) -> None:
    """Every hold and taken piece is due in time; debts and who waits are looked after."""
    first: dict[str, int] = {}
    for span, names in ledger._due.items():
        for name in names:
            first[name] = min(first.get(name, span), span)
    owing = set()
    for name, record in ledger.reservations.items():
        reservation = Reservation(record)
        if reservation.status in (Status.HELD, Status.TAKEN):
            by_ms = max(reservation.expires_at_ms, now_ms) + DUE_MS
            by_ms += ASK_AGAIN_MS if name[0] == PIECE else 0
            assert name in first, name
            assert first[name] * DUE_MS <= by_ms, name
        if OWES in reservation.extra:
            owing.add(name)
    assert ledger.owing == owing
    listed = ledger.waiting
    assert {(listed._due_ms(entry), key) for key, entry in listed.entries.items()} <= set(
        listed._due
    )


@dataclass
class Batch:
    """Commands decided together, and everything as it was before them."""

    model: WholeModel
    image: dict[str, Any]
    just_closed: dict[str, bytes]
    steps: list[tuple[int, Command, Reply]] = field(default_factory=list)
    sealed: Sealed | None = None


class Machine(RuleBasedStateMachine):
    """Decides, commits, takes back; says what a step should have done and whether it did."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOW_MS
        self.server = MemoryServer(SHARDS)
        self.server.acquire(RIGHT, 1)
        self.ledger = empty_ledger(0, SHARDS)
        self.ledger.epoch = 1
        self.model = WholeModel(set(SKUS[:2]), {node: (100, frozenset()) for node in NODES})
        self.fold = Fold(set(SKUS))
        self.history: list[Batch] = []
        self.pending: list[Batch] = []
        self.overtaken = False
        self.current = self.begun()
        stock = {sku: dict.fromkeys(NODES[:2], 8) for sku in SKUS[:2]}
        for command in founding(stock, {NODES[2]: dict(WAREHOUSE)}):
            self.ask(command)
        for sku, by_node in stock.items():
            self.model.on_hand.update({(sku, node): units for node, units in by_node.items()})
        reference = command[1]
        self.model.references[reference] = (command[3], [Outcome.OK] * 4)
        self.model.since[reference] = self.now_ms
        self.end_batch()
        self.accept_all()

    # Decisions

    def ask(self, command: Command) -> Reply:
        """The ledger's answer, which joins the batch."""
        ledger = self.ledger
        hashes = self.server.shards[0].hashes
        found: dict[str, bytes | None] = {}
        for name in sorted(ledger.to_recall([command])):
            buckets = [hashes[f"closed:{h}"] for h in ledger.hours_of(name, self.now_ms)]
            found[name] = next((bucket[name] for bucket in buckets if name in bucket), None)
        if self.overtaken and self.pending:
            self.accept_first()  # Between the store's answer and the decision.
        self.overtaken = False
        ledger.recalled = found
        reply = ledger.decide(command, self.now_ms)
        ledger.recalled = {}
        self.current.steps.append((self.now_ms, command, reply))
        return reply

    def check(self, reply: Reply, outcome: Outcome, known: Record | None = None) -> None:
        """Whether that was the outcome, and the record that of the model."""
        assert reply[0] == outcome, (Outcome(reply[0]).name, outcome.name, reply)
        if known is None or outcome not in (Outcome.OK, Outcome.REPEATED):
            return
        record = Reservation(reply[1])
        assert record.status == known.as_of(self.now_ms)
        assert record.expires_at_ms == known.expires_at_ms
        assert record.digest == known.digest
        assert record.lines == [line.flat() for line in known.lines]

    # Batches

    def begun(self) -> Batch:
        """A batch that starts now."""
        return Batch(self.model.copy(), image(self.ledger), dict(self.ledger.just_closed))

    def end_batch(self) -> None:
        """Seal what was decided; a third batch waits for the first to be accepted."""
        if len(self.pending) == 2:
            self.accept_first()
        self.current.sealed = self.ledger.seal()
        self.pending.append(self.current)
        self.current = self.begun()

    def accept_first(self) -> None:
        """The store accepts the oldest batch on its way."""
        batch = self.pending.pop(0)
        self.history.append(batch)
        if batch.sealed is not None:
            self.server.commit(RIGHT, batch.sealed)
            self.ledger.accepted(batch.sealed)
            self.fold.take(batch.sealed.events)

    def accept_all(self) -> None:
        """Nothing is on its way any more."""
        while self.pending:
            self.accept_first()

    def take_back(self, count: int) -> None:
        """The store refuses: the batch being decided goes, and the last ``count`` sealed ones."""
        self.ledger.take_back(None)
        first = self.current
        for _ in range(min(count, len(self.pending))):
            first = self.pending.pop()
            if first.sealed is not None:
                self.ledger.take_back(first.sealed)
        self.model = first.model
        self.same(image(self.ledger), first.image)
        for name, record in self.ledger.just_closed.items():
            assert first.just_closed.get(name) == record, name
        self.current = self.begun()

    @staticmethod
    def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
        """Two images are equal; says which part is not."""
        for name, part in expected.items():
            assert found[name] == part, name

    # What must always hold

    def books_agree(self) -> None:
        """Counters are what the model sums; nothing is oversold without a shortfall record."""
        for backing, found in counters(self.ledger).items():
            sku, node = backing.split("|")
            place = (sku, node)
            on_hand, safety_stock, reserved, committed, _ = found
            assert on_hand == self.model.on_hand[place], backing
            assert safety_stock == self.model.safety.get(place, 0), backing
            assert reserved == self.model.reserved(place), backing
            assert committed == self.model.committed(place), backing
            missing = max(0, reserved + committed - on_hand)
            shortfall = self.ledger.shortfalls.get(backing)
            assert (shortfall[1] if shortfall else 0) == missing, backing
        assert len(counters(self.ledger)) == len(self.model.on_hand)

    def the_store_agrees(self) -> None:
        """Nothing on its way: guard, stream and a rebuilt ledger say what the live one does."""
        hashes = self.server.shards[0].hashes
        guard = {backing: units for backing, units in hashes["free"].items() if units}
        live = {backing: units for backing, units in self.ledger.free_units().items() if units}
        assert guard == live
        assert self.fold.counters() == counters(self.ledger)
        assert self.fold.short == set(self.ledger.shortfalls)
        self.same(image(self.rebuilt()), image(self.ledger))

    def rebuilt(self) -> Ledger:
        """What a new owner would load."""
        shard = self.server.shards[0]
        ledger = empty_ledger(0, SHARDS)
        ledger.seq, ledger.head = shard.seq, shard.head
        ledger.load_state(shard.hashes["state"].items())
        records = list(shard.hashes["reservations"].items())
        ledger.load_records(records + records[:3])  # A scan may name some twice.
        for name, bucket in shard.hashes.items():
            if bucket and name.startswith("closed:"):
                ledger.load_closed(int(name.partition(":")[2]), bucket.items())
        assert ledger.stop_where_books_differ(shard.hashes["free"]) == []
        return ledger

    def teardown(self) -> None:
        """Promise 10: the accepted batches decided anew give the same replies and bytes."""
        self.end_batch()
        self.accept_all()
        self.the_store_agrees()
        again = Machine.__new__(Machine)
        again.server, again.ledger = MemoryServer(SHARDS), empty_ledger(0, SHARDS)
        again.server.acquire(RIGHT, 1)
        again.pending, again.overtaken = [], False
        again.current = Batch(self.model, {}, {})
        for batch in self.history:
            for now_ms, command, reply in batch.steps:
                again.now_ms = now_ms
                assert again.ask(command) == reply
            sealed = again.ledger.seal()
            assert (sealed is None) == (batch.sealed is None)
            if sealed is None or batch.sealed is None:
                continue
            assert unpack(sealed.events) == unpack(batch.sealed.events)
            assert sealed.events == batch.sealed.events
            assert sealed.changes == batch.sealed.changes
            assert sealed.hash_after == batch.sealed.hash_after
            again.server.commit(RIGHT, sealed)
            again.ledger.accepted(sealed)


def as_lines(wanted: list[tuple[str, str | None, int]]) -> list[Line]:
    """The model's lines of a request."""
    return [Line(sku, wish, units) for sku, wish, units in wanted]
