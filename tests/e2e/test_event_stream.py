"""Server-sent events: from a cursor on, filtered, ending with the worker."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway import streams
from tests.e2e.engine_in_process import InProcess

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def told(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Messages as they come; of a comment only its text."""
    message: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            message[name] = value
        elif line:
            yield {"comment": value}
        elif message:
            yield message
            message = {}


def open_stream(http: httpx.Client, after: str | None = None, **query: str) -> Any:
    headers = {"Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = after
    return http.stream("GET", "/v1/events", params=query, headers=headers, timeout=20)


def hold(http: httpx.Client, sku: str, key: str, **more: Any) -> httpx.Response:
    body = {"id": key, "lines": [{"sku": sku, "quantity": 1}], **more}
    return http.post("/v1/reservations", json=body)


def test_a_stream_goes_on_where_a_reader_stopped(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=5)
    keys = [fresh("key") for _ in range(3)]
    for key in keys[:2]:
        assert hold(http, sku, key).status_code == 201
    with open_stream(http, sku=sku, types="reservation.held,stock.adjusted") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        messages = told(stream.iter_lines())
        first = next(messages)
        assert first["event"] == "stock.adjusted"
        second = next(messages)
        assert (second["event"], json.loads(second["data"])["data"]["key"]) == (
            "reservation.held", keys[0],
        )  # fmt: skip
        assert json.loads(second["data"])["cursor"] == second["id"]
    with open_stream(http, second["id"], sku=sku) as stream:
        messages = told(stream.iter_lines())
        assert json.loads(next(messages)["data"])["data"]["key"] == keys[1]
        assert hold(http, sku, keys[2]).status_code == 201  # While somebody listens.
        assert json.loads(next(messages)["data"])["data"]["key"] == keys[2]


def test_availability_of_a_channel_is_told_where_it_is_declared(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """Its changes add up to what a question for the figure says, of all that came together."""
    channel, sku = fresh("channel"), stocked(n1=7)
    told_of = {"availability_events": True}
    assert http.put(f"/v1/channels/{channel}", json=told_of).json()["availability_events"]
    quota = {"exclusive": 2, "cap": 6}
    assert http.put(f"/v1/quotas/{sku}/{channel}", json=quota).status_code == 200
    units, queries = 0, {"sku": sku, "types": "availability.changed"}
    with open_stream(http, **queries) as stream:
        messages = (json.loads(at["data"]) for at in told(stream.iter_lines()) if "data" in at)
        for wanted in (6, 4):
            while units != wanted:
                happened = next(messages)
                [change] = happened["data"]["channels"]
                assert (happened["sku"], change["channel"]) == (sku, channel)
                units += change["change"]
                assert change["atp"] == units
            figure = http.get("/v1/availability", params={"sku": sku, "channel": channel})
            assert figure.json()["items"][0]["atp"] == units
            for _ in range(2):
                assert hold(http, sku, fresh("key"), channel=channel).status_code == 201
    page = http.get("/v1/events", params={**queries, "limit": 1000}).json()
    assert [event["type"] for event in page["events"]].count("availability.changed") >= 2
    http.put(f"/v1/channels/{channel}", json={})


def test_a_silent_stream_is_alive(
    http: httpx.Client, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT_S", 0.1)
    with open_stream(http, sku=fresh("nothing")) as stream:
        assert next(told(stream.iter_lines())) == {"comment": "alive"}


def test_what_is_wrong_is_told_before_the_stream_begins(http: httpx.Client) -> None:
    for query, field in (
        ({"after": "?"}, "query.after"), ({"types": "x"}, "query.types"),
        ({"sku": "?"}, "query.sku"),
    ):  # fmt: skip
        with open_stream(http, **query) as stream:
            stream.read()
            assert (stream.status_code, stream.json()["field"]) == (422, field)


def test_so_many_streams_and_no_more(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 0)
    with open_stream(http) as stream:
        stream.read()
        assert (stream.status_code, stream.json()["type"]) == (429, "/problems/overloaded")


def test_streams_end_with_the_worker() -> None:
    with (
        InProcess() as running,
        httpx.Client(base_url=running.url, timeout=20) as client,
        open_stream(client) as stream,
    ):
        assert running.stop is not None
        running.loop.call_soon_threadsafe(running.stop.set)
        assert list(told(stream.iter_lines())) == []


def test_refused_demand_is_an_event(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    sku = stocked(n1=1)
    assert hold(http, sku, fresh("key")).status_code == 201
    assert hold(http, sku, fresh("key"), channel="live").status_code == 409
    with open_stream(http, types="demand.refused") as stream:
        for message in told(stream.iter_lines()):
            counts = json.loads(message["data"])["data"]["counts"]
            mine = [row for row in counts if row["sku"] == sku]
            if mine:
                assert mine == [{"sku": sku, "campaign": None, "channel": "live",
                                 "reason": "sold-out", "requests": 1, "quantity": 1}]  # fmt: skip
                break


def test_low_stock_is_an_event_of_the_reservation_that_made_it_low(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=3)
    body = {"low_stock": 2}
    assert http.put(f"/v1/skus/{sku}", json=body).json()["low_stock"] == 2
    assert http.get(f"/v1/skus/{sku}").json()["low_stock"] == 2
    keys = [fresh("key") for _ in range(3)]
    for key in keys:
        assert hold(http, sku, key).status_code == 201
    with open_stream(http, sku=sku, types="reservation.held,stock.low") as stream:
        messages = told(stream.iter_lines())
        seen = [json.loads(next(messages)["data"]) for _ in range(4)]
    types = [event["type"] for event in seen]
    assert types == [*["reservation.held"] * 2, "stock.low", "reservation.held"]
    assert seen[2]["seq"] == seen[1]["seq"]  # One commit: nobody can see one without the other.
    assert seen[2]["data"] == {"sellable": 1, "low_stock": 2}


def test_a_reader_that_goes_leaves_its_place(
    http: httpx.Client, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(lambda: streams._open == 0)  # Those of other tests have gone too.
    monkeypatch.setattr(streams, "STREAMS_MAX", 1)
    for _ in range(3):
        with open_stream(http, sku=fresh("nothing")) as stream:
            assert stream.status_code == 200
        wait_until(lambda: streams._open == 0)


def test_a_slow_reader_holds_up_nobody_and_misses_nothing(
    running: InProcess, http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """It reads nothing while more happens than fits into the line, and then all of it."""
    sku, count = stocked(n1=100_000), 10_000
    after = http.get("/v1/events", params={"limit": 1000}).json()
    while after["more"]:
        after = http.get("/v1/events", params={"limit": 1000, "after": after["next"]}).json()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        line.sendall(
            b"GET /v1/events?types=reservation.held&sku=%b HTTP/1.1\r\nhost: x\r\n"
            b"accept: text/event-stream\r\nlast-event-id: %b\r\n\r\n"
            % (sku.encode(), after["next"].encode())
        )
        keys = [fresh("slow") for _ in range(count)]
        for begin in range(0, count, 1_000):
            body = [{"id": key, "lines": [{"sku": sku, "quantity": 1}]}
                    for key in keys[begin : begin + 1_000]]  # fmt: skip
            answer = http.post("/v1/reservations:batch", json={"reservations": body})
            assert {result["status"] for result in answer.json()["results"]} == {201}
        assert hold(http, sku, fresh("beside")).status_code == 201
        seen, rest = 0, b""
        while seen < count:
            data = line.recv(65_536)
            assert data
            rest += data
            seen += rest.count(b'"key":"slow')
            rest = rest[-10:]
    wait_until(lambda: streams._open == 0)


def wait_until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_basket_over_shards_counts_what_it_lacked_and_a_repeat_does_not(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    """An owner sees only its own lines, and cannot know whether the whole was held before."""
    there = [stocked(n1=9) for _ in range(6)]
    gone = [stocked(n1=1) for _ in range(2)]
    lines = [{"sku": sku, "quantity": 1} for sku in (*there, *gone)]
    basket = {"id": fresh("basket"), "lines": lines}
    assert http.post("/v1/reservations", json=basket).status_code == 201
    assert http.post("/v1/reservations", json=basket).status_code == 200
    body = {**basket, "id": fresh("basket")}
    answer = http.post("/v1/reservations", json=body)
    assert {line["sku"] for line in answer.json()["short_lines"]} == set(gone)
    hold(http, there[0], fresh("key"), lines=[{"sku": there[0], "quantity": 99}])  # The last.
    counted: dict[str, list[Any]] = {}
    with open_stream(http, types="demand.refused") as stream:
        for message in told(stream.iter_lines()):
            for row in json.loads(message["data"])["data"]["counts"]:
                counted.setdefault(row["sku"], []).append((row["reason"], row["requests"]))
            if counted.keys() >= {there[0], *gone}:
                break
    for sku in gone:
        assert counted[sku] == [("insufficient-stock", 1)]
    assert counted[there[0]] == [("insufficient-stock", 1)]
    assert not counted.keys() & set(there[1:])
