"""Quotas of channels: what follows the stock follows all that is said of it."""

from engine.commands import shares
from engine.outcome import Outcome
from tests.builders import NOW_MS, adjust, count, stocked_ledger


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
