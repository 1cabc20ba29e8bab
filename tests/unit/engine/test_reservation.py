"""The life of a reservation: the whole square of states and verbs, and what each answer does."""

import pytest

from engine import commands
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import Reservation, Status
from engine.reservation import MOVES, AnswerTo, Verb
from tests.builders import (
    HOLD_MS,
    NOW_MS,
    counters,
    fulfil,
    reserve,
    reserve_partly,
    stocked_ledger,
)

DO, SAME, REFUSE, AGAIN = AnswerTo.DO, AnswerTo.SAME, AnswerTo.REFUSE, AnswerTo.AGAIN

#: From the contract, not from the code: state, verb, status afterwards; None is a refusal.
SQUARE: dict[tuple[Status, Verb], Status | None] = {
    (Status.HELD, Verb.CONFIRM): Status.CONFIRMED,
    (Status.HELD, Verb.RELEASE): Status.RELEASED,
    (Status.HELD, Verb.EXTEND): Status.HELD,
    (Status.HELD, Verb.CANCEL): Status.RELEASED,
    (Status.CONFIRMED, Verb.CONFIRM): Status.CONFIRMED,
    (Status.CONFIRMED, Verb.RELEASE): None,
    (Status.CONFIRMED, Verb.EXTEND): None,
    (Status.CONFIRMED, Verb.CANCEL): Status.CANCELLED,
    (Status.FULFILLED, Verb.CONFIRM): Status.FULFILLED,
    (Status.FULFILLED, Verb.RELEASE): None,
    (Status.FULFILLED, Verb.EXTEND): None,
    (Status.FULFILLED, Verb.CANCEL): None,
    (Status.RELEASED, Verb.CONFIRM): None,
    (Status.RELEASED, Verb.RELEASE): Status.RELEASED,
    (Status.RELEASED, Verb.EXTEND): None,
    (Status.RELEASED, Verb.CANCEL): None,
    (Status.EXPIRED, Verb.CONFIRM): Status.CONFIRMED,
    (Status.EXPIRED, Verb.RELEASE): Status.EXPIRED,
    (Status.EXPIRED, Verb.EXTEND): None,
    (Status.EXPIRED, Verb.CANCEL): None,
    (Status.CANCELLED, Verb.CONFIRM): None,
    (Status.CANCELLED, Verb.RELEASE): None,
    (Status.CANCELLED, Verb.EXTEND): None,
    (Status.CANCELLED, Verb.CANCEL): Status.CANCELLED,
}
WAYS = {
    Status.HELD: [],
    Status.CONFIRMED: [commands.confirm("k")],
    Status.FULFILLED: [commands.confirm("k"), fulfil("k", "parcel")],
    Status.RELEASED: [commands.release("k")],
    Status.EXPIRED: [],
    Status.CANCELLED: [commands.confirm("k"), commands.cancel("k")],
}
VERBS = {
    Verb.CONFIRM: commands.confirm("k"),
    Verb.RELEASE: commands.release("k"),
    Verb.EXTEND: commands.extend("k", 60_000),
    Verb.CANCEL: commands.cancel("k"),
}


def ledger_at(status: Status) -> tuple[Ledger, int]:
    """A ledger with a reservation "k" in that state, and the time."""
    ledger = stocked_ledger({"A": {"w1": 10}})
    ledger.decide_all([reserve("k", ("A", 3)), *WAYS[status]], NOW_MS)
    return ledger, NOW_MS + (HOLD_MS if status is Status.EXPIRED else 0)


def test_the_table_has_an_answer_for_every_state_and_verb() -> None:
    """States that callers never see (a piece's, an attempt's) are not in it."""
    of_callers = set(Status) - {Status.TAKEN, Status.ABORTED}
    assert set(MOVES) == of_callers
    assert all(set(row) == set(Verb) for row in MOVES.values())
    assert set(SQUARE) == {(status, verb) for status in of_callers for verb in Verb}


@pytest.mark.parametrize(("status", "verb"), SQUARE, ids=lambda part: part.name.lower())
def test_a_verb_does_in_each_state_what_the_contract_says(status: Status, verb: Verb) -> None:
    """The record, the counters and the answer agree; a repeat changes nothing."""
    ledger, now_ms = ledger_at(status)
    before = counters(ledger)["A|w1"]
    after = SQUARE[status, verb]
    reply = ledger.decide(VERBS[verb], now_ms)
    if after is None:
        assert reply == [Outcome.NOT_HELD, status, []]
        assert counters(ledger)["A|w1"] == before or status is Status.EXPIRED
        return
    assert reply[0] == Outcome.OK
    assert Reservation(reply[1]).status is after
    held, committed = counters(ledger)["A|w1"][2:4]
    assert (held, committed) == {
        Status.HELD: (3, 0), Status.CONFIRMED: (0, 3),
    }.get(after, (0, 0))  # fmt: skip
    again = ledger.decide(VERBS[verb], now_ms)
    if after is not Status.RELEASED or verb is Verb.RELEASE:
        assert again == reply


