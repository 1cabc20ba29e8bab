"""GET /v1/availability, answered from the views of the shards."""

from __future__ import annotations

import urllib.parse
from functools import lru_cache
from typing import Final

from msgspec import Struct

from engine.commands import Reply
from engine.ids import shard_of
from engine.limits import ON_HAND_MAX, QUERY_SKUS_MAX
from gateway.hot_request import HotRequest
from gateway.problems import Refused, invalid, of_reply, problem
from gateway.reading import checked_id
from gateway.requests import instant
from gateway.views import Row, Sku, Views

_MEMBERS: Final = frozenset({"sku", "channel", "zone", "pool", "by"})


class Query(Struct, frozen=True, gc=False):
    """What is asked. Zone has no effect before there are lanes."""

    skus: tuple[str, ...]
    channel: str | None
    by_ms: int | None


@lru_cache(maxsize=4096)  # The same few SKUs are asked for again and again.
def read_query(query: bytes) -> Query:
    """The checked query; Refused if it is wrong, or names a pool: there are none."""
    members: dict[str, str] = {}
    skus: list[str] = []
    pairs = urllib.parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    for name, value in pairs:
        if name not in _MEMBERS:
            raise Refused(invalid(f"query.{name[:100]}", "is not known here"))
        if name == "sku":
            skus.append(checked_id(value, "query.sku"))
        else:
            members[name] = value
    if not 1 <= len(skus) <= QUERY_SKUS_MAX:
        raise Refused(invalid("query.sku", f"must be given 1-{QUERY_SKUS_MAX} times"))
    for name in ("channel", "zone", "pool"):
        if name in members:
            checked_id(members[name], f"query.{name}")
    by_ms = instant(members["by"], "query.by") if "by" in members else None
    if "pool" in members:
        raise Refused(problem("unknown-pool", members["pool"], id=members["pool"]))
    return Query(tuple(skus), members.get("channel"), by_ms)


def availability(views: Views, shards: int, request: HotRequest) -> None:
    """Answer one request."""
    query = read_query(request.query)
    by_shard: dict[int, list[str]] = {}
    for sku in query.skus:
        by_shard.setdefault(shard_of(sku, shards), []).append(sku)

    def seen(refusal: Reply | None) -> None:
        if refusal is not None:
            request.refuse(of_reply(refusal, "availability"))
        else:
            _answer(views, shards, request, query)

    views.see(by_shard.items(), request.deadline_at, seen)


def _answer(views: Views, shards: int, request: HotRequest, query: Query) -> None:
    items: list[str] = []
    unknown: list[str] = []
    for sku in query.skus:
        view = views.of(shard_of(sku, shards))
        seen = view.of(sku)
        if seen is None:
            unknown.append(sku)
        else:
            items.append(_item(sku, view.seq, seen, query))
    if unknown:
        skus = sorted(set(unknown))
        request.refuse(problem("unknown-sku", ", ".join(skus[:10]), skus=skus))
    else:
        request.answer(200, f'{{"items":[{",".join(items)}]}}'.encode())


def _item(sku: str, seq: int, seen: Sku, query: Query) -> str:
    rows, quotas, coming = seen
    channel = query.channel
    served = [(row[0], row[1]) for row in rows if not row[2] or channel in row[2]]
    most = ON_HAND_MAX
    if channel in quotas:
        most, aside = quotas[channel]
        served = _with_quota(served, most, aside)
    by_node = ",".join([f'{{"node":"{node}","atp":{units}}}' for node, units in served if units])
    atp = sum([units for _, units in served])
    if query.by_ms is not None:
        atp = min(most, atp + _coming(coming, query))
    return f'{{"sku":"{sku}","atp":{atp},"as_of_seq":{seq},"by_node":[{by_node}]}}'


def _coming(coming: list[Row], query: Query) -> int:
    """Units that will be there by the date asked for."""
    return sum(
        units
        for _, units, channels, at_ms in coming
        if at_ms <= (query.by_ms or 0) and (not channels or query.channel in channels)
    )


def _with_quota(
    served: list[tuple[str, int]], most: int, aside: dict[str, int]
) -> list[tuple[str, int]]:
    """What is set aside for the channel is its own; it may have so much at most."""
    its: list[tuple[str, int]] = []
    for node, units in served:
        part = min(most, units + aside.get(node, 0))
        its.append((node, part))
        most -= part
    return its
