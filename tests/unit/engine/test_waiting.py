"""The waiting list, command by command: who is offered what, when, and what becomes of it."""

from typing import Any

import pytest

from engine import commands, offering
from engine import waiting as handlers
from engine.commands import Reply, network, shares, supplies, waiting
from engine.ids import digest
from engine.ledger import Ledger
from engine.limits import CLOSED_WINDOW_MS
from engine.outcome import Outcome
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    CUSTOMER,
    PREORDER,
    SUPERSEDES,
    ZONE,
    Extra,
    Reservation,
    Status,
)
from engine.stock import SupplyMembers, Terms, slot_of
from engine.waiting import ENTRY_MEMBERS
from engine.waiting_list import Standing
from tests.builders import NOW_MS, adjust, empty_ledger, receive, reserve, stocked_ledger

OFFER_MS = 120_000
WAIT_MS = 3_600_000
OF_A: Extra = {CUSTOMER: "customer-of-a"}
TAKES_OVER: Extra = {SUPERSEDES: "all"}


@pytest.fixture
def ledger() -> Ledger:
    """Three units, all held by one buyer."""
    made = stocked_ledger({"A": {"w1": 3}})
    made.decide(reserve("all", ("A", 3)), NOW_MS)
    return made


def join(ledger: Ledger, key: str, units: int = 1, more: Extra | None = None) -> Reply:
    extra = {CUSTOMER: f"customer-of-{key}", **(more or {})}
    asked = digest([["A", None, units]], OFFER_MS, extra)
    return ledger.decide(waiting.join(key, asked, "A", units, extra, WAIT_MS, OFFER_MS), NOW_MS)


def told(ledger: Ledger, key: str, at_ms: int = NOW_MS) -> dict[str, Any]:
    reply = ledger.decide(waiting.read(key), at_ms)
    return dict(zip(ENTRY_MEMBERS, reply[1], strict=True))


def statuses(ledger: Ledger, *keys: str) -> list[str]:
    return [told(ledger, key)["status"].name for key in keys]


def read(ledger: Ledger, key: str, at_ms: int = NOW_MS) -> Reservation:
    return Reservation(ledger.decide(commands.read(key), at_ms)[1])


def test_what_is_released_is_offered_in_turn_and_confirmed_as_any_hold(ledger: Ledger) -> None:
    """For the customer alone, for a short time."""
    assert join(ledger, "a", 2)[0] == Outcome.OK
    join(ledger, "b", 2)
    assert [told(ledger, key)["place"] for key in "ab"] == [1, 2]
    ledger.decide(commands.release("all"), NOW_MS)
    offered = told(ledger, "a")
    assert offered["status"] is Standing.OFFERED
    assert (offered["place"], told(ledger, "b")["place"]) == (None, 1)
    held = read(ledger, offered["reservation"])
    assert (held.status, held.expires_at_ms) == (Status.HELD, NOW_MS + OFFER_MS)
    assert held.extra == {CUSTOMER: "customer-of-a"}
    assert ledger.decide(reserve("other", ("A", 2)), NOW_MS)[0] == Outcome.SHORT
    assert ledger.decide(commands.confirm(offered["reservation"]), NOW_MS)[0] == Outcome.OK


def test_nobody_slips_in_between_a_release_and_the_offer(ledger: Ledger) -> None:
    """Not even in the same batch."""
    join(ledger, "a", 2)
    replies = ledger.decide_all([commands.release("all"), reserve("other", ("A", 3))], NOW_MS)
    assert replies[1] == [Outcome.SHORT, [["A", None, 3, 1]], False]


