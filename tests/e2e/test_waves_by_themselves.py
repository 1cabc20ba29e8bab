"""Waves that nobody asks for: by the clock, by number, and where units or nodes have failed."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from actors.waves.agenda import Automatic
from tests.e2e.engine_in_process import InProcess
from tests.e2e.test_waves import found, nodes, order, put

FIXED = {"near": {"z1": 100}, "far": {"z1": 300}}


def client(waves: Automatic) -> Iterator[httpx.Client]:
    with InProcess(waves=waves) as running, httpx.Client(base_url=running.url) as http:
        yield http


@pytest.fixture(scope="module")
def repairing() -> Iterator[httpx.Client]:
    yield from client(Automatic(repairs=True))


@pytest.fixture
def timed() -> Iterator[httpx.Client]:
    yield from client(Automatic(every_s=1))


@pytest.fixture
def counted() -> Iterator[httpx.Client]:
    yield from client(Automatic(every_orders=3))


def begun(http: httpx.Client, trigger: str, already: int = 0) -> Any:
    """The next wave that a trigger has begun, once it is over."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        waves = http.get("/v1/waves").json()["waves"]
        mine = [one for one in waves if one["trigger"] == trigger and one["finished_at"]]
        if len(mine) > already:
            return mine[already]
        time.sleep(0.05)
    raise AssertionError(waves)


def adjust(http: httpx.Client, reference: str, *rows: dict[str, Any]) -> None:
    body = {"reference": reference, "adjustments": list(rows)}
    answer = http.post("/v1/stock/adjustments", json=body)
    assert {row["status"] for row in answer.json()["results"]} == {200}, answer.text


def test_a_store_that_refuses_is_relieved(repairing: httpx.Client) -> None:
    http = repairing
    found(http, {"R": {"near": 2, "far": 2}, "S": {"near": 1}}, FIXED)
    refused, other = order(http, "r-1", "R", "z1"), order(http, "r-2", "S", "z1")
    adjust(http, "no", {"sku": "R", "node": "near", "on_hand": 0, "reason": "refusal"})
    told = begun(http, "refusal")
    assert told["touching"] == {"nodes": ["near"], "skus": ["R"], "reservations": []}
    assert (told["state"], told["orders"], told["hit_orders"], told["moved"]) == ("done", 1, 1, 1)
    assert told["saved_cents"] == -200
    assert (nodes(http, refused), nodes(http, other)) == (["far"], ["near"])
    assert http.get("/v1/shortfalls").json()["shortfalls"] == []
    assert http.post("/v1/audit").json()["clean"]


def test_a_correction_and_better_stock_are_worked_on(repairing: httpx.Client) -> None:
    http = repairing
    found(http, {"C": {"near": 1}}, FIXED)
    hit = order(http, "c-1", "C", "z1")
    adjust(http, "lost", {"sku": "C", "node": "near", "on_hand": 0})
    told = begun(http, "correction")
    assert (told["hit_orders"], told["moved"], told["lines_without_place"]) == (1, 0, 1)
    # Only now there is anything to be had instead, and then something better.
    adjust(http, "come", {"sku": "C", "node": "far", "delta": 1})
    assert begun(http, "better_stock")["moved"] == 1
    assert nodes(http, hit) == ["far"]
    adjust(http, "back", {"sku": "C", "node": "near", "delta": 1})
    told = begun(http, "better_stock", already=1)
    assert (told["touching"]["skus"], told["moved"], told["saved_cents"]) == (["C"], 1, 200)
    assert nodes(http, hit) == ["near"]


