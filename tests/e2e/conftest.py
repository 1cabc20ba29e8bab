"""What the tests over HTTP share."""

import itertools
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.e2e.engine_in_process import InProcess, in_process


@pytest.fixture(scope="module")
def running() -> Iterator[InProcess]:
    """One engine for the tests of a file: they use SKUs and keys of their own."""
    yield from in_process()


@pytest.fixture(scope="module")
def http(running: InProcess) -> Iterator[httpx.Client]:
    """A client that keeps its connections."""
    with httpx.Client(base_url=running.url, timeout=10) as client:
        yield client


_numbers = itertools.count(1)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Ids nobody has used."""
    return lambda prefix: f"{prefix}-{next(_numbers)}"


@pytest.fixture
def stocked(http: httpx.Client, fresh: Callable[[str], str]) -> Callable[..., str]:
    """A new SKU with units at nodes: ``stocked(n1=5, n2=3)``."""

    def stock(**units: int) -> str:
        sku = fresh("sku")
        assert http.put(f"/v1/skus/{sku}", json={}).status_code == 200
        for node in units:
            assert http.put(f"/v1/nodes/{node}", json={"kind": "store"}).status_code == 200
        if not units:
            return sku
        rows = [{"sku": sku, "node": node, "on_hand": count} for node, count in units.items()]
        body = {"reference": fresh("ref"), "adjustments": rows}
        answer = http.post("/v1/stock/adjustments", json=body)
        assert [row["status"] for row in answer.json()["results"]] == [200] * len(rows)
        return sku

    return stock
