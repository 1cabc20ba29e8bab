"""The product as its users get it: ``tidegate up`` as a child, stocked over HTTP."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Final

from bench.client import ask, request
from bench.load import Address
from bench.processes import CannotStart, Child, module

#: The one place that stock lies at, unless a scenario brings its own network.
NODE: Final = "main"
#: How often, and after what pause, a request is repeated that a busy product has put off.
_TRIES: Final = 50
_PAUSE_S: Final = 0.2
#: Rows of one adjustment request.
_ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How the product is started."""

    durability: str = "fsync"
    actors: int = 2
    shards: int = 8
    workers: int = 1
    options: tuple[str, ...] = ()  # Further options of ``tidegate up``.

    def arguments(self, data: str) -> list[str]:
        """The command line."""
        return module(
            "gateway.cli", "up", "--port", "0", "--data", data, "--durability", self.durability,
            "--actors", str(self.actors), "--shards", str(self.shards),
            "--workers", str(self.workers), *self.options,
        )  # fmt: skip


class Product:
    """A running ``tidegate up`` over an empty store. Gone, with its data, after the block."""

    def __init__(self, setup: Setup, data: str | None = None) -> None:
        """``data``: a directory to use and leave; None: a fresh one."""
        self.setup = setup
        self.data = data or tempfile.mkdtemp(prefix="bench-tidegate-")
        self._keeps_data = data is not None
        began = perf_counter()
        self._child = Child(setup.arguments(self.data))
        self.address: Address = ("127.0.0.1", self._child.port())
        self.ready_s = perf_counter() - began

    def __enter__(self) -> "Product":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.stop()
        if not self._keeps_data:
            shutil.rmtree(self.data, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of ``tidegate up``; what it runs are its descendants."""
        return self._child.pid


async def fill(address: Address, stock: Mapping[str, int]) -> None:
    """Define one node and these SKUs, and put that many units of each there."""
    node = request("PUT", f"/v1/nodes/{NODE}", b'{"kind":"warehouse"}')
    await expect(address, [node])
    await expect(address, [request("PUT", f"/v1/skus/{sku}", b"{}") for sku in stock])
    await adjust(address, "bench", [(sku, NODE, units) for sku, units in stock.items()])


async def adjust(address: Address, name: str, rows: Sequence[tuple[str, str, int]]) -> None:
    """Count stock: (sku, node, on_hand) rows, under references that begin with ``name``."""
    requests = []
    for begin in range(0, len(rows), _ROWS_MAX):
        body = {
            "reference": f"{name}-{begin}",
            "adjustments": [
                {"sku": sku, "node": node, "on_hand": units}
                for sku, node, units in rows[begin : begin + _ROWS_MAX]
            ],
        }
        requests.append(_slow("POST", "/v1/stock/adjustments", body))
    for answer in await expect(address, requests, connections=2):
        refused = [row for row in answer["results"] if row["status"] != 200]
        if refused:
            raise CannotStart(f"stock was refused: {refused[0]}")


async def expect(address: Address, requests: Sequence[bytes], connections: int = 32) -> list[Any]:
    """Send them all; the decoded bodies. What a busy product puts off is sent again.

    Raises ``CannotStart`` at the first answer that is no 2xx in the end.
    """
    answers = await ask(address, requests, connections)
    for _ in range(_TRIES):
        busy = [at for at, (status, _) in enumerate(answers) if status in (429, 503)]
        if not busy:
            break
        await asyncio.sleep(_PAUSE_S)
        again = await ask(address, [requests[at] for at in busy], connections)
        for at, answer in zip(busy, again, strict=True):
            answers[at] = answer
    for sent, (status, body) in zip(requests, answers, strict=True):
        if not 200 <= status < 300:
            line = sent.split(b"\r\n", 1)[0].decode()
            raise CannotStart(f"{line}: {status} {body[:300].decode(errors='replace')}")
    return [json.loads(body) for _, body in answers]


def _slow(method: str, path: str, body: object) -> bytes:
    """A request that may take long: 10,000 rows do not fit into the usual two seconds."""
    return request(method, path, json.dumps(body).encode(), "X-Deadline-Ms: 30000\r\n")
