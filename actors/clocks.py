"""Shard time against the store's clock and the host's own: whose word counts when they differ."""

import time
from typing import TYPE_CHECKING

import structlog

from engine.errors import StoreLost, StoreRefused
from engine.limits import CLOCK_SKEW_MS_MAX

if TYPE_CHECKING:
    from actors.host import HostCore
    from actors.owner import ShardOwner

log = structlog.get_logger()


class Clocks:
    """What one host knows of the clocks of its owners."""

    def __init__(self, host: "HostCore") -> None:
        self._host = host
        self._doubtful: set[ShardOwner] = set()
        #: Against whom the two other clocks spoke when they were compared last.
        self._alone: set[ShardOwner] = set()

    def in_doubt(self, owner: "ShardOwner") -> bool:
        """Whether no two clocks agree about an owner's time: nothing may expire by it."""
        return owner in self._doubtful

    async def compare(self) -> None:
        """Look at all clocks.

        Where shard time stands alone, store and host are given until the next comparison: a date
        set by mistake is corrected by then. After that the two are believed. Shard time that is
        behind takes the store's, with a new right; it never goes back, so what is ahead goes on.
        """
        try:
            store_ms = await self._host.store.clock_ms()
        except (StoreLost, StoreRefused):
            return
        here_ms = time.time_ns() // 1_000_000
        before, self._alone, self._doubtful = self._alone, set(), set()
        for owner in self._host.owners.values():
            at_ms = owner.now_ms()
            if _agree(at_ms, store_ms) or _agree(at_ms, here_ms):
                continue
            two_agree = _agree(store_ms, here_ms)
            if two_agree:
                self._alone.add(owner)
            if not two_agree or owner not in before:
                self._doubtful.add(owner)
            log.error(
                "clocks differ",
                shard=owner.right.shard,
                store_ms=store_ms - at_ms,
                host_ms=here_ms - at_ms,
                expiry="pauses" if owner in self._doubtful else "goes on",
            )
        if any(owner.now_ms() < store_ms for owner in self._alone & before):
            self._host.settle()


def _agree(one_ms: int, other_ms: int) -> bool:
    return abs(one_ms - other_ms) <= CLOCK_SKEW_MS_MAX
