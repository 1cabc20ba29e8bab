"""What callers are told while shards move, units are undecided, copies or events are missing."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest

from engine import commands
from engine.ids import home_of, shard_of
from engine.outcome import Outcome
from engine.record import Durability
from tests.cluster import eventually, skus_on, until
from tests.e2e.engine_in_process import SHARDS, InProcess, in_process

#: A SKU on each shard, smallest first: the first one's shard is home of a basket of all.
SKUS = sorted(skus_on(shard, 1)[0] for shard in range(SHARDS))
HOME = home_of(SKUS, SHARDS)


@pytest.fixture
def alone() -> Iterator[InProcess]:
    """An engine that only this test disturbs."""
    yield from in_process()


@pytest.fixture
def replicated() -> Iterator[InProcess]:
    """One that answers when a second server has its changes."""
    yield from in_process(Durability.REPLICATED)


@contextlib.contextmanager
def shop(running: InProcess, units: int = 9) -> Iterator[httpx.Client]:
    """A client of an engine with units of every SKU."""
    with httpx.Client(base_url=running.url, timeout=10) as http:
        http.put("/v1/nodes/n1", json={"kind": "store"}).raise_for_status()
        for sku in SKUS:
            http.put(f"/v1/skus/{sku}", json={}).raise_for_status()
        rows = [{"sku": sku, "node": "n1", "delta": units} for sku in SKUS]
        body = {"reference": "founding", "adjustments": rows}
        http.post("/v1/stock/adjustments", json=body).raise_for_status()
        yield http


def reserve(http: httpx.Client, key: str, *skus: str, quantity: int = 1) -> httpx.Response:
    """Hold units of each SKU."""
    lines = [{"sku": sku, "quantity": quantity} for sku in skus]
    return http.post("/v1/reservations", json={"id": key, "lines": lines})


def refused(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem of an answer that may be asked for again, checked as the contract has it."""
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["type"]) == (status, f"/problems/{name}"), told
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["retryable"] is True
    assert answer.headers["retry-after"] == str(max(1, -(-told["retry_after_ms"] // 1000)))
    return told


def test_not_ready_while_a_shard_recovers_and_why_is_said(alone: InProcess) -> None:
    """Its requests are refused as not done, all others are served; then it is ready again."""
    cluster = alone.cluster
    lost = cluster.owner_of(SKUS[0])
    theirs = [
        shard for shard, name in enumerate(cluster.supervisor.map.owners) if name == lost.name
    ]
    go_on = asyncio.Event()

    async def lose_a_host() -> None:
        for host in cluster.hosts.values():
            scan = host.store.scan

            async def slow(
                shard: int, name: str, scan: Any = scan
            ) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
                await go_on.wait()
                async for portion in scan(shard, name):
                    yield portion

            host.store.scan = slow  # type: ignore[method-assign]
        await lost.die()
        await until(lambda: cluster.client.map.owners[theirs[0]] is None)

    with shop(alone) as http:
        assert http.get("/readyz").json() == {"ready": True, "reasons": []}
        alone.on_loop(lose_a_host())
        answer = http.get("/readyz")
        assert answer.status_code == 503
        expected = [f"shard {shard}: recovering" for shard in theirs]
        assert answer.json() == {"ready": False, "reasons": expected}
        assert http.get("/healthz").status_code == 200
        states = [shard["state"] for shard in http.get("/v1/shards").json()["shards"]]
        served = [shard not in theirs for shard in range(SHARDS)]
        assert [state == "serving" for state in states] == served
        for sku in SKUS:
            answer = reserve(http, f"k-{sku}", sku)
            if served[shard_of(sku, SHARDS)]:
                assert answer.status_code == 201
            else:
                assert refused(answer, 503, "unavailable")["outcome"] == "none"
        alone.on_loop(_set(go_on))
        alone.on_loop(eventually(lambda: _ready(cluster.client.readiness())))
        assert http.get("/readyz").status_code == 200
        for sku in SKUS:
            expected_status = 200 if served[shard_of(sku, SHARDS)] else 201
            assert reserve(http, f"k-{sku}", sku).status_code == expected_status
        assert http.post("/v1/audit").json()["clean"]


async def _set(event: asyncio.Event) -> None:
    event.set()


async def _ready(reasons: list[str]) -> bool:
    return not reasons


def test_a_cursor_that_is_too_old_says_where_to_go_on(alone: InProcess) -> None:
    """410 with the first cursor that is kept; from there the feed goes on."""
    with shop(alone) as http:
        old = http.get("/v1/events", params={"limit": "1"}).json()["next"]
        for number in range(6):
            assert reserve(http, f"k{number}", SKUS[0]).status_code == 201
        shard = alone.cluster.server.shards[shard_of(SKUS[0], SHARDS)]
        del shard.events[:-3]
        answer = http.get("/v1/events", params={"after": old})
        told = answer.json()
        assert (answer.status_code, told["type"]) == (410, "/problems/cursor-expired")
        assert (told["retryable"], told["outcome"]) == (False, "none")
        assert "retry-after" not in answer.headers
        page = http.get("/v1/events", params={"after": told["oldest"]}).json()
        held = [e["data"]["key"] for e in page["events"] if e["type"] == "reservation.held"]
        assert held == ["k3", "k4", "k5"]
        assert http.get("/v1/events", params={"after": page["next"]}).json()["events"] == []


def piece(running: InProcess, key: str, sku: str, units: int) -> Any:
    """Units of a SKU set aside for a basket that nobody has sealed."""
    take = commands.take(f"{HOME:03x}.{key}", b"n" * 8, HOME, [[sku, None, units]], None)
    reply = running.on_loop(running.cluster.call(sku, take))
    assert reply[0] == Outcome.OK


def given_back(running: InProcess, key: str, sku: str) -> None:
    """The attempt comes to nothing."""
    running.on_loop(running.cluster.call(sku, commands.drop(f"{HOME:03x}.{key}", b"n" * 8)))


def test_the_same_key_is_being_decided(alone: InProcess) -> None:
    """409 with a time to come back, in a batch too; then it is held."""
    with shop(alone) as http:
        piece(alone, "k", SKUS[1], 1)
        told = refused(reserve(http, "k", *SKUS), 409, "in-progress")
        assert told["outcome"] == "none"
        lines = [{"sku": sku, "quantity": 1} for sku in SKUS]
        batch = {"reservations": [{"id": "k", "lines": lines}]}
        (result,) = http.post("/v1/reservations:batch", json=batch).json()["results"]
        assert (result["status"], result["body"]["type"]) == (409, "/problems/in-progress")
        given_back(alone, "k", SKUS[1])
        assert reserve(http, "k", *SKUS).status_code == 201


def test_units_in_baskets_that_are_not_decided_yet(alone: InProcess) -> None:
    """Nobody is told that they are gone: 409 with a time to come back, on one shard or many."""
    with shop(alone) as http:
        piece(alone, "somebody", SKUS[1], 9)
        for key, skus in (("basket", SKUS), ("single", SKUS[1:2])):
            told = refused(reserve(http, key, *skus), 409, "contended")
            assert told["outcome"] == "none"
        given_back(alone, "somebody", SKUS[1])
        for key, skus in (("basket", SKUS), ("single", SKUS[1:2])):
            assert reserve(http, key, *skus).status_code == 201
        assert http.post("/v1/audit").json()["clean"]


def test_done_with_fewer_copies_than_asked(replicated: InProcess) -> None:
    """503, applied, with the level that is met; a repeat is told when the copies are there."""

    async def alone(so: bool) -> None:
        for host in replicated.cluster.hosts.values():
            host.store.alone = so

    with shop(replicated) as http:
        made = reserve(http, "before", SKUS[0])
        assert (made.status_code, made.json()["durability"]) == (201, "replicated")
        replicated.on_loop(alone(True))
        told = refused(reserve(http, "k", SKUS[0]), 503, "durability-not-met")
        assert (told["outcome"], told["durability"]) == ("applied", "fsync")
        refused(reserve(http, "k", SKUS[0]), 503, "durability-not-met")
        name = f"{shard_of(SKUS[0], SHARDS):03x}.k"
        told = refused(http.post(f"/v1/reservations/{name}/confirm"), 503, "durability-not-met")
        assert told["outcome"] == "applied"
        element = {"id": "b", "lines": [{"sku": SKUS[1], "quantity": 1}]}
        answer = http.post(
            "/v1/reservations:batch", content=json.dumps({"reservations": [element]})
        )
        (result,) = answer.json()["results"]
        assert (answer.status_code, result["status"]) == (200, 503)
        assert result["body"]["type"] == "/problems/durability-not-met"
        replicated.on_loop(alone(False))
        again = reserve(http, "k", SKUS[0])
        assert (again.status_code, again.json()["status"]) == (200, "confirmed")
        assert reserve(http, "b", SKUS[1]).status_code == 200
        assert http.get(f"/v1/stock/{SKUS[0]}").json()["positions"][0]["committed"] == 1
        assert http.post("/v1/audit").json()["clean"]
