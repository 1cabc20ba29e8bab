"""Bought online, collected in a store: ready by a time in its opening hours, kept for a while."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from engine import commands
from engine.ids import shard_of
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import PICKUP, Reservation, Status
from tests.builders import NOW_MS, reserve, stocked_ledger
from tests.cluster import SHARDS

Fresh = Callable[[str], str]
Stocked = Callable[..., str]
HOUR_MS = 3_600_000


def ordered(http: httpx.Client, sku: str, key: str, node: str) -> httpx.Response:
    body = {"id": key, "fulfilment": "pickup",
            "lines": [{"sku": sku, "quantity": 1, "node": node}]}  # fmt: skip
    return http.post("/v1/reservations", json=body)


def test_a_pickup_is_ready_by_a_time(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    node, now = fresh("store"), datetime.now(UTC)
    sku = stocked(**{node: 3})
    body: dict[str, Any] = {"kind": "store", "handling_hours": 2, "pickup_hold_hours": 48}
    assert http.put(f"/v1/nodes/{node}", json=body).status_code == 200
    held = ordered(http, sku, fresh("key"), node)
    assert held.status_code == 201, held.text
    backing = held.json()["lines"][0]["backings"][0]
    ready = datetime.fromisoformat(backing["deliver_by"])
    assert abs(ready - now - timedelta(hours=2)) < timedelta(seconds=10)
    assert backing["cost_cents"] == 0
    # Closed now: the first hour of another day.
    tomorrow = now + timedelta(days=1)
    hours = [{"days": [tomorrow.isoweekday()], "from": "10:00", "to": "18:00"}]
    assert http.put(f"/v1/nodes/{node}", json={**body, "opening_hours": hours}).status_code == 200
    later = ordered(http, sku, fresh("key"), node).json()["lines"][0]["backings"][0]["deliver_by"]
    assert later == tomorrow.strftime("%Y-%m-%dT12:00:00.000Z")
    paid = http.post(f"/v1/reservations/{held.json()['id']}/confirm").json()
    until = datetime.fromisoformat(paid["pickup_until"])
    assert until >= datetime.fromisoformat(later) + timedelta(hours=47)
    missing = {"id": fresh("key"), "fulfilment": "pickup", "lines": [{"sku": sku, "quantity": 1}]}
    assert http.post("/v1/reservations", json=missing).json()["field"] == "lines[0].node"


def ready(answer: httpx.Response) -> datetime:
    assert answer.status_code == 201, answer.text
    return datetime.fromisoformat(answer.json()["lines"][0]["backings"][0]["deliver_by"])


def test_a_busy_store_is_ready_later_whichever_shard_is_asked(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Four orders an hour: those of one SKU make those of another wait."""
    node = fresh("store")
    skus: dict[int, str] = {}
    while len(skus) < 2:
        sku = stocked(**{node: 9})
        skus[shard_of(sku, SHARDS)] = sku
    here, elsewhere = skus.values()
    body = {"kind": "store", "handling_hours": 2, "capacity_per_hour": 4}
    assert http.put(f"/v1/nodes/{node}", json=body).status_code == 200
    orders = [ordered(http, here, fresh("key"), node) for _ in range(5)]
    first, last = ready(orders[0]), ready(orders[-1])
    assert abs(last - first - timedelta(hours=1)) < timedelta(seconds=10)
    give_up = time.monotonic() + 20
    while True:
        other = ordered(http, elsewhere, fresh("key"), node)
        if ready(other) - last > timedelta(minutes=14):
            return
        assert http.post(f"/v1/reservations/{other.json()['id']}/release").status_code == 200
        assert time.monotonic() < give_up, "the other shard has not heard of it"
        time.sleep(0.1)


def test_a_store_that_has_none_gets_it_by_a_transfer(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    store, depot, zone, key = fresh("store"), fresh("depot"), fresh("zone"), fresh("key")
    sku = stocked(**{depot: 2})
    assert http.put(f"/v1/nodes/{store}", json={"kind": "store", "zone": zone}).status_code == 200
    lane = {"node": depot, "zone": zone, "fixed_cents": 90, "per_kg_cents": 0,
            "transit_hours": 30}  # fmt: skip
    assert http.put("/v1/lanes", json={"lanes": [lane]}).status_code == 200
    now = datetime.now(UTC)
    give_up = time.monotonic() + 20
    while (held := ordered(http, sku, key, store)).status_code == 409:  # No lane there yet.
        assert time.monotonic() < give_up, held.text
        time.sleep(0.1)
    assert abs(ready(held) - now - timedelta(hours=30)) < timedelta(seconds=30)
    backing = held.json()["lines"][0]["backings"][0]
    supply = http.get(f"/v1/supplies/{backing['supply']}").json()["supply"]
    told = {name: supply[name] for name in ("kind", "node", "from_node", "quantity", "promised")}
    assert told == {
        "kind": "transfer", "node": store, "from_node": depot, "quantity": 1, "promised": 1,
    }  # fmt: skip
    assert http.post(f"/v1/reservations/{held.json()['id']}/confirm").status_code == 200
    arrived = http.post(
        f"/v1/supplies/{backing['supply']}/receive",
        json={"quantity": 1, "final": True},
        headers={"Idempotency-Key": fresh("receipt")},
    )
    assert arrived.status_code == 200, arrived.text
    line = http.get(f"/v1/reservations/{held.json()['id']}").json()["lines"][0]
    (there,) = line["backings"]
    assert (there["node"], there.get("supply"), there["quantity"]) == (store, None, 1)
    body = {"id": "pickup:mine", "kind": "return", "sku": sku, "node": store, "quantity": 1,
            "available_at": "2027-01-01T00:00:00Z"}  # fmt: skip
    refused = http.post("/v1/supplies", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "id")


def test_what_nobody_collects_goes_back_on_sale() -> None:
    ledger: Ledger = stocked_ledger({"A": {"w1": 2}})
    ledger.decide(reserve("k", ("A", 2, "w1"), hold_ms=HOUR_MS, **{PICKUP: True}), NOW_MS)
    record = ledger.decide(commands.confirm("k"), NOW_MS + 1)[1]
    until_ms = Reservation(record).extra["w"]
    assert until_ms == NOW_MS + 1 + 72 * HOUR_MS
    ledger.seal()
    due = ledger.due(until_ms + 1_000)
    assert "k" in due
    assert ledger.decide(commands.expire(["k"]), until_ms - 1) == [Outcome.OK, 0]
    assert ledger.decide(commands.expire(["k"]), until_ms) == [Outcome.OK, 1]
    ended = Reservation(ledger.decide(commands.read("k"), until_ms)[1])
    assert ended.status is Status.CANCELLED
    assert ledger.books["A"].positions["w1"].sellable == 2
