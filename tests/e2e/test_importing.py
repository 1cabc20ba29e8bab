"""Files into a running gateway: streamed, resumable, refused rows told with line and reason."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.importing import run as importing
from gateway.importing.kinds import KINDS
from gateway.importing.rows import Unreadable
from gateway.importing.run import Imported
from gateway.pipe import Unreachable
from tests.e2e.engine_in_process import InProcess

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def imported(
    running: InProcess, what: str, path: Path, progress: Callable[[int], None] = lambda _: None
) -> Imported:
    report = path.with_suffix(".refused.csv")
    work = importing.run(running.url, path, KINDS[what], None, report, progress)
    return asyncio.run(work)


def test_a_shop_is_imported(running: InProcess, fresh: Fresh, tmp_path: Path) -> None:
    node, skus = fresh("node"), [fresh("sku") for _ in range(30)]
    nodes = write(tmp_path / "nodes.csv", {"node": node, "kind": "store", "zone": "Z", "name": "N"})
    assert imported(running, "nodes", nodes).rows == 1
    articles = write(tmp_path / "skus.csv", *({"sku": sku, "weight_grams": 5} for sku in skus))
    assert imported(running, "skus", articles).rows == 30
    rows = [{"sku": sku, "node": node, "on_hand": n} for n, sku in enumerate(skus)]
    stock = write(tmp_path / "stock.csv", *rows)
    done = imported(running, "positions", stock)
    assert (done.rows, done.refused, done.repeated) == (30, 0, False)
    assert imported(running, "positions", stock).repeated
    lanes = write(tmp_path / "lanes.csv", {
        "node": node, "zone": fresh("zone"), "fixed_cents": 10, "per_kg_cents": 1,
        "transit_hours": 24.5, "cutoff": "17:00",
    })  # fmt: skip
    assert imported(running, "lanes", lanes).rows == 1
    with httpx.Client(base_url=running.url) as http:
        found = http.get(f"/v1/stock/{skus[7]}").json()["positions"]
        assert [(at["node"], at["on_hand"]) for at in found] == [(node, 7)]
        assert http.get(f"/v1/skus/{skus[0]}").json()["weight_grams"] == 5


def test_many_rows_go_on_where_they_stopped(
    running: InProcess, http: httpx.Client, fresh: Fresh, stocked: Stocked, tmp_path: Path
) -> None:
    skus = [stocked(n1=0, n2=0) for _ in range(20)]
    nodes = [fresh("node") for _ in range(250)]
    for node in nodes:
        assert http.put(f"/v1/nodes/{node}", json={"kind": "store"}).status_code == 200
    rows = [{"sku": sku, "node": node, "delta": 3} for sku in skus for node in nodes]
    path = write(tmp_path / "stock.csv", *rows)

    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        if done >= 2_000:
            raise Stopped

    with pytest.raises(BaseExceptionGroup):
        imported(running, "positions", path, stop)
    done = imported(running, "positions", path)
    assert (done.rows, done.refused) == (5_000, 0)
    for sku in skus[:3]:
        found = http.get(f"/v1/stock/{sku}").json()["positions"]
        assert sum(at["on_hand"] for at in found) == 3 * len(nodes)  # Nothing counted twice.


def test_refused_rows_are_told_with_line_and_reason(
    running: InProcess, stocked: Stocked, tmp_path: Path
) -> None:
    sku = stocked(n1=1, n2=1)
    path = write(
        tmp_path / "stock.csv",
        {"sku": sku, "node": "n1", "on_hand": "4"},
        {"sku": sku, "node": "n2", "on_hand": "many"},
        {"sku": "never", "node": "n1", "on_hand": "4"},
        {"sku": sku, "node": "?", "on_hand": "4"},
        {"sku": sku, "node": "n2", "on_hand": "9"},
    )
    done = imported(running, "positions", path)
    assert (done.rows, done.refused) == (3, 3)
    with Path(str(done.refusals)).open() as file:
        told = {int(row["line"]): row["reason"] for row in csv.DictReader(file)}
    assert sorted(told) == [3, 4, 5]
    assert "on_hand" in told[3]
    assert told[4] == "Unknown SKU: never"
    assert told[5].startswith("node: ")


def test_parquet_too(running: InProcess, stocked: Stocked, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sku = stocked(n1=1, n2=1)
    table = arrow.table({"sku": [sku, sku], "node": ["n1", "n2"], "on_hand": [7, 8]})
    path = tmp_path / "stock.parquet"
    parquet.write_table(table, path)
    assert imported(running, "positions", path).rows == 2


def test_what_cannot_be_read_or_reached(running: InProcess, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_bytes(b"sku,node\na,b,c\n")
    with pytest.raises(Unreadable, match="line 2"):
        imported(running, "positions", path)
    path.write_bytes(b"sku,node,on_hand\na,b,1\n")
    work = importing.run("http://127.0.0.1:9", path, KINDS["positions"], None, path, lambda _: None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gateway.sending.TRIES_MAX", 1)
        with pytest.raises(Unreachable):
            asyncio.run(work)
