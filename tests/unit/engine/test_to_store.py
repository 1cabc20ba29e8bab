"""A pickup at a store that has none: units come by a transfer, counted at one place at any time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands
from engine.commands import Command, Reply, network, supplies
from engine.ids import digest
from engine.lanes import HOUR_MS
from engine.ledger import Ledger
from engine.limits import SUPPLY_KEPT_MS
from engine.outcome import Outcome
from engine.record import CHANNEL, COSTS, DELIVER_BY, PICKUP, Reservation, Status
from engine.stock import ON_ITS_WAY
from tests.builders import NOW_MS, WAREHOUSE, counters, reserve, stocked_ledger

NODES: dict[str, dict[str, Any]] = {
    "s": {**WAREHOUSE, "zone": "z", "handling_hours": 1},
    "near": {**WAREHOUSE, "zone": "n"},
    "far": {**WAREHOUSE, "zone": "f"},
}
#: The far one sends for less, and takes two days instead of one.
LANES: list[list[Any]] = [
    ["near", "z", 500, 0, 24 * HOUR_MS, None, []],
    ["far", "z", 300, 0, 48 * HOUR_MS, None, []],
    ["s", "z", 1, 0, HOUR_MS, None, []],
]


def shop(here: int = 0, near: int = 5, far: int = 5) -> Ledger:
    stock = {"A": {"s": here, "near": near, "far": far}, "B": {"s": 1}}
    ledger = stocked_ledger(stock, NODES)
    assert ledger.decide(network.define_lanes(LANES), NOW_MS)[0] == Outcome.OK
    ledger.seal()
    return ledger


def order(key: str, *wanted: Any, **extra: Any) -> Command:
    return reserve(key, *(wanted or [("A", 1, "s")]), **{PICKUP: True, **extra})


def made(reply: Reply) -> Reservation:
    assert reply[0] == Outcome.OK, reply
    return Reservation(reply[1])


def transfer(reservation: Reservation) -> str:
    """The id of the transfer that its first line stands on."""
    node, mark, supply = str(reservation.lines[0][-2]).partition(ON_ITS_WAY)
    assert (node, bool(mark)) == ("s", True), reservation.lines
    return supply


def on_hand(ledger: Ledger) -> dict[str, int]:
    return {at.node: at.on_hand for at in ledger.books["A"].here()}


def come(ledger: Ledger, supply: str, now_ms: int = NOW_MS) -> Reply:
    """All of it has arrived."""
    told = ledger.decide(supplies.read_supply("A", supply), now_ms)
    if told[0] != Outcome.OK:
        return told
    asked = supplies.receive("A", supply, "r", digest([], 0, None), told[1][5], final=True)
    return ledger.decide(asked, now_ms)


def test_the_cheapest_node_sends_and_the_date_is_that_of_the_transfer() -> None:
    ledger = shop()
    reservation = made(ledger.decide(order("k"), NOW_MS))
    assert reservation.extra[COSTS] == {
        f"A|{reservation.lines[0][-2]}": [NOW_MS + 49 * HOUR_MS, 0, 0]
    }
    assert on_hand(ledger) == {"s": 0, "near": 5, "far": 4}
    told = ledger.decide(supplies.read_supply("A", transfer(reservation)), NOW_MS)
    assert told[1][1:9] == ["transfer", "A", "s", "far", 1, 0, 1, NOW_MS + 48 * HOUR_MS]
    assert ledger.decide(supplies.find_supply(told[1][0]), NOW_MS) == [Outcome.OK, "A"]


@pytest.mark.parametrize(("hours", "origin"), [(60, "far"), (30, "near"), (20, None)])
def test_it_comes_in_time_or_not_at_all(hours: int, origin: str | None) -> None:
    ledger = shop()
    reply = ledger.decide(order("k", **{DELIVER_BY: NOW_MS + hours * HOUR_MS}), NOW_MS)
    if origin is None:
        assert reply == [Outcome.SHORT, [["A", "s", 1, 0]], True]
    else:
        assert on_hand(ledger)[origin] == 4


def test_a_node_of_other_channels_sends_nothing_and_stands_in_nobodys_way() -> None:
    ledger = shop()
    far = {"n|far": {**NODES["far"], "channels": ["live"]}}
    assert ledger.decide(commands.take_network(2, 3, far), NOW_MS)[0] == Outcome.OK
    ledger.decide(order("k"), NOW_MS)
    ledger.decide(order("l", **{CHANNEL: "live"}), NOW_MS)
    assert on_hand(ledger) == {"s": 0, "near": 4, "far": 4}


def test_only_what_the_store_lacks_is_sent() -> None:
    ledger = shop(here=2)
    line = made(ledger.decide(order("k", ("A", 3, "s")), NOW_MS)).lines[0]
    assert (line[3:5], line[6]) == (["s", 2], 1)
    assert ledger.decide(order("l", ("A", 6, "s")), NOW_MS)[0] == Outcome.SHORT


def test_nothing_is_sent_for_what_is_shipped_or_without_a_lane() -> None:
    ledger = shop()
    assert ledger.decide(reserve("k", ("A", 1, "s")), NOW_MS)[0] == Outcome.SHORT
    bare = stocked_ledger({"A": {"s": 0, "near": 5}}, NODES)
    assert bare.decide(order("k"), NOW_MS)[0] == Outcome.SHORT


@pytest.mark.parametrize("ends", [
    lambda ledger: ledger.decide(commands.release("k"), NOW_MS),
    lambda ledger: ledger.decide(commands.expire(["k"]), NOW_MS + 2 * HOUR_MS),
], ids=["given back", "not paid"])  # fmt: skip
def test_an_unpaid_one_is_called_back(ends: Any) -> None:
    ledger = shop()
    supply = transfer(made(ledger.decide(order("k"), NOW_MS)))
    ends(ledger)
    assert on_hand(ledger) == {"s": 0, "near": 5, "far": 5}
    told = ledger.decide(supplies.read_supply("A", supply), NOW_MS)[1]
    assert (told[9], told[7]) == ("cancelled", 0)
    later_ms = NOW_MS + SUPPLY_KEPT_MS + 3 * HOUR_MS
    assert ledger.decide(supplies.forget_supply("A", supply), later_ms) == [Outcome.OK]
    assert ledger.decide(supplies.find_supply(supply), later_ms)[0] == Outcome.UNKNOWN_SUPPLY


def test_what_nobody_collects_is_on_sale_where_it_has_arrived() -> None:
    ledger = shop()
    supply = transfer(made(ledger.decide(order("k"), NOW_MS)))
    ledger.decide(commands.confirm("k"), NOW_MS)
    assert come(ledger, supply)[0] == Outcome.OK
    arrived = made(ledger.decide(commands.read("k"), NOW_MS))
    assert (arrived.lines[0][3:], arrived.status) == (["s", 1], Status.CONFIRMED)
    late_ms = NOW_MS + (49 + 72) * HOUR_MS
    assert ledger.decide(commands.expire(["k"]), late_ms) == [Outcome.OK, 1]
    assert on_hand(ledger) == {"s": 1, "near": 5, "far": 4}
    assert ledger.books["A"].positions["s"].sellable == 1


def test_a_paid_one_that_is_cancelled_goes_on_to_the_store() -> None:
    ledger = shop()
    supply = transfer(made(ledger.decide(order("k"), NOW_MS)))
    ledger.decide(commands.confirm("k"), NOW_MS)
    ledger.decide(commands.cancel("k"), NOW_MS)
    come(ledger, supply)
    assert on_hand(ledger) == {"s": 1, "near": 5, "far": 4}


def test_a_basket_that_falls_short_has_sent_nothing() -> None:
    ledger = shop()
    before = counters(ledger)
    assert ledger.decide(order("k", ("A", 1, "s"), ("B", 2, "s")), NOW_MS)[0] == Outcome.SHORT
    assert (counters(ledger), ledger.supply_names) == (before, {})
    assert ledger.seal() is None


def test_a_batch_that_is_taken_back_has_sent_nothing() -> None:
    ledger = shop()
    before = counters(ledger)
    ledger.decide(order("k"), NOW_MS)
    ledger.decide(order("l"), NOW_MS)
    ledger.take_back(None)
    assert (counters(ledger), ledger.supply_names) == (before, {})


def test_a_piece_that_is_dropped_is_called_back() -> None:
    ledger = shop()
    ledger.decide(
        commands.take("001.k", b"1" * 16, 1, [["A", "s", 1]], {PICKUP: True}, None), NOW_MS
    )
    assert on_hand(ledger)["far"] == 4
    ledger.decide(commands.drop("001.k", b"1" * 16), NOW_MS)
    assert on_hand(ledger) == {"s": 0, "near": 5, "far": 5}


steps = st.lists(
    st.tuples(st.sampled_from(["order", "confirm", "release", "expire", "cancel", "come"]),
              st.integers(0, 5), st.integers(1, 3)),
    max_size=30,
)  # fmt: skip


@given(steps, st.integers(0, 3), st.integers(0, 4), st.integers(0, 4))
def test_no_unit_is_lost_or_counted_twice(
    script: list[tuple[str, int, int]], here: int, near: int, far: int
) -> None:
    """Whatever is ordered, paid, given up and received, in any order."""
    ledger, sent = shop(here, near, far), list[str]()
    for number, (what, which, units) in enumerate(script):
        now_ms, key = NOW_MS + number, f"k{which}"
        match what:
            case "order":
                reply = ledger.decide(order(f"k{number}", ("A", units, "s")), now_ms)
                if reply[0] == Outcome.OK and ON_ITS_WAY in Reservation(reply[1]).lines[0][-2]:
                    sent.append(transfer(Reservation(reply[1])))
            case "come":
                for supply in sent[which : which + 1]:
                    come(ledger, supply, now_ms)
            case "expire":
                ledger.decide(commands.expire([key]), now_ms + HOUR_MS)
            case _:
                ledger.decide(getattr(commands, what)(key), now_ms)
        if number % 3 == 2:
            ledger.take_back(None) if units == 1 else ledger.seal()
        book = ledger.books["A"]
        assert all(at.free >= 0 or at.supply is not None for at in book.positions.values())
        promised = sum(at.reserved + at.committed for at in book.positions.values())
        standing = sum(
            units
            for record in ledger.reservations.values()
            if Reservation(record).status in (Status.HELD, Status.CONFIRMED)
            for _, _, units in Reservation(record).backings()
        )
        assert promised == standing
        assert sum(at.on_hand for at in book.positions.values()) == here + near + far
