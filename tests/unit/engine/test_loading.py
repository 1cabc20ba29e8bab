"""A working copy from the store's records: what is due, and since when."""

from engine import commands
from engine.limits import DUE_MS, PIECE_ASK_MS
from tests.builders import HOLD_MS, NOW_MS, reserve, stocked_ledger


def test_what_waits_after_a_takeover_waits_since_it_was_due() -> None:
    """A taken piece asks home a few seconds after it was taken, whoever owns it then."""
    before = stocked_ledger({"A": {"w1": 5}})
    before.decide(reserve("held", ("A", 1)), NOW_MS)
    before.decide(commands.take("00f.piece", b"n" * 8, 15, [["A", None, 1]], None), NOW_MS)
    after = stocked_ledger({"A": {"w1": 5}})
    after.load_records(before.reservations.items())
    due_at_ms = NOW_MS + PIECE_ASK_MS
    assert after.overdue_ms(due_at_ms) == 0
    assert 0 < after.overdue_ms(due_at_ms + 2 * DUE_MS) <= 2 * DUE_MS
    assert after.due(due_at_ms + DUE_MS) == ["/00f.piece"]
    assert after.due(NOW_MS + HOLD_MS + DUE_MS) == ["held"]
