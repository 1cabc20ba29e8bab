"""Commands that go to more than one shard without being one reservation: nodes, adjustments."""

import asyncio
from typing import Any, NamedTuple, Protocol

from engine import commands
from engine.commands import Command, Reply
from engine.ids import shard_of
from engine.limits import ADJUSTMENT_SLICE, RETRY_AFTER_MS
from engine.outcome import Outcome

_LOST: Reply = [Outcome.LOST, RETRY_AFTER_MS]


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


async def put_node(client: Shards, node: str, members: dict[str, Any], deadline_at: float) -> Reply:
    """Define a node at ``net`` and let every shard know before this returns.

    → OK; LOST if some shard could not be told: it learns of it by itself within a second.
    """
    reply = await client.call(client.net, commands.define_node(node, members), deadline_at)
    if reply[0] != Outcome.OK:
        return reply
    version = reply[1]
    told = await asyncio.gather(
        *(_tell(client, shard, version, {node: members}, deadline_at)
          for shard in range(client.shards))
    )  # fmt: skip
    return [Outcome.OK, version] if all(told) else _LOST


async def _tell(
    client: Shards, shard: int, version: int, changed: dict[str, Any], deadline_at: float
) -> bool:
    """Bring a shard to a version of the network, from wherever it is."""
    one_step = commands.take_network(version - 1, version, changed)
    reply = await client.call(shard, one_step, deadline_at)
    known = version if reply[0] == Outcome.OK else reply[1] if reply[0] == Outcome.GAP else None
    if known is None:
        return False
    if known >= version:
        return True
    nodes = await client.call(client.net, commands.read_network(known), deadline_at)
    if nodes[0] != Outcome.OK:
        return False
    taken = commands.take_network(known, nodes[1], nodes[2])
    return bool((await client.call(shard, taken, deadline_at))[0] == Outcome.OK)


async def adjust(
    client: Shards, reference: str, digest: bytes, rows: list[list[Any]], deadline_at: float
) -> Adjusted | Reply:
    """Apply an adjustment, each row once however often it is sent.

    ``net`` knows the reference before any shard sees a slice of it; slices are idempotent by
    (reference, shard, number). LOST: some are in; a repeat applies the rest.
    """
    reply = await client.call(client.net, commands.reference(reference, digest), deadline_at)
    if reply[0] not in (Outcome.OK, Outcome.REPEATED):
        return reply
    by_shard: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        by_shard.setdefault(shard_of(row[0], client.shards), []).append(at)
    results: list[list[Any]] = [[] for _ in rows]
    applied = await asyncio.gather(*(
        _adjust_shard(client, shard, places, (reference, digest, rows, results), deadline_at)
        for shard, places in by_shard.items()
    ))  # fmt: skip
    if any(outcome not in (Outcome.OK, Outcome.REPEATED) for outcome in applied):
        return _LOST
    return Adjusted(all(outcome == Outcome.REPEATED for outcome in applied), results)


async def _adjust_shard(
    client: Shards,
    shard: int,
    places: list[int],
    adjustment: tuple[str, bytes, list[list[Any]], list[list[Any]]],
    deadline_at: float,
) -> Outcome:
    """One shard's rows, slice by slice; OK if any slice was new."""
    reference, digest, rows, results = adjustment
    outcome = Outcome.REPEATED
    for number, first in enumerate(range(0, len(places), ADJUSTMENT_SLICE)):
        part = places[first : first + ADJUSTMENT_SLICE]
        command = commands.adjust(reference, number, digest, [rows[at] for at in part])
        reply = await client.call(shard, command, deadline_at)
        if reply[0] not in (Outcome.OK, Outcome.REPEATED):
            return Outcome(reply[0])
        outcome = min(outcome, Outcome(reply[0]))
        for at, result in zip(part, reply[1:], strict=True):
            results[at] = result
    return outcome
