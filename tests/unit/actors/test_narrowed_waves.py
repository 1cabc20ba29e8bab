"""Waves narrowed to what is touched: the hit move, neighbours make room, the rest stays."""

import asyncio
import time
from typing import Any

import pytest

from actors.waves import touching
from actors.waves.problem import WEIGHTS, Wave, build
from actors.waves.touching import Touching
from actors.waves.wave import Report, WaveFailed, run
from engine.commands import network
from engine.record import CHANNEL, CUSTOMER, DELIVER_BY
from solver.problem import NO_STEP, NOWHERE
from tests.builders import adjust
from tests.wave_shop import Shop

DAY_MS = 86_400_000
#: Two zones: ``near`` is cheap for both, ``far`` for the first only.
LANES = {"near": {"z1": 100, "z2": 100}, "far": {"z1": 130, "z2": 900}, "spare": {"z1": 400}}


def report(touched: Touching | None = None, **given: Any) -> Report:
    return Report(**{
        "name": "w-1", "scope": "confirmed", "max_seconds": 3, "dry_run": False,
        "closed_nodes": (), "touching": touched, "trigger": "request", "started_at": 0, **given,
    })  # fmt: skip


def built(shop: Shop, touched: Touching | None = None, closed: tuple[str, ...] = ()) -> Wave:
    return build(shop.gathered(touched), time.time_ns() // 1_000_000, closed)


def names(wave: Wave) -> list[str]:
    return [order.key for order in wave.orders]


def stock(wave: Wave, sku: str, node: str) -> int:
    problem = wave.problem
    return int(problem.stock[problem.skus.index(sku), problem.network.nodes.index(node)])


@pytest.fixture
def shop() -> Shop:
    """``a`` and ``b`` share A, ``b`` and ``c`` share B; ``d`` has nothing in common."""
    made = Shop({sku: {"near": 4, "far": 4} for sku in "ABC"}, LANES)
    made.order("a", "z1", ("A", 1))
    made.order("b", "z1", ("A", 1), ("B", 1))
    made.order("c", "z1", ("B", 2))
    made.order("d", "z1", ("C", 1))
    return made


def test_the_touched_and_their_neighbours_are_planned_the_rest_stays(shop: Shop) -> None:
    wave = built(shop, Touching(reservations=("000.a",)))
    assert (names(wave), wave.hit.sum()) == (["a", "b"], 1)
    assert [order.key for order in shop.gathered(Touching(skus=("C",))).rest] == ["a", "b", "c"]
    # What stays keeps its units: of B two are c's.
    assert (stock(wave, "A", "near"), stock(wave, "B", "near")) == (4, 2)
    assert stock(built(shop), "B", "near") == 4


def test_nodes_and_skus_together_mean_those_units_there(shop: Shop) -> None:
    assert built(shop, Touching(nodes=("near",))).hit.sum() == 4
    assert built(shop, Touching(nodes=("far",))).hit.sum() == 0
    both = built(shop, Touching(nodes=("near",), skus=("C",), reservations=("000.a",)))
    assert (names(both), both.hit.sum()) == (["a", "b", "d"], 2)
    assert names(built(shop, Touching(nodes=("far",), skus=("C",)))) == []


def test_neighbours_are_bounded_and_those_that_share_most_come_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.order("e", "z1", ("A", 1), ("B", 1))
    monkeypatch.setattr(touching, "FREE_MAX", 2)
    assert names(built(shop, Touching(reservations=("000.b",)))) == ["b", "e"]
    assert names(built(shop, Touching(skus=("A", "B")))) == ["a", "b", "c", "e"]  # All are hit.


def test_what_stays_takes_its_room_at_a_node_first() -> None:
    shop = Shop({"A": {"near": 50}, "B": {"near": 50}}, LANES, {"near": {"capacity_per_hour": 1}})
    for number in range(20):
        shop.order(f"a-{number}", "z1", ("A", 1))
    shop.order("b", "z1", ("B", 1))
    near = built(shop).problem.network.nodes.index("near")
    assert built(shop).problem.network.capacity[near] == 24
    assert built(shop, Touching(skus=("B",))).problem.network.capacity[near] == 4
    assert built(shop, Touching(skus=("A",))).problem.network.capacity[near] == 23


def test_a_node_has_room_for_the_hours_that_it_is_open() -> None:
    members = {"capacity_per_hour": 2, "opening": [[[1, 2, 3, 4, 5, 6, 7], 540, 1_020]]}
    shop = Shop({"A": {"near": 50}}, LANES, {"near": members})
    shop.order("a", "z1", ("A", 1))
    near = built(shop).problem.network.nodes.index("near")
    assert built(shop).problem.network.capacity[near] == 16


def test_what_weighs_much_leaves_from_where_its_weight_is_cheap() -> None:
    """A wave weighs lines as the shards do: each by the rate that its own weight reaches."""
    steps = [(1_000, 400), (2_000, 0)]
    lanes = {"near": {"z1": 100}, "far": {"z1": 130}}
    shop = Shop({"A": {"near": 8}}, lanes, steps={"near": steps})
    for key, units in (("light", 1), ("middling", 3), ("heavy", 4)):
        shop.order(key, "z1", ("A", units))
    shop.told(0, adjust(("A", "far", 8, None)))
    far, near = built(shop).problem.network.lane_steps.tolist()
    assert (near, far) == ([list(map(list, steps))], [[[NO_STEP, 0]] * 2])
    told = report()
    asyncio.run(run(shop, told))
    assert [shop.places(key) for key in ("light", "middling", "heavy")] == [
        {("A", "near"): 1},
        {("A", "far"): 3},
        {("A", "near"): 4},
    ]
    assert (told.moved, told.saved_cents) == (1, 100 + 600 - 130)


def test_units_that_are_short_are_not_there(shop: Shop) -> None:
    shop.told(0, adjust(("B", "near", None, 1)))  # Three are promised.
    wave = built(shop, Touching(nodes=("near",), skus=("B",)))
    assert (names(wave), wave.hit.sum()) == (["a", "b", "c"], 2)
    assert stock(wave, "B", "near") == 1
    told = report(Touching(nodes=("near",), skus=("B",)))
    asyncio.run(run(shop, told))
    # One of the two orders leaves; c, whose parcel goes as a whole, costs least to move.
    assert shop.places("c") == {("B", "far"): 2}
    assert shop.places("b") == {("A", "near"): 1, ("B", "near"): 1}
    assert (told.moved, told.saved_cents, told.orders, told.hit_orders) == (1, -30, 3, 2)
    assert not shop.ledgers[0].shortfalls


def test_nobody_who_stands_well_is_left_for_whom_that_would_help() -> None:
    """Of two orders one stands on nothing; the other, dearer, has the only unit there is."""
    shop = Shop({"A": {"near": 1, "far": 1}}, {"near": {"z1": 100}, "far": {"z1": 130, "z2": 900}})
    shop.order("short", "z1", ("A", 1))
    shop.order("well", "z2", ("A", 1))
    assert [*shop.places("short"), *shop.places("well")] == [("A", "near"), ("A", "far")]
    shop.told(0, adjust(("A", "near", None, 0)))
    told = report(Touching(skus=("A",)))
    asyncio.run(run(shop, told))
    assert (told.orders, told.moved, told.refused_moves) == (2, 0, 0)
    assert told.lines_without_place == 1


def test_a_node_that_sends_nothing_is_left_for_where_it_costs_least(shop: Shop) -> None:
    shop.put_node("near", capacity_per_hour=0)
    wave = built(shop, Touching(nodes=("near",)))
    assert (wave.problem.standing == NOWHERE).all()
    assert wave.stood.tolist() == [wave.problem.network.nodes.index("near")] * 5
    told = report(Touching(nodes=("near",)), trigger="outage")
    asyncio.run(run(shop, told))
    assert {node for key in "abcd" for _, node in shop.places(key)} == {"far"}
    assert (told.moved, told.saved_cents, told.lines_without_place) == (4, -120, 0)


def test_days_late_are_told_before_and_after() -> None:
    """The order was promised for two days before the parcel from ``slow`` comes."""
    shop = Shop(
        {"A": {"slow": 1}}, {"slow": {"z1": 100}, "fast": {"z1": 120}},
        {"slow": {"handling_hours": 49}},
    )  # fmt: skip
    by_ms = time.time_ns() // 1_000_000 + DAY_MS + 3_600_000
    shop.order("a", "z1", ("A", 1), **{DELIVER_BY: by_ms})
    shop.told(0, adjust(("A", "fast", 1)))
    told = report(Touching(skus=("A",)))
    asyncio.run(run(shop, told))
    assert shop.places("a") == {("A", "fast"): 1}
    assert told.late_days_before == pytest.approx(2.0, abs=0.01)
    assert told.late_days_after == 0.0
    assert told.saved_cents == 2 * WEIGHTS.lateness_day - 20


def test_a_dry_run_says_what_it_would_bring_and_a_refused_move_brings_nothing(shop: Shop) -> None:
    told = report(None, dry_run=True, closed_nodes=("near",))
    asyncio.run(run(shop, told))
    assert (told.moved, told.saved_cents, told.hit_orders) == (0, -120, None)
    assert shop.places("a") == {("A", "near"): 1}


def test_unknown_nodes_are_named() -> None:
    shop = Shop({}, LANES)
    for given, text in (
        ({"closed_nodes": ("none",)}, "closed_nodes: no node none"),
        ({"touching": Touching(nodes=("far", "none"))}, "touching.nodes: no node none"),
    ):
        with pytest.raises(WaveFailed, match=text):
            asyncio.run(run(shop, report(**given)))


def test_a_line_that_no_node_has_whole_leaves_from_several() -> None:
    """Its node has closed; the fullest serve it, in as few parcels as can be."""
    lanes = {"old": {"z1": 90}, "n1": {"z1": 100}, "n2": {"z1": 100}, "n3": {"z1": 100}}
    shop = Shop({"A": {"old": 6}}, lanes)
    shop.order("a", "z1", ("A", 6))
    shop.told(0, adjust(("A", "n1", 1), ("A", "n2", 4), ("A", "n3", 3)))
    wave = built(shop, closed=("old",))
    assert wave.problem.orders.quantity.tolist() == [4, 2]
    asyncio.run(run(shop, report(closed_nodes=("old",))))
    assert shop.places("a") == {("A", "n2"): 4, ("A", "n3"): 2}


def test_what_is_nowhere_stays_and_the_rest_of_its_line_moves() -> None:
    shop = Shop({"A": {"old": 6}}, {"old": {"z1": 90}, "n1": {"z1": 100}})
    shop.order("a", "z1", ("A", 6))
    shop.told(0, adjust(("A", "n1", 4)))
    told = report(closed_nodes=("old",))
    asyncio.run(run(shop, told))
    assert shop.places("a") == {("A", "old"): 2, ("A", "n1"): 4}
    assert (told.moved, told.lines_without_place) == (1, 1)


def merged(shop: Shop) -> Report:
    """What a wave did that merges orders."""
    told = report(merge_orders=True)
    asyncio.run(run(shop, told))
    return told


def test_orders_of_one_customer_leave_in_one_parcel() -> None:
    """Apart each is where it costs least; together the second parcel is saved."""
    lanes = {"n1": {"z1": 300, "z2": 300}, "n2": {"z1": 310, "z2": 310}}
    shop = Shop({"A": {"n1": 5, "n2": 5}, "B": {"n2": 5}}, lanes)
    shop.order("a", "z1", ("A", 1), **{CUSTOMER: "c1"})
    shop.order("b", "z1", ("B", 1), **{CUSTOMER: "c1"})
    shop.order("other", "z1", ("A", 1), **{CUSTOMER: "c2"})
    shop.order("elsewhere", "z2", ("A", 1), **{CUSTOMER: "c1"})
    shop.order("nobody", "z1", ("A", 1))
    alone = report()
    asyncio.run(run(shop, alone))
    assert (alone.moved, shop.places("a")) == (0, {("A", "n1"): 1})
    told = merged(shop)
    assert (told.orders, told.moved) == (5, 1)
    assert shop.places("a") == {("A", "n2"): 1}
    for key in ("other", "elsewhere", "nobody"):
        assert shop.places(key) == {("A", "n1"): 1}


def test_merged_orders_come_when_the_first_is_wanted() -> None:
    shop = Shop({"A": {"n1": 5}, "B": {"n1": 5}}, {"n1": {"z1": 300}})
    soon = time.time_ns() // 1_000_000 + DAY_MS
    shop.order("a", "z1", ("A", 1), **{CUSTOMER: "c1", DELIVER_BY: soon + 5 * DAY_MS})
    shop.order("b", "z1", ("B", 1), **{CUSTOMER: "c1", DELIVER_BY: soon})
    wave = build(shop.gathered(), time.time_ns() // 1_000_000, merge=True)
    assert len(wave.problem.orders.ids) == 1
    assert wave.problem.orders.due[0] == pytest.approx(24, abs=0.1)
    assert wave.line_orders.tolist() == [0, 1]


def with_a_pool(lanes: dict[str, dict[str, int]], nodes: list[str]) -> Shop:
    """A shop where channel ``web`` draws on these nodes only, and ``app`` on all."""
    shop = Shop({"A": dict.fromkeys(lanes, 0)}, lanes)
    told = {"anonymous_hold_seconds": 0, "late_payment": None}
    shop.told(
        shop.net,
        network.define({
            "p|some": nodes, "h|web": {"pool": "some", **told}, "h|app": {"pool": None, **told},
        }),
    )  # fmt: skip
    shop.follow_network()
    return shop


def test_orders_of_a_channel_with_a_pool_move_within_it() -> None:
    shop = with_a_pool({"n1": {"z1": 300}, "n2": {"z1": 900}, "n3": {"z1": 700}}, ["n2", "n3"])
    shop.told(0, adjust(("A", "n2", 5)))
    shop.order("a", "z1", ("A", 1), **{CHANNEL: "web"})
    shop.order("b", "z1", ("A", 1), **{CHANNEL: "app"})
    shop.told(0, adjust(("A", "n1", 5), ("A", "n3", 5)))
    asyncio.run(run(shop, report()))
    assert shop.places("a") == {("A", "n3"): 1}
    assert shop.places("b") == {("A", "n1"): 1}


def test_an_order_whose_node_has_left_the_pool_stays_until_that_is_closed() -> None:
    """It was promised from there; what leaves a closed node goes where the pool is now."""
    shop = with_a_pool({"n1": {"z1": 300}, "n2": {"z1": 900}}, ["n1"])
    shop.told(0, adjust(("A", "n1", 5)))
    shop.order("a", "z1", ("A", 1), **{CHANNEL: "web"})
    shop.told(shop.net, network.define({"p|some": ["n2"]}))
    shop.follow_network()
    shop.told(0, adjust(("A", "n2", 5)))
    asyncio.run(run(shop, report()))
    assert shop.places("a") == {("A", "n1"): 1}
    asyncio.run(run(shop, report(closed_nodes=("n1",))))
    assert shop.places("a") == {("A", "n2"): 1}
