"""Wrong requests: each is refused with 422 and the path of its first offender, in both formats."""

from collections.abc import Callable
from typing import Any

import httpx
import msgpack
import pytest

Stocked = Callable[..., str]
Fresh = Callable[[str], str]

LINE = {"sku": "A", "quantity": 1}


def reservation(**more: Any) -> dict[str, Any]:
    return {"id": "k", "lines": [LINE], **more}


def line(**more: Any) -> dict[str, Any]:
    return {"id": "k", "lines": [LINE, {**LINE, **more}]}


NO_QUANTITIES: list[Any] = ["2", 2.0, True, None, 0, -1, 1_000_001, 2**63, [], {}, 1.5]
NO_SKUS: list[Any] = ["", " A", "A ", "{a}", "a|b", "-a", ".a", "ä", "a\n", "x" * 65, 1, None, []]
NO_NODES: list[Any] = ["", "a/b", 1, True, {}]
NO_KEYS: list[Any] = ["", "x" * 61, '"k"', "a b", 1, ["k"]]
BATCH, ONE, FULFIL = "/v1/reservations:batch", "/v1/reservations", "/v1/reservations/000.k/fulfil"
ADJUST, EXTEND = "/v1/stock/adjustments", "/v1/reservations/000.k/extend"
ROW = {"sku": "A", "node": "n", "delta": 1}


