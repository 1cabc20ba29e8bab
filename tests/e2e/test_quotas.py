"""Quotas of channels: units set apart, caps, shares of the stock, units lent."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def put(http: httpx.Client, sku: str, channel: str, **right: Any) -> httpx.Response:
    return http.put(f"/v1/quotas/{sku}/{channel}", json=right)


def hold(http: httpx.Client, sku: str, key: str, units: int = 1, **more: Any) -> httpx.Response:
    body = {"id": key, "lines": [{"sku": sku, "quantity": units}], **more}
    return http.post("/v1/reservations", json=body)


def quota(http: httpx.Client, sku: str, channel: str) -> Any:
    listed = http.get(f"/v1/quotas/{sku}").json()["quotas"]
    return next(row for row in listed if row["channel"] == channel)


def test_nobody_else_takes_exclusive_units(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10, n2=10)
    told = put(http, sku, "live", exclusive=15, cap=None)
    assert told.status_code == 200
    assert told.json() == {
        "sku": sku, "channel": "live", "exclusive": 15, "cap": None, "taken": 0, "short": 0,
        "safety_stock": 0, "share_permille": None, "borrowed": 0,
    }  # fmt: skip
    refused = hold(http, sku, fresh("key"), 6)
    assert (refused.status_code, refused.json()["short_lines"][0]["available"]) == (409, 5)
    assert hold(http, sku, fresh("key"), 5).status_code == 201
    assert hold(http, sku, fresh("key"), 1, channel="shop").status_code == 409
    live = hold(http, sku, fresh("key"), 12, channel="live")
    assert live.status_code == 201
    assert quota(http, sku, "live")["taken"] == 12
    # What it gives back is its own again, not everybody's.
    assert http.post(f"/v1/reservations/{live.json()['id']}/release").status_code == 200
    assert quota(http, sku, "live")["taken"] == 0
    assert hold(http, sku, fresh("key"), 1).status_code == 409
    # Lowered: the rest is everybody's.
    assert put(http, sku, "live", exclusive=0).status_code == 200
    assert hold(http, sku, fresh("key"), 15).status_code == 201


def atp(http: httpx.Client, sku: str, **more: str) -> Any:
    return http.get("/v1/availability", params={"sku": sku, **more}).json()["items"][0]


def test_each_channel_is_told_what_it_may_have(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10, n2=10)
    assert put(http, sku, "live", exclusive=15).status_code == 200
    assert put(http, sku, "market", safety_stock=1).status_code == 200
    assert put(http, sku, "shop", cap=3).status_code == 200
    deadline = time.monotonic() + 5
    while (told := atp(http, sku))["atp"] != 5:
        assert time.monotonic() < deadline, told
    assert told["by_node"] == [{"node": "n2", "atp": 5}]
    assert atp(http, sku, channel="other")["atp"] == 5
    assert atp(http, sku, channel="shop")["by_node"] == [{"node": "n2", "atp": 3}]
    live = atp(http, sku, channel="live")
    assert (live["atp"], live["by_node"]) == (
        20, [{"node": "n1", "atp": 10}, {"node": "n2", "atp": 10}],
    )  # fmt: skip
    assert atp(http, sku, channel="market")["atp"] == 4
    stock = http.get(f"/v1/stock/{sku}").json()
    assert [row["channel"] for row in stock["quotas"]] == ["live", "market", "shop"]


def test_a_channel_takes_no_more_than_its_cap(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    assert put(http, sku, "shop", cap=3).json()["exclusive"] == 0
    assert hold(http, sku, fresh("key"), 2, channel="shop").status_code == 201
    refused = hold(http, sku, fresh("key"), 2, channel="shop")
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/over-quota"
    assert refused.json()["available"] == refused.json()["short_lines"][0]["available"]
    assert refused.json()["short_lines"] == [
        {"sku": sku, "node": None, "requested": 2, "available": 1, "next_available_at": None}
    ]
    part = hold(http, sku, fresh("key"), 2, channel="shop", partial=True)
    assert (part.status_code, part.json()["lines"][0]["quantity"]) == (201, 1)
    assert hold(http, sku, fresh("key"), 1, channel="shop", partial=True).status_code == 409
    assert hold(http, sku, fresh("key"), 5, channel="other").status_code == 201


def test_units_taken_before_there_was_a_quota_count(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    assert hold(http, sku, fresh("key"), 4, channel="shop").status_code == 201
    assert put(http, sku, "shop", cap=5).json()["taken"] == 4
    assert hold(http, sku, fresh("key"), 2, channel="shop").status_code == 409


def test_a_quota_above_what_is_sellable_is_refused(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    assert hold(http, sku, fresh("key"), 4).status_code == 201
    assert put(http, sku, "a", exclusive=4).status_code == 200
    refused = put(http, sku, "b", exclusive=3)
    assert refused.status_code == 409
    told = refused.json()
    assert told["type"] == "/problems/quota-exceeds-stock"
    assert (told["sku"], told["channel"], told["available"]) == (sku, "b", 2)
    assert put(http, sku, "b", exclusive=2).status_code == 200
    assert put(http, "sku-nobody-knows", "b", exclusive=2).status_code == 404


def test_lent_units_are_conserved_and_recorded(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    assert put(http, sku, "shop", exclusive=8).status_code == 200
    body = {"reference": fresh("loan"), "lender": "shop", "quantity": 5}
    for _ in range(2):
        lent = http.post(f"/v1/quotas/{sku}/live/borrow", json=body)
        assert lent.status_code == 200, lent.text
        rows = lent.json()["quotas"]
        assert [(row["channel"], row["exclusive"], row["borrowed"]) for row in rows] == [
            ("shop", 3, -5), ("live", 5, 5),
        ]  # fmt: skip
    other = {**body, "quantity": 1}
    assert http.post(f"/v1/quotas/{sku}/live/borrow", json=other).status_code == 422
    too_many = {**body, "reference": fresh("loan"), "quantity": 4}
    assert http.post(f"/v1/quotas/{sku}/live/borrow", json=too_many).status_code == 409
    assert hold(http, sku, fresh("key"), 7, channel="live").status_code == 201
    assert hold(http, sku, fresh("key"), 1, channel="live").status_code == 409


def test_a_share_of_the_stock_follows_it(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=11)
    assert put(http, sku, "live", share_permille=500).json()["exclusive"] == 5
    assert hold(http, sku, fresh("key"), 7).status_code == 409
    rows = [{"sku": sku, "node": "n1", "delta": 10}]
    body = {"reference": fresh("ref"), "adjustments": rows}
    assert http.post("/v1/stock/adjustments", json=body).status_code == 200
    assert quota(http, sku, "live")["exclusive"] == 10
    assert hold(http, sku, fresh("key"), 11).status_code == 201
    assert hold(http, sku, fresh("key"), 1).status_code == 409
    assert hold(http, sku, fresh("key"), 10, channel="live").status_code == 201


def test_a_channel_does_not_see_its_buffer(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    assert put(http, sku, "market", safety_stock=4).status_code == 200
    assert hold(http, sku, fresh("key"), 7, channel="market").status_code == 409
    assert hold(http, sku, fresh("key"), 6, channel="market").status_code == 201
    assert hold(http, sku, fresh("key"), 4).status_code == 201


def test_what_the_world_takes_away_is_placed_elsewhere_or_short(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10, n2=4)
    assert put(http, sku, "live", exclusive=10).status_code == 200
    rows = [{"sku": sku, "node": "n1", "on_hand": 3}]
    body = {"reference": fresh("ref"), "adjustments": rows}
    assert http.post("/v1/stock/adjustments", json=body).status_code == 200
    assert quota(http, sku, "live")["short"] == 3
    assert hold(http, sku, fresh("key"), 1).status_code == 409
    assert hold(http, sku, fresh("key"), 7, channel="live").status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"exclusive": -1}, "exclusive"), ({"cap": 1.5}, "cap"), ({"x": 1}, "x"),
        ({"exclusive": 3, "share_permille": 10}, "share_permille"),
        ({"share_permille": 1001}, "share_permille"),
    ],
)  # fmt: skip
def test_a_wrong_quota_is_refused(
    http: httpx.Client, stocked: Stocked, body: Any, field: str
) -> None:
    answer = put(http, stocked(n1=1), "live", **body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
