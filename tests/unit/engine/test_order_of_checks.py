"""The first check that applies answers: key, unknown, stock; and refusals leave no trace."""

from typing import Any

import pytest

from engine import commands
from engine.commands import Command
from engine.outcome import Outcome
from engine.record import CAMPAIGN, DELIVER_BY
from tests.builders import (
    HOLD_MS,
    NOW_MS,
    counters,
    receive,
    reserve,
    stocked_ledger,
)

OF_A_CAMPAIGN: dict[str, Any] = {CAMPAIGN: "c"}


@pytest.mark.parametrize(("command", "reply"), [
    (reserve("used", ("nothing", 99, "nowhere"), d=1), [Outcome.KEY_REUSED, "used"]),
    (reserve("k", ("nothing", 1), **{DELIVER_BY: NOW_MS}),
     [Outcome.INVALID, "deliver_by", "must lie ahead"]),
    (reserve("k", ("no2", 1), ("A", 99, "nowhere"), ("no1", 1)),
     [Outcome.UNKNOWN_SKU, ["no1", "no2"]]),
    (reserve("k", ("A", 99, "n2"), ("A", 1, "n1"), **OF_A_CAMPAIGN),
     [Outcome.UNKNOWN_NODE, ["n1", "n2"]]),
    (reserve("k", ("A", 99), **OF_A_CAMPAIGN), [Outcome.UNKNOWN_CAMPAIGN, ["c"]]),
    (reserve("k", ("A", 99)), [Outcome.SHORT, [["A", None, 99, 3]], False]),
    (reserve("k", ("B", 1)), [Outcome.SHORT, [["B", None, 1, 0]], True]),
], ids=["key", "deliver by", "skus", "nodes", "campaign", "stock", "sold out"])  # fmt: skip
def test_the_first_thing_that_is_wrong_is_the_answer(command: Command, reply: list[object]) -> None:
    """In the order of the contract; all unknown ones are named, sorted."""
    ledger = stocked_ledger({"A": {"w1": 5}, "B": {"w1": 0}})
    ledger.decide(reserve("used", ("A", 2)), NOW_MS)
    ledger.seal()
    assert ledger.decide(command, NOW_MS) == reply
    assert ledger.seal() is None, "a refusal leaves no trace"


def test_a_late_repeat_gets_its_reservation_though_its_date_has_gone_by() -> None:
    """Dates are looked at after the key."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    wanted = reserve("k", ("A", 2), **{DELIVER_BY: NOW_MS + 10})
    first = ledger.decide(wanted, NOW_MS)
    assert ledger.decide(wanted, NOW_MS + 20) == [Outcome.REPEATED, first[1]]


def test_sold_out_now_may_be_in_stock_later() -> None:
    """A refused key is free."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    wanted = reserve("k", ("A", 1))
    assert ledger.decide(wanted, NOW_MS)[0] == Outcome.SHORT
    ledger.decide(receive("A", 1), NOW_MS)
    assert ledger.decide(wanted, NOW_MS)[0] == Outcome.OK


def test_a_sku_of_which_a_basket_is_undecided_is_contended() -> None:
    """Short, but units lie in a piece that home may still refuse: try again."""
    ledger = stocked_ledger({"A": {"w1": 2}, "B": {"w1": 0}})
    ledger.decide(commands.take("00f.p", b"n" * 8, 15, [["A", None, 2]], None), NOW_MS)
    assert ledger.decide(reserve("k", ("A", 1)), NOW_MS)[0] == Outcome.CONTENDED
    assert ledger.decide(reserve("k", ("B", 1)), NOW_MS)[0] == Outcome.SHORT
    assert ledger.decide(commands.hint("A", 0, 0), NOW_MS) == [Outcome.SHORT]
    ledger.decide(commands.tell("00f.p", b"n" * 8, 0, NOW_MS + HOLD_MS, None), NOW_MS)
    assert ledger.decide(reserve("k", ("A", 1)), NOW_MS)[0] == Outcome.SHORT


def test_a_batch_handles_the_same_key_in_order() -> None:
    """The first holds, the same again repeats, another body is refused."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    wanted = reserve("k", ("A", 2))
    replies = ledger.decide_all([wanted, wanted, reserve("k", ("A", 1))], NOW_MS)
    assert [reply[0] for reply in replies] == [Outcome.OK, Outcome.REPEATED, Outcome.KEY_REUSED]
    assert counters(ledger)["A|w1"][2] == 2


def test_an_ended_reservation_leads_to_itself_for_good() -> None:
    """After a release a new attempt needs a new key."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    wanted = reserve("k", ("A", 2))
    ledger.decide_all([wanted, commands.release("k")], NOW_MS)
    assert ledger.decide(wanted, NOW_MS)[0] == Outcome.REPEATED
    assert counters(ledger)["A|w1"][2] == 0


def test_an_hour_that_ends_within_a_batch_hides_nobody() -> None:
    """The index and the store's bucket are of the same hour, whichever it is."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    ledger.decide_all([reserve("a", ("A", 1)), reserve("b", ("A", 1))], NOW_MS)
    hour_ends = (NOW_MS // 3_600_000 + 1) * 3_600_000
    ledger.decide(commands.release("a"), hour_ends - 1)
    ledger.decide(commands.release("b"), hour_ends)
    sealed = ledger.seal()
    assert sealed is not None
    assert {*ledger.hours_of("a", hour_ends), *ledger.hours_of("b", hour_ends)} == {
        sealed.closed_bucket
    }


def test_a_record_is_known_while_its_end_is_being_committed_and_recalled() -> None:
    """It ended in a batch that is accepted while the next one's records are being fetched."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    wanted = reserve("k", ("A", 2))
    ledger.decide_all([wanted, commands.release("k")], NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    assert ledger.to_recall([wanted]) == set()
    ledger.accepted(sealed)
    assert ledger.decide(wanted, NOW_MS)[0] == Outcome.REPEATED


def test_a_key_stays_known_when_its_revival_is_taken_back() -> None:
    """Expired, then paid late and cancelled in a batch that the store refuses: expired again."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    wanted = reserve("k", ("A", 2))
    late = NOW_MS + HOLD_MS
    ledger.decide(wanted, NOW_MS)
    ledger.decide(commands.expire(["k"]), late)
    accepted = ledger.seal()
    assert accepted is not None
    ledger.accepted(accepted)
    ended = accepted.effects.closed["k"]
    ledger.recalled = {"k": ended}
    ledger.decide_all([commands.confirm("k"), commands.cancel("k")], late)
    ledger.recalled = {}
    ledger.take_back(ledger.seal())
    assert ledger.to_recall([wanted]) == {"k"}
    ledger.recalled = {"k": ended}
    assert ledger.decide(wanted, late) == [Outcome.REPEATED, ended]
