"""Refusals: every outcome has one, and the table says what the contract says."""

from typing import Any

import pytest

from engine.outcome import Outcome
from engine.record import Status
from gateway.problems import BY_OUTCOME, KINDS, of_reply

#: (status, retryable, outcome, further members) as the contract has them.
CONTRACT = {
    "invalid-request": (422, False, "none", {"field"}),
    "key-reused": (422, False, "none", {"id"}),
    "too-large": (413, False, "none", set()),
    "unsupported-media-type": (415, False, "none", set()),
    "unknown-route": (404, False, "none", set()),
    "method-not-allowed": (405, False, "none", set()),
    "unknown-sku": (404, False, "none", {"skus"}),
    "unknown-node": (404, False, "none", {"nodes"}),
    "unknown-reservation": (404, False, "none", {"id"}),
    "unknown-campaign": (404, False, "none", {"id"}),
    "unknown-supply": (404, False, "none", {"id"}),
    "unknown-wave": (404, False, "none", {"id"}),
    "unknown-zone": (404, False, "none", {"id"}),
    "unknown-pool": (404, False, "none", {"id"}),
    "unknown-waiting": (404, False, "none", {"id"}),
    "already-waiting": (409, False, "none", {"id"}),
    "waiting-list-full": (409, False, "none", {"sku"}),
    "over-limit": (409, False, "none", {"limits"}),
    "over-quota": (409, False, "none", {"short_lines", "available"}),
    "insufficient-stock": (409, False, "none", {"short_lines"}),
    "sold-out": (409, False, "none", {"short_lines"}),
    "not-held": (409, False, "none", {"reservation_status", "short_lines"}),
    "not-confirmed": (409, False, "none", {"reservation_status", "short_lines"}),
    "exceeds-committed": (409, False, "none", {"lines"}),
    "negative-stock": (409, False, "none", {"sku", "node"}),
    "out-of-range": (409, False, "none", {"sku", "node"}),
    "quota-exceeds-stock": (409, False, "none", {"sku", "channel", "available"}),
    "campaign-not-open": (409, False, "none", {"id", "state"}),
    "campaign-state": (409, False, "none", {"id", "state"}),
    "supply-closed": (409, False, "none", {"id", "state"}),
    "wave-running": (409, False, "none", {"id", "state"}),
    "cursor-expired": (410, False, "none", {"oldest"}),
    "in-progress": (409, True, "none", {"retry_after_ms"}),
    "contended": (409, True, "none", {"retry_after_ms"}),
    "overloaded": (429, True, "none", {"retry_after_ms"}),
    "unavailable": (503, True, "none", {"retry_after_ms"}),
    "outcome-unknown": (503, True, "unknown", {"retry_after_ms"}),
    "durability-not-met": (503, True, "applied", {"retry_after_ms", "durability"}),
}

SHORT = [["A", None, 5, 3]]
REPLIES: dict[Outcome, list[Any]] = {
    Outcome.KEY_REUSED: ["k"],
    Outcome.INVALID: ["deliver_by", "has gone by"],
    Outcome.UNKNOWN_RESERVATION: [["k"]],
    Outcome.UNKNOWN_SKU: [["A"]],
    Outcome.UNKNOWN_NODE: [["n"]],
    Outcome.UNKNOWN_CAMPAIGN: [["c"]],
    Outcome.NOT_HELD: [Status.RELEASED, SHORT],
    Outcome.NOT_CONFIRMED: [Status.HELD, []],
    Outcome.EXCEEDS_COMMITTED: [[["A", "n", 1, 2]]],
    Outcome.NEGATIVE_STOCK: ["A", "n"],
    Outcome.OUT_OF_RANGE: ["A", "n"],
    Outcome.SHORT: [SHORT, False],
    Outcome.OVER_LIMIT: [[["A", 2, 1, 2]]],
    Outcome.OVER_QUOTA: [SHORT],
    Outcome.CAMPAIGN_NOT_OPEN: ["drop", "draft"],
    Outcome.CAMPAIGN_STATE: ["drop", "opening"],
    Outcome.QUOTA_EXCEEDS_STOCK: ["A", "live", 3],
    Outcome.UNKNOWN_ZONE: [["z"]],
    Outcome.UNKNOWN_SUPPLY: [["po"]],
    Outcome.SUPPLY_CLOSED: ["po", "closed"],
    Outcome.UNKNOWN_WAITING: ["k"],
    Outcome.ALREADY_WAITING: ["k"],
    Outcome.WAITING_FULL: ["A"],
}


@pytest.mark.parametrize("outcome", [each for each in Outcome if each > Outcome.REPEATED])
def test_every_outcome_becomes_a_problem_with_all_its_members(outcome: Outcome) -> None:
    told = of_reply([outcome, *REPLIES.get(outcome, [250])], "name")
    assert set(told.members) == set(told.kind.members)
    document = told.document()
    assert document["type"] == f"/problems/{told.kind.name}"
    assert document["status"] == told.kind.status
    assert document["detail"]


def test_no_success_is_a_problem() -> None:
    assert not {Outcome.OK, Outcome.REPEATED} & BY_OUTCOME.keys()


def test_every_type_of_the_contract_is_there_and_no_other_but_what_http_itself_needs() -> None:
    """Also those that are raised only by what is still to come: their pages exist."""
    assert KINDS.keys() == CONTRACT.keys() | {"bad-request", "headers-too-large", "internal"}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_table_says_what_the_contract_says(name: str) -> None:
    kind = KINDS[name]
    assert (kind.status, kind.retryable, kind.outcome, set(kind.members)) == CONTRACT[name]


@pytest.mark.parametrize(("ms", "seconds"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_retry_after_is_whole_seconds_and_at_least_one(ms: int, seconds: int) -> None:
    assert of_reply([Outcome.OVERLOADED, ms], "k").retry_after_s == seconds


def test_sold_out_is_said_where_one_line_has_nothing_left() -> None:
    assert of_reply([Outcome.SHORT, [["A", None, 1, 0]], True], "k").kind.name == "sold-out"
    assert of_reply([Outcome.SHORT, SHORT, False], "k").kind.name == "insufficient-stock"
