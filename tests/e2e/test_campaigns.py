"""Campaigns: declared, previewed, opened, sold, limited, closed, reported on."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from actors import campaigns
from engine.commands import shares
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.e2e.engine_in_process import SHARDS, InProcess

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def instant(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def put(http: httpx.Client, name: str, items: dict[str, int], **more: Any) -> httpx.Response:
    body = {
        "starts_at": instant(-60), "ends_at": instant(3600),
        "items": [{"sku": sku, "quantity": units} for sku, units in items.items()], **more,
    }  # fmt: skip
    return http.put(f"/v1/campaigns/{name}", json=body)


def step(http: httpx.Client, name: str, verb: str) -> httpx.Response:
    return http.post(f"/v1/campaigns/{name}/{verb}")


def opened(http: httpx.Client, name: str, items: dict[str, int], **more: Any) -> str:
    assert put(http, name, items, **more).status_code == 200
    answer = step(http, name, "open")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "open"
    return name


def buy(
    http: httpx.Client, campaign: str, key: str, units: dict[str, int], **more: Any
) -> httpx.Response:
    lines = [{"sku": sku, "quantity": count} for sku, count in units.items()]
    return http.post("/v1/reservations", json={"id": key, "lines": lines, "campaign": campaign,
                                               **more})  # fmt: skip


def hold(http: httpx.Client, sku: str, key: str, units: int = 1, **more: Any) -> httpx.Response:
    body = {"id": key, "lines": [{"sku": sku, "quantity": units}], **more}
    return http.post("/v1/reservations", json=body)


def counters(http: httpx.Client, name: str) -> Any:
    return http.get(f"/v1/campaigns/{name}").json()["counters"]


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def two_shards(stocked: Stocked, **units: int) -> tuple[str, str]:
    """SKUs of two different shards."""
    first = stocked(**units)
    while True:
        second = stocked(**units)
        if shard_of(first, SHARDS) != shard_of(second, SHARDS):
            return first, second


def test_a_campaign_from_draft_to_report(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    one, two = two_shards(stocked, n1=10, n2=5)
    name = fresh("drop")
    draft = put(http, name, {one: 12, two: 3}, limit_per_customer=2, hold_seconds=300)
    assert draft.status_code == 200
    assert (draft.json()["state"], draft.json()["name"]) == ("draft", name)
    assert draft.json()["counters"] == {
        "declared": 15, "reserved": 0, "confirmed": 0, "refused": 0, "left": 15,
    }  # fmt: skip
    preview = step(http, name, "preview").json()
    assert preview["feasible"] is True
    by_sku = {item["sku"]: item for item in preview["items"]}
    assert by_sku[one]["backings"] == [
        {"node": "n1", "supply": None, "quantity": 10, "available_at": None},
        {"node": "n2", "supply": None, "quantity": 2, "available_at": None},
    ]
    assert problem(buy(http, name, fresh("key"), {one: 1}, customer="c")) == (
        409, "campaign-not-open",
    )  # fmt: skip
    for _ in range(2):
        assert step(http, name, "open").json()["state"] == "open"
    assert problem(put(http, name, {one: 1})) == (409, "campaign-state")
    assert problem(http.get(f"/v1/campaigns/{name}/report")) == (409, "campaign-state")
    # Exclusive now: three units are left to everybody else.
    assert hold(http, one, fresh("key"), 4).status_code == 409
    held = buy(http, name, fresh("key"), {one: 2, two: 1}, customer="c1")
    assert held.status_code == 201, held.text
    over = buy(http, name, fresh("key"), {one: 1}, customer="c1")
    assert problem(over) == (409, "over-limit")
    assert over.json()["limits"] == [{"sku": one, "limit": 2, "taken": 2, "requested": 1}]
    lost = buy(http, name, fresh("key"), {two: 2}, customer="c2")
    assert lost.status_code == 201
    refused = buy(http, name, fresh("key"), {two: 1}, customer="c3")
    assert problem(refused) == (409, "over-quota")
    assert refused.json()["short_lines"][0]["available"] == 0
    assert http.post(f"/v1/reservations/{held.json()['id']}/confirm").status_code == 200
    assert http.post(f"/v1/reservations/{lost.json()['id']}/release").status_code == 200
    wanted = {"declared": 15, "reserved": 0, "confirmed": 3, "refused": 2, "left": 12}
    deadline = time.monotonic() + 5  # The other shard hears of the payment in a moment.
    while counters(http, name) != wanted:
        assert time.monotonic() < deadline, counters(http, name)
    for _ in range(2):
        assert step(http, name, "close").json()["state"] == "closed"
    report = http.get(f"/v1/campaigns/{name}/report").json()
    by_sku = {item["sku"]: item for item in report["items"]}
    assert by_sku[one] == {"sku": one, "declared": 12, "sold": 2, "returned": 10, "refused": 1,
                           "oversold": 0}  # fmt: skip
    assert by_sku[two] == {"sku": two, "declared": 3, "sold": 1, "returned": 2, "refused": 1,
                           "oversold": 0}  # fmt: skip
    assert problem(buy(http, name, fresh("key"), {one: 1}, customer="c9")) == (
        409, "campaign-not-open",
    )  # fmt: skip
    # The rest is everybody's again, to the unit.
    assert hold(http, one, fresh("key"), 14).status_code == 409
    assert hold(http, one, fresh("key"), 13).status_code == 201


def test_what_cannot_be_promised_is_not_opened(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    one, two = two_shards(stocked, n1=10)
    name = fresh("drop")
    assert put(http, name, {one: 5, two: 11}).status_code == 200
    preview = step(http, name, "preview").json()
    assert preview["feasible"] is False
    assert [item["short"] for item in sorted(preview["items"], key=lambda i: i["declared"])] == [
        0, 1,
    ]  # fmt: skip
    refused = step(http, name, "open")
    assert problem(refused) == (409, "insufficient-stock")
    assert refused.json()["short_lines"] == [
        {"sku": two, "node": None, "requested": 11, "available": 10, "next_available_at": None}
    ]
    assert http.get(f"/v1/campaigns/{name}").json()["state"] == "draft"
    assert hold(http, one, fresh("key"), 10).status_code == 201  # Nothing was kept.


def test_unknown_campaigns_and_items(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku, other = stocked(n1=5), stocked(n1=5)
    assert problem(buy(http, "no-such-drop", fresh("key"), {sku: 1})) == (404, "unknown-campaign")
    for verb in ("open", "close", "preview"):
        assert problem(step(http, "no-such-drop", verb)) == (404, "unknown-campaign")
    assert http.get("/v1/campaigns/no-such-drop").status_code == 404
    name = opened(http, fresh("drop"), {sku: 2})
    refused = buy(http, name, fresh("key"), {other: 1})
    assert problem(refused) == (409, "over-quota")
    draft = fresh("drop")
    assert put(http, draft, {"sku-nobody-knows": 1}).status_code == 200
    assert problem(step(http, draft, "open")) == (404, "unknown-sku")


def test_it_sells_only_in_its_window(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=5)
    early = opened(http, fresh("drop"), {sku: 2}, starts_at=instant(600))
    assert problem(buy(http, early, fresh("key"), {sku: 1})) == (409, "campaign-not-open")
    sku = stocked(n1=100_000)
    soon = opened(http, fresh("drop"), {sku: 100_000}, ends_at=instant(0.4))
    assert buy(http, soon, fresh("key"), {sku: 1}).status_code == 201
    deadline = time.monotonic() + 5
    while buy(http, soon, fresh("key"), {sku: 1}).status_code == 201:
        assert time.monotonic() < deadline
    assert problem(buy(http, soon, fresh("key"), {sku: 1})) == (409, "campaign-not-open")


def test_the_customer_is_required_where_a_limit_applies(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=5)
    name = opened(http, fresh("drop"), {sku: 5}, limit_per_customer=2)
    answer = buy(http, name, fresh("key"), {sku: 1})
    assert (answer.status_code, answer.json()["field"]) == (422, "customer")
    assert problem(buy(http, name, fresh("key"), {sku: 3}, customer="c", partial=True)) == (
        409, "over-limit",
    )  # fmt: skip
    key = fresh("key")
    first = buy(http, name, key, {sku: 2}, customer="c")
    assert first.status_code == 201
    assert buy(http, name, key, {sku: 2}, customer="c").status_code == 200
    assert http.post(f"/v1/reservations/{first.json()['id']}/release").status_code == 200
    assert buy(http, name, fresh("key"), {sku: 2}, customer="c").status_code == 201


def test_its_hold_time_is_the_default(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=9)
    name = opened(http, fresh("drop"), {sku: 9}, hold_seconds=300, anonymous_hold_seconds=60)

    def held_s(**more: Any) -> float:
        answer = buy(http, name, fresh("key"), {sku: 1}, **more).json()
        ends = datetime.fromisoformat(answer["expires_at"])
        return (ends - datetime.now(UTC)).total_seconds()

    assert held_s(customer="c") == pytest.approx(300, abs=5)
    assert held_s() == pytest.approx(60, abs=5)
    assert held_s(customer="c", hold_seconds=30) == pytest.approx(30, abs=5)


def test_tranches_go_on_sale_one_after_the_other(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    tranches = [{"at": instant(-30), "permille": 300}, {"at": instant(900), "permille": 1000}]
    name = opened(http, fresh("drop"), {sku: 10}, tranches=tranches)
    assert buy(http, name, fresh("key"), {sku: 3}).status_code == 201
    refused = buy(http, name, fresh("key"), {sku: 1})
    assert problem(refused) == (409, "over-quota")
    assert counters(http, name)["left"] == 7


def test_named_nodes_only(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=5, n2=5)
    name = fresh("drop")
    assert put(http, name, {sku: 6}, nodes=["n2"]).status_code == 200
    assert problem(step(http, name, "open")) == (409, "insufficient-stock")
    opened(http, name, {sku: 5}, nodes=["n2"])
    assert buy(http, name, fresh("key"), {sku: 1}).json()["lines"][0]["backings"][0]["node"] == "n2"
    assert hold(http, sku, fresh("key"), 5).status_code == 201
    assert hold(http, sku, fresh("key"), 1).status_code == 409


def test_a_wrong_campaign_is_refused(http: httpx.Client, stocked: Stocked) -> None:
    sku = stocked(n1=1)
    for more, field in (
        ({"ends_at": instant(-120)}, "ends_at"),
        ({"hold_seconds": 0}, "hold_seconds"),
        ({"nodes": ["?"]}, "nodes[0]"),
        ({"x": 1}, "x"),
        ({"tranches": [{"at": instant(5), "permille": 9}, {"at": instant(1), "permille": 10}]},
         "tranches[1].at"),
    ):  # fmt: skip
        answer = put(http, "wrong", {sku: 1}, **more)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_campaign_whose_time_is_over_is_closed_by_itself(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=5)
    name = opened(http, fresh("drop"), {sku: 5}, ends_at=instant(0.3))
    deadline = time.monotonic() + 10
    while http.get(f"/v1/campaigns/{name}").json()["state"] != "closed":
        assert time.monotonic() < deadline
    assert http.get(f"/v1/campaigns/{name}/report").json()["items"][0]["returned"] == 5
    assert hold(http, sku, fresh("key"), 5).status_code == 201


def test_a_step_whose_coordinator_stopped_is_finished(
    running: InProcess, http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Whoever asks again goes on where the other stopped."""
    one, two = two_shards(stocked, n1=5)
    name = fresh("drop")
    assert put(http, name, {one: 5, two: 5}).status_code == 200
    begin = shares.move_campaign(name, ("draft",), "opening")

    async def begun() -> None:
        client = running.client
        deadline_at = asyncio.get_running_loop().time() + 5
        reply = await client.call(client.net, begin, deadline_at)
        terms = campaigns.terms_of(reply[2])
        part = shares.open_campaign(name, terms, [[one, 5]])
        reply = await client.call(shard_of(one, SHARDS), part, deadline_at)
        assert reply[0] == Outcome.OK

    running.on_loop(begun())
    assert hold(http, one, fresh("key")).status_code == 409
    assert hold(http, two, fresh("key")).status_code == 201
    assert problem(step(http, name, "open")) == (409, "insufficient-stock")  # One of two is gone.
    assert hold(http, one, fresh("key")).status_code == 201
    assert http.get(f"/v1/campaigns/{name}").json()["state"] == "draft"
