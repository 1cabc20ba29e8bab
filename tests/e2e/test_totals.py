"""Limits of a buyer over several SKUs, over HTTP: whatever he sends at once, he has no more."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from engine.ids import shard_of
from tests.e2e.engine_in_process import SHARDS
from tests.e2e.test_campaigns import buy, hold, opened, problem, two_shards

Fresh = Callable[[str], str]
Stocked = Callable[..., str]
RACERS = 24
UNPAID = "unpaid_units_per_customer"


def channel_with(http: httpx.Client, fresh: Fresh, units: int) -> str:
    """A channel through which a customer may hold so many unpaid units."""
    name = fresh("channel")
    told = http.put(f"/v1/channels/{name}", json={UNPAID: units})
    assert (told.status_code, told.json()[UNPAID]) == (200, units)
    return name


def raced(requests: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """The answers to requests that are sent at once."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda send: send(), requests))


def units_of(answers: list[httpx.Response]) -> int:
    """Units of those that were made."""
    made = [answer.json() for answer in answers if answer.status_code == 201]
    return sum(line["quantity"] for body in made for line in body["lines"])


def made_soon(send: Callable[[str], httpx.Response], fresh: Fresh) -> httpx.Response:
    """What was paid for or given back makes room once the customer's shard has heard of it."""
    deadline = time.monotonic() + 5
    while True:
        answer = send(fresh("key"))
        if answer.status_code == 201:
            return answer
        assert problem(answer) == (409, "over-limit")
        assert time.monotonic() < deadline


def end(http: httpx.Client, answer: httpx.Response, verb: str) -> None:
    """Confirm, release or cancel what was made."""
    body = {"reference": "parcel-1"} if verb == "fulfil" else {}
    told = http.post(f"/v1/reservations/{answer.json()['id']}/{verb}", json=body)
    assert told.status_code == 200, told.text


@pytest.mark.parametrize("kind", ["campaign", "channel"])
def test_racing_requests_of_one_buyer_never_exceed(
    http: httpx.Client, fresh: Fresh, stocked: Stocked, kind: str
) -> None:
    """One SKU, the other, or both; what is refused names the limit and holds nothing."""
    one, two = two_shards(stocked, n1=100)
    if kind == "campaign":
        name = opened(http, fresh("drop"), {one: 90, two: 90}, limit_per_customer_total=5)
    else:
        name = channel_with(http, fresh, 5)
    who, baskets = fresh("c"), ({one: 1}, {two: 2}, {one: 1, two: 1})
    keys = [fresh("key") for _ in range(RACERS)]

    def send(number: int) -> httpx.Response:
        lines = [{"sku": sku, "quantity": n} for sku, n in baskets[number % 3].items()]
        body = {"id": keys[number], "lines": lines, kind: name, "customer": who}
        return http.post("/v1/reservations", json=body)

    answers = raced([partial(send, number) for number in range(RACERS)])
    assert 0 < units_of(answers) <= 5
    refused = [answer for answer in answers if answer.status_code != 201]
    assert {problem(answer) for answer in refused} == {(409, "over-limit")}
    for answer in refused:
        (limit,) = answer.json()["limits"]
        assert (limit["sku"], limit[kind], limit["limit"]) == (None, name, 5)
    left = 5 - units_of(answers)
    if left:
        more = {"id": fresh("key"), "lines": [{"sku": one, "quantity": left}], kind: name}
        assert http.post("/v1/reservations", json={**more, "customer": who}).status_code == 201
    for answer in answers:
        if answer.status_code == 201:
            end(http, answer, "release")
    again = raced([partial(send, number) for number in range(RACERS)])
    assert units_of(again) <= 5
    assert http.post("/v1/audit").json()["clean"]


