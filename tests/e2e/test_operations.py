"""Looking after the engine over HTTP, its feed, and its pages."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from engine.outcome import Outcome
from gateway.metrics import Metrics
from gateway.openapi import document
from gateway.problems import KINDS
from tests.e2e.engine_in_process import SHARDS, InProcess

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def feed(http: httpx.Client, after: str | None, limit: int) -> tuple[list[Any], str]:
    """All events behind ``after``, page by page."""
    events: list[Any] = []
    while True:
        params = {"limit": str(limit), **({"after": after} if after else {})}
        page = http.get("/v1/events", params=params).json()
        assert len(page["events"]) <= limit
        events += page["events"]
        after = page["next"]
        if not page["more"]:
            return events, page["next"]


def test_it_is_alive_and_ready(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"ready": True, "reasons": []}


def test_all_shards_are_listed(http: httpx.Client, stocked: Stocked) -> None:
    stocked(n1=1)
    shards = http.get("/v1/shards").json()["shards"]
    assert [shard["shard"] for shard in shards] == list(range(SHARDS))
    assert {shard["state"] for shard in shards} == {"serving"}
    documented = document()["components"]["schemas"]["Shard"]["properties"]
    assert all(shard.keys() == documented.keys() for shard in shards)


def test_the_audit_is_clean(http: httpx.Client) -> None:
    told = http.post("/v1/audit").json()
    assert told["clean"] is True
    assert told["findings"] == []
    assert [shard["shard"] for shard in told["shards"]] == list(range(SHARDS))


def test_figures_are_counted(http: httpx.Client, stocked: Stocked, fresh: Fresh) -> None:
    def read() -> dict[str, float]:
        answer = http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    sku, key, before = stocked(n1=1), fresh("key"), read()
    for _ in range(2):
        http.post("/v1/reservations", json={"id": key, "lines": [{"sku": sku, "quantity": 1}]})
    http.post("/v1/reservations", json={"id": "other", "lines": [{"sku": sku, "quantity": 1}]})
    after = read()
    for result in ("created", "repeated", "refused"):
        name = f'tidegate_reservations_total{{result="{result}"}}'
        assert after[name] == before[name] + 1
    assert after['tidegate_requests_total{route="/v1/reservations",status="201"}'] >= 1
    assert after["tidegate_oversold_units"] == 0
    assert after["tidegate_refusal_seconds_count"] > before["tidegate_refusal_seconds_count"]
    for name in ("batch_commands", "decide_seconds", "commit_seconds"):
        assert after[f"tidegate_{name}_count"] > 0
        assert after[f'tidegate_{name}_bucket{{le="+Inf"}}'] == after[f"tidegate_{name}_count"]
    for name in ("open_reservations", "queue_commands", "sweep_lag_seconds"):
        assert f'tidegate_{name}{{shard="0"}}' in after
    assert sku not in "".join(after)


def test_figures_are_those_of_all_workers(running: InProcess, http: httpx.Client) -> None:
    """Whichever of them a scrape reaches; each tells once a second what it has counted."""
    name = 'tidegate_reservations_total{result="repeated"} '

    def read() -> int:
        line = next(line for line in http.get("/metrics").text.splitlines() if name in line)
        return int(line.removeprefix(name))

    before, other = read(), Metrics()
    other.repeated = 1_000
    running.on_loop(running.client.add_up(other.worker, other.counts()))
    assert read() == before + 1_000
    asked = Metrics()

    async def as_another_worker() -> float:
        total = await running.client.add_up(asked.worker, asked.counts())
        return total["requests /metrics 200"]

    until = time.monotonic() + 5
    while running.on_loop(as_another_worker()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert running.on_loop(as_another_worker()) >= 2


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_the_feed_tells_everything_once_in_pages_of_any_size(
    http: httpx.Client, stocked: Stocked, fresh: Fresh, limit: int
) -> None:
    _, start = feed(http, None, 1000)
    sku, key = stocked(n1=3), fresh("key")
    body = {"id": key, "lines": [{"sku": sku, "quantity": 1}]}
    name = http.post("/v1/reservations", json=body).json()["id"]
    http.post(f"/v1/reservations/{name}/confirm")
    events, end = feed(http, start, limit)
    mine = [event for event in events if event["sku"] == sku]
    assert [event["type"] for event in mine] == [
        "stock.adjusted", "reservation.held", "reservation.confirmed",
    ]  # fmt: skip
    assert mine[1]["data"]["id"] == name
    assert mine[1]["shard"] == int(name[:3], 16)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", e["at"]) for e in events)
    assert [e["seq"] for e in mine] == sorted(e["seq"] for e in mine)
    assert feed(http, end, limit) == ([], end)
    cursors = [event["cursor"] for event in events]
    assert len(set(cursors)) == len(cursors)
    assert feed(http, mine[0]["cursor"], limit)[0] == events[cursors.index(mine[0]["cursor"]) + 1 :]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/stock/a"), ("GET", "/v1/skus/a"), ("GET", "/v1/nodes"),
     ("GET", "/v1/reservations/000.k"), ("GET", "/v1/reservations?key=k"),
     ("GET", "/v1/availability?sku=a"), ("GET", "/v1/events"), ("GET", "/v1/shards"),
     ("GET", "/metrics"), ("POST", "/v1/audit")],
)  # fmt: skip
def test_a_read_that_comes_too_late_has_changed_nothing(
    running: InProcess, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    async def lost(*_: Any) -> list[Any]:
        return [Outcome.LOST, 200]

    async def late(*_: Any, **__: Any) -> None:
        await asyncio.sleep(1)

    def lose(_shard: int, _command: Any, _deadline_at: float, done: Any) -> None:
        running.loop.call_later(0.05, done, [Outcome.LOST, 200])

    monkeypatch.setattr(running.client, "call", lost)
    monkeypatch.setattr(running.client, "submit", lose)
    for name in ("events", "shard_reports", "audit"):
        monkeypatch.setattr(running.client, name, late)
    answer = http.request(method, path, headers={"X-Deadline-Ms": "20"})
    told = answer.json()
    assert (answer.status_code, told["type"]) == (503, "/problems/unavailable")
    assert (told["retryable"], told["outcome"]) == (True, "none")
    described = document()["paths"].get(path.partition("?")[0], {}).get(method.lower(), {})
    assert "outcome-unknown" not in str(described)


def test_a_write_that_comes_too_late_is_in_doubt(
    running: InProcess, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> list[Any]:
        return [Outcome.LOST, 200]

    monkeypatch.setattr(running.client, "call", lost)
    told = http.put("/v1/skus/a", json={}).json()
    assert (told["type"], told["outcome"]) == ("/problems/outcome-unknown", "unknown")


def test_every_problem_has_a_page_and_every_page_stays_at_home(http: httpx.Client) -> None:
    pages = {f"/problems/{name}": KINDS[name].title for name in KINDS}
    for path, title in {**pages, "/docs": "Tidegate"}.items():
        page = http.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert f"<h1>{title}</h1>" in page.text
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", page.text)
        assert "<script" not in page.text
    assert http.get("/problems/none-such").json()["type"] == "/problems/unknown-route"


def test_the_description_is_served(http: httpx.Client) -> None:
    assert http.get("/openapi.json").json() == document()
