"""Lines of one order: from the nodes that cost least together, as trying all of them finds."""

from itertools import combinations
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import together
from engine.commands import bids, network
from engine.ledger import Ledger
from engine.limits import SPLIT_CENTS
from engine.outcome import Outcome
from engine.record import ZONE, Reservation
from tests.builders import NOW_MS, reserve, stocked_ledger

NORTH: dict[str, Any] = {ZONE: "north"}
NODES = ("n0", "n1", "n2", "n3", "n4")
cents = st.integers(0, 900)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Stock of some SKUs, what lanes cost, and prices."""
    skus = [f"s{at}" for at in range(draw(st.integers(2, 4)))]
    return {
        "stock": {sku: {node: draw(st.integers(0, 3)) for node in NODES} for sku in skus},
        "fixed": {node: draw(cents) for node in NODES},
        "settlement": {node: draw(cents) for node in NODES},
        "parcels": {node: draw(cents) for node in NODES},
        "units": {sku: {node: draw(cents) for node in NODES} for sku in skus},
        "wanted": {sku: draw(st.integers(1, 2)) for sku in skus},
    }


def ledger_of(world: dict[str, Any]) -> Ledger:
    """A ledger where all that is so."""
    nodes = {
        node: {"kind": "dealer", "settlement_cents": world["settlement"][node]} for node in NODES
    }
    ledger = stocked_ledger(world["stock"], nodes)
    lanes: list[list[Any]] = [
        [node, "north", fixed, 0, 1, None, []] for node, fixed in world["fixed"].items()
    ]
    ledger.decide(network.define_lanes(lanes), NOW_MS)
    ledger.decide(bids.price(1, 0, 1, world["parcels"], world["units"]), NOW_MS)
    return ledger


def cost(world: dict[str, Any], places: dict[str, str]) -> float:
    """What an order costs that leaves from these nodes, by the words of the contract."""
    used = set(places.values())
    total: float = sum(world["fixed"][node] + world["parcels"][node] for node in used)
    total += SPLIT_CENTS * len(used)
    for sku, node in places.items():
        units = world["wanted"][sku]
        if world["stock"][sku][node] < units:
            return inf
        total += units * (world["settlement"][node] + world["units"][sku][node])
    return total


def least(world: dict[str, Any]) -> float:
    """The least that any choice of at most three nodes costs."""
    best = inf
    for size in (1, 2, 3):
        for nodes in combinations(NODES, size):
            chosen = {
                sku: min(nodes, key=lambda node: cost(world, {sku: node}) - world["fixed"][node]
                         - world["parcels"][node])
                for sku in world["wanted"]
            }  # fmt: skip
            best = min(best, cost(world, chosen))
    return best


@given(world=worlds())
def test_no_choice_of_three_nodes_is_cheaper(world: dict[str, Any]) -> None:
    """Where three nodes have everything; else each line is served by itself, or nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "NEAR_LOOKED_AT", len(NODES) * len(world["wanted"]))
        _compare(world)


def test_who_has_everything_is_found_behind_many_nearer_places() -> None:
    """The order leaves from there: three parcels cost more."""
    near = {f"m{at}": 5 for at in range(8)}
    stock = {"s0": {**near, "all": 5}, "s1": {**near, "all": 5}, "s2": {"all": 5, "far": 5}}
    ledger = stocked_ledger(stock)
    lanes: list[list[Any]] = [[node, "north", 300, 0, 1, None, []] for node in near]
    lanes += [[node, "north", 420, 0, 1, None, []] for node in ("all", "far")]
    ledger.decide(network.define_lanes(lanes), NOW_MS)
    reply = ledger.decide(reserve("k", ("s0", 1), ("s1", 1), ("s2", 1), **NORTH), NOW_MS)
    assert {line[3] for line in Reservation(reply[1]).lines} == {"all"}


def _compare(world: dict[str, Any]) -> None:
    ledger = ledger_of(world)
    wanted = world["wanted"].items()
    reply = ledger.decide(reserve("k", *wanted, **NORTH), NOW_MS)
    best = least(world)
    if best == inf:
        return
    assert reply[0] == Outcome.OK
    lines = Reservation(reply[1]).lines
    assert all(len(line) == 5 and line[4] == line[2] for line in lines), "whole, from one node"
    assert cost(world, {line[0]: line[3] for line in lines}) == best