def test_a_node_that_sends_nothing_any_more_is_emptied(repairing: httpx.Client) -> None:
    http = repairing
    found(http, {"O": {"near": 3, "far": 2}}, FIXED)
    orders = [order(http, f"o-{number}", "O", "z1") for number in range(3)]
    put(http, "/v1/nodes/near", {"kind": "warehouse", "capacity_per_hour": 0})
    told = begun(http, "outage")
    assert (told["closed_nodes"], told["hit_orders"] >= 3) == (["near"], True)
    assert sorted(nodes(http, one) for one in orders) == [["far"], ["far"], ["near"]]
    # The last one leaves when there is a place for it.
    adjust(http, "room", {"sku": "O", "node": "far", "delta": 1})
    begun(http, "better_stock", already=2)
    assert {*map(str, (nodes(http, one) for one in orders))} == {"['far']"}
    put(http, "/v1/nodes/near", {"kind": "warehouse"})


def test_a_late_receipt_is_looked_at(repairing: httpx.Client) -> None:
    """Whoever waits too long gets what has come elsewhere."""
    http = repairing
    found(http, {"L": {"near": 1}}, FIXED)
    supply = {"id": "po-1", "kind": "purchase_order", "sku": "L", "node": "far", "quantity": 2,
              "available_at": "2030-01-01T00:00:00Z"}  # fmt: skip
    assert http.post("/v1/supplies", json=supply).status_code == 201
    order(http, "l-1", "L", "z1")
    body = {"lines": [{"sku": "L", "quantity": 1}], "destination": {"zone": "z1"}, "id": "l-2",
            "deliver_by": "2030-02-01T00:00:00Z"}  # fmt: skip
    late = http.post("/v1/reservations", json=body).json()
    assert http.post(f"/v1/reservations/{late['id']}/confirm").status_code == 200
    later = {"available_at": "2030-03-01T00:00:00Z"}
    assert http.post("/v1/supplies/po-1/delay", json=later).status_code == 200
    told = begun(http, "late_receipt")
    assert (told["state"], told["touching"]["skus"], told["orders"]) == ("done", ["L"], 2)
    assert (told["moved"], told["lines_without_place"]) == (0, 1)
    assert told["late_days_before"] > 28
    why = http.get(f"/v1/waves/{told['id']}/orders/{late['id']}").json()
    assert why["lines"][0]["to"] == [{"node": "far", "quantity": 1, "supply": "po-1"}]
    waves = http.get("/v1/waves").json()["waves"]
    already = sum(one["trigger"] == "better_stock" for one in waves)
    adjust(http, "l-come", {"sku": "L", "node": "near", "delta": 1})
    told = begun(http, "better_stock", already)
    assert (told["moved"], told["late_days_after"]) == (1, 0)
    assert nodes(http, late) == ["near"]
    assert http.get("/v1/shortfalls").json()["shortfalls"] == []
    assert http.post("/v1/audit").json()["clean"]


def test_a_wave_begins_every_so_many_seconds(timed: httpx.Client) -> None:
    found(timed, {"A": {"far": 1}}, FIXED)
    moved = order(timed, "t-1", "A", "z1")
    adjust(timed, "more", {"sku": "A", "node": "near", "delta": 1})
    for _ in range(100):
        if nodes(timed, moved) == ["near"]:
            break
        time.sleep(0.1)
    waves = timed.get("/v1/waves").json()["waves"]
    assert {(one["trigger"], one["touching"]) for one in waves} == {("clock", None)}
    assert nodes(timed, moved) == ["near"]


def test_a_wave_begins_after_so_many_confirmed_orders(counted: httpx.Client) -> None:
    found(counted, {f"A{number}": {"near": 9} for number in range(3)}, FIXED)
    order(counted, "n-0", "A0", "z1", pay=False)
    for number in range(2):
        order(counted, f"n-{number + 1}", f"A{number}", "z1")
    time.sleep(1)
    assert counted.get("/v1/waves").json()["waves"] == []
    order(counted, "n-3", "A2", "z1")
    assert (begun(counted, "count")["orders"], begun(counted, "count")["state"]) == (3, "done")
    time.sleep(1)
    assert len(counted.get("/v1/waves").json()["waves"]) == 1