def test_what_was_still_to_be_offered_is_so_again_when_a_batch_is_taken_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner goes on by itself, whether or not anything else happens."""
    monkeypatch.setattr(offering, "OFFERS_MAX", 2)
    for key in "abc":
        join(ledger, key)
    ledger.decide(commands.release("all"), NOW_MS)
    ledger.seal()
    ledger.decide(waiting.serve(), NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    assert not ledger.waiting.wants(NOW_MS)
    ledger.take_back(sealed)
    assert ledger.waiting.wants(NOW_MS)
    ledger.decide(waiting.serve(), NOW_MS)
    assert statuses(ledger, *"abc") == ["OFFERED"] * 3


def test_an_offer_that_expires_goes_to_the_next(ledger: Ledger) -> None:
    """In the very decision that ends it."""
    join(ledger, "a", 3)
    join(ledger, "b", 3)
    ledger.decide(commands.release("all"), NOW_MS)
    first = told(ledger, "a")["reservation"]
    later = NOW_MS + OFFER_MS
    ledger.decide(commands.expire([first]), later)
    assert read(ledger, first, later).status is Status.EXPIRED
    assert told(ledger, "b", later)["status"] is Standing.OFFERED
    assert told(ledger, "b", later)["until"] == later + OFFER_MS


def test_who_wants_more_than_there_is_keeps_his_place(ledger: Ledger) -> None:
    """Those behind him whom it suffices for are served; he is as soon as it does."""
    for key, units in (("a", 4), ("b", 2), ("c", 2), ("d", 1)):
        join(ledger, key, units)
    ledger.decide(commands.release("all"), NOW_MS)
    assert statuses(ledger, *"abcd") == ["WAITING", "OFFERED", "WAITING", "OFFERED"]
    ledger.decide(receive("A", 4), NOW_MS)
    assert statuses(ledger, *"abcd") == ["OFFERED", "OFFERED", "WAITING", "OFFERED"]


def test_who_joins_while_units_are_there_has_his_offer_at_once() -> None:
    """It is the first answer already."""
    ledger = stocked_ledger({"A": {"w1": 1}})
    assert join(ledger, "a")[1][1] is Standing.OFFERED
    assert join(ledger, "b")[1][1] is Standing.WAITING


def test_the_same_again_is_the_same_entry_and_another_body_is_refused(ledger: Ledger) -> None:
    """A customer has one place in a list."""
    first = join(ledger, "a")
    assert join(ledger, "a") == [Outcome.REPEATED, first[1]]
    assert join(ledger, "a", 2) == [Outcome.KEY_REUSED, "a"]
    assert join(ledger, "b", more={CUSTOMER: "customer-of-a"}) == [Outcome.ALREADY_WAITING, "a"]


def test_what_waiting_cannot_help_against_is_refused_at_once(ledger: Ledger) -> None:
    """An unknown SKU or zone, more than a customer may have, a full list."""
    unknown = waiting.join("k", b"d" * 16, "B", 1, {CUSTOMER: "c"}, 1, 1)
    assert ledger.decide(unknown, NOW_MS) == [Outcome.UNKNOWN_SKU, ["B"]]
    ledger.decide(network.define_lanes([["w1", "north", 1, 0, 0, None, []]]), NOW_MS)
    assert join(ledger, "a", more={ZONE: "south"}) == [Outcome.UNKNOWN_ZONE, ["south"]]
    ledger.decide(commands.define_sku("A", ["A", 0, None, {"limit_per_customer": 1}]), NOW_MS)
    assert join(ledger, "a", 2)[0] == Outcome.OVER_LIMIT


def test_a_list_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a SKU, and for a shard."""
    monkeypatch.setattr(handlers, "WAITING_MAX", 1)
    join(ledger, "a")
    assert join(ledger, "b") == [Outcome.WAITING_FULL, "A"]
    monkeypatch.setattr(handlers, "WAITING_MAX", 9)
    monkeypatch.setattr(handlers, "WAITING_SHARD_MAX", 1)
    assert join(ledger, "b") == [Outcome.WAITING_FULL, "A"]


def test_who_leaves_is_not_served_and_an_open_offer_goes_to_the_next(ledger: Ledger) -> None:
    """A confirmed one is not taken back by it."""
    for key in "abc":
        join(ledger, key, 3)
    assert ledger.decide(waiting.leave("a"), NOW_MS)[1][1] is Standing.LEFT
    ledger.decide(commands.release("all"), NOW_MS)
    assert statuses(ledger, *"abc") == ["LEFT", "OFFERED", "WAITING"]
    ledger.decide(waiting.leave("b"), NOW_MS)
    assert statuses(ledger, *"abc") == ["LEFT", "LEFT", "OFFERED"]
    ledger.decide(commands.confirm(told(ledger, "c")["reservation"]), NOW_MS)
    assert ledger.decide(waiting.leave("c"), NOW_MS)[1][1] is Standing.OFFERED
    assert read(ledger, told(ledger, "c")["reservation"]).status is Status.CONFIRMED
    assert ledger.decide(waiting.leave("nobody"), NOW_MS) == [Outcome.UNKNOWN_WAITING, "nobody"]
    assert ledger.decide(waiting.read("nobody"), NOW_MS) == [Outcome.UNKNOWN_WAITING, "nobody"]


