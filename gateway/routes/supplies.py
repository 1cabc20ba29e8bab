"""Units on their way, and promises that break."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from fastapi import Response

from actors import supplies as over_shards
from engine.commands import Command, Reply, supplies
from engine.outcome import Outcome, but_for_copies
from engine.record import pack
from engine.shortfalls import SHORTFALL_MEMBERS
from engine.stock import SupplyMembers
from engine.supplies import SUPPLY_MEMBERS
from engine.to_store import PREFIX
from gateway.cold import Ask
from gateway.contract.supplies import DelayBody, ReceiveBody, SupplyBody, TransferBody
from gateway.problems import Refused, invalid, of_read, of_reply
from gateway.reading import Reader, checked_id
from gateway.requests import instant
from gateway.routes.events import limit_in
from gateway.times import written

_READ_SUPPLY: Final = Reader(SupplyBody)
_READ_TRANSFER: Final = Reader(TransferBody)
_READ_RECEIVE: Final = Reader(ReceiveBody)
_READ_DELAY: Final = Reader(DelayBody)
_DIGEST_BYTES: Final = 16


def supply(row: list[Any]) -> dict[str, Any]:
    """A supply as the API tells it."""
    told = dict(zip(SUPPLY_MEMBERS, row, strict=True))
    told["available_at"] = written(told["available_at"])
    del told["arriving"]
    return told


def shortfall(row: list[Any]) -> dict[str, Any]:
    """A shortfall as the API tells it."""
    told = dict(zip(SHORTFALL_MEMBERS, row, strict=True))
    return {
        "id": told["id"],
        "sku": told["sku"],
        "node": told["node"],
        "supply": told["supply"],
        "quantity": told["quantity"],
        "reason": told["reason"],
        "opened_at": written(told["opened_at"]),
        "deadline": written(told["deadline"]),
        "reservations": told["reservations"],
        "alternatives": [
            {"node": node, "supply": name, "quantity": units,
             "available_at": None if at_ms is None else written(at_ms)}
            for node, name, units, at_ms in told["alternatives"]
        ],
    }  # fmt: skip


async def open_supply(ask: Ask) -> Response:
    """POST /v1/supplies"""
    ask.query()
    body = await ask.body(_READ_SUPPLY)
    return await _opened(ask, body.kind, body.node, "node", None, body, body.preorder_cap)


async def open_transfer(ask: Ask) -> Response:
    """POST /v1/transfers"""
    ask.query()
    body = await ask.body(_READ_TRANSFER)
    origin = checked_id(body.from_node, "from_node")
    if origin == body.to_node:
        raise Refused(invalid("to_node", "is where the units are"))
    return await _opened(ask, "transfer", body.to_node, "to_node", origin, body, None)


async def _opened(
    ask: Ask,
    kind: str,
    node: str,
    path: str,
    origin: str | None,
    body: SupplyBody | TransferBody,
    cap: int | None,
) -> Response:
    name, sku = checked_id(body.id, "id"), checked_id(body.sku, "sku")
    if name.startswith(PREFIX):
        raise Refused(
            invalid("id", f"{PREFIX} begins ids of transfers made for pickups; choose one")
        )
    checked_id(node, path)
    at_ms = instant(body.available_at, "available_at")
    asked = pack([kind, sku, node, origin, body.quantity, at_ms, cap])
    digest = blake2b(asked, digest_size=_DIGEST_BYTES).hexdigest()
    members = SupplyMembers(kind, body.quantity, at_ms, digest, origin, cap)
    client = ask.client
    reply = await over_shards.open_supply(client, name, sku, node, members, ask.deadline_at)
    if reply[0] > Outcome.REPEATED:
        raise Refused(of_reply(reply, name))
    ask.gateway.intake.hints.units_moved(sku)
    return ask.answer(supply(reply[1]), 201 if reply[0] == Outcome.OK else 200)


async def _changed(ask: Ask, name: str, command: Callable[[str], Command]) -> Response:
    reply = await over_shards.ask(ask.client, name, command, ask.deadline_at)
    return _told(ask, name, reply)


def _told(ask: Ask, name: str, reply: Reply) -> Response:
    if but_for_copies(reply)[0] <= Outcome.REPEATED:
        ask.gateway.intake.hints.units_moved(but_for_copies(reply)[1][2])
    if reply[0] > Outcome.REPEATED:
        raise Refused(of_reply(reply, name))
    _ok, row, rows = reply
    return ask.answer({"supply": supply(row), "shortfalls": [shortfall(row) for row in rows]})


async def get_supply(ask: Ask) -> Response:
    """GET /v1/supplies/{id}"""
    name = ask.path_id("id")
    ask.query()
    return await _changed(ask, name, lambda sku: supplies.read_supply(sku, name))


async def receive(ask: Ask) -> Response:
    """POST /v1/supplies/{id}/receive"""
    name = ask.path_id("id")
    ask.query()
    given = ask.request.headers.get("idempotency-key")
    if given is None:
        raise Refused(invalid("header.Idempotency-Key", "is required"))
    reference = checked_id(given, "header.Idempotency-Key")
    body = await ask.body(_READ_RECEIVE)
    final = bool(body.final)
    if not body.quantity and not final:
        raise Refused(invalid("quantity", "0 says nothing unless final is true"))
    digest = blake2b(pack([body.quantity, final]), digest_size=_DIGEST_BYTES).digest()
    return await _changed(
        ask,
        name,
        lambda sku: supplies.receive(sku, name, reference, digest, body.quantity, final=final),
    )


async def delay(ask: Ask) -> Response:
    """POST /v1/supplies/{id}/delay"""
    name = ask.path_id("id")
    ask.query()
    body = await ask.body(_READ_DELAY)
    at_ms = instant(body.available_at, "available_at")
    return await _changed(ask, name, lambda sku: supplies.delay(sku, name, at_ms))


async def cancel(ask: Ask) -> Response:
    """POST /v1/supplies/{id}/cancel"""
    name = ask.path_id("id")
    ask.query()
    await ask.no_body()
    return await _changed(ask, name, lambda sku: supplies.cancel_supply(sku, name))


async def get_shortfalls(ask: Ask) -> Response:
    """GET /v1/shortfalls"""
    query = ask.query("after", "limit")
    limit = limit_in(query.get("limit"))
    after = checked_id(query["after"], "query.after") if "after" in query else ""
    rows = await over_shards.shortfalls(ask.client, after, limit + 1, ask.deadline_at)
    if rows and not isinstance(rows[0], list):
        raise Refused(of_read(rows, "shortfalls"))
    told = [shortfall(row) for row in rows[:limit]]
    following = told[-1]["id"] if len(rows) > limit else None
    return ask.answer({"shortfalls": told, "next": following})
