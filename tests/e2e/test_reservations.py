"""Reservations as a black-box client sees them."""

from collections.abc import Callable
from typing import Any

import httpx
import msgpack
import pytest

from engine.ids import shard_of
from tests.e2e.engine_in_process import SHARDS

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def reserve(http: httpx.Client, key: str | None, *lines: Any, **more: Any) -> httpx.Response:
    """``lines``: (sku, quantity) or (sku, quantity, node)."""
    body = {
        "lines": [
            {"sku": sku, "quantity": units, **({"node": node[0]} if node else {})}
            for sku, units, *node in lines
        ],
        **more,
    }
    return http.post("/v1/reservations", json=body, headers={"Idempotency-Key": key} if key else {})


def two_skus_on_different_shards(stocked: Stocked, **units: int) -> tuple[str, str]:
    """The first one's shard is the home: its code is the smaller."""
    first = stocked(**units)
    while True:
        second = stocked(**units)
        if shard_of(first, SHARDS) != shard_of(second, SHARDS):
            low, high = sorted((first, second))
            return low, high


def test_a_new_reservation_is_created_and_located(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku, key = stocked(n1=5), fresh("key")
    answer = reserve(http, key, (sku, 2))
    told = answer.json()
    assert answer.status_code == 201
    assert told["id"] == f"{shard_of(sku, SHARDS):03x}.{key}"
    assert answer.headers["location"] == f"/v1/reservations/{told['id']}"
    assert (told["key"], told["status"], told["durability"]) == (key, "held", "memory")
    assert told["lines"] == [{
        "sku": sku, "node": None, "requested": 2, "quantity": 2,
        "backings": [{"node": "n1", "quantity": 2, "supply": None, "deliver_by": None,
                      "cost_cents": None}],
    }]  # fmt: skip
    assert http.get(answer.headers["location"]).json() == told


def test_the_same_request_again_is_the_same_reservation_as_it_stands_now(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    """Whatever the order of lines and members, and whether defaults were written out."""
    sku, other, key = stocked(n1=9), stocked(n1=9), fresh("key")
    first = reserve(http, key, (sku, 2), (other, 1), (sku, 1))
    assert first.status_code == 201
    assert [line["requested"] for line in first.json()["lines"]] == [3, 1]
    again = reserve(http, None, (other, 1), (sku, 3), id=key, partial=False, hold_seconds=900,
                    fulfilment="ship", channel=None)  # fmt: skip
    assert (again.status_code, again.json()) == (200, first.json())
    http.post(f"/v1/reservations/{first.json()['id']}/confirm")
    later = reserve(http, key, (sku, 3), (other, 1))
    assert (later.status_code, later.json()["status"]) == (200, "confirmed")


def test_another_body_under_the_same_key_is_refused(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    """Also where its smallest SKU lies on another shard: the gateway remembers."""
    first, second = two_skus_on_different_shards(stocked, n1=9)
    key = fresh("key")
    assert reserve(http, key, (first, 1)).status_code == 201
    for line in ((first, 2), (first, 1, "n1"), (second, 1)):
        answer = reserve(http, key, line)
        assert (answer.status_code, answer.json()["id"]) == (422, key)
        assert answer.json()["type"] == "/problems/key-reused"


def test_a_refused_key_may_succeed_later(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku, key = stocked(n1=1), fresh("key")
    assert reserve(http, key, (sku, 2)).status_code == 409
    assert reserve(http, key, (sku, 1)).status_code == 201


def test_lines_over_several_shards_are_held_all_or_nothing(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    low, high = two_skus_on_different_shards(stocked, n1=3)
    key = fresh("key")
    short = reserve(http, key, (high, 4), (low, 9))
    assert short.json()["type"] == "/problems/insufficient-stock"
    assert [(x["sku"], x["requested"], x["available"]) for x in short.json()["short_lines"]] == [
        (high, 4, 3), (low, 9, 3),
    ]  # fmt: skip
    held = reserve(http, key, (high, 3), (low, 3))
    assert held.status_code == 201
    assert held.json()["id"].startswith(f"{shard_of(low, SHARDS):03x}.")
    assert [line["sku"] for line in held.json()["lines"]] == [high, low]
    for verb, status in (("confirm", "confirmed"), ("fulfil", "fulfilled")):
        body = {"reference": "p1"} if verb == "fulfil" else {}
        done = http.post(f"/v1/reservations/{held.json()['id']}/{verb}", json=body)
        assert (done.status_code, done.json()["status"]) == (200, status)


def test_partial_gives_what_is_there_and_refuses_only_nothing(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    some, none = stocked(n1=2), stocked()
    answer = reserve(http, fresh("key"), (some, 5), (none, 1), partial=True)
    assert answer.status_code == 201
    assert [(x["requested"], x["quantity"]) for x in answer.json()["lines"]] == [(5, 2), (1, 0)]
    assert answer.json()["lines"][1]["backings"] == []
    empty = reserve(http, fresh("key"), (some, 1), (none, 1), partial=True)
    assert (empty.status_code, empty.json()["type"]) == (409, "/problems/insufficient-stock")


def test_unknown_skus_and_nodes_are_named(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=2)
    answer = reserve(http, fresh("key"), ("zz-nope", 1), (sku, 1, "nowhere"), ("aa-nope", 1))
    assert (answer.status_code, answer.json()["skus"]) == (404, ["aa-nope", "zz-nope"])
    answer = reserve(http, fresh("key"), (sku, 1, "nowhere"), (sku, 1, "elsewhere"))
    assert (answer.status_code, answer.json()["nodes"]) == (404, ["elsewhere", "nowhere"])
    answer = reserve(http, fresh("key"), (sku, 1), campaign="none-such")
    assert (answer.status_code, answer.json()["id"]) == (404, "none-such")


@pytest.mark.parametrize(
    ("before", "verb", "status", "becomes"),
    [
        ("held", "confirm", 200, "confirmed"), ("held", "release", 200, "released"),
        ("held", "cancel", 200, "released"), ("held", "extend", 200, "held"),
        ("held", "fulfil", 409, "held"),
        ("confirmed", "confirm", 200, "confirmed"), ("confirmed", "release", 409, "confirmed"),
        ("confirmed", "extend", 409, "confirmed"), ("confirmed", "cancel", 200, "cancelled"),
        ("confirmed", "fulfil", 200, "fulfilled"),
        ("released", "confirm", 409, "released"), ("released", "release", 200, "released"),
        ("released", "extend", 409, "released"), ("released", "cancel", 409, "released"),
        ("released", "fulfil", 409, "released"),
        ("cancelled", "cancel", 200, "cancelled"), ("cancelled", "confirm", 409, "cancelled"),
        ("fulfilled", "confirm", 200, "fulfilled"), ("fulfilled", "cancel", 409, "fulfilled"),
        ("fulfilled", "release", 409, "fulfilled"), ("fulfilled", "fulfil", 200, "fulfilled"),
    ],
)  # fmt: skip
def test_each_verb_in_each_state(
    http: httpx.Client, stocked: Stocked, fresh: Fresh,
    before: str, verb: str, status: int, becomes: str,
) -> None:  # fmt: skip
    way = {"held": (), "confirmed": ("confirm",), "released": ("release",),
           "cancelled": ("confirm", "cancel"), "fulfilled": ("confirm", "fulfil")}  # fmt: skip
    bodies: dict[str, Any] = {"extend": {"hold_seconds": 2000}, "fulfil": {"reference": "p-1"}}
    name = reserve(http, fresh("key"), (stocked(n1=2), 1)).json()["id"]
    for step in (*way[before], verb):
        answer = http.post(f"/v1/reservations/{name}/{step}", json=bodies.get(step, {}))
    assert answer.status_code == status
    if status == 409:
        kind = "not-confirmed" if verb == "fulfil" else "not-held"
        assert answer.json()["type"] == f"/problems/{kind}"
        assert answer.json()["reservation_status"] == becomes
        assert answer.json()["short_lines"] == []
    assert http.get(f"/v1/reservations/{name}").json()["status"] == becomes


def test_units_leave_in_parcels_each_reference_once(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku = stocked(n1=5)
    name = reserve(http, fresh("key"), (sku, 5)).json()["id"]
    path = f"/v1/reservations/{name}/fulfil"
    http.post(f"/v1/reservations/{name}/confirm")
    first = {"reference": "p-1", "lines": [{"sku": sku, "node": "n1", "quantity": 2}]}
    for _ in range(2):
        assert http.post(path, json=first).json()["status"] == "confirmed"
    other = {"reference": "p-1", "lines": [{"sku": sku, "node": "n1", "quantity": 1}]}
    answer = http.post(path, json=other)
    assert (answer.status_code, answer.json()["id"]) == (422, "p-1")
    excess = {"reference": "p-2", "lines": [{"sku": sku, "node": "n1", "quantity": 4}]}
    answer = http.post(path, json=excess)
    assert (answer.status_code, answer.json()["lines"]) == (
        409, [{"sku": sku, "node": "n1", "left": 3, "requested": 4}],
    )  # fmt: skip
    assert http.post(path, json={"reference": "p-2"}).json()["status"] == "fulfilled"
    position = http.get(f"/v1/stock/{sku}").json()["positions"][0]
    assert (position["on_hand"], position["committed"]) == (0, 0)


def test_a_reservation_is_found_by_its_key_alone(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    key = fresh("key")
    made = reserve(http, key, (stocked(n1=1), 1)).json()
    assert http.get("/v1/reservations", params={"key": key}).json() == made
    answer = http.get("/v1/reservations", params={"key": "nobody"})
    assert (answer.status_code, answer.json()["id"]) == (404, "nobody")


@pytest.mark.parametrize("name", ["000.none", "fff.none", "plain", "00g.key", "000.-x"])
@pytest.mark.parametrize("verb", ["", "/confirm", "/release", "/cancel"])
def test_ids_that_lead_nowhere_are_unknown(http: httpx.Client, name: str, verb: str) -> None:
    answer = http.request("POST" if verb else "GET", f"/v1/reservations/{name}{verb}")
    assert (answer.status_code, answer.json()["id"]) == (404, name)
    assert answer.json()["type"] == "/problems/unknown-reservation"


def test_a_batch_answers_each_element_on_its_own(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    """The same id twice is handled in order, also where the second body has another home."""
    low, high = two_skus_on_different_shards(stocked, n1=3)
    one, two, three = fresh("key"), fresh("key"), fresh("key")

    def element(key: str, sku: str, units: int) -> dict[str, Any]:
        return {"id": key, "lines": [{"sku": sku, "quantity": units}]}

    elements = [
        element(one, low, 1), element(one, low, 1), element(one, low, 2), element(one, high, 1),
        element(two, high, 99), element(two, high, 3), element(three, high, 1),
        element(fresh("key"), "nope", 1),
    ]  # fmt: skip
    answer = http.post("/v1/reservations:batch", json={"reservations": elements},
                       headers={"Idempotency-Key": "ignored, whatever it is"})  # fmt: skip
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 200, 422, 422, 409, 201, 409, 404]
    kinds = [result["body"].get("type", "").removeprefix("/problems/") for result in results]
    assert kinds == ["", "", "key-reused", "key-reused", "insufficient-stock", "", "sold-out",
                     "unknown-sku"]  # fmt: skip
    names = [results[0]["body"]["id"], "000.none", results[5]["body"]["id"]]
    confirmed = http.post("/v1/reservations:confirm", json={"ids": names}).json()["results"]
    assert [result["status"] for result in confirmed] == [200, 404, 200]
    released = http.post("/v1/reservations:release", json={"ids": names}).json()["results"]
    assert [result["status"] for result in released] == [409, 404, 409]


def test_a_batch_of_the_largest_size_is_served(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku, key = stocked(n1=1500), fresh("key")
    elements = [
        {"id": f"{key}-{number}", "lines": [{"sku": sku, "quantity": 1}]} for number in range(2000)
    ]
    path, patient = "/v1/reservations:batch", {"X-Deadline-Ms": "20000"}
    answer = http.post(path, json={"reservations": elements}, headers=patient)
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201] * 1500 + [409] * 500
    elements.append(elements[0])
    answer = http.post(path, json={"reservations": elements})
    assert (answer.status_code, answer.json()["field"]) == (422, "reservations")


@pytest.mark.parametrize("accept", [None, "application/json", "application/msgpack", "*/*",
                                    "application/json, application/msgpack"])  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_answers_come_in_the_format_that_accept_names_else_in_that_of_the_request(
    http: httpx.Client, stocked: Stocked, fresh: Fresh, packed: bool, accept: str | None
) -> None:
    sku, key = stocked(n1=3), fresh("key")
    media = "application/msgpack" if packed else "application/json"
    named = accept in ("application/json", "application/msgpack")
    out = accept if named and accept is not None else media
    headers = {"content-type": media, "accept": accept or ""}
    if accept is None:
        headers["accept"] = "text/html"  # Names neither.

    def post(path: str, body: dict[str, Any]) -> Any:
        data = msgpack.packb(body) if packed else httpx.Request("POST", "/", json=body).content
        answer = http.post(path, content=data, headers=headers)
        assert answer.headers["content-type"] == out
        return msgpack.unpackb(answer.content) if out == "application/msgpack" else answer.json()

    body = {"id": key, "lines": [{"sku": sku, "quantity": 1}]}
    made = post("/v1/reservations", body)
    assert made == http.get(f"/v1/reservations/{made['id']}").json()
    results = post("/v1/reservations:batch", {"reservations": [
        body, {"id": fresh("key"), "lines": [{"sku": sku, "quantity": 9}]},
    ]})["results"]  # fmt: skip
    assert [result["status"] for result in results] == [200, 409]
    assert results[1]["body"]["short_lines"][0]["available"] == 2
    assert post(f"/v1/reservations/{made['id']}/extend", {"hold_seconds": 1})["key"] == key
    adjusted = post("/v1/stock/adjustments", {"reference": fresh("ref"), "adjustments": [
        {"sku": sku, "node": "n1", "delta": 1}, {"sku": "nope", "node": "n1", "delta": 1},
    ]})["results"]  # fmt: skip
    assert [result["status"] for result in adjusted] == [200, 404]


def test_the_packed_example_of_the_contract_is_read(http: httpx.Client) -> None:
    """Byte for byte; only the SKU is not there."""
    body = bytes.fromhex("82a26964a26b31a56c696e65739182a3736b75a24131a87175616e7469747901")
    answer = http.post("/v1/reservations", content=body,
                       headers={"content-type": "application/msgpack"})  # fmt: skip
    assert (answer.status_code, answer.json()["skus"]) == (404, ["A1"])
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_deadline_is_kept(http: httpx.Client, stocked: Stocked, fresh: Fresh) -> None:
    sku = stocked(n1=3)
    body = {"id": fresh("key"), "lines": [{"sku": sku, "quantity": 1}]}
    for value in ("0", "30001", "1.5", "abc", "", "-1", "1e3"):
        answer = http.post("/v1/reservations", json=body, headers={"X-Deadline-Ms": value})
        assert (answer.status_code, answer.json()["field"]) == (422, "header.X-Deadline-Ms"), value
    answer = http.get(f"/v1/stock/{sku}", headers={"X-Deadline-Ms": "0"})
    assert answer.json()["field"] == "header.X-Deadline-Ms"
    answer = http.post("/v1/reservations", json=body, headers={"X-Deadline-Ms": "30000"})
    assert answer.status_code == 201
