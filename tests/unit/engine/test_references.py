"""References of adjustments are remembered for a day, and no longer however many there are."""

import pytest

from engine import commands
from engine import ledger as ledger_module
from engine.limits import REFERENCE_WINDOW_MS
from tests.builders import NOW_MS, adjust, stocked_ledger


def test_of_very_many_references_more_are_forgotten_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else they would come faster than they go."""
    monkeypatch.setattr(ledger_module, "SWEEP_MAX", 4)
    monkeypatch.setattr(ledger_module, "_REFERENCES_SHARE", 20)
    ledger = stocked_ledger({"A": {"w1": 1}})
    ledger.decide_all([adjust(("A", "w1", 1)) for _ in range(199)], NOW_MS)
    ledger.seal()
    assert len(ledger.references) == 200
    later_ms = NOW_MS + REFERENCE_WINDOW_MS
    left = []
    for _ in range(20):
        ledger.decide(commands.tidy(), later_ms)
        ledger.seal()
        left.append(len(ledger.references))
    assert left[:3] == [190, 181, 172]
    assert left[-1] == 77
    assert ledger.decide(commands.tidy(), later_ms - 1)[0] == 0
    assert len(ledger.references) == 77, "their day is not over"
