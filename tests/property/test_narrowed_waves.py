"""Whatever a narrowed wave plans can be done beside all that stays as it is, and repairs only."""

import time
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.waves.problem import Wave, build, grouped, moves
from actors.waves.touching import Touching
from actors.waves.waiting import kept_waiting
from engine.commands import moving, supplies
from engine.outcome import Outcome
from engine.record import DELIVER_BY
from solver import plan
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE, Ints
from solver.solve import solve
from tests.builders import adjust
from tests.property.test_warehouse import check as check_books
from tests.wave_shop import Shop

DAY_MS = 86_400_000
NODES, SKUS = ("n1", "n2", "n3"), ("A", "B", "C")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Orders of one to two lines that take what there is, at nodes that could send cheaper."""
    stock = {sku: {node: draw(st.integers(0, 4)) for node in NODES} for sku in SKUS}
    stock["D"] = dict.fromkeys(NODES, 0)
    lanes = {node: {"z": draw(st.integers(0, 900))} for node in NODES}
    members = {node: {"priority": draw(st.integers(1, 3))} for node in NODES}
    shop = Shop(stock, lanes, members)
    for number in range(draw(st.integers(1, 6))):
        wanted = draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=2, unique=True))
        if all(shop.ledgers[0].books[sku].positions["n1"].sellable for sku in wanted):
            shop.order(f"o-{number}", "z", *((sku, 1) for sku in wanted))
    return shop


touched = st.builds(
    Touching,
    st.lists(st.sampled_from(NODES), max_size=2).map(tuple),
    st.lists(st.sampled_from((*SKUS, "D")), max_size=2).map(tuple),
    st.lists(st.sampled_from(("000.o-0", "000.o-1")), max_size=1).map(tuple),
)


def in_the_whole(whole: Wave, part: Wave, line_dock: Ints) -> Ints:
    """The standing plan of all orders with the lines of a part as ``line_dock`` has them."""
    chosen = dict(zip(_named(part), line_dock.tolist(), strict=True))
    docks = whole.problem.standing.tolist()
    return np.array(
        [chosen.get(name, dock) for name, dock in zip(_named(whole), docks, strict=True)], np.int64
    )


def _named(wave: Wave) -> list[tuple[str, str, str]]:
    orders = wave.problem.orders.line_order.tolist()
    return [(wave.orders[order].key, *line) for order, line in zip(orders, wave.lines, strict=True)]


@given(shops(), touched)
@settings(max_examples=40, deadline=None)
def test_a_narrowed_plan_fits_beside_the_rest_and_is_no_dearer(shop: Shop, at: Touching) -> None:
    at_ms = now_ms()
    whole, part = build(shop.gathered(), at_ms), build(shop.gathered(at), at_ms)
    before = plan.cost_of(whole.problem, whole.problem.standing).total
    found = solve(part.problem, Effort(seconds=5.0))
    assert not (found.line_dock == NOWHERE).any()  # Where they stand is always a way.
    both = in_the_whole(whole, part, found.line_dock)
    assert check(plan.make(whole.problem, both, 0.0, 0, ""), whole.problem) == []
    assert plan.cost_of(whole.problem, both).total <= before


def broken(draw: st.DrawFn, shop: Shop) -> None:
    """Counts that leave shortfalls, a node that sends nothing, a supply that is late or short."""
    for _ in range(draw(st.integers(0, 3))):
        count = draw(st.sampled_from(SKUS)), draw(st.sampled_from(NODES)), None
        shop.told(0, adjust((*count, draw(st.integers(0, 2)))))
    if draw(st.booleans()):
        shop.put_node(draw(st.sampled_from(NODES)), capacity_per_hour=0)
    match draw(st.sampled_from(("short", "late", "in time"))):
        case "late":
            shop.told(0, supplies.delay("D", "po", now_ms() + draw(st.integers(5, 40)) * DAY_MS))
        case "short":
            shop.told(0, supplies.receive("D", "po", "r", b"r" * 16, 1, final=True))


@st.composite
def broken_shops(draw: st.DrawFn) -> Shop:
    """Shops some of whose orders wait for a supply, after something has gone wrong."""
    shop = draw(shops())
    shop.coming("D", draw(st.sampled_from(NODES)), "po", 4, now_ms() + 2 * DAY_MS)
    for number in range(draw(st.integers(1, 3))):
        by: dict[str, Any] = {DELIVER_BY: now_ms() + 4 * DAY_MS}
        shop.order(f"w-{number}", "z", ("D", 1), **by)
    broken(draw, shop)
    shop.told(0, adjust(("D", draw(st.sampled_from(NODES)), draw(st.integers(1, 2)))))
    return shop


def missing(shop: Shop) -> int:
    """Units that are promised and not there, or come late."""
    ledger = shop.ledgers[0]
    return sum(record[1] for record in (*ledger.shortfalls.values(), *ledger.late.values()))


@given(broken_shops(), st.one_of(st.none(), st.just(Touching(skus=("D",))), touched))
@settings(max_examples=60, deadline=None)
def test_a_repair_breaks_no_promise_and_loses_no_unit(shop: Shop, at: Touching | None) -> None:
    wave = build(shop.gathered(at), now_ms())
    units = {order.key: sum(shop.places(order.key).values()) for order in wave.orders}
    before, touched_keys = missing(shop), set(units)
    stayed = {key: shop.places(key) for key in shop.ledgers[0].reservations.keys() - touched_keys}
    found = kept_waiting(wave, solve(wave.problem, Effort(seconds=5.0)))
    for group in grouped(moves(wave, found)):
        outcomes = shop.told(0, moving.move([move.asked for move in group]))[1]
        assert set(outcomes) == {Outcome.OK}
    check_books(shop.ledgers[0])
    assert missing(shop) <= before
    assert {key: sum(shop.places(key).values()) for key in units} == units
    assert {key: shop.places(key) for key in stayed} == stayed
