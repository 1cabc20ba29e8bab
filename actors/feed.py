"""The event feed over all shards: resumable, in order within a shard.

A cursor is opaque: for each shard the last commit read, and how many of the next one's facts.
"""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import msgpack

from actors.shard_map import ShardMap
from actors.shown import shown
from engine.store.protocol import ShardStore

#: What one answer of a host carries of a shard: commits, and about so many bytes of them.
_ENTRIES_MAX: Final = 64
_BYTES_MAX: Final = 1024 * 1024
#: Commits read at a time, before it is known how large they are.
_PORTION: Final = 8


class Hosts(Protocol):
    """The way to the hosts themselves."""

    shards: int
    map: ShardMap

    async def control(self, host: str, request: dict[str, Any], timeout_s: float = 30.0) -> Any:
        """A question to a host."""
        ...


class CursorUnusable(ValueError):
    """The cursor is none of ours."""


class CursorExpired(Exception):
    """What the cursor points to is no longer kept; ``oldest`` is the first cursor that is."""

    def __init__(self, oldest: str) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class Happened(NamedTuple):
    """One event as callers see it."""

    cursor: str
    shard: int
    seq: int
    at_ms: int
    type: str
    sku: str | None
    data: dict[str, Any]


class Page(NamedTuple):
    """Some events, and where to go on."""

    events: list[Happened]
    next: str


Place = list[list[int]]  # By shard: [seq, facts of seq + 1 read]


def _pack_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(msgpack.packb(place)).decode().rstrip("=")


def _unpack_cursor(cursor: str, shards: int) -> Place:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place: Any = msgpack.unpackb(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, msgpack.UnpackException) as error:
        raise CursorUnusable(cursor) from error
    good = isinstance(place, list) and len(place) == shards
    if not good or not all(
        isinstance(at, list) and len(at) == 2 and all(type(n) is int and n >= 0 for n in at)
        for at in place
    ):
        raise CursorUnusable(cursor)
    checked: Place = place
    return checked


async def entries(store: ShardStore, shard: int, after: int, most: int) -> dict[str, Any]:
    """The host's half: raw entries behind a seq, the first of them however large it is.

    A commit may carry thousands of facts: what is read and sent at a time is bounded in bytes.
    """
    found: list[list[Any]] = []
    size, most = 0, min(most, _ENTRIES_MAX)
    while len(found) < most and size < _BYTES_MAX:
        last = found[-1][0] if found else after
        portion = await store.events(shard, last, min(_PORTION, most - len(found)))
        if not portion or (found and portion[0].seq != last + 1):
            break  # The end; or it was trimmed behind what was read: for the next question.
        for entry in portion:
            if size < _BYTES_MAX:
                found.append([entry.seq, entry.events])
                size += len(entry.events)
    return {"entries": found}


async def read(client: Hosts, after: str | None, limit: int) -> Page:
    """Up to ``limit`` events behind a cursor, by time where shards are independent.

    Fewer only where there are no more, or where those that follow have been trimmed meanwhile.
    Raises ``CursorUnusable``, ``CursorExpired``, or ``LineLost`` while a shard has no owner.
    """
    unread = [[0, 0] for _ in range(client.shards)]
    place = unread if after is None else _unpack_cursor(after, client.shards)
    events: list[Happened] = []
    while len(events) < limit:
        streams = await asyncio.gather(
            *(_stream(client, shard, at[0], limit) for shard, at in enumerate(place))
        )
        oldest = [max(at, [kept - 1, 0]) for at, (kept, _) in zip(place, streams, strict=True)]
        if oldest != place and events:
            break  # The next question is told.
        if oldest != place and after is not None:
            raise CursorExpired(_pack_cursor(oldest))
        place = oldest
        behind = _behind(place, streams, limit)
        if not behind:
            break
        _tell(behind, place, events, limit)
    return Page(events, _pack_cursor(place))


def _tell(behind: Sequence[Any], place: Place, events: list[Happened], limit: int) -> None:
    """Make events of facts until there are enough; ``place`` moves on with each."""
    for at_ms, shard, seq, number, last, fact in behind:
        if len(events) == limit:
            return
        place[shard] = [seq, 0] if last else [seq - 1, number + 1]
        told = shown(shard, *fact)
        if told is not None:
            events.append(Happened(_pack_cursor(place), shard, seq, at_ms, *told))


def _behind(start: Place, streams: Sequence[tuple[int, list[Any]]], limit: int) -> list[Any]:
    """The facts read, by time; order holds within a shard only, where shards are independent."""
    facts = [
        fact
        for shard, (_, entries) in enumerate(streams)
        for fact in islice(_facts(shard, start[shard], entries), limit)
    ]
    facts.sort(key=lambda fact: fact[:4])
    return facts


async def _stream(client: Hosts, shard: int, after: int, limit: int) -> tuple[int, list[Any]]:
    """The first seq still kept behind ``after`` (0: nothing there), and raw entries."""
    host = client.map.owners[shard] if shard < len(client.map.owners) else None
    reply = await client.control(
        host or "", {"m": "events", "shard": shard, "after": after, "most": limit}
    )
    entries = reply["entries"]
    gap = bool(entries) and entries[0][0] != after + 1
    return (entries[0][0] if gap else 0), entries


def _facts(shard: int, start: list[int], entries: list[Any]) -> Iterator[Any]:
    """(at_ms, shard, seq, number, last of its commit, fact) of raw entries."""
    for seq, packed in entries:
        _, at_ms, _, flat = msgpack.unpackb(
            packed, raw=False, unicode_errors="surrogateescape", strict_map_key=False
        )
        skipped = start[1] if seq == start[0] + 1 else 0
        count = len(flat) // 3
        for number in range(skipped, count):
            fact = flat[3 * number : 3 * number + 3]
            yield at_ms, shard, seq, number, number == count - 1, fact
