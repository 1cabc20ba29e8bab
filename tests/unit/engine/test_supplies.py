"""Units on their way, command by command: what the stories of the property test do not tell."""

from typing import Any

import pytest

from engine import commands
from engine import supplies as handlers
from engine.commands import Reply, supplies
from engine.costing import carry_over
from engine.ledger import Ledger
from engine.limits import ON_HAND_MAX, SUPPLY_KEPT_MS
from engine.outcome import Outcome
from engine.record import COSTS, DELIVER_BY, PREORDER, SUPERSEDES, Reservation
from engine.stock import SupplyMembers
from tests.builders import NOW_MS, adjust, fulfil, reserve, stocked_ledger

HOUR_MS = 3_600_000
AHEAD: dict[str, Any] = {PREORDER: True}


@pytest.fixture
def ledger() -> Ledger:
    """Nothing is there; ten units come to w1 in a day."""
    made = stocked_ledger({"A": {"w1": 0, "w2": 0}})
    opened(made, "po", 10)
    return made


def opened(ledger: Ledger, name: str, units: int, **more: Any) -> Reply:
    members = SupplyMembers("purchase_order", units, NOW_MS + 24 * HOUR_MS, name.encode().hex())
    opening = supplies.open_supply("A", "w1", name, list(members._replace(**more)))
    return ledger.decide(opening, NOW_MS)


def came(ledger: Ledger, units: int, note: str = "n1", *, final: bool = False) -> Reply:
    return ledger.decide(supplies.receive("A", "po", note, b"d" * 16, units, final=final), NOW_MS)


def read(ledger: Ledger, key: str) -> Reservation:
    return Reservation(ledger.decide(commands.read(key), NOW_MS)[1])


def test_two_lines_on_one_supply_move_as_many_units_as_have_come(ledger: Ledger) -> None:
    """One names the node, the other does not."""
    ledger.decide(reserve("k", ("A", 2, "w1"), ("A", 2), **AHEAD), NOW_MS)
    came(ledger, 3)
    at = ledger.books["A"].positions
    assert sorted(read(ledger, "k").backings()) == [
        ("A", "w1", 1), ("A", "w1", 2), ("A", "w1|po", 1),
    ]  # fmt: skip
    assert (at["w1"].on_hand, at["w1"].reserved, at["w1|po"].reserved) == (3, 3, 1)


def test_what_was_told_of_units_is_told_of_them_where_they_stand_now() -> None:
    """The weight's part goes with the units, nothing is counted twice; the later date holds."""
    costs: dict[str, list[Any]] = {"A|w1|po": [9, 400, 90], "B|w1": [1, 400, 5]}
    carry_over(costs, "A|w1|po", "A|w1", 1, 3)
    assert costs == {"A|w1|po": [9, 400, 60], "A|w1": [9, 400, 30], "B|w1": [1, 400, 5]}
    costs["A|w1"][0] = 7
    carry_over(costs, "A|w1|po", "A|w1", 2, 2)
    assert costs == {"A|w1": [9, 400, 90], "B|w1": [1, 400, 5]}
    carry_over(costs, "A|w9|po", "A|w9", 1, 1)
    assert len(costs) == 2


def test_without_lanes_only_the_date_is_told(ledger: Ledger) -> None:
    """Units that were there have none."""
    ledger.decide(reserve("k", ("A", 2), **AHEAD), NOW_MS)
    came(ledger, 1)
    told = [NOW_MS + 24 * HOUR_MS, None, None]
    assert read(ledger, "k").extra[COSTS] == {"A|w1": told, "A|w1|po": told}


def test_units_that_have_not_come_are_short_where_their_node_is_named(ledger: Ledger) -> None:
    """They are his, so he does not ask for too much."""
    ledger.decide_all([reserve("k", ("A", 3), **AHEAD), commands.confirm("k")], NOW_MS)
    came(ledger, 1)
    assert ledger.decide(fulfil("k", "p1", ("A", "w1", 3)), NOW_MS) == [
        Outcome.SHORT, [["A", "w1", 3, 1]], False,
    ]  # fmt: skip
    assert ledger.decide(fulfil("k", "p1", ("A", "w1", 4)), NOW_MS) == [
        Outcome.EXCEEDS_COMMITTED, [["A", "w1", 3, 4]],
    ]  # fmt: skip
    assert ledger.decide(fulfil("k", "p1", ("A", "w1", 1)), NOW_MS)[0] == Outcome.OK
    came(ledger, 2, "n2")
    assert ledger.decide(fulfil("k", "p2"), NOW_MS)[0] == Outcome.OK
    assert ledger.books["A"].positions["w1"].on_hand == 0


