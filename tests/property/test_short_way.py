"""The short way decides what the long way would, to the byte, whatever came before."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from engine import holds
from engine.commands import bids, network
from engine.ledger import Ledger
from engine.record import CUSTOMER, DELIVER_BY, PARTIAL, ZONE
from tests.builders import NOW_MS, WAREHOUSE, counters, reserve, stocked_ledger

_HOUR_MS = 3_600_000
NODES = [f"n{number:02d}" for number in range(20)]
#: Units, cents a parcel, hours of handling, hours on the way, cents a parcel is worth to others.
Stocked: TypeAlias = tuple[int, int, int, int, int]
#: Units, hours until it is wanted, whether a part will do, and whose it is.
Asked: TypeAlias = tuple[int, int | None, bool, str | None]

places = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(1, 40),
        st.integers(0, 3),
        st.sampled_from([0, 5, 30]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=len(NODES),  # More than a few are kept in order, a few are looked through.
)
requests = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.none() | st.integers(1, 60),
        st.booleans(),
        st.sampled_from([None, "c1", "c2"]),
    ),
    max_size=25,
)


def shop(stocked: Sequence[Stocked]) -> Ledger:
    """A SKU at nodes."""
    named = dict(zip(NODES, stocked, strict=False))
    nodes = {
        name: {**WAREHOUSE, "handling_hours": handling, "settlement_cents": 0}
        for name, (_, _, handling, _, _) in named.items()
    }
    ledger = stocked_ledger({"A": {name: place[0] for name, place in named.items()}}, nodes)
    lanes: list[list[Any]] = [
        [name, "z", cents, 0, transit * _HOUR_MS, None, []]
        for name, (_, cents, _, transit, _) in named.items()
    ]
    ledger.decide(network.define_lanes(lanes), NOW_MS)
    worth = {name: place[4] for name, place in named.items()}
    ledger.decide(bids.price(1, 0, 1, worth, {}), NOW_MS)
    return ledger


def ask(ledger: Ledger, asked: Sequence[Asked]) -> list[Any]:
    replies = []
    for number, (units, hours, partial, customer) in enumerate(asked):
        extra: dict[str, Any] = {ZONE: "z"}
        if hours is not None:
            extra[DELIVER_BY] = NOW_MS + hours * _HOUR_MS
        if partial:
            extra[PARTIAL] = True
        if customer is not None:
            extra[CUSTOMER] = customer
        replies.append(ledger.decide(reserve(f"k{number}", ("A", units), **extra), NOW_MS + number))
    return replies


@given(places, requests)
def test_to_a_destination_by_a_date_both_ways_decide_alike(
    stocked: Sequence[Stocked], asked: Sequence[Asked]
) -> None:
    short, long = shop(stocked), shop(stocked)
    told = ask(short, asked)
    with mock.patch.object(holds, "reserve_short", return_value=None):
        assert ask(long, asked) == told
    assert counters(short) == counters(long)
    assert short.reservations == long.reservations
