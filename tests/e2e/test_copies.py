"""A real replica falls silent behind a shop that answers at ``replicated``."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engine.record import Durability
from engine.store.redis import RedisStore
from engine.store.setup import prepare
from tests.builders import run
from tests.cluster import SHARDS, skus_on
from tests.e2e.engine_in_process import InProcess
from tests.replicas import Pair

LEVEL = Durability.REPLICATED
SKUS = sorted(skus_on(shard, 1)[0] for shard in range(SHARDS))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two servers of our own."""
    made = Pair("embedded", tmp_path)
    yield made
    made.stop()


@pytest.fixture
def running(pair: Pair) -> Iterator[InProcess]:
    """Hosts and gateway on the first of them."""
    run(prepare(pair.primary.admin_url, SHARDS, LEVEL))
    with InProcess(LEVEL, lambda: RedisStore(pair.primary.url, LEVEL)) as made:
        yield made


def reserve(http: httpx.Client, key: str, *skus: str, quantity: int = 1) -> httpx.Response:
    """Hold units of each SKU."""
    lines = [{"sku": sku, "quantity": quantity} for sku in skus]
    return http.post("/v1/reservations", json={"id": key, "lines": lines})


def test_a_silent_replica_makes_answers_weaker_and_refuses_nobody(
    pair: Pair, running: InProcess
) -> None:
    """Done is done and said to be less safe; sold out is sold out; repeats wait for the copies."""
    with httpx.Client(base_url=running.url, timeout=15) as http:
        http.headers["x-deadline-ms"] = "10000"
        http.put("/v1/nodes/n1", json={"kind": "store"}).raise_for_status()
        for sku in SKUS:
            http.put(f"/v1/skus/{sku}", json={}).raise_for_status()
        rows = [{"sku": sku, "node": "n1", "delta": 9} for sku in SKUS]
        body = {"reference": "founding", "adjustments": rows}
        http.post("/v1/stock/adjustments", json=body).raise_for_status()
        assert reserve(http, "before", *SKUS).json()["durability"] == "replicated"
        with pair.paused():
            for key, skus in (("single", SKUS[:1]), ("basket", SKUS)):
                for _ in range(2):
                    answer = reserve(http, key, *skus)
                    assert answer.status_code == 503
                    assert answer.json()["type"] == "/problems/durability-not-met"
                    assert answer.json()["outcome"] == "applied"
            assert reserve(http, "many", SKUS[0], quantity=99).status_code == 409
            assert reserve(http, "many", *SKUS, quantity=99).status_code == 409
            began = time.monotonic()
            for key in ("single", "basket"):
                found = http.get("/v1/reservations", params={"key": key})
                assert (found.status_code, found.json()["status"]) == (200, "held")
            assert time.monotonic() - began < 5
        for key, skus in (("single", SKUS[:1]), ("basket", SKUS)):
            assert reserve(http, key, *skus).status_code == 200
        for sku, reserved in zip(SKUS, (3, 2, 2, 2), strict=True):
            position = http.get(f"/v1/stock/{sku}").json()["positions"][0]
            assert position["reserved"] == reserved
        assert http.post("/v1/audit").json()["clean"]
