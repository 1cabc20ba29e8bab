"""The key schema: all keys of a shard share a hash tag, so that one function may write them all.

Nothing a caller sends becomes part of a key; ids are fields and values.
"""

from functools import lru_cache
from typing import Final

PREFIX: Final = "tidegate:"
#: The store's own facts: id, number of shards.
STORE: Final = f"{PREFIX}store"


def key(shard: int, name: str) -> str:
    """A key of a shard: meta, free, state, reservations, events, base."""
    return f"{PREFIX}{{s{shard:03x}}}:{name}"


def closed_key(shard: int, hour: int) -> str:
    """The key of the reservations that ended in one hour (since 1970)."""
    return key(shard, f"closed:{hour}")


@lru_cache(maxsize=4_096)  # One for each shard and hour; a commit is too short to spell six keys.
def commit_keys(shard: int, hour: int) -> tuple[str, ...]:
    """The keys a commit may write, in the order of the commit function."""
    names = ("meta", "free", "state", "reservations", f"closed:{hour}", "events")
    return tuple(key(shard, name) for name in names)


def hour_of(closed: str) -> int:
    """The hour of such a key."""
    return int(closed.rpartition(":")[2])
