"""Lanes, pools and channels."""

import itertools
from typing import Any, Final

from fastapi import Response

from actors import stockroom
from engine.announcing import ANNOUNCED
from engine.commands import Command, Reply, network
from engine.lanes import table_of
from engine.limits import LANES_SLICE
from engine.outcome import Outcome
from engine.totals import UNPAID
from gateway.cold import Ask
from gateway.contract.network import ChannelBody, LaneBody, LanesBody, PoolBody
from gateway.problems import Refused, invalid, of_read, of_reply, problem
from gateway.reading import Reader, checked_id

_READ_LANES: Final = Reader(LanesBody)
_READ_POOL: Final = Reader(PoolBody)
_READ_CHANNEL: Final = Reader(ChannelBody)
_HOUR_MS: Final = 3_600_000


async def defined(ask: Ask, command: Command, name: str) -> Reply:
    """Change the network; Refused where that was not done."""
    reply = await stockroom.define(ask.client, command, ask.deadline_at)
    if reply[0] > Outcome.REPEATED:
        raise Refused(of_reply(reply, name))
    ask.gateway.intake.hints.forget_all()
    ask.gateway.intake.network.forget()
    return reply


async def elements(ask: Ask, kind: str) -> dict[str, Any]:
    """All elements of one kind, by id."""
    found = await stockroom.elements(ask.client, kind, ask.deadline_at)
    if isinstance(found, list):
        raise Refused(of_read(found, "network"))
    return {name[2:]: value for name, value in sorted(found.items())}


def minute_of(text: str | None) -> int | None:
    """A time of day as minutes since midnight."""
    return None if text is None else int(text[:2]) * 60 + int(text[3:])


def time_of_day(minute: int | None) -> str | None:
    """Minutes since midnight as a time of day."""
    return None if minute is None else f"{minute // 60:02}:{minute % 60:02}"


async def put_lanes(ask: Ask) -> Response:
    """PUT /v1/lanes"""
    ask.query()
    body = await ask.json_body(_READ_LANES)
    rows = [_lane(number, lane) for number, lane in enumerate(body.lanes)]
    rows.sort(key=lambda row: (row[1], row[0]))  # A slice changes few zones.
    reply: Reply = []
    for first in range(0, len(rows), LANES_SLICE):
        part = rows[first : first + LANES_SLICE]
        reply = await defined(ask, network.define_lanes(part), "lanes")
    return ask.answer({"lanes": reply[3], "version": reply[1]})


def _lane(number: int, lane: LaneBody) -> list[Any]:
    path = f"lanes[{number}]"
    checked_id(lane.node, f"{path}.node")
    checked_id(lane.zone, f"{path}.zone")
    steps = [[step.from_grams, step.per_kg_cents] for step in lane.steps or ()]
    if any(one[0] >= other[0] for one, other in itertools.pairwise(steps)):
        raise Refused(invalid(f"{path}.steps", "must ascend by from_grams"))
    transit_ms = round(lane.transit_hours * _HOUR_MS)
    cutoff = minute_of(lane.cutoff)
    return [lane.node, lane.zone, lane.fixed_cents, lane.per_kg_cents, transit_ms, cutoff, steps]


async def get_lanes(ask: Ask) -> Response:
    """GET /v1/lanes"""
    zone = ask.query("zone").get("zone")
    if zone is None:
        raise Refused(invalid("query.zone", "is required"))
    checked_id(zone, "query.zone")
    packed = (await elements(ask, "l")).get(zone)
    if packed is None:
        raise Refused(problem("unknown-zone", zone, id=zone))
    lanes = [
        {"node": node, "zone": zone, "fixed_cents": lane.fixed_cents,
         "per_kg_cents": lane.per_kg_cents, "transit_hours": lane.transit_ms / _HOUR_MS,
         "cutoff": time_of_day(lane.cutoff_minute),
         "steps": [{"from_grams": grams, "per_kg_cents": cents} for grams, cents in lane.steps]}
        for node, lane in sorted(table_of(packed).items())
    ]  # fmt: skip
    return ask.answer({"lanes": lanes})


async def put_pool(ask: Ask) -> Response:
    """PUT /v1/pools/{pool}"""
    pool = ask.path_id("pool")
    ask.query()
    body = await ask.json_body(_READ_POOL)
    for number, node in enumerate(body.nodes):
        checked_id(node, f"nodes[{number}]")
    nodes = sorted(set(body.nodes))
    await defined(ask, network.define({f"p|{pool}": nodes}), pool)
    return ask.answer({"pool": pool, "nodes": nodes})


async def get_pools(ask: Ask) -> Response:
    """GET /v1/pools"""
    ask.query()
    pools = [{"pool": pool, "nodes": nodes} for pool, nodes in (await elements(ask, "p")).items()]
    return ask.answer({"pools": pools})


#: Members that channels of older versions lack.
_SINCE: Final[dict[str, Any]] = {UNPAID: None, ANNOUNCED: False}


async def put_channel(ask: Ask) -> Response:
    """PUT /v1/channels/{channel}"""
    channel = ask.path_id("channel")
    ask.query()
    body = await ask.json_body(_READ_CHANNEL)
    pool = None if body.pool is None else checked_id(body.pool, "pool")
    if pool is not None and pool not in await elements(ask, "p"):
        raise Refused(problem("unknown-pool", pool, id=pool))
    members = {
        "name": channel if body.name is None else body.name,
        "late_payment": body.late_payment or "hold_again",
        "anonymous_hold_seconds": body.anonymous_hold_seconds,
        "pool": pool,
        UNPAID: body.unpaid_units_per_customer,
        ANNOUNCED: bool(body.availability_events),
    }
    await defined(ask, network.define({f"h|{channel}": members}), channel)
    return ask.answer({"channel": channel, **members})


async def get_channels(ask: Ask) -> Response:
    """GET /v1/channels"""
    ask.query()
    found = await elements(ask, "h")
    return ask.answer(
        {"channels": [{"channel": name, **_SINCE, **at} for name, at in found.items()]}
    )
