"""Loading over HTTP: blocks, repeats, and what ends a load."""

import asyncio
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from gateway import sending
from gateway.pipe import Unreachable, open_pipe, request
from gateway.sample.columns import NOTHING_KNOWN, Columns
from gateway.sample.journey import Journey
from gateway.sample.load import load
from gateway.sending import LoadRefused
from tests.unit.cli.scripted import ScriptedGateway

SKUS = 40


@pytest.fixture
def journey() -> Journey:
    """Forty articles, one basket each, in one store."""
    ranks = np.arange(SKUS)
    return Journey(
        Columns(
            product_ids=ranks + 1000,
            products={1000: NOTHING_KNOWN},
            store_ids=np.array([5]),
            sku=ranks,
            store=np.zeros(SKUS, dtype=np.int64),
            units=np.ones(SKUS, dtype=np.int64),
            basket_starts=np.arange(SKUS + 1),
            basket_at_s=ranks,
        )
    )


def accepts(method: str, path: str, body: Any) -> tuple[int, Any]:
    if method == "PUT":
        return 200, body
    rows = [{"status": 200, "body": row} for row in body["adjustments"]]
    return 200, {"reference": body["reference"], "repeated": False, "results": rows}


def busy(retry_after_ms: int = 1) -> tuple[int, Any]:
    return 503, {"title": "Not ready", "retryable": True, "retry_after_ms": retry_after_ms}


def test_everything_is_put_once_and_stock_comes_last(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    gateway.script = accepts
    loaded = asyncio.run(load(gateway.url, journey))
    assert (loaded.nodes, loaded.skus, loaded.positions, loaded.refused) == (3, SKUS, 2 * SKUS, 0)
    assert Counter(path.split("/")[2] for _, path, _ in gateway.asked) == {
        "nodes": 3,
        "skus": SKUS,
        "stock": 1,
    }
    assert gateway.asked[-1][1] == "/v1/stock/adjustments"


def test_the_reference_depends_on_the_content_alone(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    gateway.script = accepts
    for positions in (50, 50, 60):
        asyncio.run(load(gateway.url, journey, positions_max=positions))
    first, again, other = [b["reference"] for _, path, b in gateway.asked if "stock" in path]
    assert first == again != other
    assert len(first) <= 64


def test_what_was_not_accepted_is_sent_again_and_only_that(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    seen: Counter[str] = Counter()

    def script(method: str, path: str, body: Any) -> tuple[int, Any]:
        seen[path] += 1
        late = path == "/v1/skus/1007" and seen[path] <= 3
        return busy() if late else accepts(method, path, body)

    gateway.script = script
    asyncio.run(load(gateway.url, journey))
    assert seen.pop("/v1/skus/1007") == 4
    assert set(seen.values()) == {1}


def test_a_broken_connection_is_opened_again_and_its_block_is_repeated(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    broken: list[str] = []

    def script(method: str, path: str, body: Any) -> tuple[int, Any] | None:
        if path == "/v1/skus/1020" and not broken:
            broken.append(path)
            return None
        return accepts(method, path, body)

    gateway.script = script
    assert asyncio.run(load(gateway.url, journey)).refused == 0
    assert [path for _, path, _ in gateway.asked].count("/v1/skus/1020") == 2


def test_a_refusal_that_no_repeat_changes_ends_the_load_in_the_gateways_words(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    gateway.script = lambda _method, _path, _body: (
        422,
        {"title": "Invalid request", "detail": "kind: unknown"},
    )
    with pytest.raises(LoadRefused, match=r"PUT /v1/nodes/.*: 422 Invalid request: kind: unknown"):
        asyncio.run(load(gateway.url, journey))


def test_a_gateway_that_is_never_ready_ends_the_load(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    gateway.script = lambda _method, _path, _body: busy()
    with pytest.raises(LoadRefused, match="tidegate status"):
        asyncio.run(load(gateway.url, journey))


def test_a_gateway_that_is_gone_is_named(
    monkeypatch: pytest.MonkeyPatch, journey: Journey, unused_url: str
) -> None:
    monkeypatch.setattr(sending, "WAIT_MS_MAX", 1)
    with pytest.raises(Unreachable, match=unused_url):
        asyncio.run(load(unused_url, journey))


def test_refused_counts_are_counted(gateway: ScriptedGateway, journey: Journey) -> None:
    def script(method: str, path: str, body: Any) -> tuple[int, Any]:
        status, answer = accepts(method, path, body)
        if "stock" in path:
            answer["results"][3] = {"status": 404, "body": {}}
        return status, answer

    gateway.script = script
    assert asyncio.run(load(gateway.url, journey)).refused == 1


def test_progress_ends_at_the_total_of_each_kind(
    gateway: ScriptedGateway, journey: Journey
) -> None:
    gateway.script = accepts
    told: dict[str, tuple[int, int]] = {}
    asyncio.run(
        load(gateway.url, journey, lambda what, done, total: told.update({what: (done, total)}))
    )
    assert told == {"nodes": (3, 3), "SKUs": (SKUS, SKUS), "stock": (1, 1)}


def test_answers_of_a_block_come_in_the_order_of_its_requests(gateway: ScriptedGateway) -> None:
    gateway.script = lambda _method, path, _body: (200, path)

    async def ask() -> list[str]:
        pipe = await open_pipe(gateway.url)
        try:
            asked = [request("PUT", f"/{n}", b"{}", deadline_ms=1000) for n in range(50)]
            return [json.loads(body) for _, body in await pipe.exchange(asked)]
        finally:
            pipe.close()

    assert asyncio.run(ask()) == [f"/{n}" for n in range(50)]
