"""A whole engine with nothing left out: Ray, the embedded store, two hosts, a gateway worker."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import uvloop

from actors.client import Client
from actors.cluster import RayHost, start_ray, stop_ray
from actors.supervisor import Supervisor
from engine import commands
from engine.commands import Command, Reply
from engine.ids import digest, shard_of
from engine.outcome import Outcome
from engine.record import Durability, Line
from engine.requests import Reserve
from engine.store.keys import key as store_key
from engine.store.redis import client as redis_client
from engine.store.server import StoreServer, find_binary
from engine.store.setup import prepare
from tests.builders import put_node
from tests.cluster import until

T = TypeVar("T")

SHARDS: Final = 8
HOSTS: Final = 2
HOLD_MS: Final = 900_000
LEVEL: Final = Durability.FSYNC
#: Answers after which nobody knows, or nothing was done: the same key is sent again.
AGAIN: Final = frozenset(
    {Outcome.OVERLOADED, Outcome.UNAVAILABLE, Outcome.LOST, Outcome.IN_PROGRESS, Outcome.CONTENDED}
)
_PATIENCE_S: Final = 30.0
_START_S: Final = 60.0
_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """A name nobody has used."""
    return f"{prefix}-{next(_numbers)}"


def skus_over(shards: int) -> list[str]:
    """Fresh SKUs, each on a shard of its own."""
    found: dict[int, str] = {}
    while len(found) < shards:
        sku = fresh("sku")
        found.setdefault(shard_of(sku, SHARDS), sku)
    return sorted(found.values())


class Real:
    """What a test may use and break. All of it runs on one loop, in a thread of its own."""

    def __init__(self) -> None:
        self._temp = tempfile.TemporaryDirectory(prefix="tg-")
        self.folder = Path(self._temp.name)
        self.store = StoreServer(find_binary("embedded"), self.folder / "data", LEVEL)
        self.hosts: dict[str, RayHost] = {}
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.worker: asyncio.subprocess.Process | None = None

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 120.0) -> T:
        """What a coroutine returns."""

        async def bounded() -> T:
            async with asyncio.timeout(seconds):
                return await work

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()

    # Life

    async def start(self) -> None:
        """Everything but the gateway; ready when this returns."""
        starting_ray = asyncio.create_task(asyncio.to_thread(start_ray, self.folder / "ray"))
        await self.store.start()
        await prepare(self.store.admin_url, SHARDS, LEVEL)
        await starting_ray
        control = self.folder / "control.sock"
        self.supervisor = Supervisor(SHARDS, LEVEL, control, self._spawn, hosts=HOSTS)
        await self.supervisor.start()
        self.client = Client(str(control))
        await self.client.start()
        reply = await put_node(self.client, "w1", {"kind": "warehouse"}, self.deadline(10))
        assert reply[0] == Outcome.OK, reply

    def _spawn(self, name: str) -> RayHost:
        host = RayHost(name, SHARDS, self.store.url, LEVEL, self.folder)
        self.hosts[name] = host
        return host

    async def stop(self) -> None:
        """Leave nothing behind."""
        if self.worker is not None:
            await self.kill_worker()
        await self.client.stop()
        await self.supervisor.stop()
        await asyncio.to_thread(stop_ray)
        await self.store.stop()

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._temp.cleanup()

    # The gateway

    async def start_worker(self) -> None:
        """A gateway worker process; the same port each time."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self.worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.worker",
            str(self.folder / "control.sock"), str(self.port),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(_START_S):
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    async with Http(self.port) as http:
                        if (await http.send("GET", "/readyz")).status == 200:
                            return
                await asyncio.sleep(0.05)

    async def kill_worker(self) -> None:
        """As a crash would: requests in flight get no answer."""
        assert self.worker is not None
        self.worker.kill()
        await self.worker.wait()
        self.worker = None

    # Owners

    async def pid_of(self, sku: str) -> int:
        """The process that owns a SKU's shard."""
        owner = self.supervisor.map.owners[shard_of(sku, SHARDS)]
        assert owner is not None
        return await self.hosts[owner].pid()

    async def kill_owner(self, sku: str) -> None:
        """SIGKILL."""
        os.kill(await self.pid_of(sku), signal.SIGKILL)

    async def whole(self) -> None:
        """Wait until every shard is served again by as many hosts as there should be."""
        supervisor = self.supervisor
        await until(lambda: not supervisor.reasons() and len(supervisor._hosts) == HOSTS, _START_S)

    # The store

    async def ask_store(self, *words: Any) -> Any:
        """What the store answers its administrator."""
        admin = redis_client(self.store.admin_url)
        try:
            return await admin.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await admin.aclose()

    async def epoch_of(self, sku: str) -> int:
        """The epoch of a SKU's shard: it grows with every right that is given."""
        return int(await self.ask_store("HGET", store_key(shard_of(sku, SHARDS), "meta"), "epoch"))

    # Commands

    def deadline(self, seconds: float = 2.0) -> float:
        """A deadline."""
        return asyncio.get_running_loop().time() + seconds

    async def stock(self, *skus: str, units: int) -> None:
        """Define SKUs and put units of each at ``w1``."""
        for sku in skus:
            define = commands.define_sku(sku, [sku, 0, None])
            reply = await self.client.call(shard_of(sku, SHARDS), define, self.deadline(10))
            assert reply[0] == Outcome.OK, reply
        rows: list[list[Any]] = [[sku, "w1", units, None, None, None] for sku in skus]
        told = await self.client.adjust(fresh("fill"), b"f" * 16, rows, self.deadline(10))
        assert not told[0], told

    async def call(self, sku: str, command: Command, seconds: float = 2.0) -> Reply:
        """One command, once."""
        return await self.client.call(shard_of(sku, SHARDS), command, self.deadline(seconds))

    async def surely(self, sku: str, command: Command) -> Reply:
        """One command, until it has a definite answer."""
        patience = self.deadline(_PATIENCE_S)
        while True:
            reply = await self.call(sku, command)
            if reply[0] not in AGAIN or self.deadline(0) > patience:
                return reply
            await asyncio.sleep(0.02)

    async def position(self, sku: str) -> dict[str, int]:
        """On hand, reserved, committed and sellable units at ``w1``, by the owner."""
        reply = await self.surely(sku, commands.stock(sku))
        row = next(row for row in reply[2] if row[1] == "w1")
        return {"on_hand": row[2], "reserved": row[4], "committed": row[5], "sellable": row[7]}

    async def audit_is_clean(self) -> None:
        """Owners and store agree about everything."""
        audit = await self.client.audit()
        assert audit.clean, audit.findings


