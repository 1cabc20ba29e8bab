"""Waves: many orders planned together. They run in the host of the ``net`` shard."""

from typing import Any, Final

from fastapi import Response

from engine.ids import split_id
from engine.stock import ON_ITS_WAY
from gateway.cold import Ask
from gateway.contract.waves import WaveBody
from gateway.problems import Refused, invalid, problem
from gateway.reading import Reader, checked_id
from gateway.times import written

_READ_WAVE: Final = Reader(WaveBody)
_SECONDS: Final = 15


async def ask_desk(ask: Ask, do: str, **more: Any) -> dict[str, Any]:
    """What the host of ``net`` says of waves; ``LineLost`` while there is none."""
    return await ask.of_net("wave", do=do, **more)


def shown(wave: dict[str, Any]) -> dict[str, Any]:
    """A wave as callers see it."""
    return {
        "id": wave["name"],
        "state": wave["state"],
        "scope": wave["scope"],
        "max_seconds": wave["max_seconds"],
        "dry_run": wave["dry_run"],
        "closed_nodes": wave["closed_nodes"],
        "touching": wave["touching"],
        "trigger": wave["trigger"],
        "capacity_percent": wave["capacity_percent"],
        "days_faster": wave["days_faster"],
        "merge_orders": wave["merge_orders"],
        "orders": wave["orders"],
        "lines_without_place": wave["lines_without_place"],
        "cost_cents_before": wave["cost_before"],
        "cost_cents_after": wave["cost_after"],
        "bound_cents": _cents(wave["bound"]),
        "gap_share": wave["gap"],
        "moved": wave["moved"],
        "refused_moves": wave["refused_moves"],
        "hit_orders": wave["hit_orders"],
        "saved_cents": wave["saved_cents"],
        "late_days_before": _days(wave["late_days_before"]),
        "late_days_after": _days(wave["late_days_after"]),
        "started_at": written(wave["started_at"]),
        "finished_at": None if wave["finished_at"] is None else written(wave["finished_at"]),
        "reason": wave["reason"],
        "steps": [
            {
                "seconds": round(step["seconds"], 3),
                "stage": step["stage"],
                "cost_cents": round(step["cost"]),
                "bound_cents": _cents(step["bound"] or None),
            }
            for step in wave["steps"]
        ],
    }


def _cents(bound: float | None) -> int | None:
    # Rounded down: it bounds from below.
    return None if bound is None else int(bound)


def _days(days: float | None) -> float | None:
    return None if days is None else round(days, 3)


def _touching(body: WaveBody) -> dict[str, list[str]] | None:
    """What a wave is narrowed to. Raises Refused where that names nothing, or no ids."""
    asked = body.touching
    if asked is None:
        return None
    named = {
        "nodes": asked.nodes or [],
        "skus": asked.skus or [],
        "reservations": asked.reservations or [],
    }
    for member, names in named.items():
        for number, name in enumerate(names):
            path = f"touching.{member}[{number}]"
            checked_id(name, path)
            if member == "reservations" and split_id(name) is None:
                raise Refused(
                    invalid(path, "is not a reservation's id: 3 hex digits, a dot, a key")
                )
    if not any(named.values()):
        raise Refused(invalid("touching", "names nothing: give nodes, skus or reservations"))
    return named


def unknown_wave(name: str) -> Refused:
    """That there is no such wave."""
    return Refused(problem("unknown-wave", "no wave has this id", id=name))


def _supposed(body: WaveBody) -> dict[str, Any]:
    """What a dry run supposes. Raises Refused where a wave that moves orders would."""
    supposed = {"capacity_percent": body.capacity_percent, "days_faster": body.days_faster}
    for member, value in supposed.items():
        if value is not None and not body.dry_run:
            raise Refused(invalid(member, "is only supposed: allowed with dry_run true"))
    for node in body.capacity_percent if isinstance(body.capacity_percent, dict) else ():
        checked_id(node, f"capacity_percent.{node[:100]}")
    return supposed


async def begin(ask: Ask) -> Response:
    """POST /v1/waves"""
    ask.query()
    given = ask.request.headers.get("idempotency-key")
    name = None if given is None else checked_id(given, "header.Idempotency-Key")
    body = await ask.body(_READ_WAVE)
    told = await ask_desk(
        ask,
        "begin",
        name=name,
        max_seconds=_SECONDS if body.max_seconds is None else body.max_seconds,
        scope=body.scope or "confirmed",
        dry_run=bool(body.dry_run),
        closed_nodes=[
            checked_id(node, f"closed_nodes[{number}]")
            for number, node in enumerate(body.closed_nodes or ())
        ],
        touching=_touching(body),
        merge_orders=bool(body.merge_orders),
        **_supposed(body),
    )
    wave = told["wave"]
    if wave is None:
        running = told["running"]
        detail = "one wave at a time"
        raise Refused(problem("wave-running", detail, id=running["name"], state=running["state"]))
    if not told["same"]:
        raise Refused(problem("key-reused", "this wave was asked for otherwise before"))
    answer = ask.answer(shown(wave), 202)
    answer.headers["Location"] = f"/v1/waves/{wave['name']}"
    return answer


async def list_waves(ask: Ask) -> Response:
    """GET /v1/waves"""
    ask.query()
    told = await ask_desk(ask, "list")
    return ask.answer({"waves": [shown(wave) for wave in told["waves"]]})


async def _one(ask: Ask, do: str) -> Response:
    name = ask.path_id("id")
    told = await ask_desk(ask, do, name=name)
    if told["wave"] is None:
        raise unknown_wave(name)
    return ask.answer(shown(told["wave"]))


async def get_wave(ask: Ask) -> Response:
    """GET /v1/waves/{id}"""
    ask.query()
    return await _one(ask, "read")


async def cancel(ask: Ask) -> Response:
    """POST /v1/waves/{id}/cancel"""
    ask.query()
    await ask.no_body()
    return await _one(ask, "cancel")


async def get_order(ask: Ask) -> Response:
    """GET /v1/waves/{id}/orders/{reservation}"""
    ask.query()
    name, reservation = ask.path_id("id"), ask.request.path_params["reservation"]
    named = split_id(reservation)
    told = None
    if named is not None:
        told = await ask_desk(ask, "explain", name=name, shard=named[0], key=named[1])
        if not told["known"]:
            raise unknown_wave(name)
    if told is None or told["order"] is None:
        detail = "no order of this wave has this id"
        raise Refused(problem("unknown-reservation", detail, id=reservation))
    return ask.answer(_order(reservation, told["order"]))


def _place(slot: str, units: int) -> dict[str, Any]:
    node, _, supply = slot.partition(ON_ITS_WAY)
    return {"node": node, "quantity": units, "supply": supply or None}


def _order(reservation: str, order: dict[str, Any]) -> dict[str, Any]:
    other = order["next_best"]
    return {
        "reservation": reservation,
        "cost_cents": order["cost"],
        "refused": order["refused"],
        "lines": [
            {
                "sku": line["sku"],
                "quantity": line["quantity"],
                "from": [_place(line["from"], line["quantity"])],
                "to": [_place(line["to"], line["quantity"])],
            }
            for line in order["lines"]
        ],
        "next_best": other and {"nodes": other["nodes"], "cost_cents": other["cost"]},
        "binding": order["binding"],
    }
