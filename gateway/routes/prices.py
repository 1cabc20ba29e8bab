"""Bid prices. They are found in the host of the ``net`` shard; every shard has its own SKUs'."""

import asyncio
import time
from typing import Any, Final

from fastapi import Response

from actors.waves.pricing import PricingFailed, bring
from engine.commands import bids
from engine.ids import shard_of
from engine.limits import RETRY_AFTER_MS
from gateway.cold import Ask
from gateway.contract.prices import PricesBody
from gateway.problems import Refused, problem, retry
from gateway.reading import Reader
from gateway.times import written
from solver.bids import SCENARIOS

_READ_PRICES: Final = Reader(PricesBody)
_SEED: Final = 1


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "expected_orders": run["orders"] or None,
        "scenarios": run["scenarios"],
        "seed": run["seed"],
        "version": run["version"],
        "skus": run["skus"],
        "prices": run["cells"],
        "started_at": written(run["started_at"]),
        "finished_at": None if run["finished_at"] is None else written(run["finished_at"]),
        "reason": run["reason"],
    }


async def find(ask: Ask) -> Response:
    """POST /v1/prices"""
    ask.query()
    body = await ask.body(_READ_PRICES)
    told = await ask.of_net(
        "prices",
        do="begin",
        orders=body.expected_orders or 0,
        scenarios=body.scenarios or SCENARIOS,
        seed=_SEED if body.seed is None else body.seed,
    )
    answer = ask.answer(_run(told["run"]), 202)
    answer.headers["Location"] = "/v1/prices"
    return answer


async def get_prices(ask: Ask) -> Response:
    """GET /v1/prices"""
    ask.query()
    return await _as_they_stand(ask)


async def clear(ask: Ask) -> Response:
    """DELETE /v1/prices"""
    ask.query()
    await ask.no_body()
    try:
        await bring(ask.client, time.time_ns() // 1_000_000, {}, {})
    except PricingFailed as failed:
        raise Refused(retry("unavailable", str(failed), RETRY_AFTER_MS)) from failed
    return await _as_they_stand(ask)


async def _as_they_stand(ask: Ask) -> Response:
    told, *of_shards = await asyncio.gather(
        ask.of_net("prices", do="read"),
        *(ask.read(shard, bids.read_bids([]), str(shard)) for shard in range(ask.client.shards)),
    )
    newest = max(of_shards, key=lambda reply: int(reply[1]))
    run = told["run"]
    return ask.answer({
        "version": newest[1],
        "versions": sorted({reply[1] for reply in of_shards}),
        "nodes": [
            {"node": node, "parcel_cents": cents} for node, cents in sorted(newest[2].items())
        ],
        "priced_skus": sum(reply[4] for reply in of_shards),
        "run": None if run is None else _run(run),
    })  # fmt: skip


async def get_of_sku(ask: Ask) -> Response:
    """GET /v1/prices/{sku}"""
    sku = ask.path_id("sku")
    ask.query()
    shard = shard_of(sku, ask.client.shards)
    _ok, version, _nodes, found, _skus = await ask.read(shard, bids.read_bids([sku]), sku)
    if sku not in found:
        raise Refused(problem("unknown-sku", f"{sku} is not known", skus=[sku]))
    units = [{"node": node, "unit_cents": cents} for node, cents in sorted(found[sku].items())]
    return ask.answer({"sku": sku, "version": version, "units": units})
