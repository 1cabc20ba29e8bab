"""Lanes, pools, channels; and what they cost and when: the costed choice of nodes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine.ids import shard_of
from engine.limits import SPLIT_MAX
from tests.e2e.engine_in_process import SHARDS, in_process

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


@pytest.fixture(scope="module")
def http() -> Any:
    """An engine of its own: lanes concern everybody."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


def put_lanes(http: httpx.Client, *lanes: tuple[Any, ...], **more: Any) -> httpx.Response:
    """(node, zone, fixed, per kg, hours)"""
    names = ("node", "zone", "fixed_cents", "per_kg_cents", "transit_hours")
    rows = [{**dict(zip(names, lane, strict=True)), **more} for lane in lanes]
    return http.put("/v1/lanes", json={"lanes": rows})


def hold(http: httpx.Client, key: str, units: dict[str, int], **more: Any) -> httpx.Response:
    lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
    return http.post("/v1/reservations", json={"id": key, "lines": lines, **more})


def to(zone: str) -> dict[str, Any]:
    return {"destination": {"zone": zone}}


def sources(answer: httpx.Response) -> list[tuple[str, int, int | None]]:
    assert answer.status_code == 201, answer.text
    return [
        (at["node"], at["quantity"], at["cost_cents"])
        for line in answer.json()["lines"]
        for at in line["backings"]
    ]


