"""Promises moved from node to node: whole or not at all, and only as the mover saw them."""

import random
from typing import Any

from engine import commands
from engine.commands import moving, network
from engine.commands.shares import set_quota
from engine.ledger import Ledger
from engine.moving import revision
from engine.outcome import Outcome
from engine.record import CHANNEL, PICKUP, ZONE, Reservation
from tests.builders import NOW_MS, counters, fulfil, reserve, stocked_ledger
from tests.property.test_warehouse import check

NORTH: dict[str, Any] = {ZONE: "north"}
STOCK = {"A": {"w1": 9, "w2": 5, "w3": 1}, "B": {"w1": 4, "w2": 4}}


def confirmed(ledger: Ledger, key: str, *wanted: Any, **extra: Any) -> bytes:
    """The record of a new order."""
    assert ledger.decide(reserve(key, *wanted, **{**NORTH, **extra}), NOW_MS)[0] == 0
    reply = ledger.decide(commands.confirm(key), NOW_MS)
    assert reply[0] == Outcome.OK
    return ledger.reservations[key]


def move(ledger: Ledger, key: str, record: bytes, *rows: Any) -> int:
    """The outcome of one order's move."""
    reply = ledger.decide(moving.move([(key, revision(record), list(rows))]), NOW_MS)
    assert reply[0] == Outcome.OK
    return int(reply[1][0])


def test_units_stand_elsewhere_and_nothing_else_changes() -> None:
    ledger = stocked_ledger(STOCK)
    record = confirmed(ledger, "k", ("A", 3), ("B", 2))
    assert move(ledger, "k", record, ("A", "w1", "w2", 3), ("B", "w1", "w2", 1)) == Outcome.OK
    assert Reservation(ledger.reservations["k"]).lines == [
        ["A", None, 3, "w2", 3],
        ["B", None, 2, "w2", 1, "w1", 1],
    ]
    assert counters(ledger)["A|w1"][3] == 0
    assert counters(ledger)["A|w2"][3] == 3
    check(ledger)


def test_a_move_of_what_has_changed_is_stale() -> None:
    ledger = stocked_ledger(STOCK)
    record = confirmed(ledger, "k", ("A", 3))
    ledger.decide(fulfil("k", "p-1", ("A", "w1", 1)), NOW_MS)
    before = counters(ledger)
    assert move(ledger, "k", record, ("A", "w1", "w2", 3)) == Outcome.STALE
    # As it is now: two units are left there to move.
    now = ledger.reservations["k"]
    assert move(ledger, "k", now, ("A", "w1", "w2", 3)) == Outcome.STALE
    assert counters(ledger) == before
    assert move(ledger, "k", now, ("A", "w1", "w2", 2)) == Outcome.OK
    assert move(ledger, "none", now, ("A", "w1", "w2", 2)) == Outcome.STALE
    check(ledger)


def test_no_node_is_promised_beyond_what_it_has_and_all_moves_or_none() -> None:
    ledger = stocked_ledger(STOCK)
    record = confirmed(ledger, "k", ("A", 6), ("B", 2))
    before = counters(ledger)
    both = ("B", "w1", "w2", 2), ("A", "w1", "w3", 2)
    assert move(ledger, "k", record, *both) == Outcome.SHORT
    assert move(ledger, "k", record, ("B", "w1", "w9", 2)) == Outcome.STALE
    assert counters(ledger) == before


def test_two_orders_change_places_where_neither_could_move_alone() -> None:
    ledger = stocked_ledger({"A": {"w1": 1, "w2": 1}})
    one, two = confirmed(ledger, "one", ("A", 1, "w1")), confirmed(ledger, "two", ("A", 1, "w2"))
    assert move(ledger, "one", one, ("A", "w1", "w2", 1)) == Outcome.SHORT
    swap = [
        ("one", revision(one), [("A", "w1", "w2", 1)]),
        ("two", revision(two), [("A", "w2", "w1", 1)]),
        ("two", revision(two), [("A", "w2", "w1", 1)]),
        ("gone", b"", [("A", "w2", "w1", 1)]),
    ]
    reply = ledger.decide(moving.move(swap), NOW_MS)
    assert reply == [Outcome.OK, [Outcome.OK, Outcome.OK, Outcome.STALE, Outcome.STALE]]
    check(ledger)


