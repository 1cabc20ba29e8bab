"""Before the first owner: found the shards, load the functions, check what the store promises."""

import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.exceptions import ResponseError

from engine.errors import CannotStart
from engine.record import Durability
from engine.store.keys import STORE, key
from engine.store.redis import client

LIBRARY = "tidegate_v1"


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store says of itself."""

    store_id: str
    shards: int
    version: str


def library_source() -> str:
    """The server's half of the protocol."""
    return (files("engine.store") / "functions" / "tidegate.lua").read_text()


async def prepare(url: str, shards: int, level: Durability) -> StoreFacts:
    """Make a store ready to be owned; what was founded before stays as it is.

    Raises ``CannotStart`` where the store is too old, founded with another number of shards, or
    cannot keep the durability level: a level is never lowered silently.
    """
    admin = client(url)
    try:
        info = await admin.info()
        await _check_level(admin, level, info)
        await _load_library(admin)
        facts = await _found(admin, shards, _version(info))
    except (OSError, ConnectionError) as error:
        raise CannotStart(f"cannot reach the store: {error}; is it running?") from error
    finally:
        await admin.aclose()
    return facts


def _version(info: dict[str, Any]) -> str:
    return str(info.get("valkey_version") or info["redis_version"])


async def _load_library(admin: Any) -> None:
    source = library_source()
    loaded = await admin.execute_command("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    if loaded and source.encode() in loaded[0]:
        return
    try:
        await admin.execute_command("FUNCTION", "LOAD", "REPLACE", source)
    except ResponseError as error:
        raise CannotStart(f"the store refuses our functions: {error}; use version ≥ 7.0") from error


async def _found(admin: Any, shards: int, version: str) -> StoreFacts:
    await admin.hsetnx(STORE, "shards", shards)
    await admin.hsetnx(STORE, "id", secrets.token_hex(8))
    known = await admin.hgetall(STORE)
    founded = int(known[b"shards"])
    if founded != shards:
        raise CannotStart(
            f"the store was founded with {founded} shards, not {shards}: "
            f"start with --shards {founded}, or with an empty --data directory"
        )
    store_id = known[b"id"].decode()
    for shard in range(shards + 1):
        await admin.execute_command("FCALL", "tidegate_found_v1", 1, key(shard, "meta"), store_id)
    return StoreFacts(store_id, founded, version)


async def _check_level(admin: Any, level: Durability, info: dict[str, Any]) -> None:
    """Refuse to start at a level the store does not keep."""
    if int(str(info["redis_version"]).split(".")[0]) < 7:
        raise CannotStart(f"the store is version {_version(info)}; Tidegate needs 7.0 or newer")
    if level is Durability.MEMORY:
        return
    config = await admin.config_get("append*")
    if config.get("appendonly") != "yes":
        raise CannotStart(
            f"durability {level.name.lower()} needs `appendonly yes` in the store's settings"
        )
    if level >= Durability.FSYNC and config.get("appendfsync") != "always":
        raise CannotStart(
            f"durability {level.name.lower()} needs `appendfsync always` in the store's settings, "
            f"which has `{config.get('appendfsync')}`; set it, or ask for --durability everysec"
        )
    if level >= Durability.REPLICATED and not info.get("connected_slaves"):
        raise CannotStart(
            f"durability {level.name.lower()} needs a replica, and the store has none; "
            "attach one, or ask for --durability fsync"
        )
    # The list rather than INFO: redis-py cannot read what that says of a missing command.
    waits = level is not Durability.REPLICATED_FSYNC or await admin.command_list(pattern="waitaof")
    if not waits:
        raise CannotStart(
            "durability replicated_fsync needs WAITAOF (Redis 7.2, Valkey 7.2 or newer); "
            "ask for --durability replicated"
        )
