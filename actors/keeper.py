"""Campaigns kept: steps whose coordinator stopped are finished, and what is over is closed."""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from actors import campaigns
from actors.campaigns import Shards
from engine.outcome import Outcome

if TYPE_CHECKING:
    from actors.owner import ShardOwner

log = structlog.get_logger()

#: A coordinator has this long for a step before it is taken for dead; two at work do no harm.
_STEP_MS: Final = 5_000
_CALL_S: Final = 10.0


class Keeper:
    """Looks after the campaigns of ``net``."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()

    async def keep(self, owner: "ShardOwner", peers: Shards) -> None:
        """One round."""
        now_ms = owner.now_ms()
        for campaign, (state, members, at_ms) in list(owner.ledger.campaigns.items()):
            stuck = state in ("opening", "closing") and now_ms - at_ms > _STEP_MS
            over = state == "open" and now_ms >= members["ends_at"]
            if (stuck or over) and campaign not in self._at_work:
                self._at_work.add(campaign)
                try:
                    await self._step(campaign, state, peers)
                finally:
                    self._at_work.discard(campaign)

    async def _step(self, campaign: str, state: str, peers: Shards) -> None:
        deadline_at = asyncio.get_running_loop().time() + _CALL_S
        opening = state == "opening"
        step = campaigns.open_everywhere if opening else campaigns.close_everywhere
        reply = await step(peers, campaign, deadline_at)
        if reply[0] != Outcome.OK:
            log.warning("a campaign's step failed", campaign=campaign, state=state, reply=reply)
