"""Orders on supplies that come late or not at all: helped where that is cheaper than waiting."""

import asyncio
import time

import pytest

from actors.waves.problem import CHANGE_CENTS, WEIGHTS
from actors.waves.touching import Touching
from actors.waves.wave import Report, run
from engine.commands import supplies
from engine.record import DELIVER_BY
from tests.builders import adjust
from tests.wave_shop import Shop

DAY_MS = 86_400_000
LANES = {"dc": {"z": 100}, "store": {"z": 2_000}}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def repaired(shop: Shop) -> Report:
    told = Report(
        name="w-1", scope="confirmed", max_seconds=3, dry_run=False, closed_nodes=(),
        touching=Touching(skus=("A",)), trigger="late_receipt", started_at=0,
    )  # fmt: skip
    asyncio.run(run(shop, told))
    return told


@pytest.fixture
def shop() -> Shop:
    """``late`` waits at ``dc`` for what comes in five days, and wants it in seven."""
    made = Shop({"A": {"store": 0}}, LANES)
    made.coming("A", "dc", "po", 5, now_ms() + 5 * DAY_MS)
    made.order("late", "z", ("A", 2), **{DELIVER_BY: now_ms() + 7 * DAY_MS})
    assert made.places("late") == {("A", "dc|po"): 2}
    return made


def delay(shop: Shop, days: float) -> None:
    shop.told(0, supplies.delay("A", "po", now_ms() + int(days * DAY_MS)))


def test_who_waits_in_time_goes_on_waiting(shop: Shop) -> None:
    shop.told(0, adjust(("A", "store", 2)))
    assert repaired(shop).orders == 0
    assert shop.places("late") == {("A", "dc|po"): 2}


def test_a_day_late_is_cheaper_than_a_dear_parcel(shop: Shop) -> None:
    shop.told(0, adjust(("A", "store", 2)))
    delay(shop, 7.01)  # A day on the lane comes behind it.
    told = repaired(shop)
    assert (told.orders, told.moved, told.saved_cents) == (1, 0, 0)
    assert told.lines_without_place == 1
    assert told.late_days_before == pytest.approx(1.01, abs=0.001)
    assert told.late_days_after == told.late_days_before


def test_many_days_late_are_not(shop: Shop) -> None:
    shop.told(0, adjust(("A", "store", 2)))
    delay(shop, 9)
    told = repaired(shop)
    assert (told.orders, told.moved, told.lines_without_place) == (1, 1, 0)
    assert shop.places("late") == {("A", "store"): 2}
    assert told.late_days_before == pytest.approx(3.0, abs=0.01)
    assert told.late_days_after == 0
    assert told.saved_cents == pytest.approx(3 * WEIGHTS.lateness_day + 100 - 2_000, abs=3)
    assert told.saved_cents is not None
    assert told.saved_cents > CHANGE_CENTS
    assert not shop.ledgers[0].late
    assert not shop.ledgers[0].shortfalls


def test_what_does_not_come_is_taken_from_where_it_is(shop: Shop) -> None:
    """Whatever that costs, up to what an order left alone is priced at."""
    shop.told(0, supplies.receive("A", "po", "r", b"r" * 16, 0, final=True))
    assert shop.ledgers[0].shortfalls["A|dc|po"][1] == 2
    told = repaired(shop)
    assert (told.moved, told.lines_without_place) == (0, 1)
    shop.told(0, adjust(("A", "store", 2)))
    told = repaired(shop)
    assert (told.moved, told.saved_cents, told.late_days_after) == (1, -2_000, 0)
    assert shop.places("late") == {("A", "store"): 2}
    assert not shop.ledgers[0].shortfalls
