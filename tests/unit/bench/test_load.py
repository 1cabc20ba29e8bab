"""Loops forget nobody: who came late, who never got an answer, who paid."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bench import load
from bench.arrivals import constant
from bench.load import Closed, Open, Opened, closed, open_loop
from bench.orders import Orders

ORDERS = Orders("load", [(("a", 1),)])
HELD = b'HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{"id":"000.k"}'
SOLD_OUT = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}"


class _Server(asyncio.Protocol):
    """Answers each request as it is told: (answer, seconds later), or None for never."""

    def __init__(self, answer: Callable[[bytes], tuple[bytes, float] | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        answer = self._answer(data)
        if answer is not None:
            asyncio.get_running_loop().call_later(answer[1], self._transport.write, answer[0])


def _play(
    answer: Callable[[bytes], tuple[bytes, float] | None],
    connections: int,
    confirm_share: float = 0.0,
) -> Opened:
    """100 buyers in 0.1 s."""

    async def run() -> Opened:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Server(answer), "127.0.0.1", 0
        )
        async with server:
            step = Open(
                name="plan",
                connections=connections,
                times=constant(1_000, 0.1),
                confirm_share=confirm_share,
                confirm_after_s=0.001,
                warmup_s=0.0,
            )
            return await open_loop(server.sockets[0].getsockname(), step, ORDERS)

    return asyncio.run(run())


def _by_kind(reserve: bytes, delay_s: float = 0.0) -> Callable[[bytes], tuple[bytes, float]]:
    """Reservations are answered after a delay, payments at once."""
    return lambda data: (HELD, 0.0) if b"/confirm " in data else (reserve, delay_s)


def test_what_is_planned_and_never_sent_counts_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_DRAIN_S", 0.05)
    opened = _play(lambda _: None, connections=2)
    assert opened.measure.counts["unknown"] == 100
    assert sorted(opened.tally.numbers) == list(range(100))


def test_what_is_answered_after_the_plan_has_ended_counts_too() -> None:
    opened = _play(_by_kind(HELD, 0.3), connections=100)
    assert opened.measure.counts["ok"] == 100
    assert opened.measure.latency_ms["p50"] >= 300


def test_payments_are_a_step_of_their_own() -> None:
    opened = _play(_by_kind(HELD), connections=4, confirm_share=0.5)
    assert opened.measure.counts["ok"] == 100
    assert opened.payments.name == "plan, payments"
    assert 30 < opened.payments.counts["ok"] < 70
    assert set(opened.paid.numbers) < set(opened.tally.numbers)


def test_who_is_answered_late_pays_late_and_not_never() -> None:
    opened = _play(_by_kind(HELD, 0.2), connections=200, confirm_share=1.0)
    assert sorted(opened.paid.numbers) == list(range(100))
    assert max(opened.paid.spent) < 0.2  # Counted from the answer, when they could pay.


def test_who_holds_nothing_does_not_pay() -> None:
    opened = _play(_by_kind(SOLD_OUT), connections=4, confirm_share=1.0)
    assert opened.measure.counts["sold_out"] == 100
    assert len(opened.paid.numbers) == 0


def test_a_closed_loop_waits_for_its_last_answers() -> None:
    async def run() -> tuple[int, int]:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Server(lambda _: (HELD, 0.05)), "127.0.0.1", 0
        )
        async with server:
            step = Closed(name="loop", connections=3, seconds=0.12, warmup_s=0.0)
            measure, tally = await closed(server.sockets[0].getsockname(), step, ORDERS.request)
            return measure.counts["ok"], len(tally.numbers)

    inside, every = asyncio.run(run())
    assert inside > 0
    assert every == inside + 3  # One of each connection came after the end.
