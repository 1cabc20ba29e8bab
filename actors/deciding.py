"""A batch is decided: as a whole, without what fails, or only what a full store can take."""

from collections.abc import Sequence

import structlog

from actors.jobs import Job
from engine.commands import READING, SHRINKING, Command, Reply
from engine.ledger import Ledger
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome

log = structlog.get_logger()


def decide_jobs(ledger: Ledger, jobs: list[Job], now_ms: int, *, full: bool) -> list[list[Reply]]:
    """The replies to each job; ``full``: the store has no memory for more."""
    ledger.waiting.paused = full
    try:
        if full:
            return [_while_full(ledger, job.commands, now_ms) for job in jobs]
        return [ledger.decide_all(job.commands, now_ms) for job in jobs]
    except Exception:
        log.exception("a command could not be decided", shard=ledger.shard)
        ledger.take_back(None)
        return _without_failing(ledger, jobs, now_ms)


def _while_full(ledger: Ledger, commands: Sequence[Command], now_ms: int) -> list[Reply]:
    """Only what returns units or looks: of that a store without memory takes commits."""
    return [
        ledger.decide(command, now_ms)
        if command[0] in SHRINKING or command[0] in READING
        else [Outcome.UNAVAILABLE, RETRY_AFTER_MS]
        for command in commands
    ]


def _without_failing(ledger: Ledger, jobs: list[Job], now_ms: int) -> list[list[Reply]]:
    """Leave out the commands that fail: they alone are refused, their neighbours decided."""
    failing: set[int] = set()
    while True:
        for command in (command for job in jobs for command in job.commands):
            if id(command) in failing:
                continue
            try:
                ledger.decide(command, now_ms)
            except Exception:
                log.exception("left out", shard=ledger.shard, op=command[0])
                failing.add(id(command))
                break
        else:
            ledger.take_back(None)
            return [
                [
                    [Outcome.UNAVAILABLE, RETRY_AFTER_MS]
                    if id(command) in failing
                    else ledger.decide(command, now_ms)
                    for command in job.commands
                ]
                for job in jobs
            ]
        ledger.take_back(None)
