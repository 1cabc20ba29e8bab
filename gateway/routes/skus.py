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
    members: list[Any] = [
        sku if body.name is None else body.name, body.weight_grams or 0, body.category,
    ]  # fmt: skip
    rarer = {"low_stock": body.low_stock, "limit_per_customer": body.limit_per_customer}
    rarer = {name: value for name, value in rarer.items() if value is not None}
    if rarer:
        members.append(rarer)
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
    told = dict(zip(_MEMBERS, members, strict=False))
    return {"sku": sku, **told, **(members[3] if len(members) > 3 else {})}
