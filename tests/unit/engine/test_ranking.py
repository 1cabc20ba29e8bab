"""Where parcels go somewhere: what is there is found, however many places lie before it."""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import commands
from engine.commands import network, shares, supplies
from engine.ledger import Ledger
from engine.limits import ON_HAND_MAX, SPLIT_MAX
from engine.outcome import Outcome
from engine.ranking import Order, by_priority, for_everybody, order_of
from engine.record import CAMPAIGN, CHANNEL, PARTIAL, ZONE, Reservation
from engine.shares import sellable_to
from engine.stock import SupplyMembers, Terms, rose
from tests.builders import NOW_MS, count, reserve, stocked_ledger

HOUR_MS = 3_600_000
NORTH: dict[str, Any] = {ZONE: "north"}
LIVE: dict[str, Any] = {ZONE: "north", CHANNEL: "live"}


def sending(units: Sequence[int]) -> Ledger:
    """So many units of a SKU in each place; each sends to the north, the first for least."""
    stock = {f"s{number:03d}": there for number, there in enumerate(units)}
    ledger = stocked_ledger({"A": stock})
    lanes: list[list[Any]] = [
        [name, "north", 100 + at, 0, 1, None, []] for at, name in enumerate(stock)
    ]
    ledger.decide(network.define_lanes(lanes), NOW_MS)
    ledger.seal()
    return ledger


def sources(ledger: Ledger, key: str, units: int, extra: Mapping[str, Any]) -> dict[str, int]:
    """Where a reservation's units are; empty if it was refused."""
    reply = ledger.decide(reserve(key, ("A", units), **extra), NOW_MS)
    if reply[0] == Outcome.SHORT:
        return {}
    assert reply[0] == Outcome.OK
    line = Reservation(reply[1]).lines[0]
    return dict(zip(line[3::2], line[4::2], strict=True))


@pytest.mark.parametrize("extra", [NORTH, {**NORTH, CHANNEL: "web"}, {**NORTH, PARTIAL: True}])
def test_places_with_nothing_for_everybody_do_not_hide_those_behind(extra: dict[str, Any]) -> None:
    """Of the cheap hundred most are set aside for a channel, the others empty."""
    ledger = sending([5, 5, 5, 0] * 25 + [4] * 100)
    quota = shares.set_quota("A", "live", [375, None, 0, None])
    assert ledger.decide(quota, NOW_MS)[0] == Outcome.OK
    assert sources(ledger, "a", 4, extra) == {"s100": 4}
    assert len(sources(ledger, "b", 4 * SPLIT_MAX, extra)) == SPLIT_MAX
    assert sources(ledger, "c", 5, LIVE) == {"s000": 5}, "whoever they wait for has them"


def test_places_with_too_little_do_not_hide_one_that_has_it_all() -> None:
    """The whole line comes from there, however many places are cheaper."""
    ledger = sending([1] * 150 + [9])
    assert sources(ledger, "a", 9, NORTH) == {"s150": 9}
    assert sources(ledger, "b", 2, NORTH) == {"s000": 1, "s001": 1}
    assert sources(ledger, "c", SPLIT_MAX + 1, NORTH) == {}


def test_units_of_a_batch_that_is_taken_back_are_found_again() -> None:
    """The place was empty in between, and somebody had seen that."""
    ledger = sending([2, 3])
    assert sources(ledger, "a", 2, NORTH) == {"s000": 2}
    assert sources(ledger, "b", 2, NORTH) == {"s001": 2}
    assert sources(ledger, "c", 2, NORTH) == {}
    ledger.take_back(None)
    assert sources(ledger, "d", 2, NORTH) == {"s000": 2}
    assert sources(ledger, "e", 3, NORTH) == {"s001": 3}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 80), st.integers(0, 3)), min_size=1, max_size=4),
    st.integers(0, 90),
    st.lists(
        st.tuples(st.sampled_from(("hold", "hold", "release", "seal", "take back", "count")),
                  st.integers(1, 12), st.sampled_from((None, "live", "web"))),
        max_size=30,
    ),
)  # fmt: skip
def test_what_can_be_served_is_served_from_the_cheapest_place_that_has_it_all(
    runs: list[tuple[int, int]], exclusive: int, steps: list[tuple[str, int, str | None]]
) -> None:
    """Whatever is set aside, and however often units went, came back, or had never gone."""
    ledger = sending([units for places, units in runs for _ in range(places)])
    ledger.decide(shares.set_quota("A", "live", [exclusive, None, 0, None]), NOW_MS)
    ledger.seal()
    book, held = ledger.books["A"], list[str]()
    for number, (step, units, channel) in enumerate(steps):
        if step == "hold":
            share = book.shares.get(f"c:{channel}")
            there = [sellable_to(position, share) for position in book.positions.values()]
            extra = NORTH if channel is None else {**NORTH, CHANNEL: channel}
            found = sources(ledger, f"k{number}", units, extra)
            whole = [f"s{at:03d}" for at, sellable in enumerate(there) if sellable >= units]
            few = sum(sorted(there)[-SPLIT_MAX:]) >= units
            if whole:
                assert found == {whole[0]: units}
            assert bool(found) == few
            assert not found or sum(found.values()) == units
            held += [f"k{number}"] if found else []
        elif step == "release" and held:
            ledger.decide(commands.release(held.pop(units % len(held))), NOW_MS)
        elif step == "count":
            ledger.decide(count("A", units % 4, f"s{units % len(book.positions):03d}"), NOW_MS)
        elif step == "seal":
            ledger.seal()
        elif step == "take back":
            ledger.take_back(None)
            held = list(ledger.reservations)


