"""What is on its way, over HTTP: short ways to say and to ask it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def instant(hours: float) -> str:
    at = datetime.now(UTC) + timedelta(hours=hours)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def announce(
    http: httpx.Client, name: str, sku: str, units: int, hours: float = 24, **more: Any
) -> httpx.Response:
    body = {"id": name, "kind": "purchase_order", "sku": sku, "node": "n1", "quantity": units,
            "available_at": instant(hours), **more}  # fmt: skip
    return http.post("/v1/supplies", json=body)


def receive(
    http: httpx.Client, name: str, units: int, key: str, *, final: bool = False
) -> httpx.Response:
    body = {"quantity": units, "final": final}
    headers = {"Idempotency-Key": key}
    return http.post(f"/v1/supplies/{name}/receive", json=body, headers=headers)


def hold(http: httpx.Client, sku: str, key: str, units: int = 1, **more: Any) -> httpx.Response:
    body = {"id": key, "lines": [{"sku": sku, "quantity": units}], **more}
    return http.post("/v1/reservations", json=body)


def backings(answer: httpx.Response) -> list[tuple[str, str | None, int]]:
    return [
        (at["node"], at["supply"], at["quantity"])
        for line in answer.json()["lines"]
        for at in line["backings"]
    ]


def again(http: httpx.Client, answer: httpx.Response) -> httpx.Response:
    return http.get(f"/v1/reservations/{answer.json()['id']}")


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def position(http: httpx.Client, sku: str, node: str) -> Any:
    found = http.get(f"/v1/stock/{sku}").json()["positions"]
    return next(row for row in found if row["node"] == node)
