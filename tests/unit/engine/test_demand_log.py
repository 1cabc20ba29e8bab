"""Refused demand: which lines count, under which reason, and what becomes of the counts."""

from typing import Any

import pytest

from engine import demand_log
from engine.commands import shares
from engine.demand import OF_CAMPAIGN
from engine.demand_log import OTHERS, DemandLog, refusals
from engine.events import Event
from engine.outcome import Outcome
from engine.record import unpack
from engine.shares import Share
from tests.builders import NOW_MS, reserve, stocked_ledger

BASKET: list[list[Any]] = [["A", None, 2], ["B", "w1", 3]]


@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        ([Outcome.SHORT, [["B", "w1", 3, 1]], False], [("B", "insufficient-stock", 3)]),
        ([Outcome.SHORT, [["B", "w1", 3, 0]], True], [("B", "sold-out", 3)]),
        ([Outcome.OVER_QUOTA, [["A", None, 2, 0]]], [("A", "over-quota", 2)]),
        ([Outcome.OVER_LIMIT, [["A", 1, 0, 2], ["A", 1, 1, 2]]], [("A", "over-limit", 2)]),
        ([Outcome.CAMPAIGN_NOT_OPEN, "c", "draft"],
         [("A", "campaign-not-open", 2), ("B", "campaign-not-open", 3)]),
        ([Outcome.CONTENDED, [["A", None, 2, 0]], False], []),
        ([Outcome.UNKNOWN_SKU, ["A"]], []),
        ([Outcome.UNAVAILABLE, 200], []),
    ],
)  # fmt: skip
def test_lines_count_that_were_the_reason(reply: list[Any], counted: list[Any]) -> None:
    seen = refusals(BASKET, "h:live", reply)
    assert seen == [(sku, "h:live", reason, units) for sku, reason, units in counted]


def test_an_owner_counts_each_refusal_once_and_forgets_what_was_taken_back() -> None:
    ledger = stocked_ledger({"A": {"w1": 1}, "B": {"w1": 9}})
    ledger.decide(reserve("k", ("A", 2), ("B", 1)), NOW_MS)
    assert ledger.refused() == [("A", None, "insufficient-stock", 2)]
    assert ledger.refused() == []
    ledger.decide(reserve("k", ("A", 2)), NOW_MS)
    ledger.take_back(None)
    ledger.decide(reserve("k", ("A", 2)), NOW_MS)
    assert ledger.refused() == [("A", None, "insufficient-stock", 2)]


def test_what_the_table_has_no_room_for_counts_under_one_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demand_log, "REFUSALS_KEPT_MAX", 2)
    log = DemandLog()
    log.add([(sku, None, "sold-out", 2) for sku in "ABCDA"])
    rows = log.take()
    assert rows == [
        ["A", None, "sold-out", 2, 4], ["B", None, "sold-out", 1, 2],
        [OTHERS, None, "sold-out", 2, 4],
    ]  # fmt: skip
    assert not log
    log.add([("A", None, "sold-out", 1)])
    log.put_back(rows)
    assert log.take()[0] == ["A", None, "sold-out", 3, 5]


def test_counts_are_written_as_one_event() -> None:
    ledger = stocked_ledger({"A": {"w1": 1}})
    rows = [["A", None, "sold-out", 2, 4]]
    ledger.decide(shares.count_refused(rows), NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    assert unpack(sealed.events)[3] == [Event.DEMAND_REFUSED, "", rows]


def test_a_campaign_counts_what_it_could_not_serve_while_it_was_open() -> None:
    ledger = stocked_ledger({"A": {"w1": 1}})
    name = f"{OF_CAMPAIGN}drop"
    share = ledger.books["A"].shares[name] = Share(ledger.books["A"], name)
    rows: list[list[Any]] = [
        ["A", name, "over-quota", 2, 4], ["A", name, "campaign-not-open", 1, 8],
        ["no", name, "over-quota", 1, 1], ["", None, "sold-out", 1, 1],
    ]  # fmt: skip
    ledger.decide(shares.count_refused(rows), NOW_MS)
    assert share.refused == 4
    ledger.take_back(None)
    assert share.refused == 0
