"""Nodes, SKUs, adjustments, stock, availability and the sold-out hint."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine import commands
from engine.ids import shard_of
from engine.limits import HINT_MS
from engine.outcome import Outcome
from tests.e2e.engine_in_process import SHARDS, InProcess

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def adjust(http: httpx.Client, reference: str, *rows: Any) -> httpx.Response:
    body = {"reference": reference, "adjustments": list(rows)}
    return http.post("/v1/stock/adjustments", json=body)


def hold(http: httpx.Client, sku: str, key: str, units: int = 1, **more: Any) -> httpx.Response:
    body = {"id": key, "lines": [{"sku": sku, "quantity": units}], **more}
    return http.post("/v1/reservations", json=body)


def atp(http: httpx.Client, sku: str, **more: str) -> Any:
    answer = http.get("/v1/availability", params={"sku": sku, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]


def test_a_node_has_its_defaults_and_is_replaced_whole(http: httpx.Client, fresh: Fresh) -> None:
    node = fresh("node")
    full = {"kind": "dealer", "name": "Leeds", "zone": "GB-LDS", "latitude": 53.8,
            "longitude": -1.55, "channels": ["live"], "handling_hours": 4.5,
            "capacity_per_hour": 30, "priority": 10}  # fmt: skip
    rarer: dict[str, Any] = {"owner": None, "minimum": 0, "settlement_cents": 0, "cutoff": None,
             "opening_hours": [], "pickup_hold_hours": 72}  # fmt: skip
    assert http.put(f"/v1/nodes/{node}", json=full).json() == {"node": node, **full, **rarer}
    bare: dict[str, Any] = {
            "node": node, "kind": "store", "name": node, "zone": None, "latitude": None,
            "longitude": None, "channels": [], "handling_hours": 0, "capacity_per_hour": None,
            "priority": 100, **rarer}  # fmt: skip
    assert http.put(f"/v1/nodes/{node}", json={"kind": "store"}).json() == bare
    nodes = http.get("/v1/nodes").json()["nodes"]
    assert bare in nodes
    assert [each["node"] for each in nodes] == sorted(each["node"] for each in nodes)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"), ({"kind": "shop"}, "kind"), ({"kind": "store", "name": "x" * 201}, "name"),
        ({"kind": "store", "latitude": "53"}, "latitude"),
        ({"kind": "store", "latitude": 91}, "latitude"),
        ({"kind": "store", "channels": ["a", "?"]}, "channels[1]"),
        ({"kind": "store", "handling_hours": -1}, "handling_hours"),
        ({"kind": "store", "handling_hours": 1e300}, "handling_hours"),
        ({"kind": "store", "capacity_per_hour": 1.5}, "capacity_per_hour"),
        ({"kind": "store", "zone": "?"}, "zone"), ({"kind": "store", "x": 1}, "x"),
    ],
)  # fmt: skip
def test_a_wrong_node_is_refused(http: httpx.Client, body: Any, field: str) -> None:
    answer = http.put("/v1/nodes/wrong", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_sku_is_known_once_it_is_put(http: httpx.Client, fresh: Fresh) -> None:
    sku = fresh("sku")
    assert http.get(f"/v1/skus/{sku}").json()["skus"] == [sku]
    assert http.get(f"/v1/stock/{sku}").status_code == 404
    body = {"name": "Holder", "weight_grams": 320, "category": "gift"}
    for _ in range(2):
        assert http.put(f"/v1/skus/{sku}", json=body).json() == {"sku": sku, **body}
    assert http.get(f"/v1/skus/{sku}").json() == {"sku": sku, **body}
    stock = http.get(f"/v1/stock/{sku}").json()
    stock.pop("as_of_seq")
    assert stock == {"sku": sku, "positions": [], "quotas": [], "supplies": [], "shortfalls": []}
    assert atp(http, sku)["by_node"] == []


def test_each_adjustment_stands_alone_and_a_repeat_changes_nothing(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku, reference = stocked(n1=5, n2=1), fresh("ref")
    rows = [
        {"sku": sku, "node": "n1", "delta": 3, "reason": "receipt"},
        {"sku": sku, "node": "n2", "delta": -2},
        {"sku": "nope", "node": "n1", "delta": 1},
        {"sku": sku, "node": "nowhere", "on_hand": 1},
        {"sku": stocked(n1=1), "node": "n1", "delta": 1_000_000_000},
        {"sku": stocked(n1=7), "node": "n1", "on_hand": 4, "safety_stock": 1},
    ]
    first = adjust(http, reference, *rows).json()
    assert [result["status"] for result in first["results"]] == [200, 409, 404, 404, 409, 200]
    kinds = [result["body"].get("type", "").split("/")[-1] for result in first["results"]]
    assert kinds == ["", "negative-stock", "unknown-sku", "unknown-node", "out-of-range", ""]
    assert first["results"][0]["body"] == {
        "sku": sku, "node": "n1", "on_hand": 8, "safety_stock": 0, "reserved": 0, "committed": 0,
        "quarantined": 0, "sellable": 8, "shortfall": 0, "damaged": 0,
    }  # fmt: skip
    assert first["results"][1]["body"]["node"] == "n2"
    assert first["results"][5]["body"]["sellable"] == 3
    assert (first["reference"], first["repeated"]) == (reference, False)
    again = adjust(http, reference, *rows).json()
    assert again == {**first, "repeated": True}
    other = adjust(http, reference, *rows[:2])
    assert (other.status_code, other.json()["id"]) == (422, reference)


def test_a_count_below_what_is_promised_is_a_shortfall(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=5)
    name = hold(http, sku, fresh("key"), 5).json()["id"]
    answer = adjust(http, fresh("ref"), {"sku": sku, "node": "n1", "on_hand": 2})
    position = answer.json()["results"][0]["body"]
    assert (position["sellable"], position["shortfall"], position["reserved"]) == (0, 3, 5)
    shortfall = http.get(f"/v1/stock/{sku}").json()["shortfalls"][0]
    assert (shortfall["sku"], shortfall["node"], shortfall["quantity"]) == (sku, "n1", 3)
    http.post(f"/v1/reservations/{name}/confirm")
    answer = http.post(f"/v1/reservations/{name}/fulfil", json={"reference": "p"})
    assert answer.json()["type"] == "/problems/insufficient-stock"


def test_ten_thousand_adjustments_are_one_request(http: httpx.Client, stocked: Stocked) -> None:
    sku = stocked(n1=1)
    rows = [{"sku": sku, "node": f"x{n}", "delta": 1} for n in range(10_000)]
    results = adjust(http, f"{sku}-bulk", *rows).json()["results"]
    assert {result["status"] for result in results} == {404}
    assert len(results) == 10_000


def test_availability_follows_within_a_tenth_of_a_second(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n2=3, n1=5)
    first = atp(http, sku)
    assert first["by_node"] == [{"node": "n1", "atp": 5}, {"node": "n2", "atp": 3}]
    assert first["atp"] == 8
    for held in range(1, 4):
        assert hold(http, sku, fresh("key")).status_code == 201
        time.sleep(0.1)  # As old as an answer may be.
        now = atp(http, sku)
        assert now["atp"] == 8 - held
        assert now["as_of_seq"] > first["as_of_seq"]


def test_availability_says_how_old_it_is(http: httpx.Client, stocked: Stocked) -> None:
    skus = [stocked(n1=1) for _ in range(9)]  # Of several shards.
    ages = []
    for _ in range(200):
        answer = http.get("/v1/availability", params=[("sku", sku) for sku in skus])
        ages.append(answer.json()["age_ms"])
    assert 0 <= min(ages) <= max(ages) <= 250  # 100, and the time an owner takes to answer.
    assert sorted(ages)[len(ages) // 2] <= 100


def test_availability_counts_the_nodes_that_serve_the_channel(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    node, channel = fresh("node"), fresh("channel")
    sku = stocked(**{"n1": 2, node: 3})
    http.put(f"/v1/nodes/{node}", json={"kind": "store", "channels": [channel]})
    time.sleep(0.1)
    assert atp(http, sku)["atp"] == 2
    assert atp(http, sku, channel=channel)["atp"] == 5
    assert atp(http, sku, channel="other", by="2030-01-01T00:00:00Z")["atp"] == 2
    assert hold(http, sku, fresh("key"), 3).status_code == 409
    assert hold(http, sku, fresh("key"), 5, channel=channel).status_code == 201


def test_availability_names_all_unknown_skus_and_keeps_the_order_asked(
    http: httpx.Client, stocked: Stocked
) -> None:
    skus = [stocked(n1=number) for number in (1, 2, 3, 4, 5)]
    params: list[tuple[str, Any]] = [("sku", sku) for sku in [*reversed(skus), skus[0]]]
    items = http.get("/v1/availability", params=params).json()["items"]
    assert [item["atp"] for item in items] == [5, 4, 3, 2, 1, 1]
    params += [("sku", "zz"), ("sku", "aa")]
    answer = http.get("/v1/availability", params=params)
    assert (answer.status_code, answer.json()["skus"]) == (404, ["aa", "zz"])
    answer = http.get("/v1/availability", params={"sku": skus[0], "pool": "never"})
    assert (answer.status_code, answer.json()["id"]) == (404, "never")


def test_a_sku_is_available_as_soon_as_it_is_known(http: httpx.Client, fresh: Fresh) -> None:
    sku = fresh("sku")
    assert http.get("/v1/availability", params={"sku": sku}).status_code == 404
    http.put(f"/v1/skus/{sku}", json={})
    assert atp(http, sku)["atp"] == 0


def test_sold_out_is_said_in_a_hurry_but_never_to_a_winner(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=20)
    winners = [fresh("key") for _ in range(20)]
    bodies = [hold(http, sku, key).json() for key in winners]
    until = time.monotonic() + 0.6
    rounds = 0
    while time.monotonic() < until:
        answer = hold(http, sku, fresh("key"))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/sold-out")
        assert answer.json()["short_lines"] == [
            {"sku": sku, "node": None, "requested": 1, "available": 0, "next_available_at": None}
        ]
        again = hold(http, sku, winners[rounds % 20])
        assert (again.status_code, again.json()) == (200, bodies[rounds % 20])
        rounds += 1
    assert hold(http, sku, winners[0], 2).json()["type"] == "/problems/key-reused"
    unknown = {"id": fresh("key"), "lines": [{"sku": sku, "quantity": 1, "node": "nowhere"}]}
    assert http.post("/v1/reservations", json=unknown).json()["type"] == "/problems/unknown-node"
    assert (
        hold(http, sku, fresh("key"), campaign="c").json()["type"] == "/problems/unknown-campaign"
    )


@pytest.mark.parametrize("way", ["release", "receipt", "cancel"])
def test_units_that_return_are_sold_again_within_a_tenth_of_a_second(
    http: httpx.Client, stocked: Stocked, fresh: Fresh, way: str
) -> None:
    sku = stocked(n1=1)
    name = hold(http, sku, fresh("key")).json()["id"]
    for _ in range(3):
        assert hold(http, sku, fresh("key")).status_code == 409
    if way == "receipt":
        adjust(http, fresh("ref"), {"sku": sku, "node": "n1", "delta": 1})
    elif way == "cancel":
        http.post(f"/v1/reservations/{name}/confirm")
        http.post(f"/v1/reservations/{name}/cancel")
    else:
        http.post(f"/v1/reservations/{name}/release")
    time.sleep((HINT_MS + 5) / 1000)
    assert hold(http, sku, fresh("key")).status_code == 201


def test_units_that_return_elsewhere_are_sold_again_within_a_tenth_of_a_second(
    running: InProcess, http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    """A release through another gateway: this one's hint lives no longer than its renewal."""
    sku, key = stocked(n1=1), fresh("key")
    hold(http, sku, key)
    for _ in range(5):
        assert hold(http, sku, fresh("key")).status_code == 409

    async def release_elsewhere() -> None:
        home = shard_of(sku, SHARDS)
        deadline_at = running.loop.time() + 5
        reply = await running.client.call(home, commands.release(key), deadline_at)
        assert reply[0] == Outcome.OK

    running.on_loop(release_elsewhere())
    time.sleep((HINT_MS + 5) / 1000)
    assert hold(http, sku, fresh("key")).status_code == 201


