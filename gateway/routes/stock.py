"""What the world says about stock, and what there is."""

from hashlib import blake2b
from typing import Any, Final

from fastapi import Response

from engine import commands
from engine.corrections import MOVES
from engine.ids import shard_of
from engine.limits import MOVEMENTS_KEPT_MS
from engine.outcome import Outcome
from engine.record import pack
from engine.stock import POSITION_MEMBERS
from gateway import times
from gateway.cold import Ask
from gateway.problems import Refused, invalid, of_reply
from gateway.reading import Reader, checked_id
from gateway.requests import instant
from gateway.routes.quotas import document as quota
from gateway.routes.supplies import shortfall, supply
from gateway.schema import Adjustment, AdjustmentsBody, Move, MovesBody

_READ_ADJUSTMENTS: Final = Reader(AdjustmentsBody)
_READ_MOVES: Final = Reader(MovesBody)
_DIGEST_BYTES: Final = 16


async def adjust(ask: Ask) -> Response:
    """POST /v1/stock/adjustments"""
    ask.query()
    body = await ask.body(_READ_ADJUSTMENTS)
    return await _adjusted(ask, body.reference, _rows(body.adjustments))


async def move(ask: Ask) -> Response:
    """POST /v1/stock/moves"""
    ask.query()
    body = await ask.body(_READ_MOVES)
    return await _adjusted(ask, body.reference, _moves(body.moves))


async def _adjusted(ask: Ask, name: str, rows: list[list[Any]]) -> Response:
    reference = checked_id(name, "reference")
    digest = blake2b(pack(rows), digest_size=_DIGEST_BYTES).digest()
    done = await ask.client.adjust(reference, digest, rows, ask.deadline_at)
    for row in rows:
        ask.gateway.intake.hints.units_moved(row[0])
    if isinstance(done, list):
        raise Refused(of_reply(done, reference))
    results = [_result(result) for result in done.results]
    return ask.answer({"reference": reference, "repeated": done.repeated, "results": results})


def _rows(adjustments: list[Adjustment]) -> list[list[Any]]:
    """The rows of ``commands.adjust``; Refused where one is wrong."""
    seen: set[tuple[str, str]] = set()
    rows: list[list[Any]] = []
    for number, row in enumerate(adjustments):
        path = f"adjustments[{number}]"
        checked_id(row.sku, f"{path}.sku")
        checked_id(row.node, f"{path}.node")
        _check_amounts(row, path)
        if (row.sku, row.node) in seen:
            raise Refused(invalid(f"{path}.sku", "this sku and node occurred before"))
        seen.add((row.sku, row.node))
        plain = [row.sku, row.node, row.delta, row.on_hand, row.safety_stock, row.reason]
        rows.append(plain if row.as_of is None else [*plain, _as_of(row, path), None])
    return rows


def _as_of(row: Adjustment, path: str) -> int:
    """When a count was taken; Refused where what moved since is not remembered."""
    at_ms, now_ms = instant(row.as_of or "", f"{path}.as_of"), times.now_ms()
    if row.on_hand is None:
        raise Refused(invalid(f"{path}.as_of", "dates a count; give on_hand with it"))
    if at_ms > now_ms:
        raise Refused(invalid(f"{path}.as_of", "lies ahead"))
    if at_ms < now_ms - MOVEMENTS_KEPT_MS:
        told = "is more than 24 hours ago: what moved since is not known, count again"
        raise Refused(invalid(f"{path}.as_of", told))
    return at_ms


def _moves(moves: list[Move]) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for number, row in enumerate(moves):
        path = f"moves[{number}]"
        checked_id(row.sku, f"{path}.sku")
        checked_id(row.node, f"{path}.node")
        if row.to not in MOVES[row.from_]:
            may = " or ".join(MOVES[row.from_])
            raise Refused(invalid(f"{path}.to", f"from {row.from_} units become {may}"))
        how = [row.from_, row.to, row.quantity]
        rows.append([row.sku, row.node, None, None, None, row.reason, None, how])
    return rows


def _check_amounts(row: Adjustment, path: str) -> None:
    if row.delta == 0:
        raise Refused(invalid(f"{path}.delta", "must not be 0"))
    if row.delta is not None and row.on_hand is not None:
        raise Refused(invalid(f"{path}.on_hand", "stands beside delta; give one of them"))
    if row.delta is None and row.on_hand is None and row.safety_stock is None:
        raise Refused(invalid(f"{path}.delta", "delta, on_hand or safety_stock is required"))


def _result(result: list[Any]) -> dict[str, Any]:
    if len(result) == len(POSITION_MEMBERS):
        return {"status": 200, "body": dict(zip(POSITION_MEMBERS, result, strict=True))}
    code, sku, node = result
    reply = [code, [node if code == Outcome.UNKNOWN_NODE else sku]]
    named = code in (Outcome.UNKNOWN_SKU, Outcome.UNKNOWN_NODE)
    refused = of_reply(reply if named else result, sku)
    return {"status": refused.kind.status, "body": refused.document()}


async def get_stock(ask: Ask) -> Response:
    """GET /v1/stock/{sku}"""
    sku = ask.path_id("sku")
    ask.query()
    shard = shard_of(sku, ask.client.shards)
    _ok, seq, positions, shortfalls, quotas, coming = await ask.read(
        shard, commands.stock(sku), sku
    )
    return ask.answer({
        "sku": sku,
        "as_of_seq": seq,
        "positions": [dict(zip(POSITION_MEMBERS, row, strict=True)) for row in positions],
        "quotas": [quota(sku, row) for row in quotas],
        "supplies": [supply(row) for row in coming],
        "shortfalls": sorted((shortfall(row) for row in shortfalls), key=_by_id),
    })  # fmt: skip


def _by_id(told: dict[str, Any]) -> str:
    name: str = told["id"]
    return name
