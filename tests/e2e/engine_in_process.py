"""The whole engine in one process: real supervisor, hosts, lanes and gateway, the memory store."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgpack
import uvloop

from actors.client import Client
from actors.host import HostCore
from actors.lane import LaneServer, connect
from actors.supervisor import Supervisor
from engine.record import Durability
from engine.store.memory import MemoryServer, MemoryStore
from engine.store.protocol import Right
from gateway.server import serve

SHARDS = 4


class LocalHost:
    """A shard host on the loop of its supervisor; see ``actors.supervisor.Host``."""

    def __init__(self, name: str, server: MemoryServer, sockets: Path) -> None:
        self.name = name
        self.address = str(sockets / f"{name}.sock")
        self._control = str(sockets / "control.sock")
        store = MemoryStore(server)
        self.core = HostCore(name, SHARDS, store, Durability.MEMORY, self._renew)
        self._client = Client(self._control)
        self._lane = LaneServer(Path(self.address), self.core.apply)

    async def _renew(self, name: str, shards: list[int]) -> list[Right]:
        line = await connect(self._control)
        asked = msgpack.packb({"m": "renew", "host": name, "shards": shards})
        told = msgpack.unpackb(await line.call(asked))
        line.close()
        return [Right(shard, epoch, token) for shard, epoch, token in told]

    async def started(self) -> None:
        await self._lane.start()
        await self._client.start()
        self.core.chores.begin(self._client)

    async def assign(self, right: Right, term: int) -> None:
        await self.core.assign(right, term)

    async def release(self, shard: int) -> None:
        await self.core.release(shard)

    async def health(self) -> dict[str, Any]:
        return self.core.health()

    async def stop(self) -> None:
        await self.core.stop()
        await self._lane.stop()
        await self._client.stop()

    def kill(self) -> None:
        """Nothing is left to end."""


@contextlib.asynccontextmanager
async def engine(sockets: Path, hosts: int = 2) -> AsyncIterator[Client]:
    """A client of a running engine with an empty store."""
    server = MemoryServer(SHARDS)
    supervisor = Supervisor(
        SHARDS,
        Durability.MEMORY,
        sockets / "control.sock",
        lambda name: LocalHost(name, server, sockets),
        hosts=hosts,
    )
    await supervisor.start()
    client = Client(str(sockets / "control.sock"))
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
        await supervisor.stop()


class InProcess:
    """Engine and gateway on a loop in a thread of their own."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.loop = uvloop.new_event_loop()
        self.stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._sockets = Path(tempfile.mkdtemp(prefix="tg-"))  # Short, for Unix sockets.
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "InProcess":
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.stop is not None
        self.loop.call_soon_threadsafe(self.stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        shutil.rmtree(self._sockets)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._main())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _main(self) -> None:
        self.stop = asyncio.Event()
        async with engine(self._sockets) as client:
            self.client = client
            serving = asyncio.create_task(serve(client, self.sock, self.stop))
            self._ready.set()
            await serving

    def on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of ``work``, run where the engine runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


def in_process() -> Iterator[InProcess]:
    """For fixtures."""
    with InProcess() as running:
        yield running
