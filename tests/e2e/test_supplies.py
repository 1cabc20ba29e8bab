"""Dated supply: announced, promised, received in every way, delayed, cancelled; transfers."""

import time
from typing import Any

import httpx
import pytest

from engine.ids import shard_of
from engine.limits import ARRIVAL_SLICE
from tests.e2e.engine_in_process import SHARDS
from tests.e2e.incoming import (
    Fresh,
    Stocked,
    again,
    announce,
    backings,
    hold,
    instant,
    position,
    problem,
    receive,
)


def test_a_supply_is_announced_once(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku, name = stocked(n1=1), fresh("po")
    at = instant(24)
    told = announce(http, name, sku, 600, available_at=at)
    assert told.status_code == 201, told.text
    expected = {
        "id": name, "kind": "purchase_order", "sku": sku, "node": "n1", "from_node": None,
        "quantity": 600, "received": 0, "promised": 0, "available_at": at, "state": "open",
        "preorder_cap": None,
    }  # fmt: skip
    assert told.json() == expected
    assert announce(http, name, sku, 600, available_at=at).status_code == 200
    assert problem(announce(http, name, sku, 601, available_at=at)) == (422, "key-reused")
    other = stocked(n1=1)
    assert problem(announce(http, name, other, 600, available_at=at)) == (422, "key-reused")
    assert http.get(f"/v1/supplies/{name}").json() == {"supply": expected, "shortfalls": []}
    assert http.get(f"/v1/stock/{sku}").json()["supplies"] == [expected]
    assert problem(http.get("/v1/supplies/po-nobody-knows")) == (404, "unknown-supply")
    assert problem(announce(http, fresh("po"), "sku-nobody-knows", 1)) == (404, "unknown-sku")
    elsewhere = fresh("po")
    assert problem(announce(http, elsewhere, sku, 1, node="nowhere")) == (404, "unknown-node")
    assert announce(http, elsewhere, sku, 1).status_code == 201  # The id was not used up.


def test_only_who_can_wait_is_promised_what_is_coming(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=2, n2=1), fresh("po")
    assert announce(http, name, sku, 5, hours=24).status_code == 201
    assert hold(http, sku, fresh("key"), 4).status_code == 409
    soon = hold(http, sku, fresh("key"), 4, deliver_by=instant(23))
    assert problem(soon) == (409, "insufficient-stock")
    later = hold(http, sku, fresh("key"), 4, deliver_by=instant(25))
    assert later.status_code == 201, later.text
    assert backings(later) == [("n1", None, 2), ("n2", None, 1), ("n1", name, 1)]
    supply_backing = later.json()["lines"][0]["backings"][2]
    available_at = http.get(f"/v1/supplies/{name}").json()["supply"]["available_at"]
    assert supply_backing["deliver_by"] == available_at
    ordered = hold(http, sku, fresh("key"), 4, preorder=True)
    assert backings(ordered) == [("n1", name, 4)]
    assert http.get(f"/v1/supplies/{name}").json()["supply"]["promised"] == 5
    assert problem(hold(http, sku, fresh("key"), 1, preorder=True))[0] == 409
    # What is not there yet cannot be shipped.
    url = f"/v1/reservations/{ordered.json()['id']}"
    assert http.post(f"{url}/confirm").status_code == 200
    assert problem(http.post(f"{url}/fulfil", json={"reference": "p1"})) == (
        409, "insufficient-stock",
    )  # fmt: skip
    lines = [{"sku": sku, "node": "n1", "quantity": 4}]
    refused = http.post(f"{url}/fulfil", json={"reference": "p1", "lines": lines})
    assert problem(refused) == (409, "insufficient-stock")
    assert refused.json()["short_lines"][0]["node"] == "n1"
    lines[0]["quantity"] = 5
    refused = http.post(f"{url}/fulfil", json={"reference": "p1", "lines": lines})
    assert problem(refused) == (409, "exceeds-committed")
    assert backings(http.post(f"{url}/cancel")) == [("n1", name, 4)]
    assert http.get(f"/v1/supplies/{name}").json()["supply"]["promised"] == 1


def test_a_wish_and_a_cap_bind(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku, name = stocked(n1=1, n2=5), fresh("po")
    assert announce(http, name, sku, 10, preorder_cap=2).status_code == 201
    line = {"sku": sku, "quantity": 3, "node": "n1"}
    body = {"id": fresh("key"), "lines": [line], "preorder": True}
    held = http.post("/v1/reservations", json=body)
    assert backings(held) == [("n1", None, 1), ("n1", name, 2)]
    body = {"id": fresh("key"), "lines": [{**line, "quantity": 1}], "preorder": True}
    assert http.post("/v1/reservations", json=body).status_code == 409


def test_promises_move_to_the_node_with_what_comes(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=0), fresh("po")
    assert announce(http, name, sku, 10, hours=24).status_code == 201
    late = hold(http, sku, fresh("key"), 4, preorder=True)
    early = hold(http, sku, fresh("key"), 4, deliver_by=instant(30))
    key = fresh("note")
    for _ in range(2):
        told = receive(http, name, 5, key)
        assert told.status_code == 200, told.text
        assert told.json()["shortfalls"] == []
        supply = told.json()["supply"]
        assert (supply["received"], supply["promised"], supply["state"]) == (5, 3, "open")
    assert problem(receive(http, name, 6, key)) == (422, "key-reused")
    # The earliest date first; the other stands on both.
    assert backings(again(http, early)) == [("n1", None, 4)]
    assert backings(again(http, late)) == [("n1", None, 1), ("n1", name, 3)]
    at = position(http, sku, "n1")
    assert (at["on_hand"], at["reserved"], at["sellable"]) == (5, 5, 0)
    told = receive(http, name, 7, fresh("note"))  # More than was expected.
    supply = told.json()["supply"]
    assert (supply["received"], supply["promised"], supply["state"]) == (12, 0, "closed")
    assert backings(again(http, late)) == [("n1", None, 4)]
    at = position(http, sku, "n1")
    assert (at["on_hand"], at["reserved"], at["sellable"]) == (12, 8, 4)
    assert problem(receive(http, name, 1, fresh("note"))) == (409, "supply-closed")
    assert problem(http.post(f"/v1/supplies/{name}/cancel")) == (409, "supply-closed")
    url = f"/v1/reservations/{late.json()['id']}"
    assert http.post(f"{url}/confirm").status_code == 200
    assert http.post(f"{url}/fulfil", json={"reference": "p1"}).json()["status"] == "fulfilled"


@pytest.mark.parametrize("verb", ["receive", "delay", "cancel"])
def test_what_is_not_known_or_has_ended_is_said(
    http: httpx.Client, fresh: Fresh, stocked: Stocked, verb: str
) -> None:
    bodies: dict[str, Any] = {"receive": {"quantity": 1}, "delay": {"available_at": instant(1)}}

    def ask(name: str) -> tuple[int, str]:
        headers = {"Idempotency-Key": fresh("note")}
        return problem(
            http.post(f"/v1/supplies/{name}/{verb}", json=bodies.get(verb), headers=headers)
        )

    assert ask("po-nobody-knows") == (404, "unknown-supply")
    sku, name = stocked(n1=0), fresh("po")
    assert announce(http, name, sku, 1).status_code == 201
    assert receive(http, name, 1, fresh("note")).json()["supply"]["state"] == "closed"
    assert ask(name) == (409, "supply-closed")


def test_no_more_is_received_than_a_node_may_have(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=2), fresh("po")
    assert announce(http, name, sku, 10).status_code == 201
    refused = receive(http, name, 1_000_000_000, fresh("note"))
    assert problem(refused) == (409, "out-of-range")
    assert (refused.json()["sku"], refused.json()["node"]) == (sku, "n1")


def test_a_transfer_is_promised_while_it_travels(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=10, n2=0), fresh("tr")
    assert hold(http, sku, fresh("key"), 4).status_code == 201
    body = {"id": name, "sku": sku, "from_node": "n1", "to_node": "n2", "quantity": 7,
            "available_at": instant(5)}  # fmt: skip
    refused = http.post("/v1/transfers", json=body)
    assert problem(refused) == (409, "insufficient-stock")
    assert refused.json()["short_lines"][0]["available"] == 6
    body["quantity"] = 6
    sent = http.post("/v1/transfers", json=body)
    assert (sent.status_code, sent.json()["kind"], sent.json()["from_node"]) == (
        201, "transfer", "n1",
    )  # fmt: skip
    assert http.post("/v1/transfers", json=body).status_code == 200
    assert position(http, sku, "n1")["on_hand"] == 4
    promised = hold(http, sku, fresh("key"), 2, preorder=True)
    assert backings(promised) == [("n2", name, 2)]
    # It comes back: so do the promises.
    for _ in range(2):
        back = http.post(f"/v1/supplies/{name}/cancel")
        assert (back.status_code, back.json()["supply"]["state"]) == (200, "cancelled")
        assert back.json()["shortfalls"] == []
    assert backings(again(http, promised)) == [("n1", None, 2)]
    at = position(http, sku, "n1")
    assert (at["on_hand"], at["reserved"], at["sellable"]) == (10, 6, 4)
    second = fresh("tr")
    assert http.post("/v1/transfers", json={**body, "id": second, "quantity": 4}).status_code == 201
    assert receive(http, second, 4, fresh("note")).json()["supply"]["state"] == "closed"
    assert position(http, sku, "n2")["sellable"] == 4


def test_availability_counts_what_comes_by_a_date(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=3)
    assert announce(http, fresh("po"), sku, 5, hours=24).status_code == 201
    assert announce(http, fresh("po"), sku, 7, hours=48).status_code == 201

    def atp(**more: str) -> Any:
        return http.get("/v1/availability", params={"sku": sku, **more}).json()["items"][0]

    deadline = time.monotonic() + 5
    while atp(by=instant(49))["atp"] != 15:
        assert time.monotonic() < deadline
    assert (atp()["atp"], atp(by=instant(25))["atp"], atp(by=instant(1))["atp"]) == (3, 8, 3)
    assert atp(by=instant(25))["by_node"] == [{"node": "n1", "atp": 3}]


def test_a_basket_over_shards_follows_its_units(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """The shard of the units moves them; home, which answers, hears of it within a second."""
    first = stocked(n1=0)
    while shard_of(second := stocked(n1=0), SHARDS) == shard_of(first, SHARDS):
        pass
    names = {sku: fresh("po") for sku in (first, second)}
    for sku, name in names.items():
        assert announce(http, name, sku, 3).status_code == 201
    lines = [{"sku": sku, "quantity": 2} for sku in names]
    body = {"id": fresh("key"), "lines": lines, "preorder": True}
    held = http.post("/v1/reservations", json=body)
    assert held.status_code == 201, held.text
    assert backings(held) == [("n1", names[first], 2), ("n1", names[second], 2)]
    assert all(line["backings"][0]["deliver_by"] for line in held.json()["lines"])
    for name in names.values():
        assert receive(http, name, 3, fresh("note")).status_code == 200
    deadline = time.monotonic() + 5
    while backings(again(http, held)) != [("n1", None, 2), ("n1", None, 2)]:
        assert time.monotonic() < deadline
    url = f"/v1/reservations/{held.json()['id']}"
    assert http.post(f"{url}/confirm").status_code == 200
    deadline = time.monotonic() + 5
    while position(http, second, "n1")["committed"] != 2:
        assert time.monotonic() < deadline
    assert http.post(f"{url}/fulfil", json={"reference": "p"}).json()["status"] == "fulfilled"


def test_a_campaign_sells_what_is_coming(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name, drop = stocked(n1=3), fresh("po"), fresh("drop")
    assert announce(http, name, sku, 5).status_code == 201
    body = {"starts_at": instant(-1), "ends_at": instant(1), "include_supplies": True,
            "items": [{"sku": sku, "quantity": 7}]}  # fmt: skip
    assert http.put(f"/v1/campaigns/{drop}", json=body).status_code == 200
    preview = http.post(f"/v1/campaigns/{drop}/preview").json()
    assert [(at["supply"], at["quantity"]) for at in preview["items"][0]["backings"]] == [
        (None, 3), (name, 4),
    ]  # fmt: skip
    assert http.post(f"/v1/campaigns/{drop}/open").status_code == 200
    bought = hold(http, sku, fresh("key"), 5, campaign=drop)
    assert backings(bought) == [("n1", None, 3), ("n1", name, 2)]
    alone = hold(http, sku, fresh("key"), 1, campaign=drop)
    available_at = http.get(f"/v1/supplies/{name}").json()["supply"]["available_at"]
    told = [line["backings"][-1] for held in (bought, alone) for line in held.json()["lines"]]
    assert [(at["supply"], at["deliver_by"]) for at in told] == [(name, available_at)] * 2
    assert http.post(f"/v1/reservations/{alone.json()['id']}/release").status_code == 200
    assert receive(http, name, 5, fresh("note")).status_code == 200
    assert backings(again(http, bought)) == [("n1", None, 5)]
    # Two units of it are the campaign's still, now on hand; one is everybody's.
    assert hold(http, sku, fresh("key"), 2).status_code == 409
    assert hold(http, sku, fresh("key"), 1).status_code == 201
    assert hold(http, sku, fresh("key"), 2, campaign=drop).status_code == 201


def test_a_crowd_of_promises_moves_in_slices(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=0), fresh("po")
    crowd = ARRIVAL_SLICE * 2 + 5
    assert announce(http, name, sku, crowd).status_code == 201
    prefix = fresh("crowd")
    for first in range(0, crowd, 1000):
        batch = [
            {"id": f"{prefix}-{n}", "lines": [{"sku": sku, "quantity": 1}], "preorder": True}
            for n in range(first, min(crowd, first + 1000))
        ]
        told = http.post("/v1/reservations:batch", json={"reservations": batch})
        assert {result["status"] for result in told.json()["results"]} == {201}
    told = receive(http, name, crowd, fresh("note"))
    assert told.status_code == 200, told.text
    assert (told.json()["supply"]["promised"], told.json()["supply"]["state"]) == (0, "closed")
    at = position(http, sku, "n1")
    assert (at["on_hand"], at["reserved"], at["sellable"]) == (crowd, crowd, 0)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("supplies", {"kind": "transfer"}, "kind"),
        ("supplies", {"quantity": 0}, "quantity"),
        ("supplies", {"available_at": "tomorrow"}, "available_at"),
        ("supplies", {"id": "?"}, "id"),
        ("transfers", {"to_node": "n1"}, "to_node"),
    ],
)
def test_what_is_wrong_is_named(
    http: httpx.Client, fresh: Fresh, path: str, body: dict[str, Any], field: str
) -> None:
    good: dict[str, Any] = {
        "id": fresh("po"),
        "sku": "A",
        "quantity": 1,
        "available_at": instant(1),
    }
    good |= {"kind": "return", "node": "n1"} if path == "supplies" else {
        "from_node": "n1", "to_node": "n2",
    }  # fmt: skip
    answer = http.post(f"/v1/{path}", json={**good, **body})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert http.post("/v1/supplies/x/receive", json={"quantity": 1}).json()["field"] == (
        "header.Idempotency-Key"
    )
