"""A worker's HTTP server: the hot door and the application on one socket, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import uvicorn

from actors.lane import LineLost
from gateway.app import create_app
from gateway.cold import Gateway
from gateway.hot_door import HotDoor, door_to
from gateway.hot_routes import HotRoutes
from gateway.metrics import Metrics

if TYPE_CHECKING:
    from actors.client import Client

#: Seconds for what is in flight when the server stops; callers were told ten.
STOP_S_MAX: Final = 9
#: Connections the kernel keeps until they are accepted: a flash sale's crowd comes at once.
BACKLOG: Final = 4096


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: whoever owns the process has his own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(client: Client, sock: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests on ``sock`` until ``stop`` is set and what was in flight is answered."""
    metrics = Metrics()
    routes = HotRoutes(client, metrics, asyncio.get_running_loop())
    config = uvicorn.Config(
        create_app(Gateway(client, routes.intake, metrics, stop)),
        http=door_to(routes),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_S_MAX,
    )
    server = _Server(config)
    ticking = asyncio.create_task(_tick(server, metrics))
    stopping = asyncio.create_task(_stop_with(server, stop))
    sharing = asyncio.create_task(_share(client, metrics))
    try:
        await server.serve(sockets=[sock])
    finally:
        ticking.cancel()
        stopping.cancel()
        sharing.cancel()


async def _tick(server: uvicorn.Server, metrics: Metrics) -> None:
    """Once a second: the Date header and the connections' timeouts."""
    while True:
        metrics.tick()
        for connection in list(server.server_state.connections):
            if isinstance(connection, HotDoor):
                connection.tick()
        await asyncio.sleep(1)


async def _share(client: Client, metrics: Metrics) -> None:
    """Once a second: what was counted here, for whichever worker is asked for the sum."""
    while True:
        await asyncio.sleep(1)
        with contextlib.suppress(LineLost):
            await client.add_up(metrics.worker, metrics.counts())


async def _stop_with(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
