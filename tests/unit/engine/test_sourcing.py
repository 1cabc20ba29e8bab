"""Which nodes serve a line: by priority, then most sellable, then id; fast and slow ways agree."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.demand import PLAIN
from engine.outcome import Outcome
from engine.record import CHANNEL, Reservation
from engine.sourcing import choose
from tests.builders import NOW_MS, WAREHOUSE, counters, reserve, reserve_partly, stocked_ledger


def node(priority: int = 100, *channels: str) -> dict[str, object]:
    """A warehouse of that priority, for those channels."""
    return {**WAREHOUSE, "priority": priority, "channels": list(channels)}


@pytest.mark.parametrize(("stock", "nodes", "units", "backings"), [
    ({"w1": 5, "w2": 9}, {"w1": node(1)}, 3, ["w1", 3]),
    ({"w1": 5, "w2": 9}, {}, 3, ["w2", 3]),
    ({"w2": 5, "w1": 5}, {}, 3, ["w1", 3]),
    ({"w1": 5, "w2": 9}, {"w1": node(1)}, 7, ["w1", 5, "w2", 2]),
    ({"w1": 1, "w2": 2, "w3": 4}, {}, 7, ["w3", 4, "w2", 2, "w1", 1]),
    ({"w1": 5, "w2": 9}, {"w2": node(1, "live")}, 3, ["w1", 3]),
], ids=["priority first", "most sellable", "then by id", "the rest elsewhere", "all there is",
        "not of another channel"])  # fmt: skip
def test_nodes_are_taken_in_the_order_of_the_contract(
    stock: dict[str, int], nodes: dict[str, dict[str, object]], units: int, backings: list[object]
) -> None:
    """Smaller priority first, then the fuller node, then the smaller id."""
    ledger = stocked_ledger({"A": stock}, nodes)
    reply = ledger.decide(reserve("k", ("A", units)), NOW_MS)
    assert Reservation(reply[1]).lines == [["A", None, units, *backings]]


def test_a_wish_binds() -> None:
    """Units from there or none."""
    ledger = stocked_ledger({"A": {"w1": 1, "w2": 9}})
    reply = ledger.decide(reserve("k", ("A", 2, "w1")), NOW_MS)
    assert reply == [Outcome.SHORT, [["A", "w1", 2, 1]], False]


def test_lines_with_a_node_are_served_first() -> None:
    """Whatever their place in the request; the answer keeps that place."""
    ledger = stocked_ledger({"A": {"w1": 4, "w2": 3}})
    reply = ledger.decide(reserve("k", ("A", 3), ("A", 4, "w1")), NOW_MS)
    assert Reservation(reply[1]).lines == [["A", None, 3, "w2", 3], ["A", "w1", 4, "w1", 4]]


def test_a_node_serves_the_channels_it_names() -> None:
    """A request of the channel may use it, and one that wishes for it without may not."""
    ledger = stocked_ledger({"A": {"w1": 5}}, {"w1": node(1, "live")})
    assert ledger.decide(reserve("a", ("A", 1)), NOW_MS)[0] == Outcome.SHORT
    assert ledger.decide(reserve("b", ("A", 1, "w1")), NOW_MS)[0] == Outcome.SHORT
    live: dict[str, Any] = {CHANNEL: "live"}
    assert ledger.decide(reserve("c", ("A", 1), **live), NOW_MS)[0] == Outcome.OK


def test_the_short_way_and_the_long_way_sell_the_same_units() -> None:
    """One node: single lines take a short way that keeps no order of nodes, baskets do not."""
    ledger = stocked_ledger({"A": {"w1": 10}, "B": {"w1": 10}})
    for number in range(5):
        assert ledger.decide(reserve(f"a{number}", ("A", 1)), NOW_MS)[0] == Outcome.OK
        basket = reserve(f"b{number}", ("A", 1), ("B", 1))
        assert ledger.decide(basket, NOW_MS)[0] == Outcome.OK
    assert ledger.decide(reserve("last", ("A", 1)), NOW_MS)[0] == Outcome.SHORT


def test_partial_grants_what_there_is_and_refuses_when_there_is_nothing() -> None:
    """Empty lines stay with no backing; only if all are empty the answer is no."""
    ledger = stocked_ledger({"A": {"w1": 2}, "B": {"w1": 0}})
    reply = ledger.decide(reserve_partly("k", ("A", 5), ("B", 1)), NOW_MS)
    assert Reservation(reply[1]).lines == [["A", None, 5, "w1", 2], ["B", None, 1]]
    reply = ledger.decide(reserve_partly("l", ("A", 5), ("B", 1)), NOW_MS)
    assert reply == [Outcome.SHORT, [["A", None, 5, 0], ["B", None, 1, 0]], False]


def test_a_refusal_takes_nothing_and_names_every_short_line() -> None:
    """All or nothing; sold out is said of a single line without anything left."""
    ledger = stocked_ledger({"A": {"w1": 2}, "B": {"w1": 3}, "C": {"w1": 0}})
    before = counters(ledger)
    reply = ledger.decide(reserve("k", ("C", 1), ("B", 3), ("A", 5)), NOW_MS)
    assert reply == [Outcome.SHORT, [["C", None, 1, 0], ["A", None, 5, 2]], False]
    assert counters(ledger) == before
    assert ledger.decide(reserve("l", ("C", 1)), NOW_MS) == [
        Outcome.SHORT, [["C", None, 1, 0]], True,
    ]  # fmt: skip
    assert ledger.seal() is None


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=25),
    st.randoms(use_true_random=False),
)
def test_the_heap_chooses_as_a_scan_of_all_nodes_would(
    places: list[tuple[int, int]], steps: list[tuple[int, bool]], chance: random.Random
) -> None:
    """Entries that stopped being true are skipped, however often units came and went."""
    stock = {f"n{number}": units for number, (_, units) in enumerate(places)}
    nodes = {f"n{number}": node(priority) for number, (priority, _) in enumerate(places)}
    ledger = stocked_ledger({"A": stock}, nodes)
    book = ledger.books["A"]
    for units, gives_back in steps:
        order = sorted(
            (position.place.priority, -position.sellable, name)
            for name, position in book.positions.items()
            if position.sellable
        )
        expected, left = [], units
        for _, negative, name in order:
            if left:
                expected.append((name, min(left, -negative)))
                left -= expected[-1][1]
        chosen = choose(book, units, PLAIN)
        assert [(position.node, part) for position, part in chosen] == expected
        if chance.random() < 0.7:
            for position, part in chosen:
                ledger.hold(position, part)
        held = [position for position in book.positions.values() if position.reserved]
        if gives_back and held:
            ledger.hold(chance.choice(held), -1)