def test_where_not_all_fit_the_last_to_enter_stay() -> None:
    ledger = stocked_ledger({"A": {"w1": 3, "w2": 1}})
    records = {key: confirmed(ledger, key, ("A", 1, "w1")) for key in ("a", "b", "c")}
    asked = [(key, revision(seen), [("A", "w1", "w2", 1)]) for key, seen in records.items()]
    reply = ledger.decide(moving.move(asked), NOW_MS)
    assert reply == [Outcome.OK, [Outcome.OK, Outcome.SHORT, Outcome.SHORT]]
    check(ledger)


def test_units_to_be_fetched_stay_and_nodes_for_others_are_not_entered() -> None:
    nodes = {"w3": {"kind": "store", "channels": ["shop"]}}
    ledger = stocked_ledger({"A": {"w1": 5, "w2": 5, "w3": 5}}, nodes)
    fetched = confirmed(ledger, "f", ("A", 1, "w2"), **{PICKUP: True})
    assert move(ledger, "f", fetched, ("A", "w2", "w1", 1)) == Outcome.STALE
    record = confirmed(ledger, "k", ("A", 1, "w1"))
    assert move(ledger, "k", record, ("A", "w1", "w3", 1)) == Outcome.STALE


def test_sold_units_of_a_channel_move_and_what_it_has_left_is_not_entered() -> None:
    ledger = stocked_ledger({"A": {"w1": 4, "w2": 4}})
    ledger.decide(set_quota("A", "live", (6, None, 0, None)), NOW_MS)
    record = confirmed(ledger, "k", ("A", 1), **{CHANNEL: "live"})
    origin = Reservation(record).lines[0][3]
    other = "w2" if origin == "w1" else "w1"
    free = ledger.books["A"].positions[other].sellable
    wanted = Outcome.OK if free else Outcome.SHORT
    assert move(ledger, "k", record, ("A", origin, other, 1)) == wanted
    check(ledger)


def test_what_may_be_moved_is_told_in_portions() -> None:
    ledger = stocked_ledger(STOCK)
    for number in range(5):
        confirmed(ledger, f"k{number}", ("A", 1))
    ledger.decide(reserve("held", ("A", 1), **NORTH), NOW_MS)
    ledger.decide(reserve("nowhere", ("A", 1)), NOW_MS)
    ledger.decide(commands.confirm("nowhere"), NOW_MS)
    first = ledger.decide(moving.movable(0, 3, held=False), NOW_MS)
    assert [key for key, _ in first[2:]] == ["k0", "k1", "k2"]
    rest = ledger.decide(moving.movable(first[1], 10, held=False), NOW_MS)
    assert (rest[1], [key for key, _ in rest[2:]]) == (None, ["k3", "k4"])
    both = ledger.decide(moving.movable(0, 10, held=True), NOW_MS)
    assert [key for key, _ in both[2:]][-1] == "held"


def test_random_moves_keep_the_books_and_can_be_taken_back() -> None:
    for seed in range(30):
        rng = random.Random(seed)
        ledger = stocked_ledger(STOCK)
        for number in range(40):
            key = f"k{rng.randrange(8)}"
            before = counters(ledger)
            record = ledger.reservations.get(key)
            if record is None:
                wanted = [("A", rng.randint(1, 3)), ("B", rng.randint(1, 2))][: rng.randint(1, 2)]
                ledger.decide(reserve(key, *wanted, **NORTH), NOW_MS)
            elif rng.random() < 0.3:
                ledger.decide(commands.confirm(key), NOW_MS)
            elif rng.random() < 0.2:
                ledger.decide(fulfil(key, f"p{number}"), NOW_MS)
            else:
                rows = [
                    (line[0], line[3], rng.choice(("w1", "w2", "w3")), rng.randint(1, line[4]))
                    for line in Reservation(record).lines
                ]
                move(ledger, key, record, *rows)
            check(ledger)
            sealed = ledger.seal()
            if sealed is not None and rng.random() < 0.3:
                ledger.take_back(sealed)
                assert counters(ledger) == before
            elif sealed is not None:
                ledger.accepted(sealed)
            check(ledger)


def test_no_move_takes_an_order_out_of_its_channels_pool() -> None:
    ledger = stocked_ledger(STOCK)
    channel = {"pool": "north", "anonymous_hold_seconds": 0, "late_payment": None}
    elements = {"p|north": ["w1", "w3"], "h|web": channel}
    assert ledger.decide(network.define(elements), NOW_MS)[0] == Outcome.OK
    record = confirmed(ledger, "k", ("A", 1), **{CHANNEL: "web"})
    assert move(ledger, "k", record, ("A", "w1", "w2", 1)) == Outcome.STALE
    assert move(ledger, "k", record, ("A", "w1", "w3", 1)) == Outcome.OK
    check(ledger)
