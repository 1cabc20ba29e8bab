"""What may be promised to a basket, gathered from its shards."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from engine.commands import Command, Reply, promising
from engine.ids import shard_of
from engine.outcome import Outcome, precedence
from engine.promising import Candidate
from engine.record import Extra, Line


class Shards(Protocol):
    """The way to the shards, and how many there are."""

    shards: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


async def gathered(
    client: Shards,
    lines: Sequence[Line],
    extra: Extra | None,
    deadline_at: float,
    *,
    explain: bool,
) -> list[tuple[list[Candidate], list[list[Any]]]] | Reply:
    """For each line where it could come from, and the numbers behind; or the refusing reply."""
    places: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        places.setdefault(shard_of(line[0], client.shards), []).append(at)
    replies = await asyncio.gather(*(
        client.call(
            shard, promising.candidates([lines[at] for at in own], extra, explain=explain),
            deadline_at,
        )
        for shard, own in places.items()
    ))  # fmt: skip
    refused = [reply for reply in replies if reply[0] != Outcome.OK]
    if refused:
        worst = min(refused, key=lambda reply: precedence(Outcome(reply[0])))
        if worst[0] in (Outcome.UNKNOWN_SKU, Outcome.UNKNOWN_NODE):
            names = {name for reply in refused if reply[0] == worst[0] for name in reply[1]}
            return [worst[0], sorted(names)]
        return worst
    found: list[tuple[list[Candidate], list[list[Any]]]] = [([], []) for _ in lines]
    for own, reply in zip(places.values(), replies, strict=True):
        for at, (rows, explained) in zip(own, reply[1:], strict=True):
            found[at] = ([Candidate(*row) for row in rows], explained)
    return found
