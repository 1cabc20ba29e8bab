"""A live room from its declaration to its report: 20,000 buyers for 5,000 units from everywhere."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from bench.client import ask, request
from tests.e2e.engine_in_process import InProcess

BUYERS = 20_000
DECLARED = 5_000
PAID = 4_500


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def bought(port: int, buyer: Callable[[int], bytes]) -> list[tuple[int, bytes]]:
    """What each buyer is told in the end: whoever is put off comes again."""
    answers: dict[int, tuple[int, bytes]] = {}
    wanted = list(range(BUYERS))
    while wanted:
        told = asyncio.run(ask(("127.0.0.1", port), [buyer(n) for n in wanted], 256))
        answers.update(zip(wanted, told, strict=True))
        wanted = [n for n in wanted if answers[n][0] in (429, 503)]
    return [answers[n] for n in range(BUYERS)]


def test_five_thousand_units_for_twenty_thousand_buyers(
    running: InProcess, http: httpx.Client, fresh: Callable[[str], str]
) -> None:
    """4,200 on hand, 600 on order, 200 in transfer; nothing oversold, the rest back."""
    sku, drop, main, other = fresh("sku"), fresh("drop"), fresh("dc"), fresh("dc")

    def done(method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = http.request(method, path, json=body or {}, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    done("PUT", f"/v1/skus/{sku}")
    for node in (main, other):
        done("PUT", f"/v1/nodes/{node}", {"kind": "warehouse"})
    rows = [{"sku": sku, "node": node, "on_hand": n} for node, n in ((main, 4_200), (other, 300))]
    done("POST", "/v1/stock/adjustments", {"reference": fresh("ref"), "adjustments": rows})
    order, transfer = fresh("po"), fresh("tr")
    done("POST", "/v1/supplies", {"id": order, "kind": "purchase_order", "sku": sku, "node": main,
                                  "quantity": 600, "available_at": at(20)})  # fmt: skip
    done("POST", "/v1/transfers", {"id": transfer, "sku": sku, "from_node": other,
                                   "to_node": main, "quantity": 200,
                                   "available_at": at(4)})  # fmt: skip
    campaign = {"starts_at": at(-1), "ends_at": at(1), "include_supplies": True, "nodes": [main],
                "items": [{"sku": sku, "quantity": DECLARED}], "limit_per_customer": 2,
                "hold_seconds": 300, "channel": "live"}  # fmt: skip
    done("PUT", f"/v1/campaigns/{drop}", campaign)
    preview = done("POST", f"/v1/campaigns/{drop}/preview")["items"][0]
    assert [(source["supply"], source["quantity"]) for source in preview["backings"]] == [
        (None, 4_200), (transfer, 200), (order, 600),
    ]  # fmt: skip
    done("POST", f"/v1/campaigns/{drop}/open")

    def buyer(number: int) -> bytes:
        line = {"sku": sku, "quantity": 1}
        body = {"id": f"{drop}-{number}", "lines": [line], "campaign": drop, "channel": "live",
                "customer": f"c{number}"}  # fmt: skip
        return request("POST", "/v1/reservations", json.dumps(body).encode())

    answers = bought(running.port, buyer)
    statuses = Counter(status for status, _ in answers)
    assert statuses == {201: DECLARED, 409: BUYERS - DECLARED}
    held = [json.loads(body) for status, body in answers if status == 201]
    assert len({reservation["id"] for reservation in held}) == DECLARED
    ids = [reservation["id"] for reservation in held]
    for first in range(0, PAID, 1_500):
        done("POST", "/v1/reservations:confirm", {"ids": ids[first : first + 1_500]})
    done("POST", "/v1/reservations:release", {"ids": ids[PAID:]})
    counters = done("GET", f"/v1/campaigns/{drop}")["counters"]
    assert (counters["reserved"], counters["confirmed"], counters["left"]) == (0, PAID, 500)
    done("POST", f"/v1/campaigns/{drop}/close")
    item = done("GET", f"/v1/campaigns/{drop}/report")["items"][0]
    assert (item["sold"], item["returned"], item["oversold"]) == (PAID, DECLARED - PAID, 0)
    done("POST", f"/v1/supplies/{transfer}/receive", {"quantity": 200},
         **{"Idempotency-Key": fresh("note")})  # fmt: skip
    told = done("POST", f"/v1/supplies/{order}/receive", {"quantity": 600},
                **{"Idempotency-Key": fresh("note")})  # fmt: skip
    assert told["shortfalls"] == []
    stock = done("GET", f"/v1/stock/{sku}")
    assert sum(place["on_hand"] for place in stock["positions"]) == 5_100
    assert sum(place["committed"] for place in stock["positions"]) == PAID
    assert sum(place["sellable"] for place in stock["positions"]) == 600
    assert done("POST", "/v1/audit")["clean"] is True