def instant(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_units_change_their_state(http: httpx.Client, stocked: Stocked, fresh: Fresh) -> None:
    sku, reference = stocked(n1=10), fresh("check")
    move = {"sku": sku, "node": "n1", "from": "on_hand", "to": "quarantined", "quantity": 4}

    def moved(reference: str, *moves: Any) -> Any:
        body = {"reference": reference, "moves": list(moves)}
        answer = http.post("/v1/stock/moves", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for repeated in (False, True):
        told = moved(reference, move)
        assert told["repeated"] is repeated
        at = told["results"][0]["body"]
        assert (at["on_hand"], at["quarantined"], at["damaged"], at["sellable"]) == (6, 4, 0, 6)
    to_damaged = {**move, "from": "quarantined", "to": "damaged", "quantity": 1}
    back = {**move, "from": "quarantined", "to": "on_hand", "quantity": 3}
    told = moved(fresh("check"), to_damaged)
    told = moved(fresh("check"), back)
    at = told["results"][0]["body"]
    assert (at["on_hand"], at["quarantined"], at["damaged"], at["sellable"]) == (9, 0, 1, 9)
    assert moved(fresh("check"), back)["results"][0]["status"] == 409
    held = hold(http, sku, fresh("key"), 8)
    assert held.status_code == 201
    at = moved(fresh("check"), {**move, "to": "damaged"})["results"][0]["body"]
    assert (at["on_hand"], at["damaged"], at["shortfall"]) == (5, 5, 3)
    wrong = {**move, "from": "damaged", "to": "on_hand"}
    answer = http.post("/v1/stock/moves", json={"reference": fresh("check"), "moves": [wrong]})
    assert (answer.status_code, answer.json()["field"]) == (422, "moves[0].to")


def test_a_count_is_of_its_time(http: httpx.Client, stocked: Stocked, fresh: Fresh) -> None:
    """What left and came since is applied to it again; promises do not move anything."""
    sku = stocked(n1=10)
    counted_at = instant(0)
    time.sleep(0.005)
    held = hold(http, sku, fresh("key"), 3).json()["id"]
    assert http.post(f"/v1/reservations/{held}/confirm").status_code == 200
    shipped = {"reference": "p1", "lines": [{"sku": sku, "node": "n1", "quantity": 2}]}
    assert http.post(f"/v1/reservations/{held}/fulfil", json=shipped).status_code == 200
    assert adjust(http, fresh("ref"), {"sku": sku, "node": "n1", "delta": 5}).status_code == 200
    row = {"sku": sku, "node": "n1", "on_hand": 9, "as_of": counted_at}  # One was missing.
    at = adjust(http, fresh("ref"), row).json()["results"][0]["body"]
    assert (at["on_hand"], at["committed"], at["sellable"]) == (12, 1, 11)
    row["as_of"] = instant(-0.001)
    assert adjust(http, fresh("ref"), row).json()["results"][0]["body"]["on_hand"] == 9
    for wrong, field in (
        ({"as_of": instant(60)}, "as_of"), ({"as_of": instant(-90_000)}, "as_of"),
        ({"as_of": "yesterday"}, "as_of"), ({"on_hand": None, "delta": 1}, "as_of"),
    ):  # fmt: skip
        answer = adjust(http, fresh("ref"), {**row, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (422, f"adjustments[0].{field}")


def test_a_sku_that_runs_low_is_told_of_once(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=10)
    told = http.put(f"/v1/skus/{sku}", json={"low_stock": 5}).json()
    assert (told["low_stock"], http.get(f"/v1/skus/{sku}").json()) == (5, told)

    def low() -> list[int]:
        query = {"types": "stock.low", "sku": sku, "limit": "1000"}
        found, more = [], True
        while more:
            page = http.get("/v1/events", params=query).json()
            found += [event["data"]["sellable"] for event in page["events"]]
            query["after"], more = page["next"], page["more"]
        return found

    held = hold(http, sku, fresh("key"), 6).json()["id"]
    assert hold(http, sku, fresh("key"), 1).status_code == 201
    assert low() == [4]
    assert http.post(f"/v1/reservations/{held}/release").status_code == 200
    assert hold(http, sku, fresh("key"), 5).status_code == 201
    assert low() == [4, 4]


def test_a_customer_has_so_many_of_a_sku_whatever_the_channel(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=10)
    assert http.put(f"/v1/skus/{sku}", json={"limit_per_customer": 2}).status_code == 200
    assert hold(http, sku, fresh("key"), 1).json()["field"] == "customer"
    first = hold(http, sku, fresh("key"), 1, customer="c", channel="a")
    assert first.status_code == 201
    assert hold(http, sku, fresh("key"), 1, customer="c", channel="b").status_code == 201
    over = hold(http, sku, fresh("key"), 1, customer="c")
    assert over.json()["limits"] == [{"sku": sku, "limit": 2, "taken": 2, "requested": 1}]
    assert hold(http, sku, fresh("key"), 2, customer="d").status_code == 201
    assert http.post(f"/v1/reservations/{first.json()['id']}/release").status_code == 200
    assert hold(http, sku, fresh("key"), 1, customer="c").status_code == 201
