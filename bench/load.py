"""Load: closed loops that show what a server can do, open ones that show what buyers feel."""

import asyncio
import gc
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from bench.arrivals import Times
from bench.client import LOST, Connection, Pool
from bench.orders import Orders, confirm
from bench.tally import Measure, Tally, measure

Address: TypeAlias = tuple[str, int]

#: A generator further behind its plan than this measures itself, not the server.
LAG_MS_MAX: Final = 5.0
#: How often arrivals that are due are sent. Adds half of it to the median latency.
_TICK_S: Final = 0.001
#: How long to wait for the last answers.
_DRAIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """N connections, each sends its next request when it has its answer."""

    name: str
    connections: int
    seconds: float
    warmup_s: float = 0.5
    batch: int = 1  # Reservations a request.


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Arrivals by plan, whatever the answers do."""

    name: str
    connections: int
    times: Times
    confirm_share: float = 0.0  # Of buyers whose units are held: they pay …
    confirm_after_s: float = 0.2  # … this long after they came.
    warmup_s: float = 0.5
    seed: int = 1


async def closed(
    address: Address,
    step: Closed,
    requests: Callable[[int], bytes],
    statuses: Callable[[bytes], Sequence[int]] | None = None,
) -> tuple[Measure, Tally]:
    """Run a closed loop; ``statuses`` takes a batch answer apart (only of a 200)."""
    run = _ClosedRun(step, requests, statuses)
    pool = Pool(*address, run.ready, run.answered)
    with no_collector():
        await pool.open(step.connections)
        begins = perf_counter() + step.warmup_s
        run.ends = begins + step.seconds
        await asyncio.sleep(step.warmup_s + step.seconds)
        if run.in_flight:
            run.drained.clear()
            await _drain(run.drained)
        await pool.close()
    return measure(run.tally, step.name, step.connections, (begins, run.ends)), run.tally


class _ClosedRun:
    """One closed loop under way."""

    __slots__ = ("_add_code", "_add_ended", "_add_number", "_add_spent", "_requests", "_sent",
                 "_statuses", "drained", "ends", "in_flight", "tally")  # fmt: skip

    def __init__(
        self,
        step: Closed,
        requests: Callable[[int], bytes],
        statuses: Callable[[bytes], Sequence[int]] | None,
    ) -> None:
        tally = self.tally = Tally(step.batch)
        self._add_number, self._add_ended = tally.numbers.append, tally.ended.append
        self._add_spent, self._add_code = tally.spent.append, tally.codes.append
        self._requests, self._statuses = requests, statuses
        self._sent = 0
        self.in_flight = 0
        self.ends = perf_counter() + 3_600  # Until the clock of the step is started.
        self.drained = asyncio.Event()

    def ready(self, connection: Connection) -> None:
        """Send the first request on a connection."""
        now = perf_counter()
        if now < self.ends:
            self.in_flight += 1
            self._send(connection, now)

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """Note an answer and send the next request."""
        now = perf_counter()
        number = connection.number
        self._add_number(number)
        self._add_ended(now)
        self._add_spent(now - connection.sent_at)
        self._add_code(status)
        if self._statuses is not None and status == 200:
            self.tally.parts[number] = self._statuses(body)
        if now < self.ends and status != LOST:
            self._send(connection, now)
            return
        self.in_flight -= 1
        if not self.in_flight:
            self.drained.set()

    def _send(self, connection: Connection, now: float) -> None:
        number = connection.number = self._sent
        connection.sent_at = now
        self._sent = number + 1
        connection.send(self._requests(number))


class Opened(NamedTuple):
    """What an open loop came to: reservations, and the payments for them, by the same numbers."""

    measure: Measure
    tally: Tally
    payments: Measure
    paid: Tally


async def open_loop(address: Address, step: Open, orders: Orders) -> Opened:
    """Run a plan. Latency counts from the planned time; void if the generator fell behind."""
    run = _OpenRun(step, orders)
    pool = Pool(*address, run.ready, run.answered)
    with no_collector():
        await pool.open(step.connections)
        began = run.begin()
        await run.all_sent.wait()
        if run.in_flight:
            await _drain(run.drained)
        await pool.close()
    run.give_up()
    last = float(step.times[-1]) if len(step.times) else 0.0
    window = (began + step.warmup_s, began + last + _TICK_S)
    result = measure(run.tally, step.name, step.connections, window, planned=True)
    name = f"{step.name}, payments"
    payments = measure(run.paid, name, step.connections, window, planned=True)
    lag_p99_ms = float(np.percentile(run.lags, 99)) * 1000 if run.lags else 0.0
    void = f"generator lag p99 {lag_p99_ms:.1f} ms > {LAG_MS_MAX:g} ms"
    result = replace(
        result, lag_p99_ms=round(lag_p99_ms, 3), void=void if lag_p99_ms > LAG_MS_MAX else None
    )
    return Opened(result, run.tally, payments, run.paid)


class _OpenRun:
    """One plan under way. Numbers below ``count`` reserve; ``count`` + n pays for n."""

    def __init__(self, step: Open, orders: Orders) -> None:
        self._orders = orders
        self._count = len(step.times)
        self._times, self._numbers = _with_payments(step)
        self._planned: list[float] = []
        self._at = 0
        self._ids: dict[int, bytes] = {}
        self._unanswered = {n - self._count for n in self._numbers if n >= self._count}
        self._late: set[int] = set()  # They would pay by now, but have no answer yet.
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[float, int]] = deque()
        self.tally, self.paid = Tally(), Tally()
        self.lags = array("d")
        self.in_flight = 0
        self.all_sent, self.drained = asyncio.Event(), asyncio.Event()

    def begin(self) -> float:
        """Start the clock; the plan's second 0."""
        began = perf_counter() + 0.01
        self._planned = (self._times + began).tolist()
        self._tick()
        return began

    def ready(self, connection: Connection) -> None:
        """Use a connection for what waits, or keep it."""
        while self._waiting:
            planned, number = self._waiting.popleft()
            if self._send(connection, planned, number):
                return
        self._idle.append(connection)

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """Note an answer and go on."""
        now = perf_counter()
        number = connection.number
        self.in_flight -= 1
        self._note(number, status, now, now - connection.sent_at)
        if number in self._unanswered:
            self._unanswered.discard(number)
            if status in (200, 201):
                at = body.index(b'"id":"') + 6
                self._ids[number] = body[at : body.index(b'"', at)]
                if number in self._late:  # Nobody pays before the answer has come.
                    self._dispatch(now, number + self._count)
        if status != LOST:
            self.ready(connection)
        if not self.in_flight and not self._waiting:
            self.drained.set()

    def give_up(self) -> None:
        """What was planned and never sent is noted like what was never answered."""
        now = perf_counter()
        for planned, number in self._waiting:
            if number < self._count or number - self._count in self._ids:
                self._note(number, LOST, now, now - planned)

    def _note(self, number: int, status: int, now: float, spent: float) -> None:
        if number < self._count:
            self.tally.add(number, status, now, spent)
        else:
            self.paid.add(number - self._count, status, now, spent)

    def _tick(self) -> None:
        """Send what is due."""
        now = perf_counter()
        planned, numbers, at, end = self._planned, self._numbers, self._at, len(self._planned)
        while at < end and planned[at] <= now:
            self.lags.append(now - planned[at])
            self._dispatch(planned[at], numbers[at])
            at += 1
        self._at = at
        if at < end:
            asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        else:
            self.all_sent.set()

    def _dispatch(self, planned: float, number: int) -> None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                if not self._send(connection, planned, number):
                    self._idle.append(connection)
                return
        self._waiting.append((planned, number))

    def _send(self, connection: Connection, planned: float, number: int) -> bool:
        """Whether something was sent: who holds nothing does not pay."""
        if number < self._count:
            data = self._orders.request(number)
        else:
            buyer = number - self._count
            if buyer in self._unanswered:
                self._late.add(buyer)
            reservation = self._ids.pop(buyer, None)
            if reservation is None:
                return False
            data = confirm(reservation)
        connection.number, connection.sent_at = number, planned
        self.in_flight += 1
        self.drained.clear()
        connection.send(data)
        return True


def _with_payments(step: Open) -> tuple[Times, list[int]]:
    """All planned times in order, and the number of each."""
    numbers = np.arange(len(step.times))
    draws = np.random.default_rng(step.seed).random(len(step.times))
    paying = numbers[draws < step.confirm_share]
    times = np.concatenate([step.times, step.times[paying] + step.confirm_after_s])
    order = np.argsort(times, kind="stable")
    return times[order], np.concatenate([numbers, paying + len(step.times)])[order].tolist()


async def _drain(drained: asyncio.Event) -> None:
    """Wait for the last answers; what has not come by then stays unanswered."""
    try:
        await asyncio.wait_for(drained.wait(), _DRAIN_S)
    except TimeoutError:
        return


@contextmanager
def no_collector() -> Iterator[None]:
    """No garbage collection: the hot loops make no cycles, and a pause would be measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
