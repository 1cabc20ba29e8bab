"""The virtual total warehouse: nodes."""

from typing import Any, Final

from fastapi import Response

from engine import commands
from engine.outcome import Outcome
from gateway.cold import Ask
from gateway.problems import Refused, of_reply
from gateway.reading import Reader, checked_id
from gateway.schema import NodeBody

_READ_NODE: Final = Reader(NodeBody)
_PRIORITY_DEFAULT: Final = 100


async def put_node(ask: Ask) -> Response:
    """PUT /v1/nodes/{node}"""
    node = ask.path_id("node")
    ask.query()
    members = _members(node, await ask.json_body(_READ_NODE))
    reply = await ask.client.put_node(node, members, ask.deadline_at)
    if reply[0] > Outcome.REPEATED:
        raise Refused(of_reply(reply, node))
    ask.gateway.intake.hints.forget_all()
    return ask.answer({"node": node, **members})


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
    }


async def get_nodes(ask: Ask) -> Response:
    """GET /v1/nodes"""
    ask.query()
    _ok, _version, nodes = await ask.read(ask.client.net, commands.read_network(0), "nodes")
    return ask.answer({"nodes": [{"node": node, **nodes[node]} for node in sorted(nodes)]})
