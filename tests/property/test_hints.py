"""Promise 2 under hints: whoever has taken units is never told "sold out", by any gateway.

Three gateways' real intakes, one ledger, answers that are late or lost, in virtual time. Units
return at odd moments and are sold through another gateway than the one that calls them sold out.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import msgpack
import pytest

from engine import commands, views
from engine import ledger as ledger_module
from engine.commands import Command, Op, Reply
from engine.ledger import Ledger
from engine.limits import HINT_MS
from engine.outcome import Outcome
from engine.requests import Reserve
from engine.state import ShardState
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from gateway.intake import Intake
from gateway.metrics import Metrics
from gateway.requests import Ask, Asks
from gateway.schema import ReservationBody, WishedLine
from tests.builders import NOW_MS, empty_ledger, founding
from tests.property.simulation import VirtualLoop

UNITS = 2
BUYERS = 12
STORY_S = 4.0
#: Mostly a moment; at times as long as hints live.
DELAYS_S = (0.0005, 0.001, 0.002, 0.005, 0.05)
LOST_SHARE = 0.25


class Shop:
    """One shard and the way to it; see ``gateway.ports.Owners``."""

    shards = 1
    net = 1

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.loop = asyncio.get_running_loop()
        self.server = MemoryServer(1)
        self.taken: set[str] = set()  # Keys that have got units.
        self.epoch = 0
        self.serves_from = 0.0
        self.ledger = self.successor()
        self.serves_from = 0.0
        for command in founding({"A": {"w1": UNITS}}):
            self.apply(command)

    def now_ms(self) -> int:
        return NOW_MS + int(self.loop.time() * 1000)

    def successor(self) -> Ledger:
        """The next owner; it serves once the hints of the last one are over."""
        self.epoch += 1
        self.right = Right(0, self.epoch, "token")
        acquired = self.server.acquire(self.right, 1)
        self.serves_from = self.loop.time() + HINT_MS / 1000
        hashes = self.server.shards[0].hashes
        ledger = empty_ledger(0, 1)
        ledger.seq, ledger.head, ledger.epoch = acquired.seq, acquired.head, self.epoch
        ledger.load_state(hashes["state"].items())
        ledger.load_records(hashes["reservations"].items())
        for name, bucket in list(hashes.items()):
            if bucket and name.startswith("closed:"):
                ledger.load_closed(int(name.partition(":")[2]), bucket.items())
        return ledger

    def apply(self, command: Command) -> Reply:
        """Decided and accepted."""
        ledger, hashes = self.ledger, self.server.shards[0].hashes
        for name in ledger.to_recall([command]):
            buckets = [hashes[f"closed:{h}"] for h in ledger.hours_of(name, self.now_ms())]
            ledger.recalled[name] = next((b[name] for b in buckets if name in b), None)
        reply = ledger.decide(command, self.now_ms())
        ledger.recalled = {}
        sealed = ledger.seal()
        if sealed is not None:
            self.server.commit(self.right, sealed)
            ledger.accepted(sealed)
        if command[0] == Op.RESERVE and reply[0] == Outcome.OK:
            self.taken.add(command[1])
        return reply

    def delay(self) -> float:
        return self.random.choice(DELAYS_S) * self.random.uniform(0.1, 1)

    def submit(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        answered = False

        def answer(reply: Reply) -> None:
            nonlocal answered
            if not answered:
                answered = True
                done(reply)

        def arrive() -> None:
            if self.loop.time() < self.serves_from:
                self.loop.call_at(self.serves_from, arrive)
                return
            reply = self.apply(command)
            if self.random.random() >= LOST_SHARE:
                self.loop.call_later(self.delay(), answer, reply)

        self.loop.call_later(self.delay(), arrive)
        self.loop.call_at(deadline_at, answer, [Outcome.LOST, 0])

    def submit_packed(
        self, shard: int, packed: bytes, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        self.submit(shard, msgpack.unpackb(packed), deadline_at, done)

    async def reserve_over_shards(self, request: Reserve, deadline_at: float) -> Reply:
        raise NotImplementedError

    async def confirm_late(self, home: int, key: str, record: bytes, deadline_at: float) -> Reply:
        raise NotImplementedError

    async def explain_campaign(self, *_: Any) -> Reply:
        raise NotImplementedError

    async def fulfil_over_shards(self, *_: Any) -> Reply:
        raise NotImplementedError


async def story(seed: int) -> list[str]:
    """Keys that were told "sold out" about units that were theirs."""
    shop = Shop(seed)
    intakes = [Intake(shop, Metrics(), shop.loop) for _ in range(3)]
    body = ReservationBody(lines=[WishedLine(sku="A", quantity=1)])
    ask = Asks(1).of(body)
    wronged: list[str] = []
    buyers = [buyer(shop, intakes, ask, f"k{n}", wronged) for n in range(BUYERS)]
    async with asyncio.timeout(STORY_S * 10):
        await asyncio.gather(*buyers, stockist(shop))
    assert sum(intake.metrics.refused for intake in intakes), "nobody was refused"
    return wronged


async def buyer(shop: Shop, intakes: list[Intake], ask: Ask, key: str, wronged: list[str]) -> None:
    """Asks again and again, at any gateway, whatever he was told."""
    while shop.loop.time() < STORY_S:
        await asyncio.sleep(shop.random.uniform(0, 0.04))
        his = key in shop.taken
        told: asyncio.Future[Reply] = shop.loop.create_future()
        deadline_at = shop.loop.time() + shop.random.choice((0.004, 0.02, 0.2))
        done = partial(_tell, told)
        shop.random.choice(intakes).reserve(key, ask, deadline_at, done)
        if (await told)[0] == Outcome.SHORT and his:
            wronged.append(key)


def _tell(told: "asyncio.Future[Reply]", _home: int, reply: Reply) -> None:
    told.set_result(reply)


async def stockist(shop: Shop) -> None:
    """Units come now and then, beside the gateways; owners are replaced."""
    number = 0
    while shop.loop.time() < STORY_S:
        await asyncio.sleep(shop.random.uniform(0, 0.3))
        number += 1
        rows = [["A", "w1", 1, None, None, None]]
        if shop.loop.time() >= shop.serves_from:
            shop.apply(commands.adjust(f"po-{number}", 0, b"d", rows))
        if shop.random.random() < 0.1:
            shop.ledger = shop.successor()


def wronged_within(seeds: range) -> list[str]:
    for seed in seeds:
        loop = VirtualLoop()
        try:
            wronged = loop.run_until_complete(story(seed))
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        if wronged:
            return [f"seed {seed}", *wronged]
    return []


def test_who_has_taken_units_is_never_told_sold_out() -> None:
    """Whatever was lost, however late, through whichever gateway he asks."""
    assert wronged_within(range(60)) == []


def hint_without_promise(state: ShardState, command: Command, now_ms: int) -> Reply:
    """The owner sells on while gateways still call the SKU sold out."""
    reply = views.hint(state, command, now_ms)
    book = state.books.get(command[1])
    if book is not None:
        book.hint(0)
    return reply


def test_an_owner_that_sells_while_its_hint_holds_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test that cannot fail proves nothing."""
    monkeypatch.setitem(ledger_module._HANDLERS, Op.HINT, hint_without_promise)
    assert wronged_within(range(60))


def test_an_owner_that_serves_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hints of the last one still hold."""
    successor = Shop.successor

    def hasty(self: Shop) -> Ledger:
        ledger = successor(self)
        self.serves_from = 0.0
        return ledger

    monkeypatch.setattr(Shop, "successor", hasty)
    assert wronged_within(range(400))
