"""Dry runs that suppose: more capacity, faster lanes. Nothing of it is ever done."""

from typing import Any

import httpx
import pytest

from tests.e2e.engine_in_process import in_process
from tests.e2e.test_waves import found, nodes, order, put, wave


@pytest.fixture(scope="module")
def http() -> Any:
    """An engine of its own: a wave concerns all orders there are."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


@pytest.fixture(scope="module")
def orders(http: httpx.Client) -> Any:
    """Three orders on ``dear``; ``cheap`` has units by now, and sends 24 parcels a day."""
    found(http, {"A": {"dear": 3}}, {"cheap": {"z": 100}, "dear": {"z": 500}})
    made = [order(http, f"o-{number}", "A", "z") for number in range(3)]
    rows = [{"sku": "A", "node": "cheap", "delta": 3}]
    added = http.post("/v1/stock/adjustments", json={"reference": "more", "adjustments": rows})
    assert added.status_code == 200
    put(http, "/v1/nodes/cheap", {"kind": "warehouse", "capacity_per_hour": 1})
    return made


def test_capacity_is_supposed_for_all_nodes_or_for_some(http: httpx.Client, orders: Any) -> None:
    for percent, cost in ((100, 300), (0, 1_500), (4, 1_500), (9, 700), ({"cheap": 5}, 1_100)):
        told = wave(http, dry_run=True, capacity_percent=percent)
        assert (told["state"], told["capacity_percent"]) == ("done", percent), told
        assert (told["cost_cents_before"], told["cost_cents_after"]) == (1_500, cost)
    assert [nodes(http, one) for one in orders] == [["dear"]] * 3


def test_days_are_supposed_off_every_lane(http: httpx.Client, orders: Any) -> None:
    told = wave(http, dry_run=True, days_faster=1)
    assert (told["state"], told["days_faster"], told["moved"]) == ("done", 1, 0), told
    assert told["cost_cents_after"] == 300


def test_what_is_supposed_is_never_done(http: httpx.Client, orders: Any) -> None:
    for member, value in (("capacity_percent", 120), ("days_faster", 1)):
        refused = http.post("/v1/waves", json={member: value})
        assert (refused.status_code, refused.json()["field"]) == (422, member)
    assert http.get("/v1/waves").json()["waves"][-1]["dry_run"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"capacity_percent": 1_001}, "capacity_percent"),
        ({"capacity_percent": {"no node": 5}}, "capacity_percent.no node"),
        ({"days_faster": 0}, "days_faster"),
    ],
)
def test_a_supposition_out_of_range_is_named(
    http: httpx.Client, body: dict[str, Any], field: str
) -> None:
    refused = http.post("/v1/waves", json={"dry_run": True, **body})
    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_a_node_that_is_not_there_fails_the_wave(http: httpx.Client, orders: Any) -> None:
    told = wave(http, dry_run=True, capacity_percent={"nowhere": 120})
    assert (told["state"], told["reason"]) == ("failed", "capacity_percent: no node nowhere")


def test_a_repeat_supposes_the_same(http: httpx.Client, orders: Any) -> None:
    wave(http, dry_run=True)  # None is running.
    headers = {"Idempotency-Key": "more"}
    body = {"dry_run": True, "max_seconds": 1, "capacity_percent": {"cheap": 120}}
    assert http.post("/v1/waves", json=body, headers=headers).status_code == 202
    assert http.post("/v1/waves", json=body, headers=headers).json()["id"] == "more"
    other = {**body, "capacity_percent": {"cheap": 130}}
    refused = http.post("/v1/waves", json=other, headers=headers)
    assert refused.json()["type"] == "/problems/key-reused"
