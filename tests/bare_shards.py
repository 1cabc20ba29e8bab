"""Bare ledgers of several shards, decided at once, as coordinators see them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from actors import sagas
from engine.commands import Command, Op, Reply
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.builders import NOW_MS, WAREHOUSE, define_node, empty_ledger, founding
from tests.cluster import SHARDS, asked, skus_on

HOME, OTHER = sorted(skus_on(shard, 1)[0] for shard in (0, 1))
READS = (Op.READ, Op.STOCK, Op.READ_NETWORK)


class Shards:
    """Bare ledgers as a caller sees them; ``alone`` have their changes on one server only."""

    def __init__(self) -> None:
        self.shards = self.net = SHARDS
        self.ledgers = [empty_ledger(shard, SHARDS) for shard in range(SHARDS + 1)]
        self.ledgers[self.net].decide(define_node("w1", WAREHOUSE), NOW_MS)
        for sku in (HOME, OTHER):
            ledger = self.ledgers[shard_of(sku, SHARDS)]
            ledger.decide_all(founding({sku: {"w1": 10}}), NOW_MS)
        self.alone: set[int] = set()
        self.bare = False  # Replies of too few copies come without what was decided.
        self.now_ms = NOW_MS

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """Decided at once; without copies said to be so, where it promises anything."""
        reply = self.ledgers[shard].decide(command, self.now_ms)
        if shard not in self.alone or command[0] in READS or reply[0] > Outcome.REPEATED:
            return reply
        return [Outcome.WEAKER, 1] if self.bare else [Outcome.WEAKER, 1, reply]

    async def reserve(self, key: str, *units: int, **extra: bool) -> Reply:
        """A basket of the home's SKU and the other's."""
        lines = [[sku, None, count] for sku, count in zip((HOME, OTHER), units, strict=True)]
        reply = await sagas.reserve(self, SHARDS, asked(key, *lines, extra=extra or None), 0)
        await asyncio.sleep(0)  # Drops go out by themselves.
        return reply

    def reserved(self) -> list[int]:
        """Units of both SKUs that are set aside."""
        shards = [self.ledgers[shard_of(sku, SHARDS)] for sku in (HOME, OTHER)]
        return [
            ledger.position(sku, "w1").reserved
            for ledger, sku in zip(shards, (HOME, OTHER), strict=True)
        ]


def on_shards(test: Callable[[Shards], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test with shards of its own."""

    def run() -> None:
        async def main() -> None:
            await test(Shards())

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def of(sku: str) -> int:
    """The shard of a SKU, or of a customer."""
    return shard_of(sku, SHARDS)
