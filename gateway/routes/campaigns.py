"""Campaigns: declared, previewed, opened, counted, closed, reported on."""

from typing import Any, Final

from fastapi import Response

from actors import campaigns
from engine.commands import Reply, shares
from engine.outcome import Outcome
from gateway.cold import Ask
from gateway.contract.campaigns import CampaignBody
from gateway.problems import Refused, invalid, of_read, of_reply, problem
from gateway.reading import Reader, checked_id
from gateway.requests import instant
from gateway.times import written

_READ_CAMPAIGN: Final = Reader(CampaignBody)
#: What callers are told of the steps between.
_STATES: Final = {"opening": "draft", "closing": "open"}


async def put_campaign(ask: Ask) -> Response:
    """PUT /v1/campaigns/{id}"""
    name = ask.path_id("id")
    ask.query()
    members = _members(name, await ask.json_body(_READ_CAMPAIGN))
    reply = await ask.call(ask.client.net, shares.define_campaign(name, members), name)
    return ask.answer(_document(name, reply[1], reply[2], []))


def _members(name: str, body: CampaignBody) -> dict[str, Any]:
    """All members, defaults filled in; times in ms."""
    starts_at, ends_at = instant(body.starts_at, "starts_at"), instant(body.ends_at, "ends_at")
    if ends_at <= starts_at:
        raise Refused(invalid("ends_at", "must lie behind starts_at"))
    for number, node in enumerate(body.nodes or ()):
        checked_id(node, f"nodes[{number}]")
    return {
        "name": name if body.name is None else body.name,
        "channel": None if body.channel is None else checked_id(body.channel, "channel"),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "items": _items(body),
        "nodes": body.nodes,
        "include_supplies": bool(body.include_supplies),
        "limit_per_customer": body.limit_per_customer,
        "limit_per_customer_total": body.limit_per_customer_total,
        "hold_seconds": body.hold_seconds,
        "anonymous_hold_seconds": body.anonymous_hold_seconds,
        "tranches": _tranches(body),
    }


def _items(body: CampaignBody) -> list[list[Any]]:
    items: dict[str, list[Any]] = {}
    for number, item in enumerate(body.items):
        path = f"items[{number}].sku"
        if checked_id(item.sku, path) in items:
            raise Refused(invalid(path, "this sku occurred before"))
        items[item.sku] = [item.sku, item.quantity]
    return list(items.values())


def _tranches(body: CampaignBody) -> list[list[int]] | None:
    if body.tranches is None:
        return None
    tranches: list[list[int]] = []
    for number, tranche in enumerate(body.tranches):
        at_ms = instant(tranche.at, f"tranches[{number}].at")
        if tranches and (at_ms <= tranches[-1][0] or tranche.permille < tranches[-1][1]):
            raise Refused(invalid(f"tranches[{number}].at", "tranches must ascend in both members"))
        tranches.append([at_ms, tranche.permille])
    return tranches


def _document(
    name: str, state: str, members: dict[str, Any], rows: list[list[Any]]
) -> dict[str, Any]:
    """The campaign as the API tells it; ``rows`` as its shards count, none while a draft."""
    items, tranches = members["items"], members["tranches"]
    declared = sum(quantity for _, quantity in items)
    _, _, held, confirmed, refused, left = [sum(column) if at else 0
        for at, column in enumerate(zip(*rows, strict=True))] if rows else (
        0, declared, 0, 0, 0, declared)  # fmt: skip
    return {
        "id": name,
        "limit_per_customer_total": None,  # Of one declared before there was such a limit.
        **members,
        "starts_at": written(members["starts_at"]),
        "ends_at": written(members["ends_at"]),
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in items],
        "tranches": tranches and [
            {"at": written(at_ms), "permille": permille} for at_ms, permille in tranches
        ],
        "state": _STATES.get(state, state),
        "counters": {
            "declared": declared, "reserved": held, "confirmed": confirmed, "refused": refused,
            "left": left,
        },
    }  # fmt: skip


