"""Bundles taken apart: what a shard does not know as a SKU may be one.

A bundle is routed by its own code and its request's digest is of the codes as requested, so a
bundle that changes never moves a repeat. Nothing of this costs those who ask for SKUs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from engine import record
from engine.commands import Reply
from engine.limits import QUANTITY_MAX
from engine.outcome import Outcome
from engine.record import Line
from engine.requests import Reserve
from gateway.network_view import NetworkView
from gateway.ports import Owners

#: A bundle as the network has it: name and parts.
Known = Mapping[str, dict[str, Any]]


def taken_apart(lines: Sequence[Line], bundles: Known) -> list[Line]:
    """Lines of parts in place of bundles, one for each (sku, node)."""
    merged: dict[tuple[str, str | None], Line] = {}
    for sku, node, units in lines:
        bundle = bundles.get(sku)
        parts = [(sku, 1)] if bundle is None else bundle["parts"]
        for part, quantity in parts:
            merged.setdefault((part, node), [part, node, 0])[2] += quantity * units
    return list(merged.values())


async def seen(network: NetworkView) -> Reply | None:
    """Have the network fresh; a refusing reply where it could not be read."""
    ready: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
    network.see(ready.set_result)
    return await ready


async def reserve(
    client: Owners, network: NetworkView, request: Reserve, refused: Reply, deadline_at: float
) -> Reply:
    """The parts of what was asked for, all or nothing; ``refused`` where no bundle is in it."""
    away = await seen(network)
    if away is not None:
        return [Outcome.UNAVAILABLE, *away[1:2]]
    named = [line[0] for line in request.lines if line[0] in network.bundles]
    if not named:
        return refused
    lines = taken_apart(request.lines, network.bundles)
    too_many = next((line for line in lines if line[2] > QUANTITY_MAX), None)
    if too_many is not None:
        told = f"its parts exceed {QUANTITY_MAX:,} units of {too_many[0]}"
        return [Outcome.INVALID, "lines", told]
    extra = {name: value for name, value in (request.extra or {}).items()
             if name != record.PARTIAL}  # fmt: skip
    extra[record.BUNDLES] = [
        [sku, units] for sku, _, units in request.lines if sku in network.bundles
    ]
    whole = Reserve(request.key, request.digest, lines, request.hold_ms, extra, False, request.home)
    return await client.reserve_over_shards(whole, deadline_at)
