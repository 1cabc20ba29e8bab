"""Crowds, stalls and slow clients over HTTP."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway import hot_door, intake
from tests.e2e.engine_in_process import InProcess, in_process
from tests.e2e.wire import Answer, Wire, request, reserve

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


@pytest.fixture
def alone() -> Iterator[InProcess]:
    """An engine that only this test disturbs."""
    yield from in_process()


async def buyers(port: int, requests: list[bytes], connections: int) -> list[Answer]:
    """Send all requests over so many connections at once; the answers in order of requests."""
    answers: dict[int, Answer] = {}
    numbers = iter(range(len(requests)))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            answers[number] = Answer(int(head.split()[1]), {}, await reader.readexactly(size))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(connections)))
    return [answers[number] for number in range(len(requests))]


def test_a_crowd_gets_exactly_what_is_there(
    running: InProcess, http: httpx.Client, stocked: Stocked
) -> None:
    """More than one wants each unit; the books agree with what everybody was told."""
    sku = stocked(n1=300, n2=200)
    requests = [reserve(sku, f"{sku}-{number}") for number in range(2000)]
    answers = asyncio.run(buyers(running.port, requests, 100))
    assert Counter(answer.status for answer in answers) == {201: 500, 409: 1500}
    positions = http.get(f"/v1/stock/{sku}").json()["positions"]
    assert [position["reserved"] for position in positions] == [300, 200]
    assert http.post("/v1/audit").json()["clean"]


def test_one_key_a_hundred_times_at_once_has_one_effect(
    running: InProcess, http: httpx.Client, stocked: Stocked
) -> None:
    sku = stocked(n1=500)
    answers = asyncio.run(buyers(running.port, [reserve(sku, f"{sku}-one", 3)] * 100, 100))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 99}
    assert len({answer.body for answer in answers}) == 1
    assert http.get(f"/v1/stock/{sku}").json()["positions"][0]["reserved"] == 3


def test_many_baskets_over_several_shards_sell_no_unit_twice(
    running: InProcess, http: httpx.Client, stocked: Stocked
) -> None:
    skus = [stocked(n1=20) for _ in range(6)]
    requests = []
    for number in range(200):
        lines = [{"sku": sku, "quantity": 1} for sku in skus[number % 3 : number % 3 + 4]]
        body = json.dumps({"id": f"{skus[0]}-{number}", "lines": lines}).encode()
        requests.append(request("POST", "/v1/reservations", body))
    answers = asyncio.run(buyers(running.port, requests, 30))
    assert {answer.status for answer in answers} <= {201, 409}
    held: Counter[str] = Counter()
    for answer in answers:
        if answer.status == 201:
            held.update(line["sku"] for line in json.loads(answer.body)["lines"])
    for sku in skus:
        position = http.get(f"/v1/stock/{sku}").json()["positions"][0]
        assert position["reserved"] == held[sku] <= 20


def test_a_stalled_owner_makes_unknown_outcomes_in_time_and_a_repeat_settles_them(
    alone: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a late success: the answer at the deadline says that nobody knows."""
    with httpx.Client(base_url=alone.url) as http:
        http.put("/v1/nodes/n1", json={"kind": "store"})
        http.put("/v1/skus/A", json={})
        row = {"sku": "A", "node": "n1", "delta": 9}
        http.post("/v1/stock/adjustments", json={"reference": "r", "adjustments": [row]})
        body = {"id": "k", "lines": [{"sku": "A", "quantity": 1}]}
        applied: list[Any] = []

        async def stall(on: bool) -> None:
            for queue in alone.client._queues.values():
                line = queue.line
                assert line is not None
                if on:
                    applied.append((line, line.call))
                    monkeypatch.setattr(line, "call", lambda _p: alone.loop.create_future())

        alone.on_loop(stall(True))
        for path, sent in (("/v1/reservations", body), ("/v1/reservations/000.k/confirm", None)):
            began = time.monotonic()
            answer = http.post(path, json=sent, headers={"X-Deadline-Ms": "150"})
            assert 0.1 < time.monotonic() - began < 1
            assert answer.status_code == 503
            assert answer.json()["outcome"] in ("unknown", "none")
            assert answer.json()["retryable"] is True
            assert answer.headers["retry-after"] == "1"
        answer = http.get("/v1/availability?sku=A", headers={"X-Deadline-Ms": "150"})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        answer = http.get("/v1/stock/A", headers={"X-Deadline-Ms": "150"})
        assert answer.status_code == 503


def test_load_is_shed_with_a_time_to_come_back_and_payments_go_first(
    running: InProcess, http: httpx.Client, stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no room for new reservations, what has been reserved can still be paid for."""
    sku = stocked(n1=9)
    first = {"id": f"{sku}-a", "lines": [{"sku": sku, "quantity": 1}]}
    made = http.post("/v1/reservations", json=first).json()
    monkeypatch.setattr(intake, "RESERVATIONS_WAITING_MAX", 0)
    body = {"id": f"{sku}-b", "lines": [{"sku": sku, "quantity": 1}]}
    answer = http.post("/v1/reservations", json=body)
    told = answer.json()
    assert (answer.status_code, told["type"]) == (429, "/problems/overloaded")
    assert (told["retryable"], told["outcome"], answer.headers["retry-after"]) == (
        True,
        "none",
        "1",
    )
    assert told["retry_after_ms"] > 0
    batch = http.post("/v1/reservations:batch", json={"reservations": [body, body]}).json()
    assert [result["status"] for result in batch["results"]] == [429, 429]
    wrong = http.post("/v1/reservations", json={"id": "x"})
    assert wrong.status_code == 422  # Shape before load.
    confirmed = http.post(f"/v1/reservations/{made['id']}/confirm")
    assert confirmed.json()["status"] == "confirmed"
    monkeypatch.setattr(intake, "FINISHING_WAITING_MAX", 0)
    assert http.post(f"/v1/reservations/{made['id']}/confirm").status_code == 429


def test_a_batch_that_is_refused_whole_by_load_is_still_answered(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand refusals of one key at once: a loop, not a recursion."""
    monkeypatch.setattr(intake, "RESERVATIONS_WAITING_MAX", 0)
    lines = [[{"sku": "A", "quantity": 1}], [{"sku": "B", "quantity": 1}]]
    elements = [{"id": "same", "lines": lines[number % 2]} for number in range(2000)]
    results = http.post("/v1/reservations:batch", json={"reservations": elements}).json()["results"]
    assert [result["status"] for result in results] == [429] * 2000


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (b"", "IDLE_S_MAX"),
        (b"POST /v1/reserv", "STALLED_S_MAX"),
        (request("POST", "/v1/reservations", content_length="10"), "STALLED_S_MAX"),
        (request("PUT", "/v1/skus/a", content_length="10"), "STALLED_S_MAX"),
    ],
)
def test_connections_that_keep_still_are_closed(
    running: InProcess, monkeypatch: pytest.MonkeyPatch, sent: bytes, limit: str
) -> None:
    monkeypatch.setattr(hot_door, limit, -1)
    with Wire(running.port) as wire:
        wire.send(sent)
        assert wire.closed()


def test_a_request_that_arrives_drop_by_drop_is_cut_off(
    running: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_door, "ARRIVAL_S_MAX", 0)
    with Wire(running.port) as wire:
        wire.send(request("POST", "/v1/reservations", content_length="60000"))
        until = time.monotonic() + 8
        try:
            while time.monotonic() < until:
                wire.send(b" ")
                time.sleep(0.01)
        except ConnectionError:
            return
        raise AssertionError("still open")
