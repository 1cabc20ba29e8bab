"""Quotas of channels."""

from hashlib import blake2b
from typing import Any, Final

from fastapi import Response

from engine.commands import shares
from engine.ids import shard_of
from engine.quotas import QUOTA_MEMBERS
from engine.record import pack
from gateway.cold import Ask
from gateway.contract.quotas import BorrowBody, QuotaBody
from gateway.problems import Refused, invalid
from gateway.reading import Reader, checked_id

_READ_QUOTA: Final = Reader(QuotaBody)
_READ_BORROW: Final = Reader(BorrowBody)
_DIGEST_BYTES: Final = 16


def document(sku: str, row: list[Any]) -> dict[str, Any]:
    """A quota as the API tells it."""
    return {"sku": sku, **dict(zip(QUOTA_MEMBERS, row, strict=True))}


async def put_quota(ask: Ask) -> Response:
    """PUT /v1/quotas/{sku}/{channel}"""
    sku, channel = ask.path_id("sku"), ask.path_id("channel")
    ask.query()
    body = await ask.json_body(_READ_QUOTA)
    if body.exclusive and body.share_permille is not None:
        raise Refused(invalid("share_permille", "stands beside exclusive; give one of them"))
    right = (body.exclusive or 0, body.cap, body.safety_stock or 0, body.share_permille)
    shard = shard_of(sku, ask.client.shards)
    _ok, row = await ask.call(shard, shares.set_quota(sku, channel, right), sku)
    ask.gateway.intake.hints.units_moved(sku)
    return ask.answer(document(sku, row))


async def get_quotas(ask: Ask) -> Response:
    """GET /v1/quotas/{sku}"""
    sku = ask.path_id("sku")
    ask.query()
    shard = shard_of(sku, ask.client.shards)
    _ok, rows = await ask.read(shard, shares.read_quotas(sku), sku)
    return ask.answer({"sku": sku, "quotas": [document(sku, row) for row in rows]})


async def borrow(ask: Ask) -> Response:
    """POST /v1/quotas/{sku}/{channel}/borrow"""
    sku, channel = ask.path_id("sku"), ask.path_id("channel")
    ask.query()
    body = await ask.body(_READ_BORROW)
    reference, lender = checked_id(body.reference, "reference"), checked_id(body.lender, "lender")
    if lender == channel:
        raise Refused(invalid("lender", "is the channel that borrows"))
    members = [sku, lender, channel, body.quantity]
    digest = blake2b(pack(members), digest_size=_DIGEST_BYTES).digest()
    command = shares.lend(sku, lender, channel, body.quantity, reference, digest)
    _ok, *rows = await ask.call(shard_of(sku, ask.client.shards), command, reference)
    ask.gateway.intake.hints.units_moved(sku)
    return ask.answer({"sku": sku, "quotas": [document(sku, row) for row in rows]})
