"""Bid prices over HTTP: found from open orders, in force everywhere, seen in the next choice."""

import json
import time
from typing import Any

import httpx
import pytest

from gateway import cli_prices
from tests.e2e.engine_in_process import in_process
from tests.e2e.test_waves import found, nodes, order, wave


@pytest.fixture(scope="module")
def http() -> Any:
    """An engine of its own: prices concern all orders there are."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


@pytest.fixture(scope="module", autouse=True)
def wanted(http: httpx.Client) -> None:
    """Both zones want what is near; only the south has no other way that is not dear."""
    found(
        http,
        {"A": {"near": 8, "far": 100}},
        {"near": {"north": 100, "south": 100}, "far": {"north": 130, "south": 900}},
    )
    for number in range(3):
        order(http, f"n-{number}", "A", "north")
        order(http, f"s-{number}", "A", "south")


def priced(http: httpx.Client, **body: Any) -> Any:
    """What a run came to."""
    begun = http.post("/v1/prices", json=body)
    assert begun.status_code == 202, begun.text
    return over(http)


def over(http: httpx.Client) -> Any:
    """The prices once the run is over."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = http.get("/v1/prices").json()
        if told["run"] is not None and told["run"]["finished_at"] is not None:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_before_anybody_has_found_any_there_are_none(http: httpx.Client) -> None:
    told = http.get("/v1/prices").json()
    assert told == {"version": 0, "versions": [0], "nodes": [], "priced_skus": 0, "run": None}
    assert http.get("/v1/prices/A").json() == {"sku": "A", "version": 0, "units": []}


def test_scarce_units_are_kept_for_those_who_have_no_other_way(http: httpx.Client) -> None:
    """Two are left near, and as many more want them: the north leaves them alone."""
    told = priced(http, expected_orders=4)
    run = told["run"]
    assert run["reason"] is None
    assert told["versions"] == [run["version"]] == [told["version"]]
    assert (run["skus"], told["priced_skus"], run["expected_orders"]) == (1, 1, 4)
    (unit,) = http.get("/v1/prices/A").json()["units"]
    assert unit["node"] == "near"
    assert unit["unit_cents"] > 30
    made = order(http, "north-now", "A", "north", pay=False)
    (backing,) = made["lines"][0]["backings"]
    assert backing["node"] == "far"
    assert (backing["cost_cents"], backing["bid_price_cents"]) == (130, 0)
    assert backing["price_version"] == told["version"]
    south = order(http, "south-now", "A", "south", pay=False)
    (backing,) = south["lines"][0]["backings"]
    assert (backing["node"], backing["cost_cents"]) == ("near", 100)
    assert backing["bid_price_cents"] == unit["unit_cents"]


def test_the_command_line_finds_and_shows_them(
    http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(http.base_url).rstrip("/")
    assert cli_prices.find(url=url, orders=4, scenarios=2, as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["run"]["expected_orders"] == 4
    assert cli_prices.show_prices("A", url=url) == 0
    assert "near" in capsys.readouterr().out
    assert cli_prices.show_prices(None, url=url, as_json=True) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["version"] == told["version"]
    assert cli_prices.clear(url=url, as_json=True) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["priced_skus"] == 0


def test_prices_can_be_put_away(http: httpx.Client) -> None:
    told = http.delete("/v1/prices").json()
    assert (told["nodes"], told["priced_skus"]) == ([], 0)
    again = order(http, "north-later", "A", "north", pay=False)
    assert nodes(http, again) == ["near"]


def test_a_wave_is_followed_by_new_prices(http: httpx.Client) -> None:
    """Once it has moved what it had to."""
    before = http.get("/v1/prices").json()["run"]["started_at"]
    assert wave(http)["state"] == "done"
    until = time.monotonic() + 60
    while over(http)["run"]["started_at"] == before:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert over(http)["run"]["reason"] is None


@pytest.mark.parametrize(("body", "field"), [
    ({"expected_orders": 0}, "expected_orders"), ({"scenarios": 101}, "scenarios"),
    ({"seed": -1}, "seed"), ({"draws": 3}, "draws"),
])  # fmt: skip
def test_what_is_wrong_is_named(http: httpx.Client, body: dict[str, Any], field: str) -> None:
    told = http.post("/v1/prices", json=body)
    assert told.status_code == 422
    assert field in told.text


def test_a_sku_that_is_not_known_has_no_prices(http: httpx.Client) -> None:
    told = http.get("/v1/prices/never")
    assert (told.status_code, told.json()["type"]) == (404, "/problems/unknown-sku")
