"""A gateway worker process: one asyncio loop, one socket of its own on the shared port.

Started by ``up`` as ``python -m gateway.worker CONTROL PORT [RAY_ADDRESS]``. It ends on SIGTERM, or
when its standard input closes, which is how it learns that ``up`` has gone.
"""

import asyncio
import errno
import signal
import socket
import sys

import uvloop

from actors.client import Client
from actors.collector import calm_collector
from actors.logs import configure
from engine.errors import CannotStart
from gateway.server import serve

HOST = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """A socket on the port that other workers may share; the kernel spreads connections."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((HOST, port))
    return sock


def must_be_free(port: int) -> None:
    """Raise CannotStart where somebody else serves the port.

    Workers share theirs, so ``bind`` would succeed beside any program that shares it too: half
    of the callers would then reach that one.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Callers just gone are no use.
        try:
            sock.bind((HOST, port))
        except OSError as error:
            what = "is in use" if error.errno == errno.EADDRINUSE else "cannot be had"
            raise CannotStart(
                f"port {port} {what}: {error.strerror}; choose another with --port"
            ) from error


async def _work(control: str, port: int, ray_address: str | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    client = Client(control)
    if ray_address is not None:
        from actors.ray_line import join, open_ray

        join(ray_address)
        client = Client(control, open_ray)
    await client.start()
    calm_collector()
    try:
        await serve(client, bind(port), stop)
    finally:
        await client.stop()


def main() -> None:
    """Run until told to stop."""
    configure()
    control, port, *rest = sys.argv[1:]
    uvloop.run(_work(control, int(port), rest[0] if rest else None))


if __name__ == "__main__":
    main()
