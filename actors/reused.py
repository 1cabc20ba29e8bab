"""Keys that led to reservations of two homes: reported by the audit, since no shard sees both.

An owner lists the keys of the reservations decided on its shard as hashes of eight bytes, a part
of all hashes at a time. What two shards list is then asked for by name.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from engine.ids import reservation_id
from engine.state import ATTEMPT, PIECE

if TYPE_CHECKING:
    from actors.owner import ShardOwner
    from engine.store.protocol import ShardStore

#: A question to a shard's owner, and what it says.
Ask = Callable[[int, dict[str, Any]], Awaitable[dict[str, Any]]]

_HASH_BYTES: Final = 8
#: Keys compared at a time, 8 MB of them; the more there are, the more often each is listed.
_ROUND_KEYS_MAX: Final = 1_000_000
#: Parts are told by the first byte of a hash.
_ROUNDS_MAX: Final = 256
#: Keys named in one audit: what more there is will be found once these are settled.
_NAMED_MAX: Final = 1_000
#: Keys hashed before the loop goes on with its commands: 5 ms.
_PORTION: Final = 5_000


async def told(owner: "ShardOwner", store: "ShardStore", asked: dict[str, Any]) -> dict[str, Any]:
    """The owner's half: hashes of a ``part`` of all, or the keys whose hashes are ``wanted``."""
    if "wanted" in asked:
        wanted = set(_split(asked["wanted"]))
        names = [key async for key, known_as in _home_keys(owner, store) if known_as in wanted]
        return {"keys": names}
    part, parts = asked["part"], asked["parts"]
    hashes = bytearray()
    async for _, known_as in _home_keys(owner, store):
        if known_as[0] % parts == part:
            hashes += known_as
    return {"hashes": bytes(hashes)}


async def _home_keys(owner: "ShardOwner", store: "ShardStore") -> AsyncIterator[tuple[str, bytes]]:
    """Keys of the reservations decided here, open or ended within the window, and their hashes."""
    async for fields in _fields(owner, store):
        for field in fields:
            if field[0] not in (PIECE, ATTEMPT):
                yield field, blake2b(field.encode(), digest_size=_HASH_BYTES).digest()
        await asyncio.sleep(0)


async def _fields(owner: "ShardOwner", store: "ShardStore") -> AsyncIterator[list[str]]:
    shard = owner.right.shard
    opened = list(owner.ledger.reservations)
    for first in range(0, len(opened), _PORTION):
        yield opened[first : first + _PORTION]
    for hour in await store.closed_hours(shard):
        async for portion in store.scan(shard, f"closed:{hour}"):
            yield [field for field, _ in portion]


async def find(ask: Ask, shards: int, keys_count: int) -> list[dict[str, Any]]:
    """The auditor's half: a finding for each key that has several homes, with all its ids."""
    parts = min(_ROUNDS_MAX, keys_count // _ROUND_KEYS_MAX + 1)
    homes: dict[str, list[int]] = {}
    for part in range(parts):
        lists = [
            (await ask(shard, {"m": "keys", "part": part, "parts": parts}))["hashes"]
            for shard in range(shards)
        ]
        # Sorting leaves the lock of the interpreter alone: the gateway goes on answering.
        twice = await asyncio.to_thread(_listed_twice, lists)
        for shard in range(shards) if twice else ():
            for key in (await ask(shard, {"m": "keys", "wanted": twice}))["keys"]:
                of_key = homes.setdefault(key, [])
                if shard not in of_key:  # It may have ended while it was looked for.
                    of_key.append(shard)
    reused = {key: known_at for key, known_at in homes.items() if len(known_at) > 1}
    return [_finding(key, reused[key]) for key in sorted(reused)[:_NAMED_MAX]]


def _listed_twice(lists: list[bytes]) -> bytes:
    """Hashes that more than one list has, up to as many as are named."""
    import numpy as np

    each = [np.unique(np.frombuffer(hashes, np.uint64)) for hashes in lists]
    every = np.sort(np.concatenate(each))
    twice = np.unique(every[1:][every[1:] == every[:-1]])
    return twice[:_NAMED_MAX].tobytes()


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + _HASH_BYTES] for at in range(0, len(hashes), _HASH_BYTES)]


def _finding(key: str, homes: list[int]) -> dict[str, Any]:
    return {
        "shard": homes[0],
        "kind": "key-reused",
        "sku": None,
        "node": None,
        "reservation": key,
        "owner": [reservation_id(home, key) for home in homes],
        "store": None,
    }
