"""A coordinator whose process ends at one step of what it does."""

import asyncio
from typing import Final

from engine.commands import Command, Op, Reply
from engine.outcome import Outcome
from tests.real import Real

#: The last call: on its way or not, and its answer seen or not.
HOWS: Final = ((False, False), (True, False), (True, True))


class Stopped(Exception):
    """The coordinator's process has ended."""


class Coordinator:
    """A way to the shards that ends at one step: the nth call of a kind."""

    def __init__(self, real: Real, *, op: Op, nth: int, sent: bool, answered: bool) -> None:
        self.real = real
        self._op = op
        self._nth = nth
        self._sent = sent
        self._answered = answered
        self._ended = False

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard, up to the step; none behind it."""
        if self._ended:
            return self._nothing(command)
        at_the_step = command[0] == self._op
        if at_the_step:
            self._nth -= 1
        if not at_the_step or self._nth != 0:
            return await self.real.client.call(shard, command, deadline_at)
        self._ended = True
        if self._sent:
            reply = asyncio.ensure_future(self.real.client.call(shard, command, deadline_at))
            if self._answered:
                await reply
            else:
                await asyncio.sleep(0)  # On its way; nobody waits for the answer.
        return self._nothing(command)

    def _nothing(self, command: Command) -> Reply:
        """Nobody is there any more to go on; drops are sent by a task that nobody waits for."""
        if command[0] == Op.DROP:
            return [Outcome.LOST, 0]
        raise Stopped
