"""Quotas of channels: what follows the stock follows all that is said of it."""

from typing import Any

from engine import commands
from engine.commands import shares
from engine.outcome import Outcome
from engine.record import CHANNEL, SUPERSEDES
from tests.builders import NOW_MS, adjust, count, reserve, stocked_ledger

LIVE: dict[str, Any] = {CHANNEL: "live"}
ANEW: dict[str, Any] = {CHANNEL: "shop", SUPERSEDES: "a"}


def test_a_part_of_the_stock_follows_what_is_there_and_what_is_withheld_of_it() -> None:
    """A row that only sets safety stock counts too, and a batch that is taken back does not."""
    ledger = stocked_ledger({"A": {"w1": 10, "w2": 10}})
    ledger.decide(shares.set_quota("A", "live", [0, None, 0, 500]), NOW_MS)
    ledger.seal()
    share = ledger.books["A"].shares["c:live"]
    assert (share.exclusive, share.placed) == (10, 10)
    assert ledger.decide(adjust(("A", "w1", None, None, 4)), NOW_MS)[0] == Outcome.OK
    assert (share.exclusive, share.placed) == (8, 8)
    ledger.decide(count("A", 2, "w2"), NOW_MS)
    assert (share.exclusive, share.placed) == (4, 4)
    ledger.take_back(None)
    assert (share.exclusive, share.placed) == (10, 10)
    ledger.decide(adjust(("A", "w2", 4)), NOW_MS)
    assert (share.exclusive, share.placed) == (12, 12)


def test_a_cart_that_could_not_grow_is_still_of_its_channel() -> None:
    """It was all that the channel had; a cap that is set later counts it."""
    ledger = stocked_ledger({"A": {"w1": 5}})
    assert ledger.decide(reserve("a", ("A", 2), **LIVE), NOW_MS)[0] == Outcome.OK
    grown = reserve("b", ("A", 9), **ANEW)
    assert ledger.decide(grown, NOW_MS)[0] == Outcome.SHORT
    ledger.decide(shares.set_quota("A", "live", [0, 3, 0, None]), NOW_MS)
    more = ledger.decide(reserve("c", ("A", 2), **LIVE), NOW_MS)
    assert more[0] == Outcome.OVER_QUOTA
    ledger.decide(commands.release("a"), NOW_MS)
    assert ledger.books["A"].shares["c:live"].held == 0


def test_units_that_a_channel_lets_go_are_for_those_who_wait_for_some() -> None:
    """Stock went, and left one channel short; another one needs less from now on."""
    ledger = stocked_ledger({"A": {"w1": 6}})
    for channel in ("live", "shop"):
        ledger.decide(shares.set_quota("A", channel, [3, None, 0, None]), NOW_MS)
    ledger.decide(count("A", 3), NOW_MS)
    assert ledger.books["A"].shares["c:shop"].placed == 0
    ledger.decide(shares.set_quota("A", "live", [1, None, 0, None]), NOW_MS)
    assert ledger.books["A"].shares["c:shop"].placed == 2
