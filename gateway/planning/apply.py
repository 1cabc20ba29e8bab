"""Carries steps out over HTTP: each as one request that may be repeated and counts once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from engine.limits import DEADLINE_MS_MAX
from gateway.pipe import request
from gateway.planning.step import Step
from gateway.sending import LoadRefused, NotReady, Sender


@dataclass(slots=True)
class Applied:
    """Ids of steps by what became of them; `refused` says why."""

    done: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # For approval: nothing was sent.
    refused: dict[str, str] = field(default_factory=dict)


async def apply(url: str, steps: Sequence[Step], approved: Collection[str]) -> Applied:
    """Send what may be sent: steps within the limit, and those a person has `approved` by id.

    Steps beyond the limit are not sent. One that the engine refuses does not stop the others.
    Raises Unreachable or NotReady; what was sent by then counts once, so the same plan may be
    applied again.
    """
    told = Applied()
    sender = Sender(url)
    try:
        for step in steps:
            if step.needs_approval and step.id not in approved:
                told.waiting.append(step.id)
                continue
            body = msgspec.json.encode(step.body)
            sent = request("POST", step.path, body, deadline_ms=DEADLINE_MS_MAX)
            try:
                await sender.settle([sent])
            except NotReady:
                raise
            except LoadRefused as refused:
                told.refused[step.id] = str(refused)
            else:
                told.done.append(step.id)
    finally:
        sender.close()
    return told
