"""Units promised but not there: always a record, with the promises it breaks, until they are."""

from typing import Any

import pytest

from engine import commands
from engine.ledger import Ledger
from engine.limits import SHORTFALL_DEADLINE_MS
from engine.outcome import Outcome
from engine.record import pack
from tests.builders import (
    NOW_MS,
    WAREHOUSE,
    adjust,
    count,
    counters,
    fulfil,
    receive,
    reserve,
    stocked_ledger,
)


def short(ledger: Ledger) -> list[list[Any]]:
    """What callers see of the shortfalls of A: node, quantity, reason, reservations."""
    rows = ledger.decide(commands.stock("A"), NOW_MS)[3]
    return [[row[1], row[4], row[5], row[8]] for row in rows]


@pytest.fixture
def ledger() -> Ledger:
    """Ten units, of which eight are promised, the newest three to c."""
    made = stocked_ledger({"A": {"w1": 10}})
    keys = (("a", 2), ("b", 3), ("c", 3))
    made.decide_all([reserve(key, ("A", units)) for key, units in keys], NOW_MS)
    return made


def test_a_count_below_what_is_promised_is_accepted_and_recorded(ledger: Ledger) -> None:
    """Sellable is 0, the shortfall the difference; the newest promises are the ones that break."""
    reply = ledger.decide(count("A", 4), NOW_MS)
    assert reply == [Outcome.OK, ["A", "w1", 4, 0, 8, 0, 0, 0, 4, 0]]
    assert short(ledger) == [["w1", 4, "correction", ["c", "b"]]]
    record = ledger.shortfalls["A|w1"]
    assert record[3:5] == [NOW_MS, NOW_MS + SHORTFALL_DEADLINE_MS]


def test_the_record_shrinks_with_releases_and_closes_with_the_last_unit(ledger: Ledger) -> None:
    """It keeps its name and its deadline as long as it is open."""
    ledger.decide(count("A", 4), NOW_MS)
    name = ledger.shortfalls["A|w1"][0]
    ledger.decide(commands.release("c"), NOW_MS + 1)
    assert short(ledger) == [["w1", 1, "correction", ["b"]]]
    assert ledger.shortfalls["A|w1"][0] == name
    ledger.decide(receive("A", 1), NOW_MS + 2)
    assert short(ledger) == []


def test_what_is_not_on_hand_cannot_be_shipped(ledger: Ledger) -> None:
    """Three are promised, two are there: nothing leaves; two may."""
    ledger.decide_all([commands.confirm("c"), count("A", 2)], NOW_MS)
    assert ledger.decide(fulfil("c", "p1"), NOW_MS) == [
        Outcome.SHORT, [["A", "w1", 3, 2]], False,
    ]  # fmt: skip
    assert ledger.decide(fulfil("c", "p1", ("A", "w1", 2)), NOW_MS)[0] == Outcome.OK
    assert counters(ledger)["A|w1"][0] == 0


def test_rows_stand_alone_and_a_reference_counts_once(ledger: Ledger) -> None:
    """Refused rows are refused as before, the others tell the position as it is now."""
    command = adjust(
        ("A", "w1", 5), ("A", "w1", -99), ("no", "w1", 1), ("A", "no", 1), ("A", "w1", 10**9),
        reference="po",
    )  # fmt: skip
    refused = [[Outcome.NEGATIVE_STOCK, "A", "w1"], [Outcome.UNKNOWN_SKU, "no", "w1"],
               [Outcome.UNKNOWN_NODE, "A", "no"], [Outcome.OUT_OF_RANGE, "A", "w1"]]  # fmt: skip
    first = ledger.decide(command, NOW_MS)
    assert first == [Outcome.OK, ["A", "w1", 15, 0, 8, 0, 0, 7, 0, 0], *refused]
    ledger.decide(commands.release("a"), NOW_MS)
    again = ledger.decide(command, NOW_MS)
    assert again == [Outcome.REPEATED, ["A", "w1", 15, 0, 6, 0, 0, 9, 0, 0], *refused]
    other = adjust(("A", "w1", 6), reference="po")
    assert ledger.decide(other, NOW_MS) == [Outcome.KEY_REUSED, "po"]


def test_safety_stock_is_withheld_but_no_shortfall(ledger: Ledger) -> None:
    """Raising it above what is free makes sellable 0, nothing more."""
    reply = ledger.decide(adjust(("A", "w1", None, None, 7)), NOW_MS)
    assert reply[1] == ["A", "w1", 10, 7, 8, 0, 0, 0, 0, 0]
    assert short(ledger) == []
    assert ledger.decide(reserve("d", ("A", 1)), NOW_MS)[0] == Outcome.SHORT


def test_what_a_batch_writes_of_a_new_position_is_how_it_ends() -> None:
    """Nine units came and went within one batch: the store must not keep the nine."""
    ledger = stocked_ledger({"A": {"w1": 1}}, {"w2": dict(WAREHOUSE)})
    ledger.decide_all([receive("A", 9, "w2"), receive("A", -9, "w2")], NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    assert sealed.effects.fields["q|A|w2"] == pack([0, 0, 0, 0])
