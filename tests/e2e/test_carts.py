"""Holds in real carts: taken over by a new version, paid for too late."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from engine.ids import shard_of
from tests.e2e.engine_in_process import SHARDS

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def hold(http: httpx.Client, key: str, units: dict[str, int], **more: Any) -> httpx.Response:
    lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
    return http.post("/v1/reservations", json={"id": key, "lines": lines, **more})


def name_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    name: str = answer.json()["id"]
    return name


def status(http: httpx.Client, name: str) -> str:
    found: str = http.get(f"/v1/reservations/{name}").json()["status"]
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def two_shards(stocked: Stocked, **units: int) -> tuple[str, str]:
    first = stocked(**units)
    while shard_of(second := stocked(**units), SHARDS) == shard_of(first, SHARDS):
        pass
    return first, second


def test_nobody_is_blocked_by_himself(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=2)
    old = name_of(hold(http, fresh("cart"), {sku: 2}))
    assert hold(http, fresh("cart"), {sku: 1}).status_code == 409
    key = fresh("cart")
    new = hold(http, key, {sku: 2}, supersedes=old)
    assert name_of(new)[:4] == old[:4]
    assert status(http, old) == "released"
    again = hold(http, key, {sku: 2}, supersedes=old)
    assert (again.status_code, again.json()["status"]) == (200, "held")
    assert hold(http, key, {sku: 2}).status_code == 422  # Another request under the key.
    assert http.get(f"/v1/stock/{sku}").json()["positions"][0]["reserved"] == 2


def test_the_old_hold_stands_where_the_new_one_cannot_be_had(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, other = stocked(n1=2), stocked(n1=1)
    old = name_of(hold(http, fresh("cart"), {sku: 2}, channel="live", customer="c"))
    refused = hold(http, fresh("cart"), {sku: 3}, supersedes=old)
    assert refused.status_code == 409
    assert refused.json()["short_lines"][0]["available"] == 2  # Its own count.
    assert status(http, old) == "held"
    at = http.get(f"/v1/stock/{sku}").json()["positions"][0]
    assert (at["reserved"], at["sellable"]) == (2, 0)
    assert http.post(f"/v1/reservations/{old}/confirm").status_code == 200
    late = hold(http, fresh("cart"), {sku: 1, other: 1}, supersedes=old)
    assert (problem(late), late.json()["reservation_status"]) == ((409, "not-held"), "confirmed")
    never = hold(http, fresh("cart"), {other: 1}, supersedes=f"{old[:3]}.never")
    assert (problem(never), never.json()["id"]) == (
        (404, "unknown-reservation"),
        f"{old[:3]}.never",
    )
    wrong = hold(http, fresh("cart"), {other: 1}, supersedes="no-id")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "supersedes")


def test_a_cart_over_shards_is_superseded(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Home's units are taken over in the commit that ends the old hold; the others come back."""
    first, second = two_shards(stocked, n1=4)
    old = name_of(hold(http, fresh("cart"), {first: 2, second: 2}))
    new = name_of(hold(http, fresh("cart"), {first: 2, second: 1}, supersedes=old))
    assert (status(http, old), status(http, new), new[:4]) == ("released", "held", old[:4])

    def reserved(sku: str) -> int:
        units: int = http.get(f"/v1/stock/{sku}").json()["positions"][0]["reserved"]
        return units

    deadline = time.monotonic() + 5
    while (reserved(first), reserved(second)) != (2, 1):
        assert time.monotonic() < deadline
    refused = hold(http, fresh("cart"), {first: 2, second: 9}, supersedes=new)
    assert refused.status_code == 409
    assert status(http, new) == "held"


@pytest.mark.parametrize(("policy", "answer"), [
    ("hold_again", 200), ("refuse", 409), ("alternatives", 409),
])  # fmt: skip
def test_a_late_payment_is_treated_as_its_channel_says(
    http: httpx.Client, fresh: Fresh, stocked: Stocked, policy: str, answer: int
) -> None:
    channel, sku, key = fresh("channel"), stocked(n1=1, n2=3), fresh("key")
    body = {"late_payment": policy}
    assert http.put(f"/v1/channels/{channel}", json=body).status_code == 200
    line = {"sku": sku, "quantity": 1, "node": "n1"}
    request = {"id": key, "lines": [line], "channel": channel, "hold_seconds": 1}
    name = name_of(http.post("/v1/reservations", json=request))
    deadline = time.monotonic() + 5
    while status(http, name) != "expired":
        assert time.monotonic() < deadline
    paid = http.post(f"/v1/reservations/{name}/confirm")
    assert paid.status_code == answer
    if policy == "alternatives":
        deadline = time.monotonic() + 5  # Until the sweep has given its own unit back.
        while len(paid.json()["short_lines"][0]["alternatives"]) < 2:
            assert time.monotonic() < deadline
            paid = http.post(f"/v1/reservations/{name}/confirm")
        nodes = [at["node"] for at in paid.json()["short_lines"][0]["alternatives"]]
        assert nodes == ["n2", "n1"]
    if policy == "refuse":
        assert paid.json()["reservation_status"] == "expired"
    page = http.get("/v1/events", params={"types": "reservation.late_payment", "limit": 1000})
    decisions = []
    while True:
        told = page.json()
        decisions += [
            event["data"]["decision"] for event in told["events"] if event["data"]["key"] == key
        ]
        if not told["more"]:
            break
        query = {"types": "reservation.late_payment", "limit": "1000", "after": told["next"]}
        page = http.get("/v1/events", params=query)
    assert set(decisions) == {policy}


def test_anonymous_buyers_hold_shorter(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    channel, sku = fresh("channel"), stocked(n1=9)
    body = {"anonymous_hold_seconds": 60}
    assert http.put(f"/v1/channels/{channel}", json=body).status_code == 200
    for more, seconds in (({}, 60), ({"customer": "c"}, 900)):
        held = hold(http, fresh("key"), {sku: 1}, channel=channel, **more).json()
        ends = datetime.fromisoformat(held["expires_at"])
        assert (ends - datetime.now(UTC)).total_seconds() == pytest.approx(seconds, abs=5)
