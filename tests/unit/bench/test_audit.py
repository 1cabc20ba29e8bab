"""The audit finds every lie: units sold twice, reservations forgotten, stock unaccounted for."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from bench.arrivals import constant
from bench.audit import Audit, Position, Told, audit, compare, element_statuses, position_of
from bench.load import Address, Closed, Open, closed, open_loop
from bench.orders import Orders
from bench.product import fill
from bench.tally import Tally
from tests.unit.bench.shop import Lie, open_shop

T = TypeVar("T")

ORDERS = Orders("test", [(("a", 2),), (("a", 1), ("b", 1))])


def _told(*statuses: int) -> Told:
    tally = Tally()
    for number, status in enumerate(statuses):
        tally.add(number, status)
    told = Told()
    told.note(ORDERS, tally)
    return told


def _position(on_hand: int, promised: int) -> Position:
    return Position(on_hand=on_hand, promised=promised, oversold=max(0, promised - on_hand))


def test_books_that_agree_are_clean() -> None:
    told = _told(201, 201, 409, 429)
    result = compare(told, {"a": 3, "b": 5}, {"a": _position(3, 3), "b": _position(5, 1)})
    assert result == Audit(acknowledged=2)
    assert result.clean


def test_more_promised_than_there_is_is_oversold() -> None:
    result = compare(_told(201, 201), {"a": 2, "b": 5}, {"a": _position(2, 3)})
    assert result.oversold_units == 1
    assert not result.clean


def test_more_acknowledged_than_was_ever_there_is_oversold_even_if_the_store_hides_it() -> None:
    result = compare(_told(201, 201), {"a": 2}, {"a": _position(3, 3)})
    assert result.oversold_units == 1


def test_units_that_clients_were_told_about_and_the_store_has_not_are_unaccounted_for() -> None:
    result = compare(_told(201, 201), {"a": 9}, {"a": _position(9, 1)})
    assert result.unaccounted_units == 2
    assert not result.clean


def test_an_unknown_answer_may_be_held_or_not_but_nothing_beyond_it() -> None:
    told = _told(201, 503)
    for promised, off in ((2, 0), (3, 0), (4, 1)):
        assert compare(told, {"a": 9}, {"a": _position(9, promised)}).unaccounted_units == off


def test_a_failed_audit_of_the_store_itself_is_not_clean() -> None:
    assert not Audit(store_audit_clean=False).clean


def test_batches_are_taken_apart_by_their_elements() -> None:
    tally = Tally(batch=2)
    for number, status in enumerate((200, 503)):
        tally.add(number, status)
    tally.parts[0] = element_statuses(b'{"results":[{"status":201,"body":{}},{"status":409}]}')
    told = Told()
    told.note(ORDERS, tally)
    assert told.acknowledged == 1
    assert told.acknowledged_units == {"a": 2}
    assert told.unknown == 2
    assert [list(held.numbers) for held in told.repeats()] == [[0]]


def test_positions_are_summed_over_nodes_but_oversold_at_each() -> None:
    rows = [{"on_hand": 5, "reserved": 7, "committed": 0},
            {"on_hand": 5, "reserved": 1, "committed": 1}]  # fmt: skip
    assert position_of({"positions": rows, "supplies": []}) == Position(
        on_hand=10, promised=9, oversold=2
    )


def _in_shop(lie: Lie, work: Callable[[Address], Awaitable[T]]) -> T:
    async def run() -> T:
        server = await open_shop(lie)
        try:
            return await work(server.sockets[0].getsockname())
        finally:
            server.close()

    return asyncio.run(run())


async def _sell(address: Address, units: int) -> Audit:
    """400 buyers of one unit each, one way and the other."""
    stock = {"a": units}
    await fill(address, stock)
    told = Told()
    orders = Orders("sell", [(("a", 1),)])
    plan = Open(
        name="plan",
        connections=8,
        times=constant(2_000, 0.2),
        confirm_share=0.5,
        confirm_after_s=0.01,
        warmup_s=0.0,
    )
    opened = await open_loop(address, plan, orders)
    told.note(orders, opened.tally, opened.paid)
    return await audit(address, told, stock)


def test_an_honest_shop_passes_sold_out_or_not() -> None:
    for units in (1_000, 100):
        result = _in_shop(Lie.NONE, partial(_sell, units=units))
        assert result.clean, result.findings
        assert result.acknowledged == min(units, 400)
        assert 0 < result.acknowledged_payments < result.acknowledged


@pytest.mark.parametrize(
    ("lie", "units", "figure"),
    [
        (Lie.FORGETS, 1_000, "acknowledged_missing"),
        (Lie.FORGETS_PAYMENTS, 1_000, "payments_missing"),
        (Lie.OVERSELLS, 100, "oversold_units"),
    ],
)
def test_a_lying_shop_is_found_out(lie: Lie, units: int, figure: str) -> None:
    result = _in_shop(lie, partial(_sell, units=units))
    assert not result.clean
    assert getattr(result, figure) > 0
    assert result.findings


def test_an_audit_that_cannot_be_made_is_not_clean() -> None:
    result = asyncio.run(audit(("127.0.0.1", 1), _told(201), {"a": 1}))
    assert not result.clean
    assert "could not be made" in result.findings[0]


def test_a_closed_loop_accounts_for_every_request_it_sent() -> None:
    async def work(address: Address) -> tuple[int, int]:
        await fill(address, {"a": 10_000_000})
        orders = Orders("loop", [(("a", 1),)])
        step = Closed(name="loop", connections=4, seconds=0.2, warmup_s=0.05)
        measure, tally = await closed(address, step, orders.request)
        assert sorted(tally.numbers) == list(range(len(tally.numbers)))
        return measure.counts["ok"], measure.failures

    ok, failures = _in_shop(Lie.NONE, work)
    assert ok > 0
    assert failures == 0