def adjustment(*rows: Any, **more: Any) -> dict[str, Any]:
    return {"reference": "r", "adjustments": list(rows), **more}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (ONE, [], None), (ONE, "x", None), (ONE, None, None), (ONE, 7, None),
        (ONE, {"id": "k"}, "lines"), (ONE, reservation(lines=None), "lines"),
        (ONE, reservation(lines=[]), "lines"), (ONE, reservation(lines=[LINE] * 201), "lines"),
        (ONE, reservation(lines={}), "lines"), (ONE, reservation(lines=[[]]), "lines[0]"),
        (ONE, {"lines": [LINE]}, "header.Idempotency-Key"),
        (ONE, reservation(unknown=1), "unknown"), (ONE, line(unknown=1), "lines[1].unknown"),
        (ONE, {"id": "k", "lines": [{"sku": "A"}]}, "lines[0].quantity"),
        (ONE, {"id": "k", "lines": [{"quantity": 1}]}, "lines[0].sku"),
        *((ONE, line(quantity=bad), "lines[1].quantity")
          for bad in NO_QUANTITIES),
        *((ONE, line(sku=bad), "lines[1].sku")
          for bad in NO_SKUS),
        *((ONE, line(node=bad), "lines[1].node") for bad in NO_NODES),
        *((ONE, reservation(id=bad), "id") for bad in NO_KEYS),
        *((ONE, reservation(channel=bad), "channel") for bad in ("", "a b", 1)),
        (ONE, reservation(campaign="!"), "campaign"), (ONE, reservation(customer=""), "customer"),
        (ONE, reservation(destination={}), "destination.zone"),
        (ONE, reservation(destination={"zone": "?"}), "destination.zone"),
        (ONE, reservation(destination={"zone": "z", "x": 1}), "destination.x"),
        (ONE, reservation(destination="z"), "destination"),
        *((ONE, reservation(deliver_by=bad), "deliver_by")
          for bad in ("", "soon", "2026-12-01", "2026-12-01T12:00:00", 1, "2026-13-01T00:00:00Z",
                      "2026-12-01T12:00:00+25:00", "2026-12-01T12:00:00+0800",
                      "2026-12-01T24:00:00Z", "2026-02-29T00:00:00Z", "２026-12-01T12:00:00Z")),
        (ONE, reservation(fulfilment="drone"), "fulfilment"),
        (ONE, reservation(fulfilment=1), "fulfilment"),
        (ONE, reservation(fulfilment="pickup"), "lines[0].node"),
        *((ONE, reservation(hold_seconds=bad), "hold_seconds")
          for bad in (0, 86_401, -1, "900", 900.0, True)),
        *((ONE, reservation(partial=bad), "partial") for bad in ("true", 0, 1)),
        (ONE, {"id": "k", "lines": [{"sku": "A", "quantity": 600_000}] * 2}, "lines[1].quantity"),
        (BATCH, {}, "reservations"), (BATCH, {"reservations": []}, "reservations"),
        (BATCH, {"reservations": [reservation(), {"lines": [LINE]}]}, "reservations[1].id"),
        (BATCH, {"reservations": [reservation(), reservation(id="!")]}, "reservations[1].id"),
        (BATCH, {"reservations": [line(quantity=0)]}, "reservations[0].lines[1].quantity"),
        (BATCH, {"reservations": [line(sku="?")]}, "reservations[0].lines[1].sku"),
        (BATCH, {"reservations": [reservation(channel="?")]}, "reservations[0].channel"),
        (BATCH, {"reservations": [reservation(deliver_by="?")]}, "reservations[0].deliver_by"),
        (BATCH, {"reservations": [reservation()], "x": 1}, "x"),
        ("/v1/reservations:confirm", {"ids": []}, "ids"),
        ("/v1/reservations:confirm", {"ids": ["000.k", "!"]}, "ids[1]"),
        ("/v1/reservations:release", {"ids": ["000.k", 7]}, "ids[1]"),
        ("/v1/reservations:release", {"ids": ["k"] * 2001}, "ids"),
        ("/v1/reservations/000.k/confirm", {"x": 1}, "x"),
        ("/v1/reservations/000.k/release", [], None),
        ("/v1/reservations/000.k/cancel", {"x": 1}, "x"), ("/v1/audit", {"x": 1}, "x"),
        (EXTEND, {}, "hold_seconds"), (EXTEND, {"hold_seconds": 0}, "hold_seconds"),
        (EXTEND, {"hold_seconds": None}, "hold_seconds"),
        (FULFIL, {}, "reference"), (FULFIL, {"reference": "!"}, "reference"),
        (FULFIL, {"reference": "r", "lines": []}, "lines"),
        (FULFIL, {"reference": "r", "lines": [LINE]}, "lines[0].node"),
        (FULFIL, {"reference": "r", "lines": [{**LINE, "node": "?"}]}, "lines[0].node"),
        (FULFIL, {"reference": "r", "lines": [{**LINE, "node": "n", "quantity": 600_000}] * 2},
         "lines[1].quantity"),
        (ADJUST, {"adjustments": [ROW]}, "reference"), (ADJUST, adjustment(), "adjustments"),
        (ADJUST, adjustment(ROW, ROW), "adjustments[1].sku"),
        (ADJUST, adjustment({"sku": "A", "node": "n"}), "adjustments[0].delta"),
        (ADJUST, adjustment({**ROW, "delta": 0}), "adjustments[0].delta"),
        (ADJUST, adjustment({**ROW, "on_hand": 1}), "adjustments[0].on_hand"),
        (ADJUST, adjustment({**ROW, "safety_stock": -1}), "adjustments[0].safety_stock"),
        (ADJUST, adjustment({**ROW, "safety_stock": 10**9 + 1}), "adjustments[0].safety_stock"),
        (ADJUST, adjustment({**ROW, "reason": "x" * 201}), "adjustments[0].reason"),
        (ADJUST, adjustment({**ROW, "sku": "?"}), "adjustments[0].sku"),
        (ADJUST, adjustment({"sku": "A", "node": "n", "on_hand": -1}), "adjustments[0].on_hand"),
    ],
)  # fmt: skip
def test_the_first_offender_is_named(
    http: httpx.Client, path: str, body: Any, field: str | None, packed: bool
) -> None:
    if packed:
        headers = {"content-type": "application/msgpack"}
        answer = http.post(path, content=msgpack.packb(body), headers=headers)
    else:
        answer = http.post(path, json=body) if body is not None else http.post(path, content="null")
    told = answer.json()
    assert (answer.status_code, told["type"]) == (422, "/problems/invalid-request"), told
    assert told["field"] == field
    assert (told["retryable"], told["outcome"], told["status"]) == (False, "none", 422)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{}x", b'{"lines":[{"sku":"A","quantity":NaN}]}',
        b'{"id":"\\ud800","lines":[]}', b'{"id":"\xff","lines":[]}', b'{"id":"\xed\xa0\x80"}',
        b'{"lines":[{"sku":"A","quantity":1}],}', b"{'lines':[]}", b"\xef\xbb\xbf{}",
        b'{"lines":[{"sku":"A","quantity":01}]}', b'{"id":"a\x01b"}', b"[" * 60_000,
        '{"lines":[]}'.encode("utf-16"), b'{"lines":[{"sku":"A","quantity":Infinity}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [ONE, ADJUST])
def test_what_is_no_json_cannot_be_read(http: httpx.Client, path: str, body: bytes) -> None:
    answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x82", b"\xc1", b"\x80\x80", b"\x81\xa2id\xa1\xff", b"\x81\x01\x02",
        msgpack.packb({"id": b"k", "lines": [LINE]}), msgpack.packb({b"id": "k", "lines": [LINE]}),
        msgpack.packb({"id": msgpack.Timestamp(1, 0), "lines": [LINE]}),
        msgpack.packb({"id": msgpack.ExtType(3, b"k"), "lines": [LINE]}),
        b"\x81\xa5lines\xdd\xff\xff\xff\xff", b"\x91" * 60_000,
        *(msgpack.packb(reservation())[:size] for size in range(1, 20)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [ONE, ADJUST])
