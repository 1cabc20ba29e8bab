"""Ray on this machine (or one that runs already), and hosts as its actors."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

from actors.logs import HOSTS_LOG
from actors.ray_environment import prepare_environment
from actors.waves.agenda import Automatic
from engine.errors import CannotStart, StoreLost, StoreRefused
from engine.limits import CLOSED_WINDOW_MS
from engine.record import Durability
from engine.store.protocol import Right

#: Where hosts' names are looked up.
NAMESPACE: Final = "tidegate"
_OBJECT_STORE_BYTES: Final = 80 * 1024 * 1024
_START_S: Final = 30


def start_ray(temp: Path) -> None:
    """Start Ray on loopback, quietly.

    To be called in another thread than the main one, where Ray cannot replace signal handlers.
    """
    prepare_environment()
    import ray

    _leave_out_what_nobody_asks()
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(temp),
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace=NAMESPACE,
    )
    _let_agents_end_at_once(temp)


def _leave_out_what_nobody_asks() -> None:
    """Keep Ray from starting its autoscaler, its relay of logs and its web API.

    None of them has any work here: there is one machine, hosts write a log of their own, and the
    dashboard is off. Each is a process of 80 MB that takes a second of a core while hosts would
    load. `ray start` has an option for each, `ray.init` for none (Ray 2.60).
    """
    from ray._private.node import Node

    def nothing(_node: Node, **_options: object) -> None:
        return None

    for start in ("start_monitor", "start_log_monitor", "start_api_server"):
        if not hasattr(Node, start):
            raise CannotStart(f"this Ray has no {start}: install the one of constraints.txt")
        setattr(Node, start, nothing)


def _let_agents_end_at_once(temp: Path) -> None:
    """Ray's agents end by themselves after the raylet, but not before they have told its head.

    When all of Ray was killed there is no head, and they try for a minute. Unless they find this
    line in its log: then they take the end for an orderly one and have nothing to tell.
    """
    with (temp / "session_latest" / "logs" / "raylet.out").open("a") as log:
        log.write("Raylet received SIGTERM, or so its agents may think when it has gone.\n")


def stop_ray() -> None:
    """End Ray and all its processes."""
    import ray

    ray.shutdown()


class RayHost:
    """A shard host's actor, as the supervisor handles it."""

    def __init__(
        self,
        name: str,
        shards: int,
        store_url: str,
        level: Durability,
        sockets: Path,
        *,
        window_ms: int = CLOSED_WINDOW_MS,
        log: Path | None = None,
        waves: Automatic | None = None,
    ) -> None:
        from actors.shard_host import HostSettings, actor_class

        self.name = name
        self.address = str(sockets / f"{name}.sock")
        control, log = sockets / "control.sock", log or sockets / HOSTS_LOG
        settings = HostSettings(
            name,
            shards,
            store_url,
            level,
            self.address,
            str(control),
            window_ms,
            str(log),
            waves or Automatic(),
        )
        self.actor = actor_class().options(name=name).remote(settings)

    async def _call(self, ref: Any) -> Any:
        from ray.exceptions import RayActorError, RayTaskError

        from actors.supervisor import HostLost

        try:
            return await asyncio.wrap_future(ref.future())
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, StoreLost | StoreRefused):
                raise cause from error
            raise
        except RayActorError as error:
            raise HostLost(self.name) from error

    async def started(self) -> None:
        """See ``supervisor.Host``."""
        async with asyncio.timeout(_START_S):
            await self._call(self.actor.ready.remote())

    async def assign(self, right: Right, term: int) -> None:
        """See ``supervisor.Host``."""
        await self._call(self.actor.assign.remote(right.shard, right.epoch, right.token, term))

    async def release(self, shard: int) -> None:
        """See ``supervisor.Host``."""
        await self._call(self.actor.release.remote(shard))

    async def health(self) -> dict[str, Any]:
        """See ``supervisor.Host``."""
        answer: dict[str, Any] = await self._call(self.actor.health.remote())
        return answer

    async def pid(self) -> int:
        """The host's process id."""
        return int(await self._call(self.actor.pid.remote()))

    async def stop(self) -> None:
        """See ``supervisor.Host``."""
        await self._call(self.actor.stop.remote())

    def kill(self) -> None:
        """See ``supervisor.Host``."""
        import ray

        ray.kill(self.actor, no_restart=True)


def ray_address() -> str:
    """Where other processes of this machine join this Ray."""
    import ray

    return str(ray.get_runtime_context().gcs_address)
