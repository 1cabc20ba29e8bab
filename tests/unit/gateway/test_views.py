"""What a gateway knows of an owner's stock, and when it must forget it."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvloop

from engine.commands import Command, Reply
from engine.outcome import Outcome
from gateway.views import ShardView


class Owner:
    """Answers views as a test says; see ``gateway.ports.Owners``."""

    shards = 1
    net = 1

    def __init__(self) -> None:
        self.epoch, self.seq = 1, 10
        self.units = {"A": 5, "B": 7}
        self.asked: list[tuple[list[str], int]] = []

    def submit(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        _, skus, since = command
        self.asked.append((skus, since))
        seen: dict[str, Any] = {sku: ([["w1", self.units[sku], []]], {}, []) for sku in skus}
        done([Outcome.OK, self.epoch, self.seq, self.seq, seen])

    def submit_packed(self, *_: Any) -> None:
        raise NotImplementedError

    async def reserve_over_shards(self, *_: Any) -> Reply:
        raise NotImplementedError

    confirm_late = fulfil_over_shards = explain_campaign = reserve_over_shards


def test_another_owner_makes_the_view_begin_anew() -> None:
    """Its store came back behind: what the last one said of a SKU may never have been."""

    async def main() -> None:
        owner = Owner()
        loop = asyncio.get_running_loop()
        view = ShardView(owner, 0, loop)

        def see(*skus: str) -> None:
            seen: list[Any] = []
            view._read_at = -1.0  # Too old: ask.
            view.see(skus, loop.time() + 1, seen.append)
            assert seen == [None]

        see("A", "B")
        assert view.of("A") == ([["w1", 5, []]], {}, [])
        see("B")
        assert view.of("A") == ([["w1", 5, []]], {}, [])
        owner.epoch, owner.seq, owner.units = 2, 8, {"A": 1, "B": 1}
        see("B")
        assert view.of("B") == ([["w1", 1, []]], {}, [])
        assert view.of("A") is None, "the last owner's word"
        see("A")
        assert view.of("A") == ([["w1", 1, []]], {}, [])

    uvloop.run(main())