def test_no_node_is_given_more_than_can_be_counted(ledger: Ledger) -> None:
    """Refused, and nothing is remembered of it."""
    ledger.decide(adjust(("A", "w1", None, ON_HAND_MAX - 3)), NOW_MS)
    assert came(ledger, 4) == [Outcome.OUT_OF_RANGE, "A", "w1"]
    assert came(ledger, 3)[0] == Outcome.OK


def test_no_sku_has_more_open_supplies_than_a_request_may_look_at(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have ended do not count."""
    monkeypatch.setattr(handlers, "SUPPLIES_OPEN_MAX", 2)
    assert opened(ledger, "po-2", 1)[0] == Outcome.OK
    assert opened(ledger, "po-3", 1) == [Outcome.OUT_OF_RANGE, "A", "w1"]
    assert opened(ledger, "po-2", 1)[0] == Outcome.REPEATED
    ledger.decide(supplies.cancel_supply("A", "po-2"), NOW_MS)
    assert opened(ledger, "po-3", 1)[0] == Outcome.OK


def test_a_number_of_an_adjustment_is_no_receipt() -> None:
    """A supply may be named like a slice of an adjustment with the same reference."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    opened(ledger, "0", 5)
    ledger.decide(adjust(("A", "w1", 1), reference="n1"), NOW_MS)
    note = supplies.receive("A", "0", "n1", b"d" * 16, 2, final=False)
    assert ledger.decide(note, NOW_MS)[0] == Outcome.OK


def test_nothing_more_is_promised_of_a_supply_that_brings_no_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the last of it moves, slice by slice."""
    monkeypatch.setattr(handlers, "ARRIVAL_SLICE", 1)
    for key in ("a", "b", "c"):
        ledger.decide(reserve(key, ("A", 1), **AHEAD), NOW_MS)
    reply = came(ledger, 3, final=True)
    assert reply[1][-1] == 2
    assert ledger.decide(reserve("d", ("A", 1), **AHEAD), NOW_MS)[0] == Outcome.SHORT
    assert came(ledger, 1, "n2") == [Outcome.SUPPLY_CLOSED, "po", "closed"]
    assert ledger.decide(supplies.cancel_supply("A", "po"), NOW_MS)[0] == Outcome.IN_PROGRESS


@pytest.mark.parametrize("extra", [AHEAD, {}], ids=["preorder", "dated"])
def test_only_who_was_promised_a_date_is_late(ledger: Ledger, extra: dict[str, Any]) -> None:
    """Who has ordered in advance takes it whenever it comes."""
    ledger.decide(reserve("k", ("A", 2), **{DELIVER_BY: NOW_MS + 30 * HOUR_MS}, **extra), NOW_MS)
    reply = ledger.decide(supplies.delay("A", "po", NOW_MS + 40 * HOUR_MS), NOW_MS)
    rows = [[row[4], row[5], row[8]] for row in reply[2]]
    assert rows == ([] if extra else [[2, "late", ["k"]]])


def late(ledger: Ledger) -> list[Any]:
    """Units and keys of the late shortfall."""
    rows = ledger.decide(supplies.read_supply("A", "po"), NOW_MS)[2]
    return [[row[4], row[8]] for row in rows if row[5] == "late"]


def test_a_late_promise_that_ends_is_late_no_more(ledger: Ledger) -> None:
    """Released, taken over, or served; the record keeps its id until the last has gone."""
    dated = {DELIVER_BY: NOW_MS + 30 * HOUR_MS}
    for key in ("a", "b", "c"):
        ledger.decide(reserve(key, ("A", 2), **dated), NOW_MS)
    ledger.decide(supplies.delay("A", "po", NOW_MS + 40 * HOUR_MS), NOW_MS)
    name = ledger.late["A|w1|po"][0]
    ledger.decide(commands.release("b"), NOW_MS)
    assert late(ledger) == [[4, ["a", "c"]]]
    anew: dict[str, Any] = {SUPERSEDES: "a"}
    new_version = reserve("a2", ("A", 1), **anew)
    assert ledger.decide(new_version, NOW_MS)[0] == Outcome.SHORT
    assert late(ledger) == [[4, ["a", "c"]]], "the old one stays as it was"
    new_version = reserve("a2", ("A", 1), **anew, **AHEAD)
    assert ledger.decide(new_version, NOW_MS)[0] == Outcome.OK
    assert late(ledger) == [[2, ["c"]]]
    assert ledger.late["A|w1|po"][0] == name
    came(ledger, 1)
    assert late(ledger) == [[1, ["c"]]]
    came(ledger, 1, "n2")
    assert ledger.late == {}


def test_a_receipt_ends_no_others_lateness(ledger: Ledger) -> None:
    """One of two was served."""
    for key, hours in (("a", 26), ("b", 28)):
        ledger.decide(reserve(key, ("A", 1), **{DELIVER_BY: NOW_MS + hours * HOUR_MS}), NOW_MS)
    ledger.decide(supplies.delay("A", "po", NOW_MS + 40 * HOUR_MS), NOW_MS)
    came(ledger, 1)
    assert late(ledger) == [[1, ["b"]]]


def test_what_is_cancelled_is_short_and_not_late(ledger: Ledger) -> None:
    """Each promise breaks once."""
    ledger.decide(reserve("a", ("A", 1), **{DELIVER_BY: NOW_MS + 26 * HOUR_MS}), NOW_MS)
    ledger.decide(supplies.delay("A", "po", NOW_MS + 40 * HOUR_MS), NOW_MS)
    reply = ledger.decide(supplies.cancel_supply("A", "po"), NOW_MS)
    assert [[row[4], row[5], row[8]] for row in reply[2]] == [[1, "cancelled", ["a"]]]


def test_a_release_of_a_late_promise_needs_no_room_in_the_store(ledger: Ledger) -> None:
    """It only gives back."""
    for key in ("a", "b"):
        ledger.decide(reserve(key, ("A", 1), **{DELIVER_BY: NOW_MS + 26 * HOUR_MS}), NOW_MS)
    ledger.decide(supplies.delay("A", "po", NOW_MS + 40 * HOUR_MS), NOW_MS)
    ledger.seal()
    ledger.decide(commands.release("a"), NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    assert "F|A|w1|po" in sealed.effects.fields
    assert sealed.returning


def test_a_final_receipt_of_nothing_makes_no_position() -> None:
    """A new owner would not have it."""
    ledger = stocked_ledger({"A": {"w2": 0}}, {"w1": {"kind": "store"}})
    opened(ledger, "po", 3)
    assert came(ledger, 0, final=True)[1][9] == "closed"
    assert ledger.books["A"].positions.keys() == {"w2", "w1|po"}


def test_an_ended_supply_is_kept_as_long_as_somebody_waits_for_it(ledger: Ledger) -> None:
    """After a week without, nothing is left of it."""
    ledger.decide(reserve("a", ("A", 1), hold_ms=2**50, **AHEAD), NOW_MS)
    ledger.decide(supplies.cancel_supply("A", "po"), NOW_MS)
    over_ms = NOW_MS + SUPPLY_KEPT_MS
    assert handlers.to_forget(ledger, over_ms, 9) == []
    ledger.decide(commands.release("a"), NOW_MS)
    assert handlers.to_forget(ledger, over_ms - 1, 9) == []
    assert handlers.to_forget(ledger, over_ms, 9) == [("A", "po", b"po")]
    ledger.seal()
    ledger.decide(supplies.forget_supply("A", "po"), over_ms)
    sealed = ledger.seal()
    assert sealed is not None
    assert sealed.effects.fields == {"u|A|w1|po": None, "q|A|w1|po": None}
    assert ledger.decide(commands.stock("A"), over_ms)[5] == []
    ledger.take_back(sealed)
    assert handlers.to_forget(ledger, over_ms, 9) == [("A", "po", b"po")]
