"""POST /v1/promise: what is promised is what a reservation would get; nothing is reserved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.engine_in_process import in_process

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


@pytest.fixture(scope="module")
def http() -> Any:
    """An engine of its own: lanes concern everybody."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


def put_lanes(http: httpx.Client, *lanes: tuple[Any, ...]) -> None:
    names = ("node", "zone", "fixed_cents", "per_kg_cents", "transit_hours")
    rows = [dict(zip(names, lane, strict=True)) for lane in lanes]
    assert http.put("/v1/lanes", json={"lanes": rows}).status_code == 200


def promise(http: httpx.Client, units: dict[str, int], **more: Any) -> Any:
    lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
    answer = http.post("/v1/promise", json={"lines": lines, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def nodes(told: Any) -> list[list[str]]:
    return [[at["node"] for at in line["backings"]] for line in told["lines"]]


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_stock_alone_where_nobody_says_where_to(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=3, n2=2)
    told = promise(http, {sku: 4})
    assert (told["feasible"], told["cost_cents"], told["deliver_by"]) == (True, None, None)
    assert (told["parcels"], told["short_lines"], told["explain"]) == (2, [], None)
    told = promise(http, {sku: 6})
    assert told["feasible"] is False
    assert told["short_lines"] == [{"sku": sku, "node": None, "requested": 6, "available": 5,
                                    "next_available_at": None}]  # fmt: skip
    assert http.get(f"/v1/stock/{sku}").json()["positions"][0]["reserved"] == 0


def test_what_is_preferred_decides(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    zone = fresh("zone")
    first, second = stocked(n1=5, n2=5, n3=5), stocked(n2=5, n3=5)
    put_lanes(http, ("n1", zone, 100, 0, 48), ("n2", zone, 300, 0, 72), ("n3", zone, 500, 0, 5))
    to = {"destination": {"zone": zone}}
    cheap = promise(http, {first: 1, second: 1}, **to)
    # Both from n2 cost 300; n1 and n2 would cost 400.
    assert (nodes(cheap), cheap["cost_cents"], cheap["parcels"]) == ([["n2"], ["n2"]], 300, 1)
    fast = promise(http, {first: 1, second: 1}, prefer="fastest", **to)
    assert (nodes(fast), fast["cost_cents"]) == ([["n3"], ["n3"]], 500)
    few = promise(http, {first: 1, second: 1}, prefer="fewest_parcels", **to)
    assert few["parcels"] == 1
    alone = promise(http, {first: 2}, **to)
    line = {"sku": first, "quantity": 2}
    held = http.post("/v1/reservations", json={"id": fresh("key"), "lines": [line], **to}).json()
    assert alone["cost_cents"] == 100
    promised, got = alone["lines"][0]["backings"][0], held["lines"][0]["backings"][0]
    assert {**promised, "deliver_by": None} == {**got, "deliver_by": None}
    assert promised["deliver_by"][:15] == got["deliver_by"][:15]  # Some ms lie between.


def test_a_date_that_cannot_be_kept_is_told(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    zone, sku, name = fresh("zone"), stocked(n1=1), fresh("po")
    put_lanes(http, ("n1", zone, 100, 0, 10))
    body = {"id": name, "kind": "purchase_order", "sku": sku, "node": "n1", "quantity": 5,
            "available_at": in_hours(24)}  # fmt: skip
    assert http.post("/v1/supplies", json=body).status_code == 201
    to = {"destination": {"zone": zone}}
    in_time = promise(http, {sku: 1}, deliver_by=in_hours(11), **to)
    assert in_time["feasible"] is True
    late = promise(http, {sku: 3}, deliver_by=in_hours(11), **to)
    assert late["feasible"] is False
    at = datetime.fromisoformat(late["deliver_by"])
    assert abs((at - datetime.now(UTC)).total_seconds() / 3600 - 34) < 0.1
    assert promise(http, {sku: 3}, deliver_by=in_hours(35), **to)["feasible"] is True


def test_the_numbers_behind_it(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    zone, sku = fresh("zone"), stocked(n1=5, n2=0, n3=4)
    put_lanes(http, ("n1", zone, 100, 0, 10), ("n2", zone, 100, 0, 10))
    told = promise(http, {sku: 1}, explain=True, destination={"zone": zone})
    (explained,) = told["explain"]
    why = {place["node"]: place["excluded"] for place in explained["places"]}
    assert why == {"n1": None, "n2": "nothing is left", "n3": "no lane to the destination"}
    first = next(place for place in explained["places"] if place["node"] == "n1")
    assert (first["on_hand"], first["sellable"], first["fixed_cents"]) == (5, 5, 100)


def test_what_is_wrong_is_named(http: httpx.Client, stocked: Stocked) -> None:
    sku = stocked(n1=1)
    line = {"sku": sku, "quantity": 1}
    for body, status, kind in (
        ({"lines": []}, 422, "invalid-request"),
        ({"lines": [line], "prefer": "best"}, 422, "invalid-request"),
        ({"lines": [{**line, "sku": "never"}]}, 404, "unknown-sku"),
        ({"lines": [{**line, "node": "never"}]}, 404, "unknown-node"),
        ({"lines": [line], "destination": {"zone": "never"}}, 404, "unknown-zone"),
    ):
        answer = http.post("/v1/promise", json=body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