def test_a_campaigns_total_from_hold_to_parcel(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Held, paid and sent units count; what is cancelled does not."""
    one, two = two_shards(stocked, n1=20)
    name = opened(http, fresh("drop"), {one: 9, two: 9}, limit_per_customer_total=4)
    assert http.get(f"/v1/campaigns/{name}").json()["limit_per_customer_total"] == 4
    who = fresh("c")
    first = buy(http, name, fresh("key"), {one: 2, two: 1}, customer=who)
    assert first.status_code == 201, first.text
    over = buy(http, name, fresh("key"), {two: 2}, customer=who)
    assert problem(over) == (409, "over-limit")
    assert over.json()["limits"] == [
        {"sku": None, "limit": 4, "taken": 3, "requested": 2, "campaign": name}
    ]
    end(http, first, "confirm")
    end(http, first, "fulfil")
    assert problem(buy(http, name, fresh("key"), {two: 2}, customer=who)) == (409, "over-limit")
    second = buy(http, name, fresh("key"), {two: 1}, customer=who)
    assert second.status_code == 201
    end(http, second, "confirm")
    end(http, second, "cancel")
    made_soon(lambda key: buy(http, name, key, {two: 1}, customer=who), fresh)
    nobody = buy(http, name, fresh("key"), {two: 1})
    assert (nobody.status_code, nobody.json()["field"]) == (422, "customer")
    assert buy(http, name, fresh("key"), {one: 4}, customer=fresh("c")).status_code == 201


def test_unpaid_units_of_a_channel(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    """Paying makes room, and so does giving back; a repeat is a repeat."""
    one, two = two_shards(stocked, n1=20)
    channel, who = channel_with(http, fresh, 3), fresh("c")
    key = fresh("key")
    first = hold(http, one, key, 2, channel=channel, customer=who)
    assert first.status_code == 201
    assert hold(http, one, key, 2, channel=channel, customer=who).status_code == 200
    over = hold(http, two, fresh("key"), 2, channel=channel, customer=who)
    assert problem(over) == (409, "over-limit")
    assert over.json()["limits"] == [
        {"sku": None, "limit": 3, "taken": 2, "requested": 2, "channel": channel}
    ]
    end(http, first, "confirm")
    second = made_soon(lambda key: hold(http, two, key, 3, channel=channel, customer=who), fresh)
    assert hold(http, one, fresh("key"), 1, customer=who).status_code == 201
    end(http, second, "release")
    end(
        http,
        made_soon(lambda key: hold(http, one, key, 3, channel=channel, customer=who), fresh),
        "confirm",
    )
    made_soon(lambda key: hold(http, one, key, 1, channel=channel, customer=who), fresh)
    batch: list[dict[str, Any]] = [
        {"id": fresh("key"), "lines": [{"sku": sku, "quantity": 2}], "channel": channel,
         "customer": who}
        for sku in (one, two)
    ]  # fmt: skip
    told = http.post("/v1/reservations:batch", json={"reservations": batch}).json()["results"]
    assert sorted(result["status"] for result in told) == [201, 409]


def test_a_limit_is_looked_up_by_the_customers_shard(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Whether that is the SKU's own or another."""
    sku = stocked(n1=50)
    channel = channel_with(http, fresh, 1)
    seen: set[int] = set()
    while len(seen) < SHARDS:
        who = fresh("c")
        seen.add(shard_of(who, SHARDS))
        assert hold(http, sku, fresh("key"), channel=channel, customer=who).status_code == 201
        again = hold(http, sku, fresh("key"), channel=channel, customer=who)
        assert problem(again) == (409, "over-limit")


def test_a_bundle_counts_as_its_parts(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    """Whether it is the bundle or a part that is asked for next."""
    one, two = two_shards(stocked, n1=20)
    channel, who, code = channel_with(http, fresh, 4), fresh("c"), fresh("bundle")
    parts = [{"sku": one, "quantity": 2}, {"sku": two, "quantity": 1}]
    assert http.put(f"/v1/bundles/{code}", json={"parts": parts}).status_code == 200
    assert hold(http, code, fresh("key"), channel=channel, customer=who).status_code == 201
    over = hold(http, code, fresh("key"), channel=channel, customer=who)
    assert problem(over) == (409, "over-limit")
    assert over.json()["limits"] == [
        {"sku": None, "limit": 4, "taken": 3, "requested": 3, "channel": channel}
    ]
    assert hold(http, two, fresh("key"), channel=channel, customer=who).status_code == 201


def test_a_payment_after_expiry_is_held_to_the_total(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Meanwhile the buyer has had what he may; once that is given back he may pay."""
    one, two = two_shards(stocked, n1=20)
    name = opened(http, fresh("drop"), {one: 9, two: 9}, limit_per_customer_total=2)
    who = fresh("c")
    first = buy(http, name, fresh("key"), {one: 1, two: 1}, customer=who, hold_seconds=1)
    assert first.status_code == 201
    second = made_soon(lambda key: buy(http, name, key, {two: 2}, customer=who), fresh)
    confirm = f"/v1/reservations/{first.json()['id']}/confirm"
    late = http.post(confirm)
    assert (problem(late), late.json()["reservation_status"]) == ((409, "not-held"), "expired")
    end(http, second, "release")
    deadline = time.monotonic() + 5
    while (late := http.post(confirm)).status_code != 200:
        assert problem(late) == (409, "not-held")
        assert time.monotonic() < deadline
    assert late.json()["status"] == "confirmed"
    assert problem(buy(http, name, fresh("key"), {one: 1}, customer=who)) == (409, "over-limit")
