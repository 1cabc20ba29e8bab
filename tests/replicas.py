"""A primary and its replica, both real, both ours: what the replicated levels stand on."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.record import Durability
from engine.store.redis import RedisStore, client
from engine.store.server import StoreServer
from engine.store.setup import prepare
from tests.builders import binary_or_skip, run
from tests.cluster import eventually


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Pair:
    """Two servers; the second copies the first. Both write their files before they answer."""

    def __init__(self, kind: str, folder: Path) -> None:
        binary = binary_or_skip(kind)
        self.primary = StoreServer(binary, folder / "primary", Durability.REPLICATED)
        self.replica = StoreServer(binary, folder / "replica", Durability.REPLICATED)
        self.port = free_port()
        run(self._start())

    async def _start(self) -> None:
        await self.primary.start()
        for setting, value in (
            ("bind", "127.0.0.1"),
            ("port", self.port),
            ("repl-diskless-sync-delay", 0),  # Its first copy need not wait for other replicas.
            ("shutdown-timeout", 0),  # Nor its end for one that was killed.
        ):
            await self.ask(self.primary, "CONFIG", "SET", setting, value)
        await self.replica.start()
        await self.follow()

    async def follow(self) -> None:
        """Let the replica copy the primary, and wait until it has, down to its file."""
        password = self.primary._passwords["admin"]
        await self.ask(self.replica, "CONFIG", "SET", "masteruser", "admin", "masterauth", password)
        await self.ask(self.replica, "REPLICAOF", "127.0.0.1", self.port)
        await eventually(self._copied)
        await self.ask(self.primary, "CONFIG", "SET", "min-replicas-to-write", 1)

    async def _copied(self) -> bool:
        """Whether a write of now has reached the replica."""
        admin = client(self.primary.admin_url)
        try:
            await admin.set("probe", 1)
            counts = [await admin.wait(1, 200)]
            if await admin.command_list(pattern="waitaof"):
                counts += await admin.waitaof(1, 1, 200)
            return min(counts) == 1
        finally:
            await admin.aclose()

    async def is_alone(self) -> bool:
        """Whether the primary has noticed that its replica has gone."""
        return b"connected_slaves:0" in await self.ask(self.primary, "INFO", "replication")

    async def ask(self, server: StoreServer, *words: Any) -> Any:
        """What a server answers its administrator."""
        admin = client(server.admin_url)
        admin.response_callbacks.clear()  # Answers as they come.
        try:
            return await admin.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await admin.aclose()

    async def store(self, level: Durability = Durability.REPLICATED) -> RedisStore:
        """A connection to the primary, emptied, at a level."""
        await self.ask(self.primary, "FLUSHALL", "SYNC")
        await prepare(self.primary.admin_url, 1, level)
        return await self.connection(level)

    async def connection(self, level: Durability = Durability.REPLICATED) -> RedisStore:
        """One more connection to the primary as it is."""
        store = RedisStore(self.primary.url, level)
        await store.connect()
        return store

    @property
    def url(self) -> str:
        """Of the primary, as somebody would give it who has set both up by himself."""
        return f"redis://admin:{self.primary._passwords['admin']}@127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The replica hears nothing for a while, and keeps its connection."""
        os.kill(self.replica.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.replica.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End both; the replica at once: one that writes its first file would not end in order."""
        self.replica.kill()
        run(self.replica.stop())
        run(self.primary.stop())