def test_what_is_no_messagepack_cannot_be_read(http: httpx.Client, path: str, body: bytes) -> None:
    answer = http.post(path, content=body, headers={"content-type": "application/msgpack"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


def test_of_a_member_given_twice_the_last_counts(
    http: httpx.Client, stocked: Stocked, fresh: Fresh
) -> None:
    sku, key = stocked(n1=9), fresh("key")
    last_right = f'{{"sku":"{sku}","quantity":"x","quantity":2,"quantity":3}}'
    answer = http.post(ONE, content=f'{{"id":7,"id":"{key}","lines":[{last_right}]}}')
    assert answer.json()["lines"][0]["quantity"] == 3
    last_wrong = f'{{"sku":"{sku}","quantity":2,"quantity":"x"}}'
    answer = http.post(ONE, content=f'{{"id":"{key}","lines":[{last_wrong}]}}')
    assert answer.json()["field"] == "lines[0].quantity"


@pytest.mark.parametrize("key", ["", '"quoted"', "two words", "x" * 61, "a,b", "ä"])
def test_a_key_in_the_header_is_checked(http: httpx.Client, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    answer = http.post(ONE, json={"lines": [LINE]}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "header.Idempotency-Key")


def test_two_keys_must_be_the_same(http: httpx.Client) -> None:
    answer = http.post(ONE, json=reservation(), headers={"Idempotency-Key": "other"})
    assert (answer.status_code, answer.json()["field"]) == (422, "id")


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/v1/reservations?x=1", "query.x"), ("POST", BATCH + "?a&b", "query.a"),
        ("POST", "/v1/reservations/000.k/confirm?dry=1", "query.dry"),
        ("GET", "/v1/reservations/000.k?x=", "query.x"), ("GET", "/v1/reservations", "query.key"),
        ("GET", "/v1/reservations?key=%20", "query.key"), ("GET", "/v1/nodes?x", "query.x"),
        ("GET", "/v1/availability", "query.sku"), ("GET", "/v1/availability?sku=", "query.sku"),
        ("GET", "/v1/availability?sku=A&x=1", "query.x"),
        ("GET", "/v1/availability?" + "&".join(["sku=A"] * 201), "query.sku"),
        ("GET", "/v1/availability?sku=A&by=soon", "query.by"),
        ("GET", "/v1/availability?sku=A&channel=%7B", "query.channel"),
        ("GET", "/v1/events?limit=0", "query.limit"),
        ("GET", "/v1/events?limit=1001", "query.limit"),
        ("GET", "/v1/events?limit=1.0", "query.limit"), ("GET", "/v1/events?limit=", "query.limit"),
        ("GET", "/v1/events?limit=%D9%A1", "query.limit"),
        ("GET", "/v1/events?after=???", "query.after"), ("GET", "/v1/events?x=1", "query.x"),
        ("GET", "/v1/stock/%7Bs07%7D", "sku"), ("GET", "/healthz?x=1", "query.x"),
        ("PUT", "/v1/skus/a%20b", "sku"), ("PUT", "/v1/nodes/%2E", "node"),
    ],
)  # fmt: skip
def test_queries_and_paths_are_checked_too(
    http: httpx.Client, method: str, path: str, field: str
) -> None:
    answer = http.request(method, path, json={} if method != "GET" else None)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
@pytest.mark.parametrize("path", [ONE, "/v1/reservations/000.k/confirm", ADJUST, "/v1/audit"])
def test_other_media_types_are_refused(http: httpx.Client, path: str, media: str) -> None:
    answer = http.post(path, content=b"{}", headers={"content-type": media})
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize("media", [None, "application/json", "Application/JSON; charset=utf-8"])
def test_json_is_recognised(http: httpx.Client, fresh: Fresh, media: str | None) -> None:
    headers = {"content-type": media} if media else {}
    sku = fresh("sku")
    answer = http.put(f"/v1/skus/{sku}", content=b"{}", headers=headers)
    assert answer.json() == {"sku": sku, "name": sku, "weight_grams": 0, "category": None}


def test_put_speaks_json_only(http: httpx.Client) -> None:
    answer = http.put(
        "/v1/skus/a", content=b"\x80", headers={"content-type": "application/msgpack"}
    )
    assert answer.status_code == 415
