"""GET /v1/availability, answered from the views of the shards."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from engine.commands import Reply
from engine.ids import shard_of
from engine.limits import ON_HAND_MAX, QUERY_SKUS_MAX
from gateway.hot_request import HotRequest
from gateway.network_view import NetworkView
from gateway.problems import Refused, invalid, of_reply, problem
from gateway.reading import checked_id
from gateway.requests import instant
from gateway.views import Row, Sku, Views

_MEMBERS: Final = frozenset({"sku", "channel", "zone", "pool", "by"})


class Query(Struct, frozen=True, gc=False):
    """What is asked. Zone has no effect before there are lanes."""

    skus: tuple[str, ...]
    channel: str | None
    zone: str | None
    pool: str | None
    by_ms: int | None


@lru_cache(maxsize=4096)  # The same few SKUs are asked for again and again.
def read_query(query: bytes) -> Query:
    """The checked query; Refused if it is wrong."""
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
    return Query(
        tuple(skus), members.get("channel"), members.get("zone"), members.get("pool"), by_ms
    )


def availability(views: Views, network: NetworkView, request: HotRequest) -> None:
    """Answer one request."""
    query = read_query(request.query)
    if query.channel is None and query.zone is None and query.pool is None:
        _see(views, network, request, query, None)
        return

    def known(refusal: Reply | None) -> None:
        if refusal is not None:
            request.refuse(of_reply(refusal, "availability"))
            return
        try:
            _see(views, network, request, query, nodes_of(network, query))
        except Refused as refused:
            request.refuse(refused.problem)

    network.see(known)


def nodes_of(network: NetworkView, query: Query) -> frozenset[str] | None:
    """The nodes that may serve; None: all. Refused where the query names what is not known."""
    nodes: frozenset[str] | None = None
    if query.pool is not None:
        nodes = network.pools.get(query.pool)
        if nodes is None:
            raise Refused(problem("unknown-pool", query.pool, id=query.pool))
    if query.zone is not None and network.zones:
        served_from = network.zones.get(query.zone)
        if served_from is None:
            raise Refused(problem("unknown-zone", query.zone, id=query.zone))
        nodes = served_from if nodes is None else nodes & served_from
    channel = network.channels.get(query.channel or "")
    if channel is not None and channel["pool"] in network.pools:
        its = network.pools[channel["pool"]]
        nodes = its if nodes is None else nodes & its
    return nodes


def _see(
    views: Views,
    network: NetworkView,
    request: HotRequest,
    query: Query,
    nodes: frozenset[str] | None,
) -> None:
    def seen(refusal: Reply | None) -> None:
        if refusal is not None:
            request.refuse(of_reply(refusal, "availability"))
        else:
            _answer(views, network, request, query, nodes)

    views.see(_by_shard(query.skus, views.shards), request.deadline_at, seen)


def _by_shard(skus: Iterable[str], shards: int) -> Iterable[tuple[int, list[str]]]:
    by_shard: dict[int, list[str]] = {}
    for sku in skus:
        by_shard.setdefault(shard_of(sku, shards), []).append(sku)
    return by_shard.items()


def _answer(
    views: Views,
    network: NetworkView,
    request: HotRequest,
    query: Query,
    nodes: frozenset[str] | None,
) -> None:
    items: list[str] = []
    for sku in query.skus:
        view = views.of(shard_of(sku, views.shards))
        seen = view.of(sku)
        if seen is None:  # A bundle, or nothing we know.
            network.see(lambda refusal: _bundles(views, network, request, (query, nodes), refusal))
            return
        items.append(_item(sku, view.seq, *promisable(seen, query, nodes)))
    _say(request, items, views.age_ms(query.skus))


def _say(request: HotRequest, items: list[str], age_ms: int) -> None:
    request.answer(200, f'{{"items":[{",".join(items)}],"age_ms":{age_ms}}}'.encode())


def _bundles(
    views: Views,
    network: NetworkView,
    request: HotRequest,
    asked: tuple[Query, frozenset[str] | None],
    refusal: Reply | None,
) -> None:
    """The same where some of what is asked for are bundles, whose parts must be seen too."""
    query, nodes = asked

    def is_sku(sku: str) -> bool:
        return views.of(shard_of(sku, views.shards)).of(sku) is not None

    if refusal is not None:
        request.refuse(of_reply(refusal, "availability"))
        return
    others = [sku for sku in query.skus if not is_sku(sku)]
    unknown = sorted(set(others) - network.bundles.keys())
    if unknown:
        request.refuse(problem("unknown-sku", ", ".join(unknown[:10]), skus=unknown))
        return
    parts = {part for sku in others for part, _ in network.bundles[sku]["parts"]}

    def seen(refused: Reply | None) -> None:
        if refused is not None:
            request.refuse(of_reply(refused, "availability"))
            return
        items = []
        for sku in query.skus:
            view = views.of(shard_of(sku, views.shards))
            known = view.of(sku)
            figures = (
                promisable(known, query, nodes)
                if known is not None
                else _of_bundle(views, network.bundles[sku]["parts"], query, nodes)
            )
            items.append(_item(sku, view.seq, *figures))
        _say(request, items, views.age_ms([*query.skus, *parts]))

    views.see(_by_shard(parts, views.shards), request.deadline_at, seen)


def _of_bundle(
    views: Views,
    parts: Sequence[tuple[str, int]],
    query: Query,
    nodes: frozenset[str] | None,
) -> tuple[int, list[tuple[str, int]]]:
    """As many whole bundles as there are of the scarcest part; by node those that have all."""
    atp = ON_HAND_MAX
    by_node: dict[str, int] | None = None
    for part, quantity in parts:
        known = views.of(shard_of(part, views.shards)).of(part)
        units, served = promisable(known, query, nodes) if known is not None else (0, [])
        atp = min(atp, units // quantity)
        whole = {node: count // quantity for node, count in served}
        by_node = whole if by_node is None else {
            node: min(count, whole[node]) for node, count in by_node.items() if node in whole
        }  # fmt: skip
    return atp, sorted((by_node or {}).items())


def _item(sku: str, seq: int, atp: int, served: Iterable[tuple[str, int]]) -> str:
    by_node = ",".join([f'{{"node":"{node}","atp":{units}}}' for node, units in served if units])
    return f'{{"sku":"{sku}","atp":{atp},"as_of_seq":{seq},"by_node":[{by_node}]}}'


def promisable(
    seen: Sku, query: Query, nodes: frozenset[str] | None
) -> tuple[int, list[tuple[str, int]]]:
    """What may be promised in all, and what is there by node."""
    rows, quotas, coming = seen
    channel = query.channel
    served = [
        (row[0], row[1])
        for row in rows
        if (not row[2] or channel in row[2]) and (nodes is None or row[0] in nodes)
    ]
    most = ON_HAND_MAX
    if channel in quotas:
        most, aside = quotas[channel]
        served = _with_quota(served, most, aside)
    atp = sum([units for _, units in served])
    if query.by_ms is not None:
        atp = min(most, atp + _coming(coming, query, nodes))
    return atp, served


def _coming(coming: list[Row], query: Query, nodes: frozenset[str] | None) -> int:
    """Units that will be there by the date asked for."""
    return sum(
        units
        for node, units, channels, at_ms in coming
        if at_ms <= (query.by_ms or 0)
        and (not channels or query.channel in channels)
        and (nodes is None or node in nodes)
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