async def _found(ask: Ask, name: str) -> tuple[str, dict[str, Any]]:
    _ok, found = await ask.read(ask.client.net, shares.find_campaigns(name), name)
    state, members, _ = found[name]
    return state, members


async def _counted(ask: Ask, name: str, members: dict[str, Any]) -> list[list[Any]]:
    rows = await campaigns.counted(ask.client, name, members["items"], ask.deadline_at)
    if rows and not isinstance(rows[0], list):
        raise Refused(of_read(rows, name))
    return rows


async def _told(ask: Ask, name: str, state: str, members: dict[str, Any]) -> Response:
    rows = [] if state == "draft" else await _counted(ask, name, members)
    return ask.answer(_document(name, state, members, rows))


async def get_campaigns(ask: Ask) -> Response:
    """GET /v1/campaigns"""
    ask.query()
    _ok, found = await ask.read(ask.client.net, shares.find_campaigns(None), "campaigns")
    told = []
    for name, (state, members, _) in sorted(found.items()):
        rows = [] if state == "draft" else await _counted(ask, name, members)
        told.append(_document(name, state, members, rows))
    return ask.answer({"campaigns": told})


async def get_campaign(ask: Ask) -> Response:
    """GET /v1/campaigns/{id}"""
    name = ask.path_id("id")
    ask.query()
    return await _told(ask, name, *await _found(ask, name))


async def preview(ask: Ask) -> Response:
    """POST /v1/campaigns/{id}/preview"""
    name = ask.path_id("id")
    ask.query()
    await ask.no_body()
    _, members = await _found(ask, name)
    rows = await campaigns.preview(ask.client, members, ask.deadline_at)
    if not isinstance(rows[0], list):
        raise Refused(of_read(rows, name))
    items = [_preview_item(*row) for row in rows]
    return ask.answer({"feasible": not any(item["short"] for item in items), "items": items})


def _preview_item(sku: str, units: int, sources: list[list[Any]]) -> dict[str, Any]:
    promised = sum(source[2] for source in sources)
    return {
        "sku": sku, "declared": units, "promised": promised, "short": units - promised,
        "backings": [
            {"node": node, "supply": supply, "quantity": part,
             "available_at": None if at_ms is None else written(at_ms)}
            for node, supply, part, at_ms in sources
        ],
    }  # fmt: skip


async def _stepped(ask: Ask, name: str, reply: Reply) -> Response:
    """The campaign after a step."""
    if reply[0] != Outcome.OK:
        raise Refused(of_reply(reply, name))
    _ok, state, members = reply
    for sku, _ in members["items"]:
        ask.gateway.intake.hints.units_moved(sku)
    return await _told(ask, name, state, members)


async def open_campaign(ask: Ask) -> Response:
    """POST /v1/campaigns/{id}/open"""
    name = ask.path_id("id")
    ask.query()
    await ask.no_body()
    reply = await campaigns.open_everywhere(ask.client, name, ask.deadline_at)
    return await _stepped(ask, name, reply)


async def close_campaign(ask: Ask) -> Response:
    """POST /v1/campaigns/{id}/close"""
    name = ask.path_id("id")
    ask.query()
    await ask.no_body()
    reply = await campaigns.close_everywhere(ask.client, name, ask.deadline_at)
    return await _stepped(ask, name, reply)


async def report(ask: Ask) -> Response:
    """GET /v1/campaigns/{id}/report"""
    name = ask.path_id("id")
    ask.query()
    state, members = await _found(ask, name)
    if state != "closed":
        shown = _STATES.get(state, state)
        raise Refused(problem("campaign-state", f"{name} is {shown}", id=name, state=shown))
    items = [
        {"sku": sku, "declared": declared, "sold": sold, "returned": declared - sold - held,
         "refused": refused, "oversold": max(0, sold + held - declared)}
        for sku, declared, held, sold, refused, _ in await _counted(ask, name, members)
    ]  # fmt: skip
    return ask.answer({"id": name, "items": items})