def hold(key: str, sku: str, units: int = 1) -> Command:
    """Hold units of one SKU."""
    lines: list[Line] = [[sku, None, units]]
    return commands.reserve(key, digest(lines, HOLD_MS, None), lines, HOLD_MS)


def basket(key: str, *lines: Line) -> Reserve:
    """Hold units of several SKUs."""
    full = [list(line) for line in lines]
    return Reserve(key, digest(full, HOLD_MS, None), full, HOLD_MS, None, False)


class Crowd:
    """Buyers who repeat the same key until they know, and what each was told."""

    def __init__(self, real: Real, sku: str, client: Client | None = None) -> None:
        self.real = real
        self.sku = sku
        self._client = client or real.client
        self.told: dict[str, Reply] = {}
        self.repeats = 0
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, buyers: int) -> None:
        """Each buys one unit after another until ``stop``."""
        self._tasks = [asyncio.create_task(self._buy()) for _ in range(buyers)]

    async def some(self, more: int) -> None:
        """Wait for so many more definite answers."""
        wanted = len(self.told) + more
        await until(lambda: len(self.told) >= wanted, _PATIENCE_S)

    async def stop(self) -> None:
        """Everybody gets his answer."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _buy(self) -> None:
        while not self._stop.is_set():
            key = fresh("k")
            self.told[key] = await self.buy(key)

    async def buy(self, key: str) -> Reply:
        """The definite answer to one request."""
        shard, command = shard_of(self.sku, SHARDS), hold(key, self.sku)
        patience = self.real.deadline(_PATIENCE_S)
        while True:
            reply = await self._client.call(shard, command, self.real.deadline())
            if reply[0] not in AGAIN:
                return reply
            assert self.real.deadline(0) < patience, f"{key}: still {Outcome(reply[0]).name}"
            self.repeats += 1
            await asyncio.sleep(0.02)

    async def nothing_is_missing(self) -> None:
        """Every acknowledged hold is there, and nothing else holds units."""
        held = [key for key, reply in self.told.items() if reply[0] in (0, 1)]
        refused = {Outcome(reply[0]) for reply in self.told.values() if reply[0] not in (0, 1)}
        assert refused <= {Outcome.SHORT}
        for key in held:
            reply = await self.real.surely(self.sku, commands.read(key))
            assert reply[0] == Outcome.OK, f"{key} was acknowledged and is not there"
        assert (await self.real.position(self.sku))["reserved"] == len(held)
        await self.real.audit_is_clean()


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one HTTP request."""

    status: int
    body: Any


class Http:
    """One connection to the gateway, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Http":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def send(self, method: str, path: str, body: Any = None) -> Answer:
        """``IncompleteReadError`` or ``OSError`` where the gateway ends before it has answered."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(data)}\r\n\r\n"
        self._writer.write(head.encode() + data)
        first, *headers = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        size = next(int(h.split(":")[1]) for h in headers if h.lower().startswith("content-len"))
        text = await self._reader.readexactly(size)
        return Answer(int(first.split()[1]), json.loads(text) if text else None)

    async def reserve(self, key: str, sku: str, units: int = 1) -> Answer:
        """Hold units of one SKU."""
        return await self.basket(key, [sku], units)

    async def basket(self, key: str, skus: list[str], units: int = 1) -> Answer:
        """Hold so many units of each SKU."""
        body = {"id": key, "lines": [{"sku": sku, "quantity": units} for sku in skus]}
        return await self.send("POST", "/v1/reservations", body)


def running() -> Iterator[Real]:
    """A running engine; gone behind the ``yield``."""
    real = Real()
    real.run(real.start())
    yield real
    real.run(real.stop())
    real.close()
