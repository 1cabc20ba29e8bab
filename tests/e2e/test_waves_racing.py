"""Waves while buyers buy, cancel and are shipped to: no unit is ever promised twice."""

import random
import threading
from typing import Any

import httpx
import pytest

from tests.e2e.engine_in_process import in_process
from tests.e2e.test_waves import found, wave

SKUS = [f"R{number}" for number in range(6)]
FIXED = {
    "n1": {"z1": 100, "z2": 700},
    "n2": {"z1": 400, "z2": 300},
    "n3": {"z1": 900, "z2": 100},
}
BUYERS = 4


@pytest.fixture(scope="module")
def url() -> Any:
    """An engine of its own."""
    for running in in_process():
        yield running.url


def buy(url: str, seed: int, stop: threading.Event, failed: list[str]) -> None:
    """Reserve, pay, ship a part, cancel, at random, until told to stop."""
    rng = random.Random(seed)
    paid: list[Any] = []
    with httpx.Client(base_url=url, timeout=10) as http:
        number = 0
        while not stop.is_set():
            number += 1
            skus = rng.sample(SKUS, rng.randint(1, 3))
            body = {
                "id": f"b{seed}-{number}",
                "lines": [{"sku": sku, "quantity": 1} for sku in skus],
                "destination": {"zone": rng.choice(("z1", "z2"))},
            }
            answer = http.post("/v1/reservations", json=body)
            if answer.status_code == 201:
                at = f"/v1/reservations/{answer.json()['id']}"
                http.post(f"{at}/confirm")
                paid.append(at)
            elif answer.status_code not in (409, 429, 503):
                failed.append(answer.text)
            if len(paid) > 3:
                at = paid.pop(rng.randrange(len(paid)))
                if rng.random() < 0.3:
                    http.post(f"{at}/fulfil", headers={"Idempotency-Key": f"p{seed}-{number}"})
                else:
                    http.post(f"{at}/cancel")


def test_no_unit_is_promised_twice_while_waves_move_and_buyers_buy(url: str) -> None:
    stop, failed = threading.Event(), list[str]()
    with httpx.Client(base_url=url, timeout=10) as http:
        found(http, {sku: {"n1": 6, "n2": 6, "n3": 6} for sku in SKUS}, FIXED)
        buyers = [
            threading.Thread(target=buy, args=(url, seed, stop, failed)) for seed in range(BUYERS)
        ]
        for buyer in buyers:
            buyer.start()
        try:
            waves = [wave(http, max_seconds=1) for _ in range(3)]
        finally:
            stop.set()
            for buyer in buyers:
                buyer.join()
        assert failed == []
        assert [one["state"] for one in waves] == ["done"] * 3
        told = http.post("/v1/audit", params={"events": "true"}).json()
        assert told["clean"], told
        for sku in SKUS:
            for at in http.get(f"/v1/stock/{sku}").json()["positions"]:
                assert at["reserved"] + at["committed"] <= at["on_hand"], (sku, at)
