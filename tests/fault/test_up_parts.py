"""``tidegate up`` with each kind of store and two workers: its parts may end at any time."""

import contextlib
import os
import signal
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from bench.processes import Child, module
from tests.builders import binary_or_skip
from tests.fault.test_up import all_gone, tree
from tests.replicas import Pair

_PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.05


class Shop:
    """A running ``tidegate up`` with units of one SKU, and the keys that were acknowledged."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.url = child.ready_line().split()[-1]
        self.held: list[str] = []

    def parts(self, *words: str) -> dict[int, psutil.Process]:
        """Its living processes whose command has one of these words, by id."""
        found = {}
        for process in tree(self.child):
            with contextlib.suppress(psutil.NoSuchProcess):
                command = " ".join(process.cmdline())
                if any(word in command for word in words):
                    found[process.pid] = process
        return found

    def workers(self) -> dict[int, psutil.Process]:
        """Gateway workers."""
        return self.parts("gateway.worker")

    def listening(self) -> int:
        """How many workers accept connections on the port."""
        port = int(self.url.rsplit(":", 1)[1])
        sockets = [each for worker in self.workers().values() for each in worker.net_connections()]
        return sum(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)

    def store(self) -> dict[int, psutil.Process]:
        """The store's server."""
        return self.parts("valkey-server", "redis-server")

    def ray(self) -> dict[int, psutil.Process]:
        """What Ray runs from its own folder. Not imported: that reads the environment, once."""
        return self.parts(f"{sysconfig.get_path('platlib')}/ray/")

    def surely(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The definite answer; over a connection of its own, so that any worker may give it."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.request(method, self.url + path, json=body, timeout=10)
                if answer.status_code not in (429, 503):
                    return answer
            assert time.monotonic() < until, f"{path}: no definite answer"
            time.sleep(_PAUSE_S)

    def found(self, units: int) -> None:
        """A node, a SKU, and units of it."""
        self.surely("PUT", "/v1/nodes/n1", {"kind": "store"})
        self.surely("PUT", "/v1/skus/A", {})
        row = {"sku": "A", "node": "n1", "delta": units}
        body = {"reference": "founding", "adjustments": [row]}
        assert self.surely("POST", "/v1/stock/adjustments", body).status_code == 200

    def sell(self, count: int) -> None:
        """Hold so many units, each under a key of its own."""
        for _ in range(count):
            key = f"k{len(self.held)}"
            body = {"id": key, "lines": [{"sku": "A", "quantity": 1}]}
            assert self.surely("POST", "/v1/reservations", body).status_code in (200, 201)
            self.held.append(key)

    def nothing_is_missing(self) -> None:
        """Every acknowledged hold is there, once, and the books balance."""
        for key in self.held:
            found = self.surely("GET", f"/v1/reservations?key={key}")
            assert (found.status_code, found.json()["status"]) == (200, "held")
        (position,) = self.surely("GET", "/v1/stock/A").json()["positions"]
        assert position["reserved"] == len(self.held)
        audit = self.surely("POST", "/v1/audit").json()
        assert audit["clean"], audit["findings"]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that is another process' event."""
    patience = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < patience, what
        time.sleep(_PAUSE_S)


@contextlib.contextmanager
def up(data: Path, *options: str) -> Iterator[Shop]:
    """A shop that is ready; it ends well, and nothing of it is left."""
    command = module("gateway.cli", "up", "--port", "0", "--data", str(data), *options)
    with Child(command) as child:
        shop = Shop(child)
        yield shop
        processes = tree(child)
        os.kill(child.pid, signal.SIGTERM)
        assert child.process.wait(30) == 0, child.tail()
        all_gone(processes)


def replaced(shop: Shop, parts: Callable[[], dict[int, psutil.Process]]) -> None:
    """Kill one of some parts, and wait for another in its place."""
    before = parts()
    victim = next(iter(before))
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in parts() and len(parts()) == len(before), "nobody is in its place")


def ready(shop: Shop) -> bool:
    """Whether a worker says so."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{shop.url}/readyz", timeout=10).status_code == 200
    return False


@pytest.mark.parametrize("store", ["system", pytest.param("embedded", marks=pytest.mark.slow)])
def test_workers_and_store_are_started_again(tmp_path: Path, store: str) -> None:
    """One by one and together: what was acknowledged before, between and behind is there."""
    binary_or_skip(store)
    with up(tmp_path / "data", "--workers", "2", "--store", store) as shop:
        assert len(shop.workers()) == 2
        assert len(shop.store()) == 1
        # Ray has what hosts need, and nothing that costs them a core while they load.
        until(
            lambda: shop.parts("raylet/raylet", "gcs/gcs_server").keys() == shop.ray().keys(),
            "Ray runs more",
        )
        until(lambda: shop.listening() == 2, "one worker does not serve")
        shop.found(units=1_000)
        shop.sell(20)
        for _ in range(2):
            replaced(shop, shop.workers)
            shop.sell(20)
        replaced(shop, shop.store)
        shop.sell(20)
        for pid in [*shop.workers(), *shop.store()]:
            os.kill(pid, signal.SIGKILL)
        shop.sell(20)
        until(lambda: shop.listening() == 2 and ready(shop), "not ready again")
        shop.nothing_is_missing()


def test_a_store_that_somebody_else_runs(tmp_path: Path) -> None:
    """By its URL, at a level with a second copy: without it that is said, and nothing lost."""
    pair = Pair("embedded", tmp_path / "pair")
    try:
        options = ("--store", pair.url, "--durability", "replicated")
        with up(tmp_path / "data", *options) as shop:
            assert not shop.store(), "it runs one of its own"
            shop.found(units=1_000)
            shop.sell(10)
            with pair.paused():
                body = {"id": "weaker", "lines": [{"sku": "A", "quantity": 1}]}
                answer = httpx.post(f"{shop.url}/v1/reservations", json=body, timeout=10)
                assert answer.status_code == 503
                assert answer.json()["type"] == "/problems/durability-not-met"
                assert answer.json()["outcome"] == "applied"
            assert shop.surely("POST", "/v1/reservations", body).status_code == 200
            shop.held.append("weaker")
            shop.sell(10)
            shop.nothing_is_missing()
        with up(tmp_path / "data", *options) as again:
            again.held = shop.held
            again.nothing_is_missing()
    finally:
        pair.stop()


@pytest.mark.slow
def test_the_later_of_two_on_one_store_rules_and_the_earlier_says_so(tmp_path: Path) -> None:
    """``/readyz`` of the earlier names the reason; its callers hear that nothing was done."""
    pair = Pair("embedded", tmp_path / "pair")
    try:
        with up(tmp_path / "one", "--store", pair.url) as earlier:
            earlier.found(units=100)
            earlier.sell(10)
            with up(tmp_path / "two", "--store", pair.url) as later:
                later.held = list(earlier.held)
                later.sell(10)
                body = {"id": "refused", "lines": [{"sku": "A", "quantity": 1}]}
                answer = httpx.post(f"{earlier.url}/v1/reservations", json=body, timeout=10)
                assert (answer.status_code, answer.json()["outcome"]) == (503, "none")
                until(lambda: not ready(earlier), "the earlier one still calls itself ready")
                told = httpx.get(f"{earlier.url}/readyz", timeout=10).json()
                assert any("another Tidegate" in reason for reason in told["reasons"])
                later.sell(10)
                assert ready(later)
                later.nothing_is_missing()
    finally:
        pair.stop()
