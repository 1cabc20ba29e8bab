"""The whole engine in one process: real supervisor, hosts, lanes and gateway, the memory store."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvloop

from actors.waves.agenda import Automatic
from engine.record import Durability
from engine.store.protocol import ShardStore
from gateway.server import serve
from tests.cluster import SHARDS, Cluster, cluster

__all__ = ["SHARDS", "InProcess", "in_process"]


class InProcess:
    """Engine and gateway on a loop in a thread of their own."""

    def __init__(
        self,
        level: Durability = Durability.MEMORY,
        connect: Callable[[], ShardStore] | None = None,
        waves: Automatic | None = None,
    ) -> None:
        self._level = level
        self._connect = connect
        self._waves = waves
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.loop = uvloop.new_event_loop()
        self.stop: asyncio.Event | None = None
        self._ready = threading.Event()
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

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._main())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _main(self) -> None:
        self.stop = asyncio.Event()
        async with cluster(self._level, self._connect, waves=self._waves) as made:
            self.cluster: Cluster = made
            self.client = made.client
            serving = asyncio.create_task(serve(made.client, self.sock, self.stop))
            self._ready.set()
            await serving

    def on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of ``work``, run where the engine runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


def in_process(level: Durability = Durability.MEMORY) -> Iterator[InProcess]:
    """For fixtures."""
    with InProcess(level) as running:
        yield running
