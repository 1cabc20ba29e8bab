"""A shop of two dicts behind the reservation contract, for tests of the bench; it can lie.

``FORGETS``: acknowledges every hundredth reservation without keeping it, ``FORGETS_PAYMENTS``
every hundredth payment. ``OVERSELLS``: never says that a SKU is gone.
"""

import asyncio
import json
import re
import sys
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote


class Lie(Enum):
    """What the shop does wrong."""

    NONE = "none"
    FORGETS = "forgets"
    FORGETS_PAYMENTS = "forgets-payments"
    OVERSELLS = "oversells"


class Shop:
    """Stock and reservations of one process."""

    def __init__(self, lie: Lie = Lie.NONE) -> None:
        self._lie = lie
        self._on_hand: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        self._held: dict[str, Any] = {}
        self._paid: set[str] = set()
        self._count = 0

    def answer(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any]:
        """(status, body) of one request."""
        if path == "/v1/reservations":
            return self._reserve(key, body)
        if path == "/v1/reservations:batch":
            answers = [self._reserve(row["id"], row) for row in body["reservations"]]
            return 200, {"results": [{"status": status, "body": b} for status, b in answers]}
        if path.endswith("/confirm"):
            return self._confirm(path.split("/")[3])
        if path == "/v1/stock/adjustments":
            return 200, {"results": [self._adjust(row) for row in body["adjustments"]]}
        if path.startswith("/v1/stock/"):
            return 200, self._stock(unquote(path.removeprefix("/v1/stock/")))
        if path == "/v1/audit":
            return 200, {"clean": True, "shards": [], "findings": []}
        return 200, {}

    def _reserve(self, key: str, body: Any) -> tuple[int, Any]:
        lines = {line["sku"]: line["quantity"] for line in body["lines"]}
        if key in self._held:
            status = "confirmed" if key in self._paid else "held"
            answer = {"id": f"000.{key}", "status": status}
            return (200, answer) if self._held[key] == lines else (422, {})
        short = [sku for sku, units in lines.items() if self._free(sku) < units]
        if short and self._lie is not Lie.OVERSELLS:
            return 409, {"type": "/problems/sold-out"}
        self._count += 1
        if self._lie is Lie.FORGETS and self._count % 100 == 0:
            return 201, {"id": f"000.{key}", "status": "held"}
        for sku, units in lines.items():
            self._reserved[sku] = self._reserved.get(sku, 0) + units
        self._held[key] = lines
        return 201, {"id": f"000.{key}", "status": "held"}

    def _confirm(self, name: str) -> tuple[int, Any]:
        self._count += 1
        if self._lie is not Lie.FORGETS_PAYMENTS or self._count % 100:
            self._paid.add(name.removeprefix("000."))
        return 200, {"id": name, "status": "confirmed"}

    def _free(self, sku: str) -> int:
        return self._on_hand.get(sku, 0) - self._reserved.get(sku, 0)

    def _adjust(self, row: Any) -> Any:
        self._on_hand[row["sku"]] = row["on_hand"]
        return {"status": 200, "body": {}}

    def _stock(self, sku: str) -> Any:
        position = {"on_hand": self._on_hand[sku], "reserved": self._reserved.get(sku, 0)}
        return {"sku": sku, "positions": [{**position, "committed": 0}], "supplies": []}


class Door(asyncio.Protocol):
    """Just enough HTTP for the bench's client."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            size = end + 4 + int(length[1] if length else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            method, path, _ = head.split(" ", 2)
            key = re.search(r"(?i)idempotency-key: (\S+)", head)
            status, answer = self._shop.answer(
                method, path, key[1] if key else "", json.loads(body or b"{}")
            )
            text = json.dumps(answer, separators=(",", ":")).encode()
            self._transport.write(
                b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(text), text)
            )


async def open_shop(lie: Lie = Lie.NONE, port: int = 0) -> asyncio.Server:
    """A shop on a loopback port."""
    shop: Final = Shop(lie)
    return await asyncio.get_running_loop().create_server(lambda: Door(shop), "127.0.0.1", port)


async def main() -> None:
    """Serve until ended, in the way of ``tidegate up``."""
    server = await open_shop(Lie(sys.argv[1] if len(sys.argv) > 1 else "none"))
    sys.stdout.write(f"ready http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
