"""Offers under limits that another shard counts: told only once it has agreed."""

from typing import Any

import pytest

from actors import offers
from engine import commands
from engine.commands import Reply, waiting
from engine.ids import digest, shard_of
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import CHANNEL, CUSTOMER, Reservation, Status
from engine.totals import UNPAID
from engine.waiting import ENTRY_MEMBERS
from engine.waiting_list import Standing
from tests.builders import NOW_MS, empty_ledger, founding, receive

WAIT_MS, OFFER_MS = 3_600_000, 60_000
SHOP = {"late_payment": "hold_again", "anonymous_hold_seconds": None, "pool": None, UNPAID: 2}
ELSEWHERE = next(name for name in map("c-{}".format, range(9)) if shard_of(name, 2) == 1)
SKU = next(name for name in map("sku-{}".format, range(9)) if shard_of(name, 2) == 0)


@pytest.fixture
def ledger() -> Ledger:
    """A shard of two, with nothing of a SKU, and somebody who waits through a limited channel."""
    made = empty_ledger(0, 2)
    elements = {"n|w1": {"kind": "warehouse"}, "h|web": SHOP}
    made.decide_all([commands.take_network(0, 1, elements), *founding({SKU: {}})[1:]], NOW_MS)
    assert join(made, "first", ELSEWHERE)[0] == Outcome.OK
    made.decide(receive(SKU, 2), NOW_MS)
    assert made.seal() is not None
    return made


def join(ledger: Ledger, key: str, customer: str) -> Reply:
    extra = {CUSTOMER: customer, CHANNEL: "web"}
    asked = digest([[SKU, None, 2]], OFFER_MS, extra)
    return ledger.decide(waiting.join(key, asked, SKU, 2, extra, WAIT_MS, OFFER_MS), NOW_MS)


def told(ledger: Ledger, key: str = "first", at_ms: int = NOW_MS) -> dict[str, Any]:
    return dict(zip(ENTRY_MEMBERS, ledger.decide(waiting.read(key), at_ms)[1], strict=True))


def offer_of(ledger: Ledger) -> str:
    return str(ledger.waiting.entries["first"].reservation)


def test_units_are_held_and_nobody_is_told_until_his_shard_has_agreed(ledger: Ledger) -> None:
    """Its answer comes twice, and late ones change nothing."""
    assert (told(ledger)["status"], told(ledger)["reservation"]) == (Standing.WAITING, None)
    assert told(ledger)["place"] == 1
    offer = offer_of(ledger)
    asked = offers.piece_of(0, offer, ledger.reservations[offer])
    assert asked is not None
    assert asked[0] == 1
    for _ in range(2):
        ledger.decide(waiting.answer("first", offer, is_within=True), NOW_MS)
    assert told(ledger)["status"] is Standing.OFFERED
    assert told(ledger)["until"] == NOW_MS + OFFER_MS
    ledger.decide(waiting.answer("first", offer, is_within=False), NOW_MS)
    assert ledger.decide(commands.confirm(offer), NOW_MS)[0] == Outcome.OK


def test_who_has_too_much_loses_his_place_and_the_next_is_served(ledger: Ledger) -> None:
    """His units are offered in the same decision."""
    join(ledger, "second", ELSEWHERE + "0")
    offer = offer_of(ledger)
    ledger.decide(waiting.answer("first", offer, is_within=False), NOW_MS)
    assert told(ledger)["status"] is Standing.OVER_LIMIT
    assert told(ledger)["reservation"] is None
    assert Reservation(ledger.reservations[offer]).status is Status.RELEASED  # It owes the news.
    assert ledger.waiting.entries["second"].reservation is not None


def test_an_offer_that_ends_before_the_answer_puts_him_back_in_his_place(ledger: Ledger) -> None:
    """And units are offered to him anew."""
    offer, later = offer_of(ledger), NOW_MS + OFFER_MS
    ledger.decide(commands.expire([offer]), later)
    assert offers.piece_of(0, "gone", None) is None
    ledger.decide(waiting.answer("first", offer, is_within=True), later)
    assert told(ledger, at_ms=later)["status"] is Standing.WAITING
    assert offer_of(ledger) not in (offer, "None")


@pytest.mark.parametrize("way", ["left", "expired"])
def test_whose_wait_ends_meanwhile_gives_the_units_back(ledger: Ledger, way: str) -> None:
    """Nobody has heard of the offer."""
    offer = offer_of(ledger)
    if way == "left":
        ledger.decide(waiting.leave("first"), NOW_MS)
    else:
        record = Reservation(ledger.reservations[offer])
        assert record.expires_at_ms < NOW_MS + WAIT_MS
        ledger.decide(commands.extend(offer, 2 * WAIT_MS), NOW_MS)
        ledger.decide(waiting.serve(), NOW_MS + WAIT_MS)
    assert told(ledger, at_ms=NOW_MS + WAIT_MS)["status"].name.lower() == way
    assert told(ledger)["reservation"] is None
    assert Reservation(ledger.reservations[offer]).status is Status.RELEASED
    assert not ledger.waiting.asked
