"""Bundles: several SKUs that are sold as one."""

import asyncio
from typing import Any, Final

from fastapi import Response

from engine import commands
from engine.commands import network
from engine.ids import shard_of
from engine.outcome import Outcome
from gateway.cold import Ask
from gateway.contract.bundles import BundleBody
from gateway.problems import Refused, invalid, of_read, problem
from gateway.reading import Reader, checked_id
from gateway.routes.network import defined, elements

_READ_BUNDLE: Final = Reader(BundleBody)


async def put_bundle(ask: Ask) -> Response:
    """PUT /v1/bundles/{sku}"""
    code = ask.path_id("sku")
    ask.query()
    body = await ask.json_body(_READ_BUNDLE)
    parts: dict[str, int] = {}
    for number, part in enumerate(body.parts):
        path = f"parts[{number}].sku"
        if checked_id(part.sku, path) in parts:
            raise Refused(invalid(path, "this sku occurred before"))
        parts[part.sku] = part.quantity
    await _check(ask, code, parts)
    members = {"name": code if body.name is None else body.name, "parts": list(parts.items())}
    await defined(ask, network.define({f"b|{code}": members}), code)
    return ask.answer(_document(code, members))


async def _check(ask: Ask, code: str, parts: dict[str, int]) -> None:
    """Every part is a SKU, and the bundle is none: its code would mean two things."""
    codes = [code, *parts]
    replies = await asyncio.gather(*(
        ask.client.call(shard_of(sku, ask.client.shards), commands.read_sku(sku), ask.deadline_at)
        for sku in codes
    ))  # fmt: skip
    for reply in replies:
        if reply[0] not in (Outcome.OK, Outcome.UNKNOWN_SKU):
            raise Refused(of_read(reply, code))
    if replies[0][0] == Outcome.OK:
        raise Refused(invalid("sku", "is a SKU already; give the bundle a code of its own"))
    unknown = sorted(
        sku for sku, reply in zip(codes[1:], replies[1:], strict=True) if reply[0] != Outcome.OK
    )
    if unknown:
        raise Refused(problem("unknown-sku", ", ".join(unknown[:10]), skus=unknown))


def _document(code: str, members: dict[str, Any]) -> dict[str, Any]:
    parts = [{"sku": sku, "quantity": quantity} for sku, quantity in members["parts"]]
    return {"sku": code, "name": members["name"], "parts": parts}


async def get_bundles(ask: Ask) -> Response:
    """GET /v1/bundles"""
    ask.query()
    found = await elements(ask, "b")
    return ask.answer({"bundles": [_document(code, members) for code, members in found.items()]})
