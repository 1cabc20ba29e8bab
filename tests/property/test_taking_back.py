"""Batches that the store refuses: nothing of them is left, and decided anew they are the same."""

import random
from typing import Any

import pytest

from engine import commands
from engine.commands import Command, Op, Reply
from engine.effects import Sealed
from engine.ledger import Ledger
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from tests.builders import counters, empty_ledger
from tests.property.machine import ASK_AGAIN_MS, image, looked_after, totals_of
from tests.scripts import SHARDS
from tests.warehouse_scripts import WarehouseScript

RIGHT = Right(0, 1, "token")
#: Answers that may differ when a batch is decided anew.
_LOOSE = frozenset({Op.HINT, Op.MOVABLE})
Decided = tuple[list[Reply], Sealed | None]


class Shard:
    """A ledger and its store, and how batches are refused."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = MemoryServer(SHARDS)
        self.server.acquire(RIGHT, 1)
        self.ledger = empty_ledger(0, SHARDS)

    def swept(self, now_ms: int, batch: list[Command]) -> list[Command]:
        """The batch, and the sweep of what is due by now, as a host adds it."""
        due = self.ledger.due(now_ms)
        for name in self.ledger.pieces_due(due):
            self.ledger.schedule(name, now_ms + ASK_AGAIN_MS)  # Nobody has answered.
        return [*batch, commands.expire([name for name in due if name[0] != "/"])]

    def decide(self, now_ms: int, batch: list[Command]) -> Decided:
        """Replies and what to commit."""
        ledger, hashes = self.ledger, self.server.shards[0].hashes
        for name in ledger.to_recall(batch):
            buckets = [hashes[f"closed:{hour}"] for hour in ledger.hours_of(name, now_ms)]
            ledger.recalled[name] = next((b[name] for b in buckets if name in b), None)
        replies = ledger.decide_all(batch, now_ms)
        ledger.recalled = {}
        return replies, ledger.seal()

    def accept(self, sealed: Sealed | None) -> None:
        """The store has it."""
        if sealed is not None:
            self.server.commit(RIGHT, sealed)
            self.ledger.accepted(sealed)

    def play(self, script: list[tuple[int, list[Command]]]) -> None:
        """Two batches at a time: decided, taken back, decided anew, accepted."""
        for first, second in zip(script[::2], script[1::2], strict=False):
            pair = [first, second]
            before, then = self.seen(first[0]), []
            pair = [(now_ms, self.swept(now_ms, batch)) for now_ms, batch in pair]
            then = [self.decide(*batch) for batch in pair]
            for _, sealed in reversed(then):
                if sealed is not None:
                    self.ledger.take_back(sealed)
            assert self.seen(first[0]) == before
            looked_after(self.ledger, second[0])
            if self.random.random() < 0.3:
                self.half_decided(*pair[0], before)
            for batch, (replies, sealed) in zip(pair, then, strict=True):
                again, sealed_again = self.decide(*batch)
                for command, reply, first_reply in zip(batch[1], again, replies, strict=True):
                    # A hint may name a key too many: those of refused batches stay among takers.
                    # What may be moved is told by places that records get anew.
                    assert reply == first_reply or command[0] in _LOOSE, command
                assert _bytes(sealed_again) == _bytes(sealed)
                self.accept(sealed_again)
            looked_after(self.ledger, second[0])
            self.rebuilt()

    def half_decided(self, now_ms: int, batch: list[Command], before: dict[str, Any]) -> None:
        """A batch that fails while it is being decided."""
        self.ledger.decide_all(batch[: len(batch) // 2 + 1], now_ms)
        self.ledger.take_back(None)
        assert self.seen(now_ms) == before

    def seen(self, now_ms: int) -> dict[str, Any]:
        """All that decisions rest on, and how every node would be chosen."""
        return {**image(self.ledger), "just closed": dict(self.ledger.just_closed)}

    def rebuilt(self) -> None:
        """The store says the same as the ledger."""
        hashes = self.server.shards[0].hashes
        fresh: Ledger = empty_ledger(0, SHARDS)
        fresh.load_state(hashes["state"].items())
        fresh.load_records(hashes["reservations"].items())
        assert counters(fresh) == counters(self.ledger)
        assert fresh.shortfalls == self.ledger.shortfalls
        assert fresh.waiting.entries == self.ledger.waiting.entries
        assert fresh.stop_where_books_differ(hashes["free"]) == []
        assert totals_of(fresh) == totals_of(self.ledger)


def _bytes(sealed: Sealed | None) -> tuple[bytes, ...]:
    return (sealed.changes, sealed.events, sealed.hash_after) if sealed is not None else ()


@pytest.mark.parametrize("block", range(5))
def test_what_the_store_refuses_leaves_nothing_and_is_decided_anew_the_same(block: int) -> None:
    """Two batches back and forth, through every kind of command."""
    for seed in range(block * 50, block * 50 + 50):
        try:
            Shard(seed).play(WarehouseScript(seed).batches(60))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100, 150))
def test_so_it_is_over_very_many_batches(block: int) -> None:
    """The same, fifty times as much."""
    test_what_the_store_refuses_leaves_nothing_and_is_decided_anew_the_same(block)
