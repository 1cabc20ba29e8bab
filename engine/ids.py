"""Ids, routing and digests: which shard decides about what.

``shard = blake2b-8(sku) mod shards``; the number of shards is fixed when a store is made. A
reservation's id is ``<home, three hex digits>.<key>``; it alone routes every later call.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from engine.limits import ID_CHARS_MAX, KEY_CHARS_MAX, SHARDS_MAX
from engine.record import pack


def _pattern(chars_max: int) -> str:
    """What callers may use, as documented. No braces (hash tags), bars (backings) or blanks."""
    return f"^[A-Za-z0-9_][A-Za-z0-9._:-]{{0,{chars_max - 1}}}$"


ID_PATTERN: Final = _pattern(ID_CHARS_MAX)
KEY_PATTERN: Final = _pattern(KEY_CHARS_MAX)
#: In Python ``$`` would let a last line feed pass.
ID: Final = re.compile(ID_PATTERN[:-1] + r"\Z")
KEY: Final = re.compile(KEY_PATTERN[:-1] + r"\Z")
#: What an id begins with, by home; to format a number costs as much as a dict look-up or five.
_HOMES: Final = [f"{home:03x}." for home in range(SHARDS_MAX + 1)]  # `net` is one more.
_RESERVATION: Final = re.compile(r"^([0-9a-f]{3})\.(.+)\Z")


@lru_cache(maxsize=200_000)
def shard_of(sku: str, shards: int) -> int:
    """The shard that owns a SKU."""
    return int.from_bytes(blake2b(sku.encode(), digest_size=8).digest(), "big") % shards


def home_of(skus: Iterable[str], shards: int) -> int:
    """The shard that decides about a reservation of these SKUs: that of the smallest code."""
    return shard_of(min(skus), shards)


def reservation_id(home: int, key: str) -> str:
    """The id that callers are told."""
    return _HOMES[home] + key


def split_id(reservation: str) -> tuple[int, str] | None:
    """(home, key) of a reservation's id, or None if it is not one."""
    match = _RESERVATION.match(reservation)
    if match is None or not KEY.match(match[2]):
        return None
    return int(match[1], 16), match[2]


def backing_of(sku: str, node: str) -> str:
    """The guard's name of the units of one SKU at one node."""
    return f"{sku}|{node}"


def digest(lines: Sequence[Sequence[Any]], hold_ms: int, extra: dict[str, Any] | None) -> bytes:
    """blake2b-16 of a request in canonical form; neither line order nor absent members matter.

    ``lines`` are added up already, one for each (sku, node).
    """
    ordered = lines if len(lines) == 1 else sorted(lines, key=lambda line: (line[0], line[1] or ""))
    members = sorted(extra.items()) if extra else None
    return blake2b(pack([ordered, hold_ms, members]), digest_size=16).digest()
