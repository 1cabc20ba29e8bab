"""Shards hear what others have promised of a store, each change once, whatever is lost."""

import asyncio
from types import SimpleNamespace
from typing import Any

from actors.lane import LineLost
from actors.queues import Board, Exchange, Row
from engine.commands import Op
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import PICKUP
from tests.builders import NOW_MS, WAREHOUSE, reserve, stocked_ledger

STORE: dict[str, Any] = {**WAREHOUSE, "capacity_per_hour": 4}


class Host:
    """Two shards of a store, and how many commands they were told by."""

    shards = 2

    def __init__(self) -> None:
        ledgers = [stocked_ledger({"A": {"s": 9}}, {"s": STORE}) for _ in range(2)]
        self.owners = {
            shard: SimpleNamespace(ledger=ledger, right=SimpleNamespace(shard=shard, epoch=1))
            for shard, ledger in enumerate(ledgers)
        }
        self.refuse = False
        self.asked = 0

    def ledger(self, shard: int) -> Ledger:
        found: Ledger = self.owners[shard].ledger
        return found

    def order(self, shard: int, key: str) -> None:
        self.ledger(shard).decide(reserve(key, ("A", 1, "s"), **{PICKUP: True}), NOW_MS)

    def ask(self, shard: int, command: list[Any]) -> "asyncio.Future[list[Any]]":
        self.asked += 1
        assert command[0] == Op.QUEUED_ELSEWHERE
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if self.refuse:
            future.set_result([Outcome.UNAVAILABLE, 100])
        else:
            future.set_result(self.ledger(shard).decide(command, NOW_MS))
        return future

    def others(self, shard: int) -> int:
        return self.ledger(shard).queues.of("s").others_joined


def exchange_of(host: Any) -> Exchange:
    """Of a host it needs no more than is there."""
    return Exchange(host)


async def rounds(host: Host, exchange: Exchange, board: Board, times: int = 1) -> None:
    async def tell(told: list[Row], since: int) -> tuple[int, list[Row]]:
        return board.take(told, since)

    for _ in range(times):
        await exchange.round(tell)
        await asyncio.sleep(0)


def test_each_hears_of_the_others_and_of_no_change_twice() -> None:
    async def play() -> None:
        host, board = Host(), Board()
        exchange = exchange_of(host)
        host.order(0, "a")
        host.order(0, "b")
        host.order(1, "c")
        await rounds(host, exchange, board, 3)
        assert (host.others(0), host.others(1), host.asked) == (1, 2, 2)
        host.order(1, "d")
        await rounds(host, exchange, board, 2)
        assert (host.others(0), host.others(1), host.asked) == (2, 2, 3)

    asyncio.run(play())


def test_what_the_supervisor_has_not_heard_is_told_again() -> None:
    async def lost(_told: list[Row], _since: int) -> tuple[int, list[Row]]:
        raise LineLost("cut")

    async def play() -> None:
        host, board = Host(), Board()
        exchange = exchange_of(host)
        host.order(0, "a")
        await exchange.round(lost)
        assert host.others(1) == 0
        await rounds(host, exchange, board)
        assert host.others(1) == 1

    asyncio.run(play())


def test_an_owner_that_could_not_listen_or_is_new_hears_of_everything() -> None:
    async def play() -> None:
        host, board = Host(), Board()
        exchange = exchange_of(host)
        host.refuse = True
        host.order(0, "a")
        await rounds(host, exchange, board)
        host.refuse = False
        await rounds(host, exchange, board)
        assert host.others(1) == 1
        ledger = stocked_ledger({"A": {"s": 9}}, {"s": STORE})
        host.owners[1] = SimpleNamespace(ledger=ledger, right=SimpleNamespace(shard=1, epoch=2))
        await rounds(host, exchange, board)
        assert host.others(1) == 1

    asyncio.run(play())