def test_nobody_waits_longer_than_he_said_and_nobody_is_told_of_for_ever(ledger: Ledger) -> None:
    """An entry reads as expired before the owner has looked."""
    join(ledger, "a")
    over = NOW_MS + WAIT_MS
    assert told(ledger, "a", over)["status"] is Standing.EXPIRED
    ledger.decide(commands.release("all"), over)
    assert ledger.waiting.entries["a"].standing is Standing.WAITING
    ledger.decide(waiting.serve(), over)
    assert told(ledger, "a", over)["status"] is Standing.EXPIRED
    assert ledger.books["A"].waiting is None
    ledger.decide(waiting.serve(), over + CLOSED_WINDOW_MS - 1)
    assert "a" in ledger.waiting.entries
    assert ledger.waiting.wants(over + CLOSED_WINDOW_MS)
    ledger.decide(waiting.serve(), over + CLOSED_WINDOW_MS)
    assert not ledger.waiting.entries


def test_offers_of_one_command_are_bounded_and_nobody_comes_in_between(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks meanwhile is told to come again."""
    monkeypatch.setattr(offering, "OFFERS_MAX", 1)
    for key in "abcd":
        join(ledger, key)
    replies = ledger.decide_all([commands.release("all"), reserve("other", ("A", 1))], NOW_MS)
    assert replies[1] == [Outcome.CONTENDED, [["A", None, 1, 0]], False]
    assert statuses(ledger, *"abcd") == ["OFFERED"] * 3 + ["WAITING"]
    assert ledger.decide(reserve("other", ("A", 1)), NOW_MS)[0] == Outcome.SHORT


def test_a_cap_that_is_raised_and_a_safety_stock_that_is_lowered_serve_who_waits() -> None:
    """No unit has moved, and yet he may have one."""
    ledger = stocked_ledger({"A": {"w1": 2}})
    ledger.decide(shares.set_quota("A", "live", (0, 0, 0, None)), NOW_MS)
    join(ledger, "a", more={CHANNEL: "live"})
    assert statuses(ledger, "a") == ["WAITING"]
    ledger.decide(shares.set_quota("A", "live", (0, 1, 0, None)), NOW_MS)
    assert statuses(ledger, "a") == ["OFFERED"]
    ledger.decide(adjust(("A", "w1", None, None, 5)), NOW_MS)
    join(ledger, "b")
    assert statuses(ledger, "b") == ["WAITING"]
    ledger.decide(adjust(("A", "w1", None, None, 0)), NOW_MS)
    assert statuses(ledger, "b") == ["OFFERED"]


def test_whose_limit_is_used_up_by_then_leaves_the_list(ledger: Ledger) -> None:
    """He does not stand in the way of the next."""
    ledger.decide(commands.define_sku("A", ["A", 0, None, {"limit_per_customer": 3}]), NOW_MS)
    join(ledger, "a", 3)
    join(ledger, "b", 1)
    ledger.decide(receive("A", 1), NOW_MS)
    assert statuses(ledger, "a", "b") == ["WAITING", "OFFERED"]
    ledger.decide(receive("A", 1), NOW_MS)
    assert ledger.decide(
        reserve("bought", ("A", 1), **OF_A), NOW_MS
    )[0] == Outcome.OK  # fmt: skip
    ledger.decide(commands.release("all"), NOW_MS)
    assert statuses(ledger, "a") == ["OVER_LIMIT"]


def test_a_carts_own_units_are_not_offered_while_it_is_changed(ledger: Ledger) -> None:
    """What the new version does not take is."""
    join(ledger, "a", 1)
    changed = ledger.decide(reserve("fewer", ("A", 2), **TAKES_OVER), NOW_MS)
    assert changed[0] == Outcome.OK
    assert statuses(ledger, "a") == ["OFFERED"]


def test_a_full_store_is_asked_for_no_offers(ledger: Ledger) -> None:
    """They follow when it has room."""
    join(ledger, "a")
    ledger.waiting.paused = True
    ledger.decide(commands.release("all"), NOW_MS)
    assert statuses(ledger, "a") == ["WAITING"]
    assert ledger.waiting.wants(NOW_MS)
    ledger.waiting.paused = False
    ledger.decide(waiting.serve(), NOW_MS)
    assert statuses(ledger, "a") == ["OFFERED"]


def test_a_list_is_there_again_after_a_recovery(ledger: Ledger) -> None:
    """In the order it had; offers made are known."""
    for key in "abc":
        join(ledger, key, 2)
    ledger.decide(commands.release("all"), NOW_MS)
    fields = {name: value for name, value in ledger.effects.fields.items() if value is not None}
    again = stocked_ledger({"A": {"w1": 0}})
    again.load_state((name, value) for name, value in fields.items() if name[:2] == "w|")
    assert statuses(again, *"abc") == statuses(ledger, *"abc") == ["OFFERED", "WAITING", "WAITING"]
    assert [told(again, key)["place"] for key in "bc"] == [1, 2]
    assert again.waiting.entries == ledger.waiting.entries
    assert empty_ledger().waiting.entries == {}


# Campaigns and units on their way


IN_DROP: Extra = {CAMPAIGN: "drop"}
OVER_MS = NOW_MS + WAIT_MS // 2


def open_drop(ledger: Ledger, units: int, **more: Any) -> None:
    terms = Terms(defined=True, starts_at_ms=NOW_MS, ends_at_ms=OVER_MS, **more)
    opened = shares.open_campaign("drop", list(terms), [["A", units]])
    assert ledger.decide(opened, NOW_MS) == [Outcome.OK]


@pytest.fixture
def drop() -> Ledger:
    """Five units of which a campaign has two, both held through it."""
    made = stocked_ledger({"A": {"w1": 5}})
    open_drop(made, 2)
    assert made.decide(reserve("all", ("A", 2), **IN_DROP), NOW_MS)[0] == Outcome.OK
    return made


def test_a_campaigns_units_go_to_those_who_wait_for_it_first(drop: Ledger) -> None:
    """Before its other buyers; nobody else may have them, and it has nobody else's."""
    assert join(drop, "a", 2, IN_DROP)[1][1] is Standing.WAITING
    assert told(drop, "a")["campaign"] == "drop"
    assert join(drop, "b", 4)[1][1] is Standing.WAITING
    replies = drop.decide_all(
        [commands.release("all"), reserve("other", ("A", 1), **IN_DROP)], NOW_MS
    )
    assert replies[1][0] == Outcome.OVER_QUOTA
    assert statuses(drop, "a", "b") == ["OFFERED", "WAITING"]
    assert read(drop, told(drop, "a")["reservation"]).extra[CAMPAIGN] == "drop"


def test_nobody_waits_for_a_campaign_longer_than_it_lasts(drop: Ledger) -> None:
    """Nor for one that is closed before, or that there is not."""
    join(drop, "a", 1, IN_DROP)
    join(drop, "b", 1, IN_DROP)
    assert told(drop, "a")["until"] == OVER_MS
    assert told(drop, "a", OVER_MS)["status"] is Standing.EXPIRED
    drop.decide(shares.close_campaign("drop", ["A"]), NOW_MS)
    drop.decide(waiting.serve(), NOW_MS)
    assert statuses(drop, "a", "b") == ["EXPIRED"] * 2
    assert join(drop, "c", 1, IN_DROP)[0] == Outcome.CAMPAIGN_NOT_OPEN
    assert join(drop, "c", 1, {CAMPAIGN: "none"})[0] == Outcome.UNKNOWN_CAMPAIGN


def test_a_tranche_is_offered_as_it_begins_before_anybody_else_buys_of_it() -> None:
    """Nothing but the time has changed; the next owner knows it too."""
    ledger = stocked_ledger({"A": {"w1": 4}})
    later = NOW_MS + 60_000
    open_drop(ledger, 4, tranches=[[NOW_MS, 0], [later, 500]])
    join(ledger, "a", 2, IN_DROP)
    ledger.decide(waiting.serve(), NOW_MS)
    assert statuses(ledger, "a") == ["WAITING"]
    assert not ledger.waiting.wants(later - 1)
    assert ledger.waiting.wants(later)
    fields = {name: value for name, value in ledger.effects.fields.items() if value is not None}
    founded = stocked_ledger({"A": {"w1": 4}})
    open_drop(founded, 4, tranches=[[NOW_MS, 0], [later, 500]])
    founded.load_state((name, value) for name, value in fields.items() if name[:2] == "w|")
    assert founded.waiting.wants(later)
    bought = ledger.decide(reserve("other", ("A", 1), **IN_DROP), later)
    assert bought[0] == Outcome.OVER_QUOTA
    assert statuses(ledger, "a") == ["OFFERED"]


def test_who_takes_units_on_their_way_is_offered_them_as_they_are_announced() -> None:
    """Who wants what is there waits on, though he came first."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    join(ledger, "a", 2)
    join(ledger, "b", 2, {PREORDER: True})
    assert told(ledger, "b")["preorder"]
    members = SupplyMembers("purchase_order", 3, NOW_MS + WAIT_MS, "d" * 32)
    opened = supplies.open_supply("A", "w1", "po-1", members)
    assert ledger.decide(opened, NOW_MS)[0] == Outcome.OK
    assert statuses(ledger, "a", "b") == ["WAITING", "OFFERED"]
    [(_, slot, units)] = read(ledger, told(ledger, "b")["reservation"]).backings()
    assert (slot, units) == (slot_of("w1", "po-1"), 2)
