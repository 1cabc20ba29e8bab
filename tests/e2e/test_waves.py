"""POST /v1/waves: orders planned together go where they cost least; nothing else changes."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from solver.saved import unpack_case
from tests.e2e.engine_in_process import in_process

Fresh = Callable[[str], str]


@pytest.fixture(scope="module")
def http() -> Any:
    """An engine of its own: a wave concerns all orders there are."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


def put(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = http.put(path, json=body)
    assert answer.status_code == 200, answer.text


def found(http: httpx.Client, stock: dict[str, dict[str, int]], fixed: dict[str, Any]) -> None:
    """Nodes, SKUs and lanes; ``fixed`` has the cents by node and zone."""
    for node, zones in fixed.items():
        put(http, f"/v1/nodes/{node}", {"kind": "warehouse", "name": node})
        lanes = [
            {"node": node, "zone": zone, "fixed_cents": cents, "per_kg_cents": 0,
             "transit_hours": 24}
            for zone, cents in zones.items()
        ]  # fmt: skip
        put(http, "/v1/lanes", {"lanes": lanes})
    for sku, by_node in stock.items():
        put(http, f"/v1/skus/{sku}", {"name": sku, "weight_grams": 500})
        rows = [{"sku": sku, "node": node, "delta": units} for node, units in by_node.items()]
        body = {"reference": f"found-{sku}", "adjustments": rows}
        assert http.post("/v1/stock/adjustments", json=body).status_code == 200


def order(http: httpx.Client, key: str, sku: str, zone: str, *, pay: bool = True) -> Any:
    body = {"lines": [{"sku": sku, "quantity": 1}], "destination": {"zone": zone}}
    answer = http.post("/v1/reservations", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    if pay:
        assert http.post(f"/v1/reservations/{told['id']}/confirm").status_code == 200
    return told


def nodes(http: httpx.Client, reservation: Any) -> list[str]:
    told = http.get(f"/v1/reservations/{reservation['id']}").json()
    return [at["node"] for line in told["lines"] for at in line["backings"]]


def wave(http: httpx.Client, **body: Any) -> Any:
    begun = http.post("/v1/waves", json={"max_seconds": 3, **body})
    assert begun.status_code == 202, begun.text
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = http.get(begun.headers["Location"]).json()
        if told["state"] in ("done", "failed"):
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def eventually(holds: Callable[[], bool]) -> None:
    """Shards hear of each other within a moment."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def left(http: httpx.Client, sku: str, node: str) -> tuple[int, int]:
    """Units on hand, and those promised and not shipped."""
    positions = http.get(f"/v1/stock/{sku}").json()["positions"]
    (there,) = [at for at in positions if at["node"] == node]
    return there["on_hand"], there["committed"]


@pytest.fixture(scope="module")
def orders(http: httpx.Client) -> Any:
    """The first order takes the last unit that the second could have had cheaply."""
    found(
        http,
        {"A": {"near": 1, "far": 5}},
        {"near": {"z1": 100, "z2": 100}, "far": {"z1": 130, "z2": 900}},
    )
    first, second = order(http, "o-1", "A", "z1"), order(http, "o-2", "A", "z2")
    assert (nodes(http, first), nodes(http, second)) == (["near"], ["far"])
    return first, second


def test_a_dry_run_says_what_it_would_do_and_does_nothing(http: httpx.Client, orders: Any) -> None:
    told = wave(http, dry_run=True)
    assert (told["state"], told["orders"], told["moved"]) == ("done", 2, 0), told
    assert (told["cost_cents_before"], told["cost_cents_after"]) == (1000, 230)
    assert told["bound_cents"] <= 230
    assert [nodes(http, one) for one in orders] == [["near"], ["far"]]


def test_a_wave_moves_orders_and_says_why(http: httpx.Client, orders: Any) -> None:
    told = wave(http)
    assert (told["state"], told["moved"], told["refused_moves"]) == ("done", 2, 0), told
    assert [nodes(http, one) for one in orders] == [["far"], ["near"]]
    stock = http.get("/v1/stock/A").json()["positions"]
    assert {at["node"]: at["committed"] for at in stock} == {"near": 1, "far": 1}
    why = http.get(f"/v1/waves/{told['id']}/orders/{orders[0]['id']}").json()
    assert why["lines"] == [
        {"sku": "A", "quantity": 1, "from": [{"node": "near", "quantity": 1, "supply": None}],
         "to": [{"node": "far", "quantity": 1, "supply": None}]}
    ]  # fmt: skip
    assert (why["cost_cents"], why["binding"]) == (130, ["stock A near"])
    again = wave(http)
    assert (again["moved"], again["cost_cents_before"]) == (0, 230)
    assert http.post("/v1/audit").json()["clean"]
    events = http.get("/v1/events", params={"limit": 1000}).json()["events"]
    assert sum(one["type"] == "reservation.moved" for one in events) == 2


def test_lines_of_an_order_move_on_whatever_shard_they_lie(http: httpx.Client, orders: Any) -> None:
    """Its home hears of them within a moment, with what they cost; parcels leave from there."""
    fixed = {"near": {"z3": 900}, "far": {"z3": 100}}
    skus = [f"M{number}" for number in range(6)]
    found(http, {sku: {"near": 1} for sku in skus}, fixed)
    body = {
        "lines": [{"sku": sku, "quantity": 1} for sku in skus],
        "destination": {"zone": "z3"},
        "id": "o-many",
    }
    many = http.post("/v1/reservations", json=body).json()
    assert http.post(f"/v1/reservations/{many['id']}/confirm").status_code == 200
    rows = [{"sku": sku, "node": "far", "delta": 1} for sku in skus]
    added = http.post("/v1/stock/adjustments", json={"reference": "more", "adjustments": rows})
    assert added.status_code == 200
    told = wave(http)
    assert (told["moved"], told["refused_moves"]) == (1, 0), told
    eventually(lambda: set(nodes(http, many)) == {"far"})
    lines = http.get(f"/v1/reservations/{many['id']}").json()["lines"]
    assert sum(at["cost_cents"] for line in lines for at in line["backings"]) == 100
    why = http.get(f"/v1/waves/{told['id']}/orders/{many['id']}").json()
    assert len(why["lines"]) == len(skus)
    assert wave(http)["moved"] == 0
    shipped = http.post(f"/v1/reservations/{many['id']}/fulfil", json={"reference": "parcel-1"})
    assert (shipped.status_code, shipped.json()["status"]) == (200, "fulfilled")
    eventually(lambda: all(left(http, sku, "far") == (0, 0) for sku in skus))
    assert http.post("/v1/audit").json()["clean"]


def test_nothing_leaves_a_closed_node_where_it_can_be_helped(
    http: httpx.Client, orders: Any
) -> None:
    """After the waves before: the first order is at ``far``, the second at ``near``."""
    told = wave(http, dry_run=True, closed_nodes=["far"])
    assert told["closed_nodes"] == ["far"]
    assert told["lines_without_place"] > 0  # All that is near is taken.
    added = {"reference": "near-again", "adjustments": [{"sku": "A", "node": "near", "delta": 1}]}
    assert http.post("/v1/stock/adjustments", json=added).status_code == 200
    told = wave(http, closed_nodes=["far"])
    assert nodes(http, orders[0]) == ["near"]
    unknown = wave(http, dry_run=True, closed_nodes=["no-such"])
    assert (unknown["state"], unknown["reason"]) == ("failed", "closed_nodes: no node no-such")


def test_a_wave_is_a_page_and_a_file(
    http: httpx.Client, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both of what was planned; of a wave that came to nothing the page has only the facts."""
    monkeypatch.setattr("actors.waves.desk._PIECE", 500)  # The file comes in several answers.
    told = wave(http, dry_run=True)
    page = http.get(f"/v1/waves/{told['id']}/page")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Parts of the cost" in page.text
    file = http.get(f"/v1/waves/{told['id']}/problem")
    assert file.headers["content-type"] == "application/octet-stream"
    assert len(file.content) > 1_000
    case = unpack_case(file.content)
    assert case.plan.cost.total - case.plan.cost.change == told["cost_cents_after"]
    assert {one["id"] for one in orders} <= set(case.problem.orders.ids)
    nothing = wave(http, dry_run=True, closed_nodes=["no-such"])
    assert "closed_nodes: no node" in http.get(f"/v1/waves/{nothing['id']}/page").text
    refused = http.get(f"/v1/waves/{nothing['id']}/problem")
    assert refused.json()["type"] == "/problems/unknown-wave"


def test_held_orders_take_part_only_if_asked(http: httpx.Client, orders: Any) -> None:
    held = order(http, "o-3", "A", "z1", pay=False)
    assert wave(http, dry_run=True)["orders"] == 2
    assert wave(http, dry_run=True, scope="confirmed_and_held")["orders"] == 3
    assert http.post(f"/v1/reservations/{held['id']}/release").status_code == 200


def test_an_id_of_ones_own_finds_the_wave_again(http: httpx.Client, orders: Any) -> None:
    headers = {"Idempotency-Key": "mine"}
    body = {"max_seconds": 1, "dry_run": True}
    begun = http.post("/v1/waves", json=body, headers=headers)
    assert begun.json()["id"] == "mine"
    assert http.post("/v1/waves", json=body, headers=headers).json()["id"] == "mine"
    other = http.post("/v1/waves", json={"max_seconds": 2}, headers=headers)
    assert other.json()["type"] == "/problems/key-reused"
    busy = http.post("/v1/waves", json={})
    assert (busy.status_code, busy.json()["id"]) == (409, "mine")
    ended = http.post("/v1/waves/mine/cancel").json()
    assert ended["id"] == "mine"
    until = time.monotonic() + 30
    while http.get("/v1/waves/mine").json()["finished_at"] is None:
        assert time.monotonic() < until
    assert {"mine"} <= {one["id"] for one in http.get("/v1/waves").json()["waves"]}


def test_a_narrowed_wave_is_about_what_is_touched(http: httpx.Client, orders: Any) -> None:
    fixed = {"near": {"z4": 300}, "far": {"z4": 100}}
    found(http, {"N": {"near": 1}, "P": {"near": 1}}, fixed)
    touched, other = order(http, "o-n", "N", "z4"), order(http, "o-p", "P", "z4")
    rows = [{"sku": sku, "node": "far", "delta": 1} for sku in ("N", "P")]
    added = http.post("/v1/stock/adjustments", json={"reference": "n-p", "adjustments": rows})
    assert added.status_code == 200
    at = {"nodes": ["near"], "skus": ["N"]}
    told = wave(http, touching=at)
    assert told["touching"] == {**at, "reservations": []}
    assert (told["trigger"], told["orders"], told["hit_orders"]) == ("request", 1, 1)
    assert (told["moved"], told["saved_cents"], told["late_days_before"]) == (1, 200, 0.0)
    assert (nodes(http, touched), nodes(http, other)) == (["far"], ["near"])
    named = wave(http, touching={"reservations": [other["id"]]})
    assert (named["orders"], named["moved"]) == (1, 1)
    assert nodes(http, other) == ["far"]
    nothing = wave(http, touching={"skus": ["no-such"]})
    assert (nothing["state"], nothing["orders"], nothing["hit_orders"]) == ("done", 0, 0)


@pytest.mark.parametrize(
    ("touching", "field"),
    [
        ({}, "touching"),
        ({"nodes": [], "skus": []}, "touching"),
        ({"nodes": ["a b"]}, "touching.nodes[0]"),
        ({"skus": ["A"], "reservations": ["000.o", "o"]}, "touching.reservations[1]"),
        ({"zones": ["z1"]}, "touching.zones"),
    ],
)
def test_a_wave_touching_nothing_is_refused(http: httpx.Client, touching: Any, field: str) -> None:
    answer = http.post("/v1/waves", json={"touching": touching})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_what_there_is_not_is_said(http: httpx.Client, orders: Any) -> None:
    for path, kind in (
        ("/v1/waves/none", "unknown-wave"),
        ("/v1/waves/none/page", "unknown-wave"),
        ("/v1/waves/none/problem", "unknown-wave"),
        (f"/v1/waves/none/orders/{orders[0]['id']}", "unknown-wave"),
        ("/v1/waves/mine/orders/0.none", "unknown-reservation"),
    ):
        assert http.get(path).json()["type"] == f"/problems/{kind}", path
    assert http.post("/v1/waves", json={"max_seconds": 0}).status_code == 422
