"""Commands that go to more than one shard without being one reservation: nodes, adjustments."""

import asyncio
from typing import Any, NamedTuple, Protocol

from engine import commands
from engine.commands import Command, Reply
from engine.ids import shard_of
from engine.limits import ADJUSTMENT_SLICE, RETRY_AFTER_MS
from engine.outcome import Outcome, but_for_copies

_LOST: Reply = [Outcome.LOST, RETRY_AFTER_MS]
_DONE = (Outcome.OK, Outcome.REPEATED)


class Shards(Protocol):
    """The way to the shards, and how many there are."""

    shards: int
    net: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


class Adjusted(NamedTuple):
    """What became of an adjustment: whether it was a repeat, and each row's answer in order."""

    repeated: bool
    results: list[list[Any]]


async def define(client: Shards, command: Command, deadline_at: float) -> Reply:
    """Change the network at ``net`` and let every shard know before this returns.

    ``command``: one of ``commands.network``. → its reply; LOST if some shard could not be told: it
    learns of it by itself within a second; WEAKER where ``net``, which keeps the network, has
    fewer copies than the level asks for.
    """
    reply = await client.call(client.net, command, deadline_at)
    defined = but_for_copies(reply)
    if defined[0] != Outcome.OK:
        return reply
    version, changed = defined[1], defined[2]
    told = await asyncio.gather(
        *(_tell(client, shard, version, changed, deadline_at)
          for shard in range(client.shards))
    )  # fmt: skip
    return reply if all(told) else _LOST


async def _tell(
    client: Shards, shard: int, version: int, changed: dict[str, Any], deadline_at: float
) -> bool:
    """Bring a shard to a version of the network, from wherever it is."""
    step = commands.take_network(version - 1, version, changed)
    while True:
        reply = but_for_copies(await client.call(shard, step, deadline_at))
        if reply[0] not in (Outcome.OK, Outcome.GAP):
            return False
        if reply[1] >= version:
            return True
        known = reply[1]
        read = await client.call(client.net, commands.read_network(known), deadline_at)
        if read[0] != Outcome.OK or read[1] <= known:
            return False
        step = commands.take_network(known, read[1], read[2])


async def elements(client: Shards, kinds: str, deadline_at: float) -> dict[str, Any] | Reply:
    """All elements of the network of these kinds, by name; or why they could not be read."""
    found: dict[str, Any] = {}
    known = 0
    while True:
        reply = await client.call(client.net, commands.read_network(known, kinds), deadline_at)
        if reply[0] != Outcome.OK:
            return reply
        _ok, known, part, latest = reply
        found.update(part)
        if known >= latest:
            return found


async def adjust(
    client: Shards, reference: str, digest: bytes, rows: list[list[Any]], deadline_at: float
) -> Adjusted | Reply:
    """Apply an adjustment, each row once however often it is sent.

    ``net`` knows the reference before any shard sees a slice of it; slices are idempotent by
    (reference, shard, number). LOST: some are in; a repeat applies the rest. WEAKER: all are in,
    some with fewer copies than the level asks for.
    """
    reply = await client.call(client.net, commands.reference(reference, digest), deadline_at)
    if but_for_copies(reply)[0] not in _DONE:
        return reply
    by_shard: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        by_shard.setdefault(shard_of(row[0], client.shards), []).append(at)
    results: list[list[Any]] = [[] for _ in rows]
    applied = await asyncio.gather(*(
        _adjust_shard(client, shard, places, (reference, digest, rows, results), deadline_at)
        for shard, places in by_shard.items()
    ))  # fmt: skip
    outcomes = {Outcome(reply[0])}.union(*applied)
    if Outcome.LOST in outcomes:
        return _LOST
    if Outcome.WEAKER in outcomes:
        return [Outcome.WEAKER, RETRY_AFTER_MS]
    return Adjusted(all(Outcome.OK not in slices for slices in applied), results)


async def _adjust_shard(
    client: Shards,
    shard: int,
    places: list[int],
    adjustment: tuple[str, bytes, list[list[Any]], list[list[Any]]],
    deadline_at: float,
) -> set[Outcome]:
    """Apply one shard's rows, slice by slice; what came of the slices, or LOST at the first."""
    reference, digest, rows, results = adjustment
    outcomes: set[Outcome] = set()
    for number, first in enumerate(range(0, len(places), ADJUSTMENT_SLICE)):
        part = places[first : first + ADJUSTMENT_SLICE]
        command = commands.adjust(reference, number, digest, [rows[at] for at in part])
        told = await client.call(shard, command, deadline_at)
        reply = but_for_copies(told)
        if reply[0] not in _DONE:
            return {Outcome.LOST}
        outcomes.add(Outcome(told[0]))
        for at, result in zip(part, reply[1:], strict=True):
            results[at] = result
    return outcomes
