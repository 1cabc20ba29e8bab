"""What an owner works on: the commands of one caller, and the batch they are decided in."""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from engine.commands import READING, Command, Reply
from engine.demand_log import Refusal
from engine.effects import Sealed
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome

Done: TypeAlias = Callable[[list[Reply]], None]


class Job:
    """Commands of one caller that are answered together."""

    __slots__ = ("commands", "done", "since")

    def __init__(self, commands: Sequence[Command], done: Done) -> None:
        self.commands = commands
        self.done = done
        self.since = time.monotonic()

    def refuse(self, outcome: Outcome) -> None:
        """The same answer to all."""
        self.done([[outcome, RETRY_AFTER_MS] for _ in self.commands])


class Batch:
    """Jobs decided together; ``sealed`` is None where nothing changed."""

    __slots__ = ("decided_at", "jobs", "refusals", "replies", "sealed", "sent", "sent_at")

    def __init__(
        self,
        jobs: list[Job],
        replies: list[list[Reply]],
        sealed: Sealed | None,
        refusals: list[Refusal],
        decided_at: float,
    ) -> None:
        self.jobs = jobs
        self.replies = replies
        self.sealed = sealed
        self.refusals = refusals
        self.sent = 0
        self.sent_at = 0.0
        self.decided_at = decided_at

    def answer(self) -> None:
        """Tell every caller."""
        for job, replies in zip(self.jobs, self.replies, strict=True):
            job.done(replies)

    def refuse(self, outcome: Outcome) -> None:
        """The same answer to all."""
        for job in self.jobs:
            job.refuse(outcome)

    def promises(self) -> list[tuple[list[Reply], int]]:
        """Where the replies lie that say that something is done, now or by an earlier sending."""
        return [
            (replies, at)
            for job, replies in zip(self.jobs, self.replies, strict=True)
            for at, command in enumerate(job.commands)
            if replies[at][0] <= Outcome.REPEATED and command[0] not in READING
        ]
