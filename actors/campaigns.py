"""Campaigns over all shards: opened everywhere or nowhere, closed everywhere in the end.

``net`` says which step a campaign is in before any shard takes it; each step may be repeated, so
whoever comes after a coordinator that stopped (a caller who asks again, or the keeper) finishes it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from engine.commands import Command, Reply, shares
from engine.ids import shard_of
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome, but_for_copies, precedence
from engine.stock import Terms

_LOST: Reply = [Outcome.LOST, RETRY_AFTER_MS]
#: Of the rows of ``commands.shares.read_campaign``.
Rows = list[list[Any]]


class Shards(Protocol):
    """The way to the shards, and how many there are."""

    shards: int
    net: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


def terms_of(members: dict[str, Any]) -> list[Any]:
    """On what conditions the shards sell, from the campaign as ``net`` keeps it."""
    return list(
        Terms(
            defined=True,
            channel=members["channel"],
            starts_at_ms=members["starts_at"],
            ends_at_ms=members["ends_at"],
            limit=members["limit_per_customer"],
            hold_ms=(members["hold_seconds"] or 0) * 1000,
            anonymous_hold_ms=(members["anonymous_hold_seconds"] or 0) * 1000,
            nodes=members["nodes"],
            include_supplies=members["include_supplies"],
            tranches=members["tranches"],
            limit_total=members.get("limit_per_customer_total"),
        )
    )


async def open_everywhere(client: Shards, campaign: str, deadline_at: float) -> Reply:
    """Set all declared units aside, or none. → OK with state and members.

    SHORT with every short item, UNKNOWN_SKU, UNKNOWN_CAMPAIGN or CAMPAIGN_STATE; LOST where a
    shard could not be asked: a repeat goes on, and so does the keeper.
    """
    begin = shares.move_campaign(campaign, ("draft", "opening"), "opening")
    begun = but_for_copies(await client.call(client.net, begin, deadline_at))
    if begun[0] == Outcome.CAMPAIGN_STATE and begun[2] == "open":
        return await client.call(
            client.net, shares.move_campaign(campaign, (), "open"), deadline_at
        )
    if begun[0] != Outcome.OK:
        return begun
    members = begun[2]
    terms = terms_of(members)
    replies = await _everywhere(
        client,
        members["items"],
        lambda items: shares.open_campaign(campaign, terms, items),
        deadline_at,
    )
    refused = [reply for reply in replies if reply[0] not in (Outcome.OK, Outcome.WEAKER)]
    if not refused:
        opened = shares.move_campaign(campaign, ("opening",), "open")
        return await client.call(client.net, opened, deadline_at)
    worst = min((Outcome(reply[0]) for reply in refused), key=precedence)
    if worst not in (Outcome.SHORT, Outcome.UNKNOWN_SKU):
        return _LOST
    if not await _take_back(client, campaign, members, deadline_at):
        return _LOST
    rows = [row for reply in refused if reply[0] == worst for row in reply[1]]
    return [worst, sorted(rows), False]


async def _take_back(
    client: Shards, campaign: str, members: dict[str, Any], deadline_at: float
) -> bool:
    replies = await _everywhere(
        client,
        members["items"],
        lambda items: shares.close_campaign(campaign, [sku for sku, _ in items], forget=True),
        deadline_at,
    )
    if any(reply[0] not in (Outcome.OK, Outcome.WEAKER) for reply in replies):
        return False
    back = shares.move_campaign(campaign, ("opening",), "draft")
    return bool(but_for_copies(await client.call(client.net, back, deadline_at))[0] == Outcome.OK)


async def close_everywhere(client: Shards, campaign: str, deadline_at: float) -> Reply:
    """Give the rest back. → OK with state and members, UNKNOWN_CAMPAIGN, CAMPAIGN_STATE or LOST."""
    begin = shares.move_campaign(campaign, ("open", "closing"), "closing")
    begun = but_for_copies(await client.call(client.net, begin, deadline_at))
    if begun[0] == Outcome.CAMPAIGN_STATE and begun[2] == "closed":
        return await client.call(
            client.net, shares.move_campaign(campaign, (), "closed"), deadline_at
        )
    if begun[0] != Outcome.OK:
        return begun
    replies = await _everywhere(
        client,
        begun[2]["items"],
        lambda items: shares.close_campaign(campaign, [sku for sku, _ in items]),
        deadline_at,
    )
    if any(reply[0] not in (Outcome.OK, Outcome.WEAKER) for reply in replies):
        return _LOST
    closed = shares.move_campaign(campaign, ("closing",), "closed")
    return await client.call(client.net, closed, deadline_at)


async def counted(
    client: Shards, campaign: str, items: Iterable[list[Any]], deadline_at: float
) -> Rows | Reply:
    """What each item's shard has counted, by SKU; a refusing reply where one did not answer."""
    replies = await _everywhere(
        client,
        items,
        lambda part: shares.read_campaign(campaign, [sku for sku, _ in part]),
        deadline_at,
    )
    for reply in replies:
        if reply[0] != Outcome.OK:
            return reply
    return sorted(row for reply in replies for row in reply[1:])


async def preview(client: Shards, members: dict[str, Any], deadline_at: float) -> Rows | Reply:
    """Where each item's units would come from, by SKU; UNKNOWN_SKU, or who did not answer."""
    terms = terms_of(members)
    replies = await _everywhere(
        client,
        members["items"],
        lambda items: shares.preview_campaign(terms, items),
        deadline_at,
    )
    unknown = [sku for r in replies if r[0] == Outcome.UNKNOWN_SKU for sku in r[1]]
    if unknown:
        return [Outcome.UNKNOWN_SKU, sorted(unknown)]
    for reply in replies:
        if reply[0] != Outcome.OK:
            return reply
    return sorted(row for reply in replies for row in reply[1:])


async def _everywhere(
    client: Shards,
    items: Iterable[list[Any]],
    command: Callable[[list[list[Any]]], Command],
    deadline_at: float,
) -> list[Reply]:
    by_shard: dict[int, list[list[Any]]] = {}
    for item in items:
        by_shard.setdefault(shard_of(item[0], client.shards), []).append(item)
    calls = [client.call(shard, command(part), deadline_at) for shard, part in by_shard.items()]
    return [but_for_copies(reply) for reply in await asyncio.gather(*calls)]


async def explain(
    client: Shards, campaign: str, lines: Iterable[list[Any]], deadline_at: float
) -> Reply:
    """What to say to one who named a campaign that a shard does not sell for.

    It is not open yet, or it has nothing of these SKUs, or there is no such campaign.
    """
    found = await client.call(client.net, shares.find_campaigns(campaign), deadline_at)
    if found[0] != Outcome.OK:
        return found
    state, members, _ = found[1][campaign]
    if state not in ("open", "closing"):
        return [Outcome.CAMPAIGN_NOT_OPEN, campaign, "closed" if state == "closed" else "draft"]
    declared = {sku for sku, _ in members["items"]}
    return [Outcome.OVER_QUOTA, [[*line[:3], 0] for line in lines if line[0] not in declared]]
