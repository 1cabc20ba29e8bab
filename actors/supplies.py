"""Supplies over the shards: ``net`` knows which SKU an id is of, the SKU's shard all the rest."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from engine.commands import Command, Reply, supplies
from engine.ids import shard_of
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome, but_for_copies
from engine.stock import SupplyMembers
from engine.to_store import shard_named_in

_REFUSED: Final = (
    Outcome.UNKNOWN_SKU, Outcome.UNKNOWN_NODE, Outcome.SHORT, Outcome.OUT_OF_RANGE,
)  # fmt: skip
_LOST: Reply = [Outcome.LOST, RETRY_AFTER_MS]
#: Place of the units that have come and have not moved yet, in a reported supply.
_ARRIVING = -1


class Shards(Protocol):
    """The way to the shards, and how many there are."""

    shards: int
    net: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


async def open_supply(
    client: Shards, name: str, sku: str, node: str, members: SupplyMembers, deadline_at: float
) -> Reply:
    """Make a supply known. → OK or REPEATED with it and its shortfalls, or why not.

    The id is taken first; where the supply then comes to nothing it is free again.
    """
    digest = bytes.fromhex(members.digest)
    naming = supplies.name_supply(name, sku, digest)
    named = but_for_copies(await client.call(client.net, naming, deadline_at))
    if named[0] not in (Outcome.OK, Outcome.REPEATED):
        return named
    opening = supplies.open_supply(sku, node, name, list(members))
    reply = await client.call(shard_of(sku, client.shards), opening, deadline_at)
    settled = but_for_copies(reply)[0]
    if settled in _REFUSED and named[0] == Outcome.OK:
        await client.call(client.net, supplies.unname_supply(name, digest), deadline_at)
        # The same request may have had more luck meanwhile, somewhere else.
        read = supplies.read_supply(sku, name)
        there = but_for_copies(await client.call(shard_of(sku, client.shards), read, deadline_at))
        if there[0] == Outcome.OK:
            await client.call(client.net, naming, deadline_at)
    elif settled == Outcome.OK and named[0] == Outcome.REPEATED:
        # Whoever took the id may have let it go again since.
        again = but_for_copies(await client.call(client.net, naming, deadline_at))
        if again[0] not in (Outcome.OK, Outcome.REPEATED):
            return _LOST
    return reply


async def ask(
    client: Shards, name: str, command: Callable[[str], Command], deadline_at: float
) -> Reply:
    """What ``command``, made of the SKU, answers about a supply. Units that came are all moved.

    LOST: not all of them yet; the owner goes on by itself.
    """
    made_by = shard_named_in(name)
    knows = client.net if made_by is None or made_by >= client.shards else made_by
    found = but_for_copies(await client.call(knows, supplies.find_supply(name), deadline_at))
    if found[0] != Outcome.OK:
        return found
    sku = found[1]
    shard = shard_of(sku, client.shards)
    reply = await client.call(shard, command(sku), deadline_at)
    while but_for_copies(reply)[0] <= Outcome.REPEATED and but_for_copies(reply)[1][_ARRIVING]:
        reply = await client.call(shard, supplies.arrive(sku, name), deadline_at)
        if but_for_copies(reply)[0] != Outcome.OK:
            return _LOST
    return reply


async def shortfalls(
    client: Shards, after: str, most: int, deadline_at: float
) -> list[list[Any]] | Reply:
    """Rows of all shards behind an id, by id; a refusing reply where one did not answer."""
    command = supplies.shortfalls(after, most)
    replies = await asyncio.gather(
        *(client.call(shard, command, deadline_at) for shard in range(client.shards))
    )
    for reply in replies:
        if reply[0] != Outcome.OK:
            return reply
    rows = [row for reply in replies for row in reply[1:]]
    return sorted(rows, key=lambda row: str(row[3]))[:most]