def test_other_lanes_make_another_order() -> None:
    """What was looked up for earlier requests is not asked again."""
    ledger = sending([9, 9])
    assert sources(ledger, "a", 1, NORTH) == {"s000": 1}
    ledger.decide(network.define_lanes([["s000", "north", 500, 0, 1, None, []]]), NOW_MS)
    assert sources(ledger, "b", 1, NORTH) == {"s001": 1}
    ledger.take_back(None)
    assert sources(ledger, "c", 1, NORTH) == {"s000": 1}


def test_a_campaign_draws_on_what_comes_first_by_now() -> None:
    """A supply that was put off comes behind one that keeps its date."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    for name, hours in (("early", 1), ("late", 2)):
        members = SupplyMembers("purchase_order", 5, NOW_MS + hours * HOUR_MS, "d" * 32)
        ledger.decide(supplies.open_supply("A", "w1", name, list(members)), NOW_MS)
    terms = Terms(defined=True, ends_at_ms=NOW_MS + HOUR_MS, include_supplies=True)
    ledger.decide(shares.open_campaign("drop", list(terms), [["A", 10]]), NOW_MS)
    assert sources(ledger, "a", 1, {CAMPAIGN: "drop"}) == {"w1|early": 1}
    ledger.seal()
    ledger.decide(supplies.delay("A", "early", NOW_MS + 3 * HOUR_MS), NOW_MS)
    assert sources(ledger, "b", 1, {CAMPAIGN: "drop"}) == {"w1|late": 1}
    ledger.take_back(None)
    assert sources(ledger, "c", 1, {CAMPAIGN: "drop"}) == {"w1|early": 1}


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.booleans())
def test_an_order_is_what_it_would_be_if_it_were_made_now(
    chance: random.Random, fullest: bool
) -> None:
    """Units come and go; only coming is said, and only to orders that must hear it."""
    ledger = stocked_ledger({"A": dict.fromkeys(("w0", "w1", "w2", "w3"), 3)})
    book = ledger.books["A"]
    for _ in range(600):
        position = book.positions[f"w{chance.randrange(4)}"]
        change = chance.randint(-2, 2)
        position.reserved -= change
        if change > 0:
            rose(position)
        if chance.random() < 0.5:
            need, most = chance.randint(1, 3), chance.randint(1, 4)
            make = partial(Order, book, by_priority, for_everybody, need, fullest=fullest)
            found = order_of(book, (need,), make).first(ON_HAND_MAX, most)
            there = [(-for_everybody(at) * fullest, at.slot) for at in book.here()
                     if for_everybody(at) >= need]  # fmt: skip
            assert [at.slot for _, at, _ in found] == [slot for _, slot in sorted(there)[:most]]
    assert len(book.risen) <= 5 * len(book.positions) + 64


@pytest.mark.parametrize("pool", [[], ["s001"]])
@pytest.mark.parametrize("places", [3, 40])
def test_a_channel_draws_on_its_pool_alone(pool: list[str], places: int) -> None:
    """Also when the pool is empty, and however often it asks."""
    ledger = sending([5] * places)
    channel = {"pool": "some", "anonymous_hold_seconds": 0, "late_payment": None}
    ledger.decide(network.define({"p|some": pool, "h|live": channel}), NOW_MS)
    for number in range(3):
        assert sources(ledger, f"k{number}", 1, LIVE) == dict.fromkeys(pool, 1)
