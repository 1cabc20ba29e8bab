"""Before the first owner: found the shards, load the functions, check what the store promises."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.errors import CannotStart
from engine.record import Durability
from engine.store.checks import check_level, check_server, version_of
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
    async with _administration(url) as admin:
        info = await check_server(admin)
        await check_level(admin, level, info)
        await _load_library(admin)
        return await _found(admin, shards, version_of(info))


async def inspect(url: str) -> None:
    """Refuse a server that no level can be kept on; nothing is written to it."""
    async with _administration(url) as admin:
        await check_server(admin)


@asynccontextmanager
async def _administration(url: str) -> AsyncIterator[Any]:
    """A connection for set-up; whatever goes wrong on it is ``CannotStart``."""
    admin = client(url)
    try:
        yield admin
    except (OSError, RedisConnectionError, RedisTimeoutError) as error:
        raise CannotStart(f"cannot reach the store: {error}; is it running?") from error
    except RedisError as error:
        raise CannotStart(f"the store refuses our set-up: {error}") from error
    finally:
        await admin.aclose()


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