def test_a_late_confirm_takes_other_units_when_its_own_are_gone() -> None:
    """A payment after expiry: all units again, from wherever they are; the hold is its second."""
    ledger = stocked_ledger({"A": {"w1": 3, "w2": 3}})
    ledger.decide(reserve("k", ("A", 3)), NOW_MS)
    late = NOW_MS + HOLD_MS
    ledger.decide_all([commands.expire(["k"]), reserve("other", ("A", 2, "w1"))], late)
    reply = ledger.decide(commands.confirm("k"), late)
    record = Reservation(reply[1])
    assert (reply[0], record.status) == (Outcome.OK, Status.CONFIRMED)
    assert record.lines == [["A", None, 3, "w2", 3]]
    assert record.extra["h"] == 2


def test_a_late_confirm_without_units_says_what_is_short() -> None:
    """All or nothing: two of three are not taken."""
    ledger = stocked_ledger({"A": {"w1": 3}, "B": {"w1": 3}})
    ledger.decide(reserve("k", ("A", 3), ("B", 1)), NOW_MS)
    late = NOW_MS + HOLD_MS
    ledger.decide_all([commands.expire(["k"]), reserve("other", ("A", 1))], late)
    reply = ledger.decide(commands.confirm("k"), late)
    assert reply == [Outcome.NOT_HELD, Status.EXPIRED, [["A", None, 3, 2]]]
    assert counters(ledger)["B|w1"][2:4] == (0, 0)


def test_a_late_confirm_of_a_partial_hold_wants_what_was_granted() -> None:
    """Five were asked and three granted: three are had again, the empty line stays empty."""
    ledger = stocked_ledger({"A": {"w1": 3}, "B": {"w1": 0}})
    ledger.decide(reserve_partly("k", ("A", 5), ("B", 1)), NOW_MS)
    reply = ledger.decide(commands.confirm("k"), NOW_MS + HOLD_MS)
    assert reply[0] == Outcome.OK
    assert Reservation(reply[1]).lines == [["A", None, 5, "w1", 3], ["B", None, 1]]


def test_a_hold_reads_as_expired_from_the_very_instant_on() -> None:
    """Whether or not the sweep has run; one millisecond earlier it can be confirmed."""
    ledger, _ = ledger_at(Status.HELD)
    for at_ms, status in ((NOW_MS + HOLD_MS - 1, Status.HELD), (NOW_MS + HOLD_MS, Status.EXPIRED)):
        reply = ledger.decide(commands.read("k"), at_ms)
        assert Reservation(reply[1]).status is status
        repeat = ledger.decide(reserve("k", ("A", 3)), at_ms)
        assert repeat[0] == Outcome.REPEATED
        assert Reservation(repeat[1]).status is status
        refused = ledger.decide(fulfil("k", "parcel"), at_ms)
        assert refused == [Outcome.NOT_CONFIRMED, status, []]


def test_extending_never_shortens_a_hold() -> None:
    """The later of what was said and now + hold."""
    ledger, _ = ledger_at(Status.HELD)
    reply = ledger.decide(commands.extend("k", 1_000), NOW_MS)
    assert Reservation(reply[1]).expires_at_ms == NOW_MS + HOLD_MS
    reply = ledger.decide(commands.extend("k", HOLD_MS), NOW_MS + 5)
    assert Reservation(reply[1]).expires_at_ms == NOW_MS + HOLD_MS + 5


def test_a_cancelled_reservation_gives_back_only_what_has_not_left() -> None:
    """One of three was shipped: two come back."""
    ledger, _ = ledger_at(Status.CONFIRMED)
    ledger.decide_all([fulfil("k", "p1", ("A", "w1", 1)), commands.cancel("k")], NOW_MS)
    assert counters(ledger)["A|w1"] == (9, 0, 0, 0, 0)


def test_a_parcel_adds_up_lines_of_one_place() -> None:
    """Two and two of three are four: more than is left, so nothing leaves."""
    ledger, _ = ledger_at(Status.CONFIRMED)
    reply = ledger.decide(fulfil("k", "p1", ("A", "w1", 2), ("A", "w1", 2)), NOW_MS)
    assert reply == [Outcome.EXCEEDS_COMMITTED, [["A", "w1", 3, 4]]]
    assert counters(ledger)["A|w1"] == (10, 0, 0, 3, 0)


def test_a_parcel_counts_once_and_its_reference_stands_for_its_lines() -> None:
    """The same again changes nothing; other lines under the reference are a mistake."""
    ledger, _ = ledger_at(Status.CONFIRMED)
    parcel = fulfil("k", "p1", ("A", "w1", 1))
    assert ledger.decide(parcel, NOW_MS) == ledger.decide(parcel, NOW_MS)
    assert ledger.decide(fulfil("k", "p1"), NOW_MS) == [Outcome.KEY_REUSED, "p1"]
    assert counters(ledger)["A|w1"] == (9, 0, 0, 2, 0)
    rest = ledger.decide(fulfil("k", "p2"), NOW_MS)
    assert Reservation(rest[1]).status is Status.FULFILLED
    assert ledger.decide(parcel, NOW_MS)[0] == Outcome.OK