def hours_until(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() / 3600


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_before_there_are_lanes_a_destination_has_no_effect(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=3)
    held = hold(http, fresh("key"), {sku: 1}, **to("anywhere"))
    assert sources(held) == [("n1", 1, None)]
    assert held.json()["lines"][0]["backings"][0]["deliver_by"] is None
    answer = http.get("/v1/availability", params={"sku": sku, "zone": "anywhere"})
    assert answer.status_code == 200


def test_lanes_are_added_and_replaced(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    stocked(n1=1, n2=1)
    zone = fresh("zone")
    before = put_lanes(http, ("n1", "first", 1, 1, 1)).json()
    told = put_lanes(http, ("n1", zone, 350, 80, 24), ("n2", zone, 500, 0, 2.5), cutoff="17:00")
    assert told.status_code == 200, told.text
    assert told.json()["lanes"] == before["lanes"] + 2
    assert told.json()["version"] > before["version"]
    again = put_lanes(http, ("n1", zone, 350, 80, 24), cutoff="17:00").json()
    assert again == told.json()
    listed = http.get("/v1/lanes", params={"zone": zone}).json()["lanes"]
    assert listed[1] == {"node": "n2", "zone": zone, "fixed_cents": 500, "per_kg_cents": 0,
                         "transit_hours": 2.5, "cutoff": "17:00", "steps": []}  # fmt: skip
    unknown = put_lanes(http, ("nowhere", zone, 1, 1, 1))
    assert (problem(unknown), unknown.json()["nodes"]) == ((404, "unknown-node"), ["nowhere"])
    assert problem(http.get("/v1/lanes", params={"zone": "never"})) == (404, "unknown-zone")
    for bad, field in (
        (("n1", zone, -1, 0, 1), "lanes[0].fixed_cents"), (("n1", "?", 1, 0, 1), "lanes[0].zone"),
    ):  # fmt: skip
        assert put_lanes(http, bad).json()["field"] == field
    wrong = put_lanes(http, ("n1", zone, 1, 0, 1), cutoff="25:00")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "lanes[0].cutoff")


def test_the_cheapest_node_that_has_it_all(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    zone, sku = fresh("zone"), stocked(n1=2, n2=9, n3=9)
    body = {"weight_grams": 1500}
    assert http.put(f"/v1/skus/{sku}", json=body).status_code == 200
    lanes = (("n1", zone, 100, 10, 5), ("n2", zone, 300, 10, 5), ("n3", zone, 200, 40, 5))
    assert put_lanes(http, *lanes).status_code == 200
    one = hold(http, fresh("key"), {sku: 1}, **to(zone))
    assert sources(one) == [("n1", 1, 115)]
    assert 4.9 < hours_until(one.json()["lines"][0]["backings"][0]["deliver_by"]) < 5.1
    # n1 has one left; the weight decides between the others: 300 + 30 against 200 + 120.
    assert sources(hold(http, fresh("key"), {sku: 2}, **to(zone))) == [("n3", 2, 320)]
    assert sources(hold(http, fresh("key"), {sku: 6}, **to(zone))) == [("n2", 6, 390)]
    # Nobody has eight: as few as can be, the cheapest first.
    split = hold(http, fresh("key"), {sku: 8}, **to(zone))
    assert sum(units for _, units, _ in sources(split)) == 8
    assert next(node for node, _, _ in sources(split)) == "n1"
    found = http.get(f"/v1/reservations/{one.json()['id']}").json()
    assert found["lines"] == one.json()["lines"]


def test_a_parcel_pays_its_fixed_part_once(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    zone, first = fresh("zone"), stocked(n1=5)
    while shard_of(second := stocked(n1=5), SHARDS) == shard_of(first, SHARDS):
        pass
    third = stocked(n1=5)
    assert put_lanes(http, ("n1", zone, 400, 0, 1)).status_code == 200
    held = hold(http, fresh("key"), {first: 1, second: 1, third: 2}, **to(zone))
    assert [cents for _, _, cents in sources(held)] == [400, 0, 0]
    assert (
        http.post(f"/v1/reservations/{held.json()['id']}/confirm").json()["lines"]
        == (held.json()["lines"])
    )


def test_steps_priority_settlement_and_wishes(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    zone, sku = fresh("zone"), stocked(n1=50, n2=50, n3=50)
    dealer = fresh("dealer")
    body = {"kind": "dealer", "settlement_cents": 90, "minimum": 4}
    assert http.put(f"/v1/nodes/{dealer}", json=body).json()["minimum"] == 4
    rows = [{"sku": sku, "node": dealer, "on_hand": 6}]
    adjusted = {"reference": fresh("ref"), "adjustments": rows}
    told = http.post("/v1/stock/adjustments", json=adjusted).json()["results"][0]["body"]
    assert told["sellable"] == 2  # Its own minimum is never touched.
    assert http.put(f"/v1/skus/{sku}", json={"weight_grams": 1000}).status_code == 200
    steps = [{"from_grams": 5000, "per_kg_cents": 10}]
    assert put_lanes(http, ("n1", zone, 100, 50, 1), steps=steps).status_code == 200
    lanes = (("n2", zone, 150, 30, 1), (dealer, zone, 10, 0, 1))
    assert put_lanes(http, *lanes).status_code == 200
    assert sources(hold(http, fresh("key"), {sku: 1}, **to(zone))) == [(dealer, 1, 10)]
    assert sources(hold(http, fresh("key"), {sku: 2}, **to(zone))) == [("n1", 2, 200)]
    assert sources(hold(http, fresh("key"), {sku: 4}, **to(zone))) == [("n2", 4, 270)]
    assert sources(hold(http, fresh("key"), {sku: 6}, **to(zone))) == [("n1", 6, 160)]
    line = {"sku": sku, "quantity": 1, "node": "n2"}
    wished = http.post("/v1/reservations", json={"id": fresh("key"), "lines": [line], **to(zone)})
    assert sources(wished) == [("n2", 1, 180)]
    line["node"] = "n3"  # It has no lane there.
    refused = http.post("/v1/reservations", json={"id": fresh("key"), "lines": [line], **to(zone)})
    assert problem(refused) == (409, "sold-out")


def test_late_is_dear(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    zone, sku = fresh("zone"), stocked(n1=9, n2=9)
    assert put_lanes(http, ("n1", zone, 100, 0, 48), ("n2", zone, 400, 0, 4)).status_code == 200
    by = (datetime.now(UTC) + timedelta(hours=6)).isoformat()
    assert sources(hold(http, fresh("key"), {sku: 1}, **to(zone))) == [("n1", 1, 100)]
    assert sources(hold(http, fresh("key"), {sku: 1}, deliver_by=by, **to(zone))) == [
        ("n2", 1, 400),
    ]  # fmt: skip


def test_zones_that_nobody_serves(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    zone, sku = fresh("zone"), stocked(n1=1, n2=1)
    assert put_lanes(http, ("n1", zone, 1, 1, 1)).status_code == 200
    refused = hold(http, fresh("key"), {sku: 1}, **to("never"))
    assert (problem(refused), refused.json()["id"]) == ((404, "unknown-zone"), "never")
    assert hold(http, fresh("key"), {sku: 1}, **to(zone)).status_code == 201
    assert problem(hold(http, fresh("key"), {sku: 1}, **to(zone))) == (409, "sold-out")
    assert hold(http, fresh("key"), {sku: 1}).status_code == 201


def test_a_line_comes_from_few_nodes(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    zone = fresh("zone")
    units = {f"s{n}": 1 for n in range(SPLIT_MAX + 2)}
    sku = stocked(**units)
    assert put_lanes(http, *((node, zone, 10, 0, 1) for node in units)).status_code == 200
    assert hold(http, fresh("key"), {sku: SPLIT_MAX + 1}, **to(zone)).status_code == 409
    assert len(sources(hold(http, fresh("key"), {sku: SPLIT_MAX}, **to(zone)))) == SPLIT_MAX


def test_pools_and_channels(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=3, n2=4, n3=5)
    north, south = fresh("pool"), fresh("pool")
    told = http.put(f"/v1/pools/{north}", json={"nodes": ["n2", "n1", "n1"]})
    assert told.json() == {"pool": north, "nodes": ["n1", "n2"]}
    assert http.put(f"/v1/pools/{south}", json={"nodes": ["n2", "n3"]}).status_code == 200
    assert problem(http.put("/v1/pools/x", json={"nodes": ["nowhere"]})) == (404, "unknown-node")
    assert {row["pool"] for row in http.get("/v1/pools").json()["pools"]} >= {north, south}

    def atp(**more: str) -> Any:
        answer = http.get("/v1/availability", params={"sku": sku, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"][0]["atp"]

    deadline = time.monotonic() + 5
    while atp(pool=north) != 7:
        assert time.monotonic() < deadline
    assert (atp(pool=south), atp()) == (9, 12)
    assert problem(http.get("/v1/availability", params={"sku": sku, "pool": "never"})) == (
        404, "unknown-pool",
    )  # fmt: skip
    channel = fresh("channel")
    assert problem(http.put(f"/v1/channels/{channel}", json={"pool": "never"})) == (
        404, "unknown-pool",
    )  # fmt: skip
    told = http.put(f"/v1/channels/{channel}", json={"pool": north})
    assert told.json() == {
        "channel": channel, "name": channel, "late_payment": "hold_again",
        "anonymous_hold_seconds": None, "pool": north, "unpaid_units_per_customer": None,
        "availability_events": False,
    }  # fmt: skip
    assert told.json() in http.get("/v1/channels").json()["channels"]
    deadline = time.monotonic() + 5
    while atp(channel=channel) != 7:
        assert time.monotonic() < deadline
    assert hold(http, fresh("key"), {sku: 8}, channel=channel).status_code == 409
    assert hold(http, fresh("key"), {sku: 7}, channel=channel).status_code == 201
    zone = fresh("zone")
    assert put_lanes(http, ("n2", zone, 1, 1, 1), ("n3", zone, 1, 1, 1)).status_code == 200
    deadline = time.monotonic() + 5
    while atp(zone=zone) != 5:
        assert time.monotonic() < deadline
    assert atp(zone=zone, pool=north) == 0
    assert problem(http.get("/v1/availability", params={"sku": sku, "zone": "never"})) == (
        404, "unknown-zone",
    )  # fmt: skip


def test_opening_hours_and_cutoffs_make_a_date(http: httpx.Client, fresh: Fresh) -> None:
    node = fresh("store")
    hours = [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "09:00", "to": "17:00"}]
    body = {"kind": "store", "handling_hours": 2, "opening_hours": hours, "cutoff": "15:00"}
    told = http.put(f"/v1/nodes/{node}", json=body).json()
    assert (told["opening_hours"], told["cutoff"]) == (hours, "15:00")
    for wrong, field in (
        ([{"days": [1], "from": "17:00", "to": "09:00"}], "opening_hours[0].to"),
        ([{"days": [8], "from": "09:00", "to": "10:00"}], "opening_hours[0].days[0]"),
    ):
        answer = http.put(f"/v1/nodes/{node}", json={**body, "opening_hours": wrong})
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_many_lanes(http: httpx.Client, stocked: Stocked, fresh: Fresh) -> None:
    """More than one command may carry."""
    nodes = {f"many{n}": 1 for n in range(40)}
    sku = stocked(**nodes)
    lanes = [(node, f"z{zone}", 100 + zone, 10, 24) for zone in range(60) for node in nodes]
    assert put_lanes(http, *lanes).status_code == 200
    assert sources(hold(http, fresh("key"), {sku: 1}, **to("z59"))) == [("many0", 1, 159)]


def test_the_only_node_serves_where_it_has_a_lane(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    zone, other, sku = fresh("zone"), fresh("zone"), stocked(n1=5)
    assert put_lanes(http, ("n1", zone, 70, 0, 1), ("n2", other, 1, 1, 1)).status_code == 200
    assert sources(hold(http, fresh("key"), {sku: 1}, **to(zone))) == [("n1", 1, 70)]
    assert problem(hold(http, fresh("key"), {sku: 1}, **to(other))) == (409, "sold-out")
    channel, pool = fresh("channel"), fresh("pool")
    assert http.put(f"/v1/pools/{pool}", json={"nodes": ["n2"]}).status_code == 200
    assert http.put(f"/v1/channels/{channel}", json={"pool": pool}).status_code == 200
    assert hold(http, fresh("key"), {sku: 1}, channel=channel).status_code == 409
