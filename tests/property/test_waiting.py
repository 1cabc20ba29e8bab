"""Those who wait among those who buy, from one seed each, against what a queue must be.

After every step nothing is oversold, nobody waits whom there are units for, and nobody was served
before somebody who came earlier and asked for no more. Batches are refused and decided anew, owners
die, and the events alone tell who waits.
"""

import random
from typing import Any

import pytest

from engine import commands, offering
from engine.commands import Command, Reply, waiting
from engine.events import Event
from engine.ids import digest
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import CHANNEL, CUSTOMER, Reservation, Status, unpack
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from engine.waiting_list import Entry, Standing
from tests.builders import NOW_MS, WAREHOUSE, adjust, empty_ledger, founding, fresh, reserve
from tests.property.machine import image

#: One serves everybody, the other a channel only.
NODES: dict[str, dict[str, Any]] = {
    "n1": dict(WAREHOUSE), "n2": {**WAREHOUSE, "channels": ["shop"]},
}  # fmt: skip
RIGHT = Right(0, 1, "token")
MINUTE_MS = 60_000


class Story:
    """A ledger with its store, and what happens to both."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = MemoryServer(1)
        self.server.acquire(RIGHT, 1)
        self.ledger = empty_ledger()
        self.now_ms = NOW_MS
        self.told: dict[str, Entry] = {}  # As the events say.
        self.open: list[str] = []  # Keys of reservations that may still be held.
        self.keys: list[str] = []  # Of entries.
        self.tell(*founding({"A": {"n1": 4, "n2": 2}}, NODES))

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
            self.server.commit(RIGHT, sealed)  # Its guard refuses what would be oversold.
            self.ledger.accepted(sealed)
            self.hear(unpack(sealed.events)[3])
        return replies

    def hear(self, facts: list[Any]) -> None:
        """What the events say of the list, and who was served before whom."""
        for event, subject, payload in zip(facts[::3], facts[1::3], facts[2::3], strict=True):
            if event == Event.FORGOTTEN and subject.startswith("w|"):
                del self.told[subject[2:]]
            elif event in (Event.WAITING_JOINED, Event.WAITING_ENDED, Event.WAITING_OFFERED):
                entry = Entry(*payload)
                if event == Event.WAITING_OFFERED:
                    self.in_turn(entry)
                    assert entry.reservation is not None
                    self.open.append(entry.reservation)
                self.told[subject] = entry

    def in_turn(self, served: Entry) -> None:
        """Nobody who came earlier would have been content with as much."""
        for other in self.told.values():
            if other.number < served.number and other.channel == served.channel:
                content = other.waits(self.now_ms) and other.units <= served.units
                assert not content, (other, served)

    # What happens

    def step(self) -> None:
        """Anything, and then everything is looked at."""
        self.now_ms += self.random.choice((0, 0, MINUTE_MS // 2, MINUTE_MS))
        self.random.choice((
            *[self.joined] * 6, *[self.bought] * 4, *[self.ended] * 6, self.left, self.left,
            self.counted, self.swept, self.swept, self.swept, self.died, self.many,
        ))()  # fmt: skip
        self.check()

    def who(self, customer: str) -> dict[str, Any]:
        channel = self.random.choice(({}, {CHANNEL: "shop"}))
        return {CUSTOMER: customer, **channel}

    def join(self) -> Command:
        key, units = fresh("w"), self.random.randint(1, 4)
        self.keys.append(key)
        extra = self.who(self.random.choice((key, "c-1", "c-2")))
        wait_ms = self.random.choice((3, 30)) * MINUTE_MS
        asked = digest([["A", None, units]], MINUTE_MS, extra)
        return waiting.join(key, asked, "A", units, extra, wait_ms, MINUTE_MS)

    def joined(self) -> None:
        """A new entry, or one that was there already."""
        asked = self.join()
        reply = self.tell(asked)[0]
        if reply[0] == Outcome.ALREADY_WAITING:
            assert self.told[reply[1]].waits(self.now_ms)
            return
        assert reply[0] == Outcome.OK
        assert self.tell(asked)[0] == [Outcome.REPEATED, *reply[1:]]

    def buy(self) -> Command:
        self.open.append(fresh("k"))
        return reserve(
            self.open[-1], ("A", self.random.randint(1, 3)), hold_ms=2 * MINUTE_MS,
            **self.who("somebody"),
        )  # fmt: skip

    def bought(self) -> None:
        """Who does not wait has what nobody waits for."""
        self.tell(self.buy())

    def end(self) -> Command:
        key = self.random.choice(self.open or ["nobody"])
        return self.random.choice((commands.confirm, commands.release, commands.cancel))(key)

    def ended(self) -> None:
        """Confirmed, released, or cancelled."""
        self.tell(self.end())

    def left(self) -> None:
        """Somebody waits no longer."""
        reply = self.tell(waiting.leave(self.random.choice(self.keys or ["nobody"])))[0]
        assert reply[0] in (Outcome.OK, Outcome.UNKNOWN_WAITING)

    def counted(self) -> None:
        """More or fewer units than promised, at either place."""
        node, units = self.random.choice(tuple(NODES)), self.random.randint(0, 6)
        self.tell(adjust(("A", node, None, units)))

    def swept(self) -> None:
        """What a host does by itself."""
        self.tell(commands.expire(self.ledger.due(self.now_ms)), waiting.serve())

    def many(self) -> None:
        """Everything at once."""
        kinds = (self.join, self.buy, self.end, self.end)
        self.tell(*[self.random.choice(kinds)() for _ in range(self.random.randint(2, 9))])

    def died(self) -> None:
        """The next owner knows what the store has, and goes on."""
        hashes = self.server.shards[0].hashes
        successor: Ledger = empty_ledger()
        successor.load_state(hashes["state"].items())
        successor.load_records(hashes["reservations"].items())
        for field, value in hashes.items():
            if field.startswith("closed:"):
                successor.load_closed(int(field[7:]), value.items())
        successor.seq, successor.head = self.ledger.seq, self.ledger.head
        assert image(successor)["waiting"] == image(self.ledger)["waiting"]
        assert image(successor)["counters"] == image(self.ledger)["counters"]
        assert successor.stop_where_books_differ(hashes["free"]) == []
        self.ledger = successor

    # What must be so

    def check(self) -> None:
        """Nobody waits in vain; offers are holds; the events tell the same."""
        ledger = self.ledger
        while ledger.waiting.stirred:
            self.tell(waiting.serve())
        assert ledger.waiting.entries == self.told
        free = {node: max(0, at.free) for node, at in ledger.books["A"].positions.items()}
        for entry in self.told.values():
            if entry.waits(self.now_ms):
                there = free["n1"] + (free["n2"] if entry.channel == "shop" else 0)
                assert entry.units > there, (entry, free)
            if entry.standing == Standing.OFFERED and entry.reservation in ledger.reservations:
                held = Reservation(ledger.reservations[entry.reservation])
                assert sum(units for _, _, units in held.backings()) == entry.units
                if held.status is Status.HELD:
                    assert held.expires_at_ms == entry.until_ms


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("offers", [1, 2, 64])
def test_whoever_waits_is_served_in_turn_and_nothing_is_oversold(
    block: int, offers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few offers one decision may make."""
    monkeypatch.setattr(offering, "OFFERS_MAX", offers)
    for seed in range(block * 10, block * 10 + 10):
        try:
            story = Story(seed)
            for _ in range(80):
                story.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
