"""Who follows a shard sees every SKU, and every change, in portions of any size."""

import random
from typing import Any

import pytest

from engine import changes, commands
from engine.ledger import Ledger
from engine.outcome import Outcome
from tests.builders import NOW_MS, receive, reserve, stocked_ledger

NAMES = [f"s{number:02d}" for number in range(20)]


class Follower:
    """Reads portions and keeps the last that was said of each SKU."""

    def __init__(self, ledger: Ledger, most: int) -> None:
        self.ledger, self.most = ledger, most
        self.place: list[Any] | None = None
        self.units: dict[str, int] = {}
        self.told: list[str] = []

    def read(self) -> bool:
        """One portion; whether there is more of it."""
        command = commands.changes(self.place, self.most)
        outcome, _, self.place, told = self.ledger.decide(command, NOW_MS)
        assert outcome == Outcome.OK
        assert len(told) <= self.most
        self.told += told
        for sku, (rows, _, _) in told.items():
            self.units[sku] = sum(row[1] for row in rows)
        return bool(self.place and self.place[2])

    def catch_up(self) -> None:
        while self.read() or (self.place and self.place[3]):
            pass
        while self.read():
            pass


def units(ledger: Ledger) -> dict[str, int]:
    return {
        sku: sum(position.sellable for position in book.here())
        for sku, book in ledger.books.items()
    }


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_whoever_follows_knows_what_there_is_in_the_end(most: int) -> None:
    ledger = stocked_ledger({sku: {"w1": 50} for sku in NAMES})
    follower, dice = Follower(ledger, most), random.Random(most)
    for step in range(200):
        skus = dice.sample(NAMES, dice.choice((1, 2, 15)))
        ledger.decide_all([reserve(f"{step}-{sku}", (sku, 1)) for sku in skus], NOW_MS)
        if step == 20:
            ledger.decide_all([commands.define_sku("new", ["new", 0, None])], NOW_MS)
        sealed = ledger.seal()
        if dice.random() < 0.2 and sealed is not None:
            ledger.take_back(sealed)
        if dice.random() < 0.7:
            follower.read()
    follower.catch_up()
    assert follower.units == units(ledger)
    follower.told.clear()
    assert not follower.read()
    assert follower.told == []


def test_only_what_has_changed_is_told_again() -> None:
    ledger = stocked_ledger({sku: {"w1": 5} for sku in NAMES})
    follower = Follower(ledger, 6)
    follower.catch_up()
    assert sorted(follower.told) == NAMES
    follower.told.clear()
    ledger.decide_all([receive("s07", 1), receive("s03", 1)], NOW_MS)
    ledger.seal()
    follower.catch_up()
    assert follower.told == ["s03", "s07"]


def test_a_definition_that_is_taken_back_leaves_the_order() -> None:
    ledger = stocked_ledger({"b": {"w1": 1}})
    assert changes.order(ledger) == ["b"]
    ledger.decide(commands.define_sku("a", ["a", 0, None]), NOW_MS)
    assert changes.order(ledger) == ["a", "b"]
    ledger.take_back(None)
    assert changes.order(ledger) == ["b"]


def test_another_owner_and_too_many_changes_are_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = stocked_ledger({sku: {"w1": 5} for sku in NAMES})
    follower = Follower(ledger, 100)
    follower.catch_up()
    assert follower.place is not None
    other = [follower.place[0] + 1, *follower.place[1:]]
    assert ledger.decide(commands.changes(other, 9), NOW_MS)[0] == Outcome.GAP
    monkeypatch.setattr(changes, "CHANGES_LOOKED_AT_MAX", 10)
    ledger.decide_all([receive(sku, 1) for sku in NAMES[:9]], NOW_MS)
    ledger.seal()
    assert ledger.decide(commands.changes(follower.place, 9), NOW_MS)[0] == Outcome.OK
    ledger.decide_all([receive(sku, 1) for sku in NAMES[9:]], NOW_MS)
    ledger.seal()
    assert ledger.decide(commands.changes(follower.place, 9), NOW_MS)[0] == Outcome.GAP


def test_a_portion_is_bounded_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CHANGES_ROWS_MAX", 4)
    ledger = stocked_ledger({sku: {"w1": 1, "w2": 1, "w3": 1} for sku in NAMES})
    follower = Follower(ledger, 100)
    assert follower.read()
    assert follower.told == NAMES[:2]
    follower.catch_up()
    assert sorted(follower.told) == NAMES
