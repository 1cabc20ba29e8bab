"""What is counted of reservations on their way in."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.commands import Command, Reply
from engine.outcome import Outcome
from gateway.intake import Intake
from gateway.metrics import Metrics
from gateway.schema import ReservationBody, WishedLine

BODY = ReservationBody([WishedLine("A", 1)])


class Answering:
    """Owners that give one reply to everything; see ``gateway.ports.Owners``."""

    shards = 1
    net = 1

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def submit(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        done(self._reply)

    def submit_packed(
        self, shard: int, packed: bytes, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        done(self._reply)

    async def reserve_over_shards(self, *_: Any) -> Reply:
        return self._reply

    confirm_late = fulfil_over_shards = explain_campaign = reserve_over_shards


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [(Outcome.OK, (1, 0, 0)), (Outcome.REPEATED, (0, 1, 0)), (Outcome.UNKNOWN_NODE, (0, 0, 1)),
     (Outcome.UNAVAILABLE, (0, 0, 1)), (Outcome.LOST, (0, 0, 0)), (Outcome.WEAKER, (0, 0, 0))],
)  # fmt: skip
def test_what_may_have_been_done_is_not_counted_as_refused(
    outcome: Outcome, counted: tuple[int, int, int]
) -> None:
    metrics = Metrics()
    loop = asyncio.new_event_loop()
    replies: list[Reply] = []
    intake = Intake(Answering([outcome, 200]), metrics, loop)
    intake.reserve("k", intake.asks.of(BODY), 1.0, lambda _home, reply: replies.append(reply))
    loop.close()
    assert replies == [[outcome, 200]]
    assert (metrics.created, metrics.repeated, metrics.refused) == counted
