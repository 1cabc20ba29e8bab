"""What a server must be like to keep what we promise; each refusal says what to do about it."""

import contextlib
from typing import Any, Final

from redis.exceptions import NoPermissionError

from engine.errors import CannotStart
from engine.record import Durability
from engine.store.keys import key

#: What a commit writes; a server that cannot repeat it from its file loses commits.
_WRITES: Final = (
    ("HSET", "meta", "seq", "1"),
    ("HDEL", "reservations", "k"),
    ("UNLINK", "closed:0"),
    ("XADD", "events", "1-0", "e", ""),
    ("XTRIM", "events", "MINID", "1"),
)


def version_of(info: dict[str, Any]) -> str:
    """What the server calls itself."""
    return str(info.get("valkey_version") or info["redis_version"])


async def check_server(admin: Any) -> dict[str, Any]:
    """Refuse a server that no level can be kept on; what it says of itself."""
    info: dict[str, Any] = await admin.info()
    if _release(info) < (7, 0):
        raise CannotStart(f"the store is version {version_of(info)}; Tidegate needs 7.0 or newer")
    if info.get("cluster_enabled"):
        raise CannotStart(
            "the store is a node of a cluster (`cluster-enabled yes`), and Tidegate keeps all its "
            "shards on one primary: give --store a server that stands alone"
        )
    policy = await _setting(admin, "maxmemory-policy")
    if policy.startswith("allkeys-"):
        raise CannotStart(
            f"the store may throw reservations away when its memory is full (`maxmemory-policy "
            f"{policy}`): set `maxmemory-policy noeviction`"
        )
    if await _setting(admin, "appendonly") == "yes":
        await _check_default_user(admin, info)
    return info


def _release(info: dict[str, Any]) -> tuple[int, int]:
    major, minor, *_ = str(info["redis_version"]).split(".")
    return int(major), int(minor)


async def _setting(admin: Any, name: str) -> str:
    """A setting of the server; "" where it has no such."""
    return str((await admin.config_get(name)).get(name, ""))


async def _check_default_user(admin: Any, info: dict[str, Any]) -> None:
    """Before 7.2 the default user repeats functions' writes from the file, on or off.

    What it may not do is left out without a word: at the next start commits are gone.
    """
    if "valkey_version" in info or _release(info) >= (7, 2):
        return
    denied = []
    with contextlib.suppress(NoPermissionError):  # Then nobody can tell.
        for command, name, *words in _WRITES:
            dry = ("ACL", "DRYRUN", "default", command, key(0, name), *words)
            if await admin.execute_command(*dry) not in (b"OK", "OK"):
                denied.append(command)
    if denied:
        raise CannotStart(
            f"the store is version {version_of(info)} and its default user may not {denied[0]}: "
            "after a restart it would leave our commits out. Give that user its rights back (it "
            "may stay off): `ACL SETUSER default ~* +@all`, or use 7.2 or newer"
        )


async def check_level(admin: Any, level: Durability, info: dict[str, Any]) -> None:
    """Refuse a level that the server's settings do not keep: none is ever lowered silently."""
    if level is Durability.MEMORY:
        return
    name = level.name.lower()
    if await _setting(admin, "appendonly") != "yes":
        raise CannotStart(f"durability {name} needs `appendonly yes` in the store's settings")
    fsync = await _setting(admin, "appendfsync")
    if level >= Durability.FSYNC and fsync != "always":
        raise CannotStart(
            f"durability {name} needs `appendfsync always` in the store's settings, "
            f"which has `{fsync}`; set it, or ask for --durability everysec"
        )
    if fsync not in ("always", "everysec"):
        raise CannotStart(
            f"durability {name} needs `appendfsync everysec` in the store's settings, "
            f"which has `{fsync}`; set it, or ask for --durability memory"
        )
    if level >= Durability.REPLICATED:
        await _check_copies(admin, level, info)


async def _check_copies(admin: Any, level: Durability, info: dict[str, Any]) -> None:
    name = level.name.lower()
    if not info.get("connected_slaves"):
        raise CannotStart(
            f"durability {name} needs a replica, and the store has none; "
            "attach one, or ask for --durability fsync"
        )
    if int(await _setting(admin, "min-replicas-to-write") or 0) < 1:
        raise CannotStart(
            f"durability {name} needs `min-replicas-to-write 1` in the store's settings: a primary "
            "that is cut off would go on taking what nobody copies; set it, or ask for "
            "--durability fsync"
        )
    # The list rather than INFO: redis-py cannot read what that says of a missing command.
    if level is Durability.REPLICATED_FSYNC and not await admin.command_list(pattern="waitaof"):
        raise CannotStart(
            "durability replicated_fsync needs WAITAOF (Redis 7.2, Valkey 7.2 or newer); "
            "ask for --durability replicated"
        )
