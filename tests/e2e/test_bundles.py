"""Bundles: reserved as their parts, all or nothing, on whatever shards these lie."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from engine.ids import shard_of
from tests.e2e.engine_in_process import SHARDS

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def put(http: httpx.Client, code: str, parts: dict[str, int]) -> httpx.Response:
    rows = [{"sku": sku, "quantity": count} for sku, count in parts.items()]
    return http.put(f"/v1/bundles/{code}", json={"parts": rows})


def hold(http: httpx.Client, key: str, units: dict[str, int], **more: Any) -> httpx.Response:
    lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
    return http.post("/v1/reservations", json={"id": key, "lines": lines, **more})


def reserved(http: httpx.Client, sku: str) -> int:
    found = http.get(f"/v1/stock/{sku}").json()["positions"]
    return sum(at["reserved"] + at["committed"] for at in found)


def two_shards(stocked: Stocked, **units: int) -> tuple[str, str]:
    first = stocked(**units)
    while shard_of(second := stocked(**units), SHARDS) == shard_of(first, SHARDS):
        pass
    return first, second


def test_a_bundle_is_held_as_its_parts(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    one, two = two_shards(stocked, n1=10)
    code = fresh("bundle")
    told = put(http, code, {one: 2, two: 1})
    assert told.status_code == 200
    assert told.json() in http.get("/v1/bundles").json()["bundles"]
    key = fresh("key")
    held = hold(http, key, {code: 3, one: 1})
    assert held.status_code == 201, held.text
    lines = {line["sku"]: line["quantity"] for line in held.json()["lines"]}
    assert lines == {one: 7, two: 3}
    assert held.json()["bundles"] == [{"sku": code, "quantity": 3}]
    again = hold(http, key, {code: 3, one: 1})
    assert (again.status_code, again.json()["id"]) == (200, held.json()["id"])
    refused = hold(http, fresh("key"), {code: 2})
    assert refused.status_code == 409
    assert refused.json()["short_lines"][0]["sku"] == one
    assert (reserved(http, one), reserved(http, two)) == (7, 3)
    name = held.json()["id"]
    assert http.get(f"/v1/reservations/{name}").json()["lines"] == held.json()["lines"]
    assert http.post(f"/v1/reservations/{name}/release").json()["status"] == "released"
    deadline = time.monotonic() + 5
    while (reserved(http, one), reserved(http, two)) != (0, 0):
        assert time.monotonic() < deadline


def test_a_changed_bundle_never_moves_a_repeat(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    one, two, code, key = stocked(n1=10), stocked(n1=10), fresh("bundle"), fresh("key")
    assert put(http, code, {one: 1}).status_code == 200
    held = hold(http, key, {code: 1})
    assert held.status_code == 201
    assert put(http, code, {two: 2}).status_code == 200
    again = hold(http, key, {code: 1})
    assert (again.status_code, again.json()["lines"]) == (200, held.json()["lines"])
    assert hold(http, key, {code: 2}).status_code == 422
    lines = hold(http, fresh("key"), {code: 1}).json()["lines"]
    assert [(line["sku"], line["quantity"]) for line in lines] == [(two, 2)]
    told = http.post("/v1/reservations:batch", json={"reservations": [
        {"id": fresh("key"), "lines": [{"sku": code, "quantity": 1}]},
        {"id": fresh("key"), "lines": [{"sku": "never", "quantity": 1}]},
    ]})  # fmt: skip
    assert [row["status"] for row in told.json()["results"]] == [201, 404]


def test_as_many_as_there_are_of_the_scarcest_part(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    one, two, code = stocked(n1=7, n2=4), stocked(n1=2, n2=9), fresh("bundle")
    assert put(http, code, {one: 2, two: 1}).status_code == 200
    deadline = time.monotonic() + 5
    while True:
        told = http.get("/v1/availability", params={"sku": code})
        if told.status_code == 200 and told.json()["items"][0]["atp"] == 5:
            break
        assert time.monotonic() < deadline, told.text
    item = told.json()["items"][0]
    assert item["by_node"] == [{"node": "n1", "atp": 2}, {"node": "n2", "atp": 2}]
    both = http.get("/v1/availability", params=[("sku", one), ("sku", code)]).json()["items"]
    assert [row["atp"] for row in both] == [11, 5]
    refused = http.get("/v1/availability", params=[("sku", code), ("sku", "never")])
    assert (refused.status_code, refused.json()["skus"]) == (404, ["never"])


def test_what_is_wrong_is_named(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku, code = stocked(n1=1), fresh("bundle")
    assert put(http, code, {"never": 1}).json()["skus"] == ["never"]
    assert put(http, sku, {sku: 1}).json()["field"] == "sku"
    assert put(http, code, {}).status_code == 422
