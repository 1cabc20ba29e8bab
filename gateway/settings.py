"""What ``tidegate up`` was told: checked once, then passed on unchanged."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from actors.waves.agenda import Automatic
from engine.limits import (
    CLOSED_WINDOW_HOURS_MAX,
    CLOSED_WINDOW_MS,
    HOLD_SECONDS_MAX,
    SHARDS_DEFAULT,
    SHARDS_MAX,
    WAVE_ORDERS_MAX,
)
from engine.record import Durability

#: More hosts or workers than this want more than one machine.
ACTORS_MAX: Final = 64
WORKERS_MAX: Final = 64
PORT_MAX: Final = 65_535
#: A week: who plans more rarely asks for each wave.
WAVE_SECONDS_MAX: Final = 7 * 24 * 3_600
STORE_URL: Final = re.compile(r"^(redis|unix)://.+")

_HOUR_MS: Final = 3_600_000

Transport = Literal["lane", "ray"]


class Unusable(ValueError):
    """A setting that cannot work. The text names the option and what to say instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run Tidegate on this machine. Raises Unusable for what cannot work."""

    actors: int = 2  # Shard hosts.
    shards: int = SHARDS_DEFAULT  # Fixed when the store is made.
    workers: int = 1  # Gateway processes, each with a socket of its own on the port.
    data: Path = field(default_factory=lambda: Path(".tidegate"))
    durability: Durability = Durability.FSYNC
    store: str = "embedded"  # Or "system", or a URL.
    port: int = 8080  # 0 picks a free one.
    transport: Transport = "lane"
    window_hours: int = CLOSED_WINDOW_MS // _HOUR_MS  # Ended reservations answer for their keys.
    wave_every_seconds: int = 0  # A wave begins by itself; 0: none does.
    wave_every_orders: int = 0  # Confirmed since the last wave, the same.
    repair: bool = False  # Orders are planned anew when their units or nodes fail.

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is started."""
        _within("--shards", self.shards, 1, SHARDS_MAX)
        _within("--actors", self.actors, 1, ACTORS_MAX)
        _within("--workers", self.workers, 1, WORKERS_MAX)
        _within("--port", self.port, 0, PORT_MAX)
        _within(
            "--window-hours", self.window_hours, HOLD_SECONDS_MAX // 3600, CLOSED_WINDOW_HOURS_MAX
        )
        _within("--wave-every-seconds", self.wave_every_seconds, 0, WAVE_SECONDS_MAX)
        _within("--wave-every-orders", self.wave_every_orders, 0, WAVE_ORDERS_MAX)
        if self.actors > self.shards:
            message = (
                f"--actors {self.actors}: {self.shards} shards keep at most {self.shards} hosts "
                f"busy; give at most --actors {self.shards}, or more --shards for a new store"
            )
            raise Unusable(message)
        self._check_store()
        if self.data.exists() and not self.data.is_dir():
            message = f"--data {self.data} is a file; name a folder, it is made when missing"
            raise Unusable(message)

    @property
    def window_ms(self) -> int:
        """The window in the engine's unit."""
        return self.window_hours * _HOUR_MS

    @property
    def waves(self) -> Automatic:
        """Which waves begin by themselves."""
        return Automatic(self.wave_every_seconds, self.wave_every_orders, self.repair)

    def _check_store(self) -> None:
        own = self.store in ("embedded", "system")
        if not own and not STORE_URL.match(self.store):
            message = (
                f"--store {self.store} is unknown; give embedded, system, or a redis:// or "
                "unix:// URL"
            )
            raise Unusable(message)
        database = "0" if own else _database(self.store)
        if database != "0":
            message = (
                f"--store {self.store} names database {database}; only database 0 is used, as a "
                "cluster has no other: leave it off, or give Tidegate a server of its own"
            )
            raise Unusable(message)
        if own and self.durability >= Durability.REPLICATED:
            message = (
                f"--durability {self.durability.name.lower()} needs a second node: give --store a "
                "redis:// URL of a primary with a replica, or use --durability fsync"
            )
            raise Unusable(message)


def _database(url: str) -> str:
    """The database that a store's URL names, in its path or its query; "0" where it names none."""
    parts = urlsplit(url)
    path = parts.path.strip("/") if parts.scheme == "redis" else ""
    return parse_qs(parts.query).get("db", [path or "0"])[-1]


def _within(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        message = f"{option} {value} is out of range; give {least} to {most}"
        raise Unusable(message)
