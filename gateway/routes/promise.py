"""What may be promised to a basket."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response

from actors import promising as over_shards
from engine import promising, record
from engine.promising import EXPLAINED, Candidate, Plan
from engine.record import Extra, Line
from gateway.cold import Ask
from gateway.contract.promise import PromiseBody
from gateway.problems import Refused, of_read, short_lines
from gateway.reading import Reader, checked_id
from gateway.requests import instant, merged
from gateway.times import written

_READ_PROMISE: Final = Reader(PromiseBody)


async def promise(ask: Ask) -> Response:
    """POST /v1/promise"""
    ask.query()
    body = await ask.body(_READ_PROMISE)
    lines = merged(body.lines, "")
    extra = _extra(body)
    found = await over_shards.gathered(
        ask.client, lines, extra, ask.deadline_at, explain=bool(body.explain)
    )
    if found and not isinstance(found[0], tuple):
        raise Refused(of_read(found, "promise"))
    return ask.answer(_told(body, lines, extra, found))


def _extra(body: PromiseBody) -> Extra:
    """Members as a reservation's; any date will do, the wanted one is looked at in the end."""
    extra: Extra = {record.PREORDER: True}
    if body.channel is not None:
        extra[record.CHANNEL] = checked_id(body.channel, "channel")
    if body.destination is not None:
        extra[record.ZONE] = checked_id(body.destination.zone, "destination.zone")
    if body.deliver_by is not None:
        extra[record.DELIVER_BY] = instant(body.deliver_by, "deliver_by")
    return extra


def _told(
    body: PromiseBody,
    lines: Sequence[Line],
    extra: Extra,
    found: Sequence[tuple[list[Candidate], list[list[Any]]]],
) -> dict[str, Any]:
    wanted = [line[2] for line in lines]
    places = [ones for ones, _ in found]
    by_ms = extra.get(record.DELIVER_BY)
    in_time = places if by_ms is None else [
        [one for one in ones if one.by_ms <= by_ms] for ones in places
    ]  # fmt: skip
    prefer = body.prefer or "cheapest"
    chosen = promising.plan(wanted, in_time, prefer)
    feasible = _is_whole(wanted, chosen)
    if not feasible and by_ms is not None:
        chosen = promising.plan(wanted, places, "fastest")  # When it could be there instead.
    short = [
        [*line, sum(part.units for part in parts)]
        for line, parts in zip(lines, chosen, strict=True)
        if sum(part.units for part in parts) < line[2]
    ]
    dates = [part.by_ms for parts in chosen for part in parts]
    dated = record.ZONE in extra or any(part.supply for parts in chosen for part in parts)
    explained = [
        {"sku": line[0], "places": [_explained(row) for row in rows]}
        for line, (_, rows) in zip(lines, found, strict=True)
    ]
    return {
        "feasible": feasible,
        "deliver_by": written(max(dates)) if dates and dated and not short else None,
        "cost_cents": promising.cents(chosen) if dates else None,
        "parcels": promising.parcels(chosen),
        "lines": _lines(lines, chosen, dated=dated),
        "short_lines": short_lines(short),
        "explain": explained if body.explain else None,
    }


def _is_whole(wanted: Sequence[int], chosen: Plan) -> bool:
    return all(
        sum(part.units for part in parts) == units
        for units, parts in zip(wanted, chosen, strict=True)
    )


def _lines(lines: Sequence[Line], chosen: Plan, *, dated: bool) -> list[dict[str, Any]]:
    """Lines as in a reservation; a parcel's fixed cost counts with its node's first units."""
    paid: set[str] = set()
    told = []
    for (sku, node, units), parts in zip(lines, chosen, strict=True):
        backings = []
        for part in parts:
            fixed = 0 if part.node in paid else part.fixed
            paid.add(part.node)
            cost = None if part.by_weight is None else part.by_weight + (fixed or 0)
            backings.append({
                "node": part.node, "quantity": part.units, "supply": part.supply,
                "deliver_by": written(part.by_ms) if dated else None, "cost_cents": cost,
            })  # fmt: skip
        told.append({
            "sku": sku, "node": node, "requested": units,
            "quantity": sum(part.units for part in parts), "backings": backings,
        })  # fmt: skip
    return told


def _explained(row: list[Any]) -> dict[str, Any]:
    told = dict(zip(EXPLAINED, row, strict=True))
    told["arrives_at"] = written(told.pop("arrives_at_ms"))
    return told
