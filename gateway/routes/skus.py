"""Articles."""

from typing import Any, Final

from fastapi import Response

from engine import commands
from engine.ids import shard_of
from gateway.cold import Ask
from gateway.reading import Reader
from gateway.schema import SkuBody

_READ_SKU: Final = Reader(SkuBody)
_MEMBERS: Final = ("name", "weight_grams", "category")


async def put_sku(ask: Ask) -> Response:
    """PUT /v1/skus/{sku}"""
    sku = ask.path_id("sku")
    ask.query()
    body = await ask.json_body(_READ_SKU)
    members = [sku if body.name is None else body.name, body.weight_grams or 0, body.category]
    shard = shard_of(sku, ask.client.shards)
    await ask.call(shard, commands.define_sku(sku, members), sku)
    return ask.answer(_sku(sku, members))


async def get_sku(ask: Ask) -> Response:
    """GET /v1/skus/{sku}"""
    sku = ask.path_id("sku")
    ask.query()
    shard = shard_of(sku, ask.client.shards)
    _ok, members = await ask.read(shard, commands.read_sku(sku), sku)
    return ask.answer(_sku(sku, members))


def _sku(sku: str, members: list[Any]) -> dict[str, Any]:
    return {"sku": sku, **dict(zip(_MEMBERS, members, strict=True))}
