"""The virtual total warehouse: nodes."""

from typing import Any, Final

from fastapi import Response

from engine.commands import network
from engine.limits import PICKUP_HOLD_HOURS_DEFAULT
from gateway.cold import Ask
from gateway.problems import Refused, invalid
from gateway.reading import Reader, checked_id
from gateway.routes.network import defined, elements, minute_of, time_of_day
from gateway.schema import NodeBody, OpeningHours

_READ_NODE: Final = Reader(NodeBody)
_PRIORITY_DEFAULT: Final = 100


async def put_node(ask: Ask) -> Response:
    """PUT /v1/nodes/{node}"""
    node = ask.path_id("node")
    ask.query()
    members = _members(node, await ask.json_body(_READ_NODE))
    await defined(ask, network.define({f"n|{node}": members}), node)
    return ask.answer(_document(node, members))


def _members(node: str, body: NodeBody) -> dict[str, Any]:
    """All members, defaults filled in."""
    for number, channel in enumerate(body.channels or ()):
        checked_id(channel, f"channels[{number}]")
    return {
        "kind": body.kind,
        "name": node if body.name is None else body.name,
        "zone": None if body.zone is None else checked_id(body.zone, "zone"),
        "latitude": body.latitude,
        "longitude": body.longitude,
        "channels": body.channels or [],
        "handling_hours": body.handling_hours or 0,
        "capacity_per_hour": body.capacity_per_hour,
        "priority": _PRIORITY_DEFAULT if body.priority is None else body.priority,
        "owner": body.owner,
        "minimum": body.minimum or 0,
        "settlement_cents": body.settlement_cents or 0,
        "cutoff_minute": minute_of(body.cutoff),
        "opening": _opening(body.opening_hours or []),
        "pickup_hold_hours": body.pickup_hold_hours or PICKUP_HOLD_HOURS_DEFAULT,
    }


def _opening(hours: list[OpeningHours]) -> list[list[Any]]:
    """``[ISO days, opens, closes]`` in minutes of the day; Refused where one is wrong."""
    opening: list[list[Any]] = []
    for number, span in enumerate(hours):
        opens, closes = minute_of(span.from_), minute_of(span.to)
        if opens is None or closes is None or closes <= opens:
            raise Refused(invalid(f"opening_hours[{number}].to", "must lie behind from"))
        opening.append([sorted(set(span.days)), opens, closes])
    return opening


def _document(node: str, members: dict[str, Any]) -> dict[str, Any]:
    """The node as the API tells it."""
    told = {"node": node, **members}
    told["cutoff"] = time_of_day(told.pop("cutoff_minute"))
    told["opening_hours"] = [
        {"days": days, "from": time_of_day(opens), "to": time_of_day(closes)}
        for days, opens, closes in told.pop("opening")
    ]
    return told


async def get_nodes(ask: Ask) -> Response:
    """GET /v1/nodes"""
    ask.query()
    found = await elements(ask, "n")
    return ask.answer({"nodes": [_document(node, members) for node, members in found.items()]})
