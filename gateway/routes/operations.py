"""Is it alive, ready, right, and how is it doing."""

import asyncio
from typing import Any, Final

from fastapi import Response

from gateway import times
from gateway.cold import Ask
from gateway.metrics import Metrics, exposition
from gateway.problems import Refused, invalid, too_late

_SHARD_MEMBERS: Final = (
    "shard", "owner", "state", "epoch", "seq", "open_reservations", "queue", "batch_size",
    "queue_ms_p99", "decide_ms_p99", "commit_ms_p99", "sweep_lag_ms",
)  # fmt: skip


async def healthz(ask: Ask) -> Response:
    """GET /healthz"""
    ask.query()
    return ask.answer({"status": "alive"})


async def readyz(ask: Ask) -> Response:
    """GET /readyz"""
    ask.query()
    reasons = ask.client.readiness()
    return ask.answer({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


async def metrics(ask: Ask) -> Response:
    """GET /metrics"""
    ask.query()
    own = ask.gateway.metrics
    async with asyncio.timeout_at(ask.deadline_at):
        total = await ask.client.add_up(own.worker, own.counts())
    text = exposition(Metrics.of(total), await _reports(ask))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def shards(ask: Ask) -> Response:
    """GET /v1/shards"""
    ask.query()
    reports = await _reports(ask)
    return ask.answer({"shards": [{name: row[name] for name in _SHARD_MEMBERS} for row in reports]})


async def _reports(ask: Ask) -> list[dict[str, Any]]:
    async with asyncio.timeout_at(ask.deadline_at):
        rows = await ask.client.shard_reports()
    return [row for row in rows if row["shard"] < ask.client.shards]


async def audit(ask: Ask) -> Response:
    """POST /v1/audit; without a deadline of its own it takes the time it needs."""
    asked = ask.query("events").get("events", "false")
    if asked not in ("true", "false"):
        raise Refused(invalid("query.events", "is true or false"))
    await ask.no_body()
    try:
        async with asyncio.timeout_at(ask.deadline_at if ask.deadline_given else None):
            found = await ask.client.audit(events=asked == "true")
    except TimeoutError:
        raise Refused(too_late(read=True)) from None
    return ask.answer({
        "clean": found.clean,
        "shards": [_audited(row) for row in found.shards if row["shard"] < ask.client.shards],
        "findings": [_finding(row) for row in found.findings],
    })  # fmt: skip


def _audited(row: dict[str, Any]) -> dict[str, Any]:
    rebuilt = row["rebuilt"]
    if rebuilt is None:
        return row
    since_ms = rebuilt["since_ms"]
    told = {"source": rebuilt["source"], "base_seq": rebuilt["base_seq"]}
    since = None if since_ms is None else times.written(since_ms)
    return {**row, "rebuilt": {**told, "since": since}}


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    repair = row["repair"]
    if repair is None:
        return row
    if "reservation" in repair:
        path = f"/v1/reservations/{repair['reservation']}/extend"
        told = {"units": repair["units"], "path": path, "body": {"hold_seconds": 1}}
        return {**row, "repair": told}
    counted = {name: repair[name] for name in ("sku", "node", "on_hand")}
    counted |= {"reason": "audit", "as_of": times.written(repair["as_of_ms"])}
    body = {"reference": repair["reference"], "adjustments": [counted]}
    told = {"units": repair["units"], "path": "/v1/stock/adjustments", "body": body}
    return {**row, "repair": told}
