"""``tidegate up``: store, Ray, shard hosts and gateway workers of one machine, as one process tree.

Everything listens on loopback or on sockets only this user may open. The tree ends with its
parent: workers see their standard input close, Ray and the store get a signal.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

import structlog
import uvloop

from actors.cluster import RayHost, ray_address, start_ray, stop_ray
from actors.logs import configure, hosts_log
from actors.supervisor import Supervisor
from engine.errors import CannotStart
from engine.store.server import StoreServer, find_binary
from engine.store.setup import prepare
from gateway.cli_output import ExitCode, Stop
from gateway.settings import Settings
from gateway.worker import HOST, bind, must_be_free

log = structlog.get_logger()

_WATCH_S: Final = 0.1
_WORKER_STOP_S: Final = 12
_READY_S: Final = 60
_RAY_STOP_S: Final = 10


class Cluster:
    """What one ``up`` runs."""

    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._hosts_log = hosts_log(settings.data)
        # Short: a Unix socket's path has room for 107 bytes.
        self._temp = Path(tempfile.mkdtemp(prefix="tidegate-"))
        self._store: StoreServer | None = None
        self._supervisor: Supervisor | None = None
        self._workers: list[asyncio.subprocess.Process] = []
        self._watching: asyncio.Task[None] | None = None
        self._port = settings.port
        self._holding = None if settings.port else bind(0)

    async def start(self) -> str:
        """Start everything; the URL once ``/readyz`` is 200."""
        settings = self._settings
        ray = asyncio.create_task(asyncio.to_thread(start_ray, self._temp / "ray"))
        url = await self._start_store()
        await ray
        _stop_on_signals(self._stop)
        self._supervisor = Supervisor(
            settings.shards,
            settings.durability,
            self._temp / "control.sock",
            lambda name: self._host(name, url),
            hosts=settings.actors,
        )
        if self._holding is not None:
            self._port = self._holding.getsockname()[1]
        # Workers load while the hosts do: both take a second.
        starting = asyncio.create_task(self._supervisor.start())
        for _ in range(settings.workers):
            self._workers.append(await self._start_worker())
        await starting
        self._watching = asyncio.create_task(self._watch())
        await self._ready()
        return f"http://{HOST}:{self._port}"

    def _host(self, name: str, url: str) -> RayHost:
        settings = self._settings
        return RayHost(
            name,
            settings.shards,
            url,
            settings.durability,
            self._temp,
            window_ms=settings.window_ms,
            log=self._hosts_log,
            waves=settings.waves,
        )

    async def _start_store(self) -> str:
        settings = self._settings
        if settings.store not in ("embedded", "system"):
            await prepare(settings.store, settings.shards, settings.durability)
            return settings.store
        self._store = StoreServer(
            find_binary(settings.store), settings.data.resolve(), settings.durability
        )
        await self._store.start()
        await prepare(self._store.admin_url, settings.shards, settings.durability)
        return self._store.url

    async def _start_worker(self) -> asyncio.subprocess.Process:
        arguments = [str(self._temp / "control.sock"), str(self._port)]
        if self._settings.transport == "ray":
            arguments.append(ray_address())
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.worker",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )

    async def _ready(self) -> None:
        """Wait until every reason not to be ready has gone."""
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    if await _answers_ready(self._port):
                        return
                    await asyncio.sleep(_WATCH_S / 2)
        except TimeoutError as error:
            raise CannotStart("the gateway did not get ready; see the log above") from error

    async def _watch(self) -> None:
        """Start again what ends by itself: the store on its data, workers on their port."""
        while True:
            await asyncio.sleep(_WATCH_S)
            if self._store is not None and self._store.died():
                log.error("the store ended: starting it again", last=self._store.log_tail())
                with contextlib.suppress(CannotStart):
                    await self._store.restart()
            for at, worker in enumerate(self._workers):
                if worker.returncode is not None:
                    log.error("a worker ended: starting another", code=worker.returncode)
                    self._workers[at] = await self._start_worker()

    async def stop(self) -> None:
        """No new connections, finish what is in flight, end the children."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*(_end(worker) for worker in self._workers))
        if self._supervisor is not None:
            await self._supervisor.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RAY_STOP_S):
                await asyncio.to_thread(stop_ray)
        if self._store is not None:
            await self._store.stop()
        if self._holding is not None:
            self._holding.close()
        shutil.rmtree(self._temp, ignore_errors=True)


async def _answers_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


async def _end(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.terminate()
    try:
        async with asyncio.timeout(_WORKER_STOP_S):
            await worker.wait()
    except TimeoutError:
        worker.kill()
        await worker.wait()


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Take SIGTERM and SIGINT; again after Ray has started, which takes them for itself."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    cluster = Cluster(settings, stop)
    try:
        starting = asyncio.create_task(cluster.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            sys.stdout.write(f"ready {starting.result()}\n")
            sys.stdout.flush()
            await stopping
        else:
            starting.cancel()
    finally:
        await cluster.stop()


def run(settings: Settings) -> ExitCode:
    """Run until SIGTERM or SIGINT."""
    configure()
    try:
        must_be_free(settings.port)
        uvloop.run(_run(settings))
    except CannotStart as error:
        raise Stop(ExitCode.NO_START, str(error)) from error
    return ExitCode.FINE
