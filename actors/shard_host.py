"""The Ray shell of a shard host: a process of its own, with placement, life and health by Ray.

Decisions run on one asyncio loop in a thread of the actor; Ray's methods hand over to it. The
control group answers while the loop is busy, and while shards are being loaded: a host whose
assignments wait for their store is not silent.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack
import uvloop

from actors.client import Client
from actors.collector import calm_collector
from actors.host import HostCore
from actors.lane import LaneServer, connect
from actors.logs import configure
from actors.ray_environment import prepare_environment
from actors.waves.agenda import Automatic
from engine.record import Durability
from engine.store.protocol import Right
from engine.store.redis import RedisStore

prepare_environment()
import ray  # noqa: E402 - it reads the environment when it is imported.

#: Calls that wait for their commits at the same time, when batches come through Ray.
_DATA_CALLS: Final = 16
#: Shards that are acquired, loaded or given up at the same time.
_SHARD_CALLS: Final = 8
_CONTROL_CALLS: Final = 4
_CALL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What a host is told when it starts."""

    name: str
    shards: int
    store_url: str
    level: Durability
    lane: str  # The socket it serves.
    control: str  # The supervisor's socket.
    window_ms: int  # How long ended reservations answer for their keys.
    log: str  # The file that hosts share.
    waves: Automatic  # Which begin by themselves.


class HostProcess:
    """Everything a host runs on its loop."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self.store = RedisStore(settings.store_url, settings.level)
        self.core = HostCore(
            settings.name,
            settings.shards,
            self.store,
            settings.level,
            self._renew,
            window_ms=settings.window_ms,
            waves=settings.waves,
        )
        self.client = Client(settings.control)
        self._lane = LaneServer(Path(settings.lane), self.core.apply)

    async def start(self) -> None:
        """Connect to store and supervisor, serve the lane, begin the chores."""
        await self.store.connect()
        await self._lane.start()
        await self.client.start()
        self.core.chores.begin(self.client)
        self.core.waves.begin(self.client)
        calm_collector()

    async def stop(self) -> None:
        """End in order: shards go back first."""
        await self.core.stop()
        await self._lane.stop()
        await self.client.stop()

    async def health(self) -> dict[str, Any]:
        """What the host does at the moment."""
        return self.core.health()

    async def decided(self, payload: bytes) -> bytes:
        """The answer to one frame."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.core.apply(payload, future.set_result)
        return await future

    async def _renew(self, name: str, shards: list[int]) -> list[Right]:
        line = await connect(self._settings.control)
        try:
            asked = msgpack.packb({"m": "renew", "host": name, "shards": shards})
            told = msgpack.unpackb(await line.call(asked))
        finally:
            line.close()
        return [Right(shard, epoch, token) for shard, epoch, token in told]


async def _started(settings: HostSettings) -> HostProcess:
    host = HostProcess(settings)
    await host.start()
    return host


class ShardHost:
    """The actor. One a process; it never restarts by itself: a new incarnation has a new name.

    Without an ``async`` method, or Ray would run all of them on a loop of its own.
    """

    def __init__(self, settings: HostSettings) -> None:
        configure(Path(settings.log).open("a"), host=settings.name)  # noqa: SIM115  For life.
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._host: HostProcess = self._run(_started(settings))

    def _run(self, work: Coroutine[Any, Any, Any], most_s: float | None = _CALL_S) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(most_s)

    @ray.method(concurrency_group="control")
    def ready(self) -> bool:
        """Answered once the constructor is through."""
        return True

    @ray.method(concurrency_group="control")
    def pid(self) -> int:
        """The process id, for tests that kill it."""
        return os.getpid()

    @ray.method(concurrency_group="shards")
    def assign(self, shard: int, epoch: int, token: str, term: int) -> None:
        """Own a shard. Takes as long as loading does: whoever gives up would assign it again."""
        self._run(self._host.core.assign(Right(shard, epoch, token), term), None)

    @ray.method(concurrency_group="shards")
    def release(self, shard: int) -> None:
        """Give a shard up."""
        self._run(self._host.core.release(shard))

    @ray.method(concurrency_group="control")
    def health(self) -> dict[str, Any]:
        """The host's own word, given on its loop: a blocked loop is no health."""
        answer: dict[str, Any] = self._run(self._host.health())
        return answer

    @ray.method(concurrency_group="control")
    def stop(self) -> None:
        """End in order."""
        self._run(self._host.stop())

    @ray.method(concurrency_group="data")
    def apply(self, payload: bytes) -> bytes:
        """A batch through Ray rather than over the lane."""
        answer: bytes = self._run(self._host.decided(payload))
        return answer


#: Every option of the actor in one place.
ACTOR_OPTIONS: Final[dict[str, Any]] = {
    "num_cpus": 0,
    "max_restarts": 0,
    "max_task_retries": 0,
    "concurrency_groups": {
        "control": _CONTROL_CALLS,
        "shards": _SHARD_CALLS,
        "data": _DATA_CALLS,
    },
}


def actor_class() -> Any:
    """``ShardHost`` as Ray runs it."""
    return ray.remote(**ACTOR_OPTIONS)(ShardHost)
