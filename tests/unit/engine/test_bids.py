"""Bid prices: they come whole or not at all, steer the choice, and stand in what was decided."""

from typing import Any

from engine.commands import Command, bids, network
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import COSTS, ZONE, Reservation
from engine.store.memory import MemoryServer, MemoryStore
from tests.builders import NOW_MS, Owner, founding, reserve, run, stocked_ledger

NORTH: dict[str, Any] = {ZONE: "north"}


def sending(*skus: str) -> Ledger:
    """Ten units of each SKU in each of two places; near sends for 300 cents, far for 500."""
    ledger = stocked_ledger({sku: {"near": 10, "far": 10} for sku in skus or ("A",)})
    lanes: list[list[Any]] = [
        ["near", "north", 300, 0, 1, None, []],
        ["far", "north", 500, 0, 1, None, []],
    ]
    assert ledger.decide(network.define_lanes(lanes), NOW_MS)[0] == Outcome.OK
    ledger.seal()
    return ledger


def put(ledger: Ledger, *asked: Command) -> None:
    """Bring prices, as accepted by the store."""
    for command in asked:
        assert ledger.decide(command, NOW_MS)[0] == Outcome.OK
    sealed = ledger.seal()
    if sealed is not None:
        ledger.accepted(sealed)


def decided(ledger: Ledger, key: str, *wanted: tuple[str, int]) -> dict[str, list[Any]]:
    """The costs of a new hold's backings."""
    reply = ledger.decide(reserve(key, *wanted, **NORTH), NOW_MS)
    assert reply[0] == Outcome.OK
    costs: dict[str, list[Any]] = Reservation(reply[1]).extra[COSTS]
    return {at: [fixed, by_weight, *rest] for at, (_, fixed, by_weight, *rest) in costs.items()}


def test_a_unit_that_others_need_more_is_left_to_them() -> None:
    """The price of a unit counts for each of them, and is no part of what it costs."""
    ledger = sending()
    assert decided(ledger, "a", ("A", 1)) == {"A|near": [300, 0]}
    put(ledger, bids.price(7, 0, 1, {}, {"A": {"near": 150}}))
    assert decided(ledger, "b", ("A", 1)) == {"A|near": [300, 0, 150, 7]}
    assert decided(ledger, "c", ("A", 2)) == {"A|far": [500, 0, 0, 7]}


def test_a_node_that_is_busy_is_left_to_those_who_have_no_other() -> None:
    """The price of a parcel counts once, however many units are in it."""
    ledger = sending()
    put(ledger, bids.price(7, 0, 1, {"near": 201}, {}))
    assert decided(ledger, "a", ("A", 5)) == {"A|far": [500, 0, 0, 7]}
    put(ledger, bids.price(8, 0, 1, {"near": 199}, {}))
    assert decided(ledger, "b", ("A", 5)) == {"A|near": [300, 0, 199, 8]}


def test_the_next_prices_take_the_place_of_all_before() -> None:
    """What is not named has no price any more; older prices change nothing."""
    ledger = sending("A", "B")
    put(ledger, bids.price(7, 0, 1, {"near": 10}, {"A": {"near": 500}, "B": {"near": 500}}))
    put(ledger, bids.price(8, 0, 1, {}, {"B": {"near": 400}}))
    put(ledger, bids.price(7, 0, 1, {"near": 10}, {"A": {"near": 500}}))
    reply = ledger.decide(bids.read_bids(["A", "B", "C"]), NOW_MS)
    assert reply == [Outcome.OK, 8, {}, {"A": {}, "B": {"near": 400}}, 1]
    assert decided(ledger, "a", ("A", 1)) == {"A|near": [300, 0, 0, 8]}


def test_parts_count_from_the_last_one_on() -> None:
    """Nothing is in force before; where one was lost, the last one puts nothing in force."""
    ledger = sending("A", "B")
    put(ledger, bids.price(7, 0, 2, {}, {"A": {"near": 500}}))
    assert decided(ledger, "a", ("A", 1)) == {"A|near": [300, 0]}
    put(ledger, bids.price(7, 1, 2, {}, {"B": {"near": 500}, "unknown": {"near": 1}}))
    assert decided(ledger, "b", ("A", 1), ("B", 1)) == {
        "A|far": [500, 0, 0, 7],
        "B|far": [500, 0, 0, 7],
    }
    assert ledger.decide(bids.price(8, 1, 2, {}, {}), NOW_MS)[0] == Outcome.GAP


def test_prices_that_the_store_refuses_are_taken_back() -> None:
    """With the order of places that rested on them."""
    ledger = sending()
    ledger.decide(bids.price(7, 0, 1, {"near": 201}, {"A": {"near": 1}}), NOW_MS)
    ledger.take_back(None)
    assert ledger.decide(bids.read_bids(["A"]), NOW_MS) == [Outcome.OK, 0, {}, {"A": {}}, 0]
    assert decided(ledger, "a", ("A", 1)) == {"A|near": [300, 0]}


def test_another_owner_has_the_same_prices() -> None:
    """They are in the store as soon as they are in force."""

    async def play() -> None:
        store = MemoryStore(MemoryServer(1))
        first = await Owner.of(store)
        await first.do(*founding({"A": {"near": 10}}))
        await first.do(bids.price(7, 0, 1, {"near": 201}, {"A": {"near": 20}}))
        second = await Owner.of(store, epoch=2)
        told = await second.do(bids.read_bids(["A"]))
        assert told == [[Outcome.OK, 7, {"near": 201}, {"A": {"near": 20}}, 1]]
        await second.do(bids.price(8, 0, 1, {}, {}))
        third = await Owner.of(store, epoch=3)
        assert await third.do(bids.read_bids(["A"])) == [[Outcome.OK, 8, {}, {"A": {}}, 0]]

    run(play())


def test_a_basket_leaves_together_unless_its_units_are_worth_more_to_others() -> None:
    """One parcel for both lines, at the node where both cost least together."""
    ledger = sending("A", "B")
    assert decided(ledger, "a", ("A", 1), ("B", 1)) == {"A|near": [300, 0], "B|near": [300, 0]}
    put(ledger, bids.price(7, 0, 1, {}, {"A": {"near": 1000}}))
    assert decided(ledger, "b", ("A", 1), ("B", 1)) == {
        "A|far": [500, 0, 0, 7],
        "B|far": [500, 0, 0, 7],
    }
