"""Supervisor, hosts and client in one process, on a store that can be made to fail."""

import asyncio
import contextlib
import copy
import tempfile
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import uvloop

from actors.client import Client
from actors.host import HostCore
from actors.lane import LaneServer
from actors.supervisor import HostLost, Supervisor
from actors.waves.agenda import Automatic
from engine import commands
from engine.commands import Reply
from engine.effects import Sealed
from engine.errors import StoreLost, StoreRefused
from engine.ids import digest, shard_of
from engine.outcome import Outcome
from engine.record import Durability, Extra, Line
from engine.requests import Reserve
from engine.store.memory import MemoryServer, MemoryStore
from engine.store.protocol import Acquired, Right, ShardStore
from tests.builders import put_node

SHARDS = 4
HOLD_MS = 900_000


class FaultyStore(MemoryStore):
    """A connection that loses answers, refuses, or waits, as a test says."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self.lose_applied = 0  # Next so many commits are applied, their answers lost.
        self.lose_unsent = 0  # Next so many are lost on the way.
        self.refuse_with: str | None = None
        self.full = False  # It takes only commits that return units.
        self.gate: asyncio.Event | None = None  # Commits are answered once it is set.
        self.broken = False
        self.commits = 0
        self.alone = False  # No replica has what is written here.
        self._written = False

    async def copies(self) -> bool:
        """As a server counts: a connection that has written nothing waits for nothing."""
        if self.broken:
            raise StoreLost("cut")
        return not (self.alone and self._written)

    async def acquire(self, right: Right, term: int, owner: str) -> Acquired:
        self._written = True
        return await super().acquire(right, term, owner)

    def commit(self, right: Right, sealed: Sealed) -> "Future[None]":
        self.commits += 1
        if self.broken:
            return self._failed(StoreLost("cut"))
        if self.refuse_with is not None:
            return self._failed(StoreRefused(self.refuse_with, "as the test says"))
        if self.full and not sealed.returning:
            return self._failed(StoreRefused("OOM", "as the test says"))
        if self.lose_unsent:
            self.lose_unsent -= 1
            self.broken = True
            return self._failed(StoreLost("cut before"))
        self._written = True
        answer = super().commit(right, sealed)
        if self.lose_applied:
            self.lose_applied -= 1
            self.broken = True
            return self._failed(StoreLost("cut after"))
        return self._gated(answer)

    def check(self, right: Right, seq: int, head: bytes) -> "Future[None]":
        if self.broken:
            return self._failed(StoreLost("cut"))
        return self._gated(super().check(right, seq, head))

    def _failed(self, error: Exception) -> "Future[None]":
        future: Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    def _gated(self, answer: "Future[None]") -> "Future[None]":
        gate = self.gate
        if gate is None:
            return answer

        async def later() -> None:
            await gate.wait()
            await answer

        return asyncio.ensure_future(later())

    async def reconnect(self) -> None:
        self.broken = self._written = False


class LocalHost:
    """A shard host on the test's own loop; see ``actors.supervisor.Host``."""

    def __init__(
        self, name: str, server: MemoryServer, sockets: Path, level: Durability, waves: Automatic
    ) -> None:
        self.name = name
        self.address = str(sockets / f"{name}.sock")
        self.control = str(sockets / "control.sock")
        self.store = FaultyStore(server)
        self.core = HostCore(name, SHARDS, self.store, level, self._renew, waves=waves)
        self.client = Client(self.control)
        self._lane = LaneServer(Path(self.address), self.core.apply)
        self.dead = False
        self.supervisor: Supervisor | None = None

    async def _renew(self, name: str, shards: list[int]) -> list[Right]:
        assert self.supervisor is not None
        return [Right(*right) for right in self.supervisor._renew(name, shards)]

    async def started(self) -> None:
        await self._lane.start()
        await self.client.start()
        self.core.chores.begin(self.client)
        self.core.waves.begin(self.client)

    async def assign(self, right: Right, term: int) -> None:
        self._alive()
        await self.core.assign(right, term)

    async def release(self, shard: int) -> None:
        self._alive()
        await self.core.release(shard)

    async def health(self) -> dict[str, Any]:
        self._alive()
        return self.core.health()

    def _alive(self) -> None:
        if self.dead:
            raise HostLost(self.name)

    async def die(self) -> None:
        """End as a crash does: nothing is finished, nothing given back."""
        self.dead = True
        self.core.chores.stop()
        await self.core.waves.stop()
        for owner in self.core.owners.values():
            owner.suspended = True
        await self._lane.stop()
        await self.client.stop()

    async def stop(self) -> None:
        if not self.dead:
            await self.core.stop()
            await self._lane.stop()
            await self.client.stop()

    def kill(self) -> None:
        """Nothing is left to end."""


