"""Supplies, transfers and receipts among holds, against a plain model, from one seed each.

After every step nothing physical is lost or made, books balance, every broken promise is listed;
batches are refused and decided anew, and owners die between two slices of a receipt.
"""

import random
from typing import Any

import pytest

from engine import commands
from engine import supplies as handlers
from engine.commands import Command, Reply, moving, supplies
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import DELIVER_BY, PREORDER, Reservation, Status
from engine.stock import SupplyMembers
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from tests.builders import (
    NOW_MS,
    adjust,
    counters,
    empty_ledger,
    founding,
    fresh,
    fulfil,
    lines_of,
    reserve,
)
from tests.property.fold import Fold
from tests.property.machine import image
from tests.property.supplies_model import Coming, Held, SuppliesModel

NODES = ("n1", "n2")
HOUR_MS = 3_600_000
SLICE = 1
KEPT_MS = 4 * HOUR_MS
RIGHT = Right(0, 1, "token")


class Story:
    """A ledger with its store, the model beside it, and what happens to both."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = MemoryServer(1)
        self.server.acquire(RIGHT, 1)
        self.ledger = empty_ledger()
        self.now_ms = NOW_MS
        self.fold = Fold({"A"})
        self.model = SuppliesModel(dict.fromkeys(NODES, 6))
        self.tell(*founding({"A": dict.fromkeys(NODES, 6)}))

    # Decisions

    def tell(self, *batch: Command) -> list[Reply]:
        """Decided and accepted; at times refused first, and then decided anew the same."""
        before = image(self.ledger)
        replies = self.ledger.decide_all(batch, self.now_ms)
        sealed = self.ledger.seal()
        if sealed is not None and self.random.random() < 0.4:
            self.ledger.take_back(sealed)
            assert image(self.ledger) == before
            assert self.ledger.decide_all(batch, self.now_ms) == replies
            again = self.ledger.seal()
            assert again is not None
            assert (again.changes, again.events) == (sealed.changes, sealed.events)
            sealed = again
        if sealed is not None:
            self.server.commit(RIGHT, sealed)
            self.ledger.accepted(sealed)
            self.fold.take(sealed.events)
        return replies

    def ask(self, command: Command) -> Reply:
        """One command."""
        return self.tell(command)[0]

    def step(self) -> None:
        """Anything, and then everything is looked at."""
        self.now_ms += self.random.choice((0, 1_000, HOUR_MS // 2))
        self.random.choice((
            *[self.held] * 8, self.paid, self.given_back, self.shipped,
            self.announced, self.announced, self.sent, self.came, self.came, self.came,
            self.went_on, self.went_on, self.put_off, self.called_off, self.counted, self.died,
            self.forgotten, self.replanned,
        ))()  # fmt: skip
        self.check()

    # Holds

    def held(self) -> None:
        """Units that are there, then those in time, or a refusal that is true."""
        model, key = self.model, fresh("k")
        kind = self.random.choice(("plain", "preorder", "dated", "dated", "both"))
        by_ms = self.now_ms + self.random.randint(10, 60) * HOUR_MS
        extra: dict[str, Any] = {PREORDER: True} if kind in ("preorder", "both") else {}
        extra |= {DELIVER_BY: by_ms} if kind in ("dated", "both") else {}
        wanted: list[tuple[Any, ...]] = [("A", self.random.randint(1, 2))]
        if self.random.random() < 0.4:
            wanted.append(("A", self.random.randint(1, 3), self.random.choice(NODES)))
        asked = Held(extra.get(DELIVER_BY), bool(extra.get(PREORDER)))
        enough = model.has_enough(lines_of(*wanted), asked, self.now_ms)
        reply = self.ask(reserve(key, *wanted, hold_ms=10**9, **extra))
        assert (reply[0] == Outcome.OK) == enough, (wanted, extra, reply)
        if enough:
            asked.lines = [line[3:] for line in Reservation(reply[1]).lines]
            wishes = [line[1] for line in Reservation(reply[1]).lines]
            model.take(key, asked, wishes, self.now_ms)

    def one(self) -> str | None:
        """Somebody who holds or has paid."""
        standing = sorted(self.model.held)
        return self.random.choice(standing) if standing else None

    def paid(self) -> None:
        """A hold becomes an order."""
        key = self.one()
        if key is not None:
            assert self.ask(commands.confirm(key))[0] == Outcome.OK
            self.model.held[key].paid = True

    def given_back(self) -> None:
        """Released, or cancelled once it was paid."""
        key = self.one()
        if key is not None:
            assert self.ask(commands.cancel(key))[0] == Outcome.OK
            del self.model.held[key]

    def shipped(self) -> None:
        """Everything, if it is on hand."""
        key = self.one()
        if key is None or not self.model.held[key].paid:
            return
        reply = self.ask(fulfil(key, "p"))
        if self.model.ship(key):
            assert Reservation(reply[1]).status is Status.FULFILLED
        else:
            assert reply[0] == Outcome.SHORT

    # Supplies

    def announced(self) -> None:
        """A purchase order."""
        self._open(None, self.random.choice((None, None, 3)))

    def sent(self) -> None:
        """A transfer, of what nobody was promised."""
        self._open(self.random.choice(NODES), None)

    def _open(self, origin: str | None, cap: int | None) -> None:
        name, units = fresh("s"), self.random.randint(1, 12)
        node = self.random.choice([node for node in NODES if node != origin])
        at_ms = self.now_ms + self.random.randint(1, 20) * HOUR_MS
        members = SupplyMembers("any", units, at_ms, name.encode().hex(), origin, cap)
        reply = self.ask(supplies.open_supply("A", node, name, list(members)))
        if origin is not None and self.model.free(origin) < units:
            assert reply[0] == Outcome.SHORT
            return
        assert reply[0] == Outcome.OK
        self.model.open(name, Coming(node, origin, units, at_ms, cap))
        again = self.ask(supplies.open_supply("A", node, name, list(members)))
        assert again[0] == Outcome.REPEATED

    def supply(self, *states: str) -> str | None:
        """One of those in such a state."""
        known = [name for name, at in self.model.coming.items() if at.state in states]
        return self.random.choice(known) if known else None

    def came(self) -> None:
        """Some, all, or more than all; the last of it, or not."""
        name = self.supply("open")
        if name is None or self.model.coming[name].last:
            return
        units = self.random.choice((0, 1, 2, 3, 5, 12))
        final = units == 0 or self.random.random() < 0.3
        note = supplies.receive("A", name, fresh("note"), b"d" * 16, units, final=final)
        assert self.ask(note)[0] == Outcome.OK
        self.model.receive(name, units, last=final)
        assert self.ask(note)[0] == Outcome.REPEATED
        self._arrives(name, all_of_it=self.random.random() < 0.3)

    def went_on(self) -> None:
        """A slice more of what has come."""
        name = self.supply("open", "cancelled")
        if name is not None:
            assert self.ask(supplies.arrive("A", name))[0] == Outcome.OK
            self._arrives(name, all_of_it=self.random.random() < 0.3)

    def _arrives(self, name: str, *, all_of_it: bool) -> None:
        while all_of_it and self.members(name).pending:
            assert self.ask(supplies.arrive("A", name))[0] == Outcome.OK
        self.model.moved(name, self.lines(), self.members(name).pending, self.now_ms)

    def put_off(self) -> None:
        """Later, or earlier."""
        name = self.supply("open")
        if name is not None:
            at_ms = self.now_ms + self.random.randint(1, 60) * HOUR_MS
            assert self.ask(supplies.delay("A", name, at_ms))[0] == Outcome.OK
            self.model.delay(name, at_ms)

    def called_off(self) -> None:
        """What was to come does not; a transfer goes back."""
        name = self.supply("open")
        if name is None:
            return
        reply = self.ask(supplies.cancel_supply("A", name))
        if self.model.coming[name].pending:
            assert reply[0] == Outcome.IN_PROGRESS
            return
        assert reply[0] == Outcome.OK
        self.model.cancel(name, self.now_ms)
        self._arrives(name, all_of_it=self.random.random() < 0.3)

    def forgotten(self) -> None:
        """What ended long ago, unless somebody still waits for it."""
        over = {name for _, name, _ in handlers.to_forget(self.ledger, self.now_ms, 100)}
        known = self.model.coming
        ended = {name for name in known if self.model.is_over(name, self.now_ms - KEPT_MS)}
        assert over == ended
        for name in sorted(known):
            assert self.ask(supplies.forget_supply("A", name))[0] == Outcome.OK
        for name in ended:
            del known[name]
        assert self.ledger.books["A"].supplies.keys() == known.keys()

    def replanned(self) -> None:
        """Whoever waits for units gets those that are there, or has to go on waiting."""
        waiting = [
            (key, slot, held.on(slot))
            for key, held in sorted(self.model.held.items())
            for slot in self.model.slots()
            if held.on(slot)
        ]
        if not waiting:
            return
        key, slot, most = self.random.choice(waiting)
        units, node = self.random.randint(1, most), self.random.choice(NODES)
        fits = self.model.free(node) >= units
        asked = moving.move([(key, b"", [("A", slot, node, units)])])
        assert self.ask(asked)[1] == [Outcome.OK if fits else Outcome.SHORT]
        back = moving.move([(key, b"", [("A", node, slot, 1)])])
        assert self.ask(back)[1] == [Outcome.STALE]
        self.model.replan(key, slot, node, units if fits else 0, self.lines()[key])

    # The world

    def counted(self) -> None:
        """Fewer than was thought, or more."""
        node, units = self.random.choice(NODES), self.random.randint(0, 6)
        self.ask(adjust(("A", node, None, units)))
        self.model.count(node, units)

    def died(self) -> None:
        """The owner, wherever it was; another one goes on with what the store has."""
        live = image(self.ledger)
        self.ledger = self.rebuilt()
        assert image(self.ledger) == live

    def rebuilt(self) -> Ledger:
        """What a new owner would load."""
        shard = self.server.shards[0]
        ledger = empty_ledger()
        ledger.seq, ledger.head = shard.seq, shard.head
        ledger.load_state(shard.hashes["state"].items())
        ledger.load_records(shard.hashes["reservations"].items())
        for name, bucket in shard.hashes.items():
            if bucket and name.startswith("closed:"):
                ledger.load_closed(int(name.partition(":")[2]), bucket.items())
        assert ledger.stop_where_books_differ(shard.hashes["free"]) == []
        return ledger

    # What must hold

    def members(self, name: str) -> SupplyMembers:
        """Of a supply."""
        supply = self.ledger.books["A"].supplies[name].supply
        assert supply is not None
        return supply.members

    def lines(self) -> dict[str, list[list[Any]]]:
        """Backings by line of everybody who holds or has paid."""
        records = self.ledger.reservations.items()
        return {key: [line[3:] for line in Reservation(record).lines] for key, record in records}

    def check(self) -> None:
        """Books, shortfalls and conservation."""
        model = self.model
        assert self.fold.counters() == counters(self.ledger)
        assert self.lines() == {key: held.lines for key, held in model.held.items()}
        for backing, (on_hand, _, reserved, committed, *_) in counters(self.ledger).items():
            slot = backing.partition("|")[2]
            assert on_hand == model.units(slot), backing
            assert (reserved, committed) == model.promised(slot), backing
            short = self.ledger.shortfalls.get(backing)
            assert (short[1] if short else 0) == max(0, -model.free(slot)), backing
        for name, at in model.coming.items():
            told = self.members(name)
            assert (told.state, told.received, told.pending) == (at.state, at.received, at.pending)
            assert (f"A|{at.node}|{name}" in self.ledger.arriving) == bool(at.pending)
            self.check_listed(name, at)
        model.check_conserved()

    def check_listed(self, name: str, at: Coming) -> None:
        """Exactly those whose promise breaks, with the units, by reason."""
        told = self.ask(commands.stock("A"))[3]
        rows = {row[5]: row for row in told if row[2] == name}
        if not at.pending:
            assert self.ask(supplies.read_supply("A", name))[2] == list(rows.values())
        late = self.model.late(name)
        assert ("late" in rows) == bool(late), name
        if late:
            assert (rows["late"][4], rows["late"][8]) == (sum(late.values()), list(late))
        if at.state != "open" and not at.pending:
            standing = set(self.model.standing(f"{at.node}|{name}"))
            others = [row for reason, row in rows.items() if reason != "late"]
            assert {key for row in others for key in row[8]} == standing


@pytest.mark.parametrize("block", range(4))
def test_units_on_their_way_among_everything_else(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty stories of a hundred and fifty steps."""
    monkeypatch.setattr(handlers, "ARRIVAL_SLICE", SLICE)
    monkeypatch.setattr(handlers, "SUPPLY_KEPT_MS", KEPT_MS)
    for seed in range(block * 20, block * 20 + 20):
        story = Story(seed)
        for number in range(150):
            try:
                story.step()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {number}: {error}") from error
