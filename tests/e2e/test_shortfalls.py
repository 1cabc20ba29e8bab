"""Promises that break: who is told, of what, and when it is over."""

from typing import Any

import httpx
import pytest

from tests.e2e.incoming import Fresh, Stocked, announce, hold, instant, position, receive


def test_what_did_not_come_is_short_for_those_it_was_promised_to(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=0, n2=2), fresh("po")
    assert announce(http, name, sku, 10).status_code == 201
    keys = [fresh("key"), fresh("key")]
    body = {"lines": [{"sku": sku, "quantity": 5, "node": "n1"}], "preorder": True}
    held = [http.post("/v1/reservations", json={"id": key, **body}) for key in keys]
    told = receive(http, name, 6, fresh("note"), final=True).json()
    assert told["supply"]["state"] == "closed"
    short = told["shortfalls"]
    assert len(short) == 1
    assert (short[0]["supply"], short[0]["node"], short[0]["quantity"]) == (name, "n1", 4)
    assert short[0]["reservations"] == [keys[1]]
    assert short[0]["alternatives"] == [
        {"node": "n2", "supply": None, "quantity": 2, "available_at": None}
    ]
    listed = http.get("/v1/shortfalls", params={"limit": 1000}).json()["shortfalls"]
    assert short[0] in listed
    assert http.get(f"/v1/stock/{sku}").json()["shortfalls"] == short
    assert http.post(f"/v1/reservations/{held[1].json()['id']}/release").status_code == 200
    assert http.get(f"/v1/stock/{sku}").json()["shortfalls"] == []
    assert position(http, sku, "n1")["sellable"] == 1


def test_shortfalls_are_read_page_by_page(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    for _ in range(3):
        sku, name = stocked(n1=0), fresh("po")
        assert announce(http, name, sku, 1).status_code == 201
        assert hold(http, sku, fresh("key"), 1, preorder=True).status_code == 201
        assert http.post(f"/v1/supplies/{name}/cancel").json()["shortfalls"]
    seen: list[str] = []
    after = None
    while True:
        page = http.get(
            "/v1/shortfalls", params={"limit": 2, **({"after": after} if after else {})}
        )
        seen += [row["id"] for row in page.json()["shortfalls"]]
        after = page.json()["next"]
        if after is None:
            break
    assert seen == sorted(set(seen))
    assert len(seen) >= 3


@pytest.mark.parametrize("query", ["after=", "after=%3F", "limit=0", "limit=1001", "limit="])
def test_pages_are_asked_for_as_described(http: httpx.Client, query: str) -> None:
    answer = http.get(f"/v1/shortfalls?{query}")
    assert (answer.status_code, answer.json()["field"]) == (
        422, f"query.{query.partition('=')[0]}",
    )  # fmt: skip


def test_a_delay_names_whose_promise_breaks(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=0), fresh("po")
    assert announce(http, name, sku, 10, hours=24).status_code == 201
    key = fresh("key")
    assert hold(http, sku, key, 2, deliver_by=instant(30)).status_code == 201
    assert hold(http, sku, fresh("key"), 3, deliver_by=instant(60)).status_code == 201
    told = http.post(f"/v1/supplies/{name}/delay", json={"available_at": instant(48)}).json()
    assert [(at["quantity"], at["reason"], at["reservations"]) for at in told["shortfalls"]] == [
        (2, "late", [key]),
    ]  # fmt: skip
    told = http.post(f"/v1/supplies/{name}/delay", json={"available_at": instant(20)}).json()
    assert told["shortfalls"] == []
    told = http.post(f"/v1/supplies/{name}/delay", json={"available_at": instant(40)}).json()
    assert told["shortfalls"]
    assert receive(http, name, 10, fresh("note")).json()["shortfalls"] == []


def test_whatever_becomes_of_a_supply_is_an_event(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name, key = stocked(n1=0), fresh("po"), fresh("key")
    after = feed(http, None)[1]
    at = [instant(hours) for hours in (24, 48)]
    assert announce(http, name, sku, 3, available_at=at[0]).status_code == 201
    assert hold(http, sku, key, 3, deliver_by=instant(30)).status_code == 201
    assert http.post(f"/v1/supplies/{name}/delay", json={"available_at": at[1]}).status_code == 200
    assert receive(http, name, 1, fresh("note")).status_code == 200
    assert http.post(f"/v1/supplies/{name}/cancel").status_code == 200
    events = [event for event in feed(http, after)[0] if event["sku"] == sku]
    assert [event["type"] for event in events] == [
        "supply.opened", "reservation.held", "supply.delayed", "shortfall.opened",
        "supply.received", "shortfall.opened", "reservation.moved", "stock.adjusted",
        "supply.cancelled", "shortfall.closed", "shortfall.opened",
    ]  # fmt: skip
    assert events[0]["data"] == {
        "id": name, "kind": "purchase_order", "node": "n1", "from_node": None, "quantity": 3,
        "received": 0, "to_come": 3, "available_at": at[0], "state": "open",
    }  # fmt: skip
    assert events[2]["data"]["available_at"] == at[1]
    assert events[6]["data"]["lines"] == [
        {"sku": sku, "node": "n1", "quantity": 1},
        {"sku": sku, "node": "n1", "supply": name, "quantity": 2},
    ]
    reasons = [(told["data"]["reason"], told["data"]["quantity"])
               for told in events if told["type"] == "shortfall.opened"]  # fmt: skip
    assert reasons == [("late", 3), ("late", 2), ("cancelled", 2)]


def feed(http: httpx.Client, after: str | None) -> tuple[list[Any], str]:
    """All events behind ``after``, and where they end."""
    events: list[Any] = []
    while True:
        params = {"limit": "1000", **({"after": after} if after else {})}
        page = http.get("/v1/events", params=params).json()
        events += page["events"]
        after = page["next"]
        if not page["more"]:
            return events, page["next"]


def test_a_promise_that_is_given_up_is_late_no_more(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku, name = stocked(n1=0), fresh("po")
    assert announce(http, name, sku, 10, hours=24).status_code == 201
    keys = [fresh("key"), fresh("key")]
    held = [hold(http, sku, key, 2, deliver_by=instant(30)) for key in keys]
    told = http.post(f"/v1/supplies/{name}/delay", json={"available_at": instant(48)}).json()
    assert told["shortfalls"][0]["reservations"] == sorted(keys)
    assert http.post(f"/v1/reservations/{held[0].json()['id']}/release").status_code == 200
    told = http.get(f"/v1/supplies/{name}").json()
    assert [(at["quantity"], at["reservations"]) for at in told["shortfalls"]] == [(2, keys[1:])]
    told = http.post(f"/v1/supplies/{name}/cancel").json()
    assert [(at["reason"], at["quantity"]) for at in told["shortfalls"]] == [("cancelled", 2)]