class Cluster:
    """What a test may look at and break."""

    def __init__(
        self,
        sockets: Path,
        level: Durability,
        connect: Callable[[], ShardStore] | None = None,
        server: MemoryServer | None = None,
        waves: Automatic | None = None,
    ) -> None:
        self.server = server or MemoryServer(SHARDS)
        self._connect = connect  # To another store than ``server``.
        self.hosts: dict[str, LocalHost] = {}
        self._sockets = sockets
        self._level = level
        self._waves = waves or Automatic()
        self.supervisor = Supervisor(SHARDS, level, sockets / "control.sock", self._spawn, hosts=2)
        self.client = Client(str(sockets / "control.sock"))

    def _spawn(self, name: str) -> LocalHost:
        host = self.hosts[name] = LocalHost(
            name, self.server, self._sockets, self._level, self._waves
        )
        host.supervisor = self.supervisor
        if self._connect is not None:
            host.core.store = self._connect()
        return host

    def owner_of(self, sku: str) -> LocalHost:
        """The host that owns a SKU's shard."""
        owner = self.supervisor.map.owners[shard_of(sku, SHARDS)]
        assert owner is not None
        return self.hosts[owner]

    def deadline(self, seconds: float = 5.0) -> float:
        return asyncio.get_running_loop().time() + seconds

    async def call(self, sku: str, command: list[Any], seconds: float = 5.0) -> Reply:
        return await self.client.call(shard_of(sku, SHARDS), command, self.deadline(seconds))

    async def stock(self, units: dict[str, int], node: str = "w1") -> None:
        """Define a node and SKUs and put units there."""
        reply = await put_node(self.client, node, {"kind": "warehouse"}, self.deadline())
        assert reply[0] == Outcome.OK, reply
        for sku in units:
            await self.call(sku, commands.define_sku(sku, [sku, 0, None]))
        rows: list[list[Any]] = [[sku, node, n, None, None, None] for sku, n in units.items()]
        told = await self.client.adjust(f"fill-{node}", b"f" * 16, rows, self.deadline())
        assert not told[0], told

    async def reserve(self, key: str, *lines: Line, extra: Extra | None = None) -> Reply:
        """Hold units, over several shards where the lines ask for it."""
        request = asked(key, *lines, extra=extra)
        skus = {shard_of(line[0], SHARDS) for line in request.lines}
        if len(skus) > 1:
            return await self.client.reserve_over_shards(request, self.deadline())
        command = commands.reserve(key, request.digest, request.lines, request.hold_ms, extra)
        return await self.call(request.lines[0][0], command)

    async def position(self, sku: str, node: str = "w1") -> dict[str, int]:
        """Reserved, committed, on_hand and sellable units, by the owner."""
        reply = await self.call(sku, commands.stock(sku))
        row = next(row for row in reply[2] if row[1] == node)
        names = ("on_hand", "safety_stock", "reserved", "committed", "quarantined", "sellable")
        return dict(zip(names, row[2:8], strict=True))

    def store_as_it_is(self) -> dict[int, Any]:
        """A copy of all that the store holds."""
        return copy.deepcopy(self.server.shards)

    async def audit_is_clean(self) -> None:
        audit = await self.client.audit()
        assert audit.clean, audit.findings


def asked(key: str, *lines: Line, extra: Extra | None = None) -> Reserve:
    """A request as the gateway makes it."""
    full = [list(line) for line in lines]
    partial = bool(extra and extra.get("p"))
    return Reserve(key, digest(full, HOLD_MS, extra), full, HOLD_MS, extra, partial)


@contextlib.asynccontextmanager
async def cluster(
    level: Durability = Durability.FSYNC,
    connect: Callable[[], ShardStore] | None = None,
    server: MemoryServer | None = None,
    waves: Automatic | None = None,
) -> AsyncIterator[Cluster]:
    """Two hosts, four shards, an empty store in memory, or a store that is there already."""
    with tempfile.TemporaryDirectory(prefix="tg-") as sockets:
        made = Cluster(Path(sockets), level, connect, server, waves)
        await made.supervisor.start()
        await made.client.start()
        try:
            yield made
        finally:
            async with asyncio.timeout(10):  # A test that failed may have left somebody waiting.
                await made.client.stop()
                await made.supervisor.stop()


Test: TypeAlias = Callable[[Cluster], Coroutine[Any, Any, None]]


def on_cluster_at(level: Durability) -> Callable[[Test], Callable[[], None]]:
    """Run a test with a cluster of its own that answers at this level."""

    def on_cluster(test: Test) -> Callable[[], None]:
        def run() -> None:
            async def main() -> None:
                async with asyncio.timeout(30), cluster(level) as made:
                    await test(made)

            uvloop.run(main())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return on_cluster


on_cluster = on_cluster_at(Durability.FSYNC)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that is nobody's event."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for what has to be asked for."""
    async with asyncio.timeout(seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


def skus_on(shard: int, count: int) -> list[str]:
    """SKUs that belong to a shard."""
    found = (f"sku-{n}" for n in range(10_000))
    return [sku for sku in found if shard_of(sku, SHARDS) == shard][:count]
