"""The waiting list over HTTP: joined, offered, confirmed, left; and told as events."""

import time
from typing import Any

import httpx

from tests.e2e.incoming import Fresh, Stocked, again, announce, hold, problem
from tests.e2e.test_campaigns import opened


def join(http: httpx.Client, sku: str, key: str, units: int = 1, **more: Any) -> httpx.Response:
    body = {"id": key, "sku": sku, "quantity": units, "customer": f"c-{key}", **more}
    return http.post("/v1/waiting", json=body)


def entry(http: httpx.Client, answer: httpx.Response) -> Any:
    return http.get(f"/v1/waiting/{answer.json()['id']}").json()


def events(http: httpx.Client, sku: str) -> list[Any]:
    """All that happened to a SKU."""
    page = http.get("/v1/events", params={"sku": sku, "limit": 1000}).json()
    found = page["events"]
    while page["more"]:
        query = {"sku": sku, "limit": 1000, "after": page["next"]}
        page = http.get("/v1/events", params=query).json()
        found += page["events"]
    return list(found)


def release(http: httpx.Client, held: httpx.Response) -> None:
    assert http.post(f"/v1/reservations/{held.json()['id']}/release").status_code == 200


def test_released_units_are_held_for_the_first_who_waits(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Nobody else may take them; he confirms the offer as any reservation."""
    sku, key = stocked(n1=2), fresh("wait")
    held = hold(http, sku, fresh("key"), 2)
    assert hold(http, sku, fresh("key"), 2).status_code == 409
    joined = join(http, sku, key, 2, channel="shop", offer_seconds=60)
    assert joined.status_code == 201, joined.text
    told = joined.json()
    assert joined.headers["Location"] == f"/v1/waiting/{told['id']}"
    assert (told["status"], told["place"], told["reservation"]) == ("waiting", 1, None)
    assert join(http, sku, key, 2, channel="shop", offer_seconds=60).json() == told
    assert problem(join(http, sku, key, 1)) == (422, "key-reused")
    second = join(http, sku, fresh("wait"))
    assert entry(http, second)["place"] == 2
    release(http, held)
    offered = entry(http, joined)
    assert (offered["status"], offered["place"]) == ("offered", None)
    assert problem(hold(http, sku, fresh("key"), 1))[0] == 409
    confirmed = http.post(f"/v1/reservations/{offered['reservation']}/confirm")
    assert confirmed.json()["status"] == "confirmed"
    assert confirmed.json()["lines"][0]["quantity"] == 2
    assert entry(http, second)["place"] == 1


def test_an_offer_that_nobody_takes_goes_to_the_next_by_itself(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """The owner's sweep ends it; nothing else is asked of it."""
    sku = stocked(n1=1)
    held = hold(http, sku, fresh("key"))
    first = join(http, sku, fresh("wait"), offer_seconds=10)
    second = join(http, sku, fresh("wait"))
    release(http, held)
    offer = entry(http, first)["reservation"]
    until = time.monotonic() + 20
    while entry(http, second)["status"] != "offered":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert http.get(f"/v1/reservations/{offer}").json()["status"] == "expired"


def test_a_receipt_serves_who_waits_and_who_leaves_makes_way(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """An offer that is still open is released."""
    sku = stocked(n1=0)
    entries = [join(http, sku, fresh("wait"), 3) for _ in range(3)]
    left = http.delete(f"/v1/waiting/{entries[0].json()['id']}")
    assert (left.status_code, left.json()["status"]) == (200, "left")
    rows = [{"sku": sku, "node": "n1", "delta": 5}]
    body = {"reference": fresh("ref"), "adjustments": rows}
    assert http.post("/v1/stock/adjustments", json=body).status_code == 200
    statuses = [entry(http, each)["status"] for each in entries]
    assert statuses == ["left", "offered", "waiting"]
    http.delete(f"/v1/waiting/{entries[1].json()['id']}")
    statuses = [entry(http, each)["status"] for each in entries]
    assert statuses == ["left", "left", "offered"]


def test_an_entry_gives_up_in_its_time(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    """It reads as expired at once, and its units go to others."""
    sku = stocked(n1=1)
    held = hold(http, sku, fresh("key"))
    joined = join(http, sku, fresh("wait"), wait_seconds=1)
    time.sleep(1.1)
    assert entry(http, joined)["status"] == "expired"
    release(http, held)
    assert hold(http, sku, fresh("key")).status_code == 201


def test_an_offer_counts_among_the_units_a_customer_has_not_paid_for(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Whoever has as many through the channel loses his place; what he pays for makes room."""
    channel, shop = fresh("channel"), {"unpaid_units_per_customer": 2}
    assert http.put(f"/v1/channels/{channel}", json=shop).status_code == 200
    for number in range(4):  # Whose shard is that of the SKU, and whose is another.
        sku, other, who = stocked(n1=1), stocked(n1=5), f"c-{number}"
        held = hold(http, sku, fresh("key"))
        through: dict[str, Any] = {"channel": channel, "customer": who}
        waits = join(http, sku, fresh("wait"), **through)
        assert waits.status_code == 201, waits.text
        release(http, held)
        offered = settled(http, waits)
        assert offered["status"] == "offered"
        assert problem(hold(http, other, fresh("key"), 2, **through)) == (409, "over-limit")
        bought = hold(http, other, fresh("key"), **through)
        assert bought.status_code == 201, bought.text
        assert http.post(f"/v1/reservations/{offered['reservation']}/confirm").status_code == 200
        until = time.monotonic() + 10  # His shard hears of the payment behind the answer.
        while hold(http, other, f"more-{who}", **through).status_code != 201:
            assert time.monotonic() < until
            time.sleep(0.05)
        third = join(http, other, fresh("wait"), **through)
        assert settled(http, third)["status"] == "over_limit"


def settled(http: httpx.Client, joined: httpx.Response) -> Any:
    """An entry once it is known whether its customer may have an offer."""
    until = time.monotonic() + 10
    told = entry(http, joined)
    while told["status"] == "waiting":
        assert time.monotonic() < until
        time.sleep(0.05)
        told = entry(http, joined)
    return told


def test_what_is_wrong_with_an_entry_is_said(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Shape first, then what is unknown, then what stands against it."""
    sku, key = stocked(n1=0), fresh("wait")
    assert problem(join(http, sku, key, offer_seconds=9)) == (422, "invalid-request")
    assert problem(join(http, sku, key, 0)) == (422, "invalid-request")
    assert problem(join(http, sku, key, customer="a b")) == (422, "invalid-request")
    assert problem(join(http, "sku-nobody-knows", key)) == (404, "unknown-sku")
    assert problem(join(http, sku, key, campaign="nobody-knows")) == (404, "unknown-campaign")
    joined = join(http, sku, key, customer=f"c-{key}")
    told = join(http, sku, fresh("wait"), customer=f"c-{key}")
    assert problem(told) == (409, "already-waiting")
    assert told.json()["id"] == joined.json()["id"]
    for name in ("000.wait-nobody", "fff.wait-1", "nonsense"):
        assert problem(http.get(f"/v1/waiting/{name}")) == (404, "unknown-waiting")
        assert problem(http.delete(f"/v1/waiting/{name}")) == (404, "unknown-waiting")


def test_a_campaigns_own_list_and_one_for_units_on_their_way(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Each is an entry as any other; both at once make no sense, and a bundle has no list."""
    sku, part = stocked(n1=1), stocked(n1=1)
    drop = opened(http, fresh("drop"), {sku: 1})
    held = hold(http, sku, fresh("key"), campaign=drop)
    assert held.status_code == 201, held.text
    waits = join(http, sku, fresh("wait"), campaign=drop)
    assert (waits.json()["campaign"], waits.json()["preorder"]) == (drop, False)
    release(http, held)
    assert entry(http, waits)["status"] == "offered"
    both = join(http, sku, fresh("wait"), campaign=drop, preorder=True)
    assert (problem(both), both.json()["field"]) == ((422, "invalid-request"), "preorder")
    early = join(http, sku, fresh("wait"), preorder=True)
    assert announce(http, fresh("po"), sku, 1).status_code == 201
    assert entry(http, early)["status"] == "offered"
    code, parts = fresh("bundle"), [{"sku": part, "quantity": 1}, {"sku": sku, "quantity": 1}]
    assert http.put(f"/v1/bundles/{code}", json={"parts": parts}).status_code == 200
    refused = join(http, code, fresh("wait"))
    assert (problem(refused), refused.json()["field"]) == ((422, "invalid-request"), "sku")
    assert f"wait for each of its parts ({part}, {sku})" in refused.json()["detail"]


def test_events_tell_of_the_list(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    """In the order it happened, the offer with the hold that it is."""
    sku = stocked(n1=1)
    held = hold(http, sku, fresh("key"))
    joined = join(http, sku, fresh("wait"))
    release(http, held)
    http.delete(f"/v1/waiting/{joined.json()['id']}")
    wanted = [each for each in events(http, sku) if each["type"] != "stock.adjusted"]
    assert [each["type"] for each in wanted] == [
        "reservation.held", "waiting.joined", "reservation.released", "reservation.held",
        "waiting.offered", "reservation.released", "waiting.ended",
    ]  # fmt: skip
    assert wanted[4]["data"]["reservation"] == wanted[3]["data"]["id"]
    assert again(http, held).json()["status"] == "released"
