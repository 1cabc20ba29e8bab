"""The store as an executable specification: what ``functions/tidegate.lua`` does, in Python.

Tests run the same suite on this and on real servers. Nothing is durable.
"""

import asyncio
import time
from asyncio import Future
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from engine.effects import HELD, Sealed
from engine.errors import StoreRefused
from engine.store.protocol import AT, Acquired, BaseChange, Peeked, Right, StreamEntry


@dataclass
class _Shard:
    store_id: str
    epoch: int = 0
    token: str = ""
    term: int = 0
    seq: int = 0
    head: bytes = b""
    now_ms: int = 0
    hashes: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    events: list[StreamEntry] = field(default_factory=list)


class MemoryServer:
    """What outlives a connection: the part that a real server plays."""

    def __init__(self, shards: int, store_id: str = "memory") -> None:
        self.shards = {shard: _Shard(store_id) for shard in range(shards + 1)}
        self.clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def acquire(self, right: Right, term: int) -> Acquired:
        """Give the right away if term and epoch are newer than any before."""
        shard = self._shard(right.shard)
        if term < shard.term:
            raise StoreRefused("TERM", str(shard.term))
        if right.epoch <= shard.epoch:
            raise StoreRefused("EPOCH", str(shard.epoch))
        shard.term, shard.epoch, shard.token = term, right.epoch, right.token
        return Acquired(shard.seq, shard.head, shard.now_ms, shard.store_id, self.clock())

    def fenced(self, right: Right) -> _Shard:
        """The shard, if this is its owner."""
        shard = self._shard(right.shard)
        if (shard.epoch, shard.token) != (right.epoch, right.token):
            raise StoreRefused("FENCED", str(shard.epoch))
        return shard

    def _shard(self, number: int) -> _Shard:
        if number not in self.shards:
            raise StoreRefused("NOSHARD", "no such shard")
        return self.shards[number]

    def check(self, right: Right, seq: int, head: bytes) -> None:
        """Refuse unless this owner and this history rule."""
        shard = self.fenced(right)
        if (shard.seq, shard.head) != (seq, head):
            raise StoreRefused("SEQ", str(shard.seq))

    def commit(self, right: Right, sealed: Sealed, trim_below: int = 0) -> None:
        """All checks, then all writes."""
        shard = self.fenced(right)
        if (shard.seq, shard.head) == (sealed.seq, sealed.hash_after):
            return
        if (shard.seq + 1, shard.head) != (sealed.seq, sealed.hash_before):
            raise StoreRefused("SEQ", str(shard.seq))
        guard, fields, forgotten, puts, gone, closed, excused = _unpack(sealed.changes)
        if sealed.returning and any(taken > 0 for _, taken, _, _ in _fours(guard)):
            raise StoreRefused("OVERSELL", guard[0])
        free = shard.hashes["free"]
        written = {}
        for backing, taken, added, removed in _fours(guard):
            old = free.get(backing, 0)
            result = old - taken + added - removed
            short = taken > 0 and old - taken + added < 0
            if short or (removed > 0 and result < 0 and backing not in excused):
                raise StoreRefused("OVERSELL", backing)
            written[backing] = result
        free.update(written)
        _write(shard.hashes["state"], fields, forgotten)
        _write(shard.hashes["reservations"], _new_holds(sealed.events), [])
        _write(shard.hashes["reservations"], puts, gone)
        _write(shard.hashes[f"closed:{sealed.closed_bucket}"], closed, [])
        if sealed.drop_bucket is not None:
            shard.hashes.pop(f"closed:{sealed.drop_bucket}", None)
        shard.events.append(StreamEntry(sealed.seq, sealed.events, sealed.hash_after))
        if trim_below:
            shard.events = [entry for entry in shard.events if entry.seq >= trim_below]
        shard.seq, shard.head, shard.now_ms = sealed.seq, sealed.hash_after, sealed.now_ms

    def change_base(self, right: Right, change: BaseChange) -> None:
        """Move the base on from where the caller has seen it."""
        base = self.fenced(right).hashes["base"]
        if base.get(AT, b"") != change.before:
            raise StoreRefused("SEQ", "the base is elsewhere")
        if change.anew:
            base.clear()
        _write(base, change.put, [*change.gone, AT])
        if change.after:
            base[AT] = change.after


def _unpack(changes: bytes) -> Any:
    """As Lua sees it: keys as text, records as they are."""
    guard, fields, forgotten, puts, gone, closed, excused = msgpack.unpackb(changes, raw=True)
    return (
        [item.decode() if isinstance(item, bytes) else item for item in guard],
        _named(fields),
        [name.decode() for name in forgotten],
        _named(puts),
        [name.decode() for name in gone],
        _named(closed),
        {name.decode() for name in excused},
    )


def _new_holds(events: bytes) -> dict[str, bytes]:
    """Records that only their facts carry."""
    parts = iter(msgpack.unpackb(events, raw=True, strict_map_key=False)[3])
    facts = zip(parts, parts, parts, strict=True)
    return {subject.decode(): payload for event, subject, payload in facts if event == HELD}


def _named(flat: list[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _fours(flat: list[Any]) -> Iterator[tuple[Any, ...]]:
    parts = iter(flat)
    return zip(parts, parts, parts, parts, strict=True)


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _write(target: dict[str, Any], puts: Mapping[str, bytes], gone: Sequence[str]) -> None:
    target.update(puts)
    for name in gone:
        target.pop(name, None)


class MemoryStore:
    """One host's connection to a ``MemoryServer``."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self._trims: dict[Right, int] = {}

    async def acquire(self, right: Right, term: int, owner: str) -> Acquired:
        """See ``ShardStore.acquire``."""
        return self.server.acquire(right, term)

    async def release(self, right: Right) -> None:
        """See ``ShardStore.release``."""
        self.server.fenced(right).token = ""

    def commit(self, right: Right, sealed: Sealed) -> "Future[None]":
        """See ``ShardStore.commit``."""
        below = self._trims.pop(right, 0)
        return self._answered(lambda: self.server.commit(right, sealed, below))

    def check(self, right: Right, seq: int, head: bytes) -> "Future[None]":
        """See ``ShardStore.check``."""
        return self._answered(lambda: self.server.check(right, seq, head))

    def _answered(self, step: Callable[[], None]) -> "Future[None]":
        future: Future[None] = asyncio.get_running_loop().create_future()
        try:
            step()
        except StoreRefused as refusal:
            future.set_exception(refusal)
        else:
            future.set_result(None)
        return future

    async def copies(self) -> bool:
        """There are none, and none are asked for."""
        return True

    async def reconnect(self) -> None:
        """Nothing to connect to."""

    async def scan(self, shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """See ``ShardStore.scan``."""
        yield [(f, _as_bytes(v)) for f, v in self.server.shards[shard].hashes[name].items()]

    async def closed_hours(self, shard: int) -> list[int]:
        """See ``ShardStore.closed_hours``."""
        hashes = self.server.shards[shard].hashes.items()
        return sorted(
            int(name.partition(":")[2])
            for name, fields in hashes
            if fields and name.startswith("closed:")
        )

    async def recall(self, shard: int, fields: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """See ``ShardStore.recall``."""
        hashes = self.server.shards[shard].hashes
        found: dict[str, bytes] = {}
        for hour, names in fields.items():
            bucket = hashes[f"closed:{hour}"]
            for name in names:
                if name in bucket and name not in found:
                    found[name] = bucket[name]
        return found

    async def peek(self, shard: int, name: str, fields: Sequence[str]) -> Peeked:
        """See ``ShardStore.peek``."""
        held = self.server.shards[shard]
        hash_ = held.hashes[name]
        values = [_as_bytes(hash_[f]) if f in hash_ else None for f in fields]
        return Peeked(held.epoch, held.seq, values)

    async def events(self, shard: int, after: int, most: int) -> list[StreamEntry]:
        """See ``ShardStore.events``."""
        entries = self.server.shards[shard].events
        return [entry for entry in entries if entry.seq > after][:most]

    async def events_weight(self, shard: int) -> tuple[int, int]:
        """See ``ShardStore.events_weight``."""
        entries = self.server.shards[shard].events
        return sum(len(entry.events) for entry in entries), entries[0].seq if entries else 0

    def trim_events(self, right: Right, below: int) -> None:
        """See ``ShardStore.trim_events``."""
        self._trims[right] = below

    async def change_base(self, right: Right, change: BaseChange) -> None:
        """See ``ShardStore.change_base``."""
        self.server.change_base(right, change)

    async def clock_ms(self) -> int:
        """See ``ShardStore.clock_ms``."""
        return self.server.clock()

    async def close(self) -> None:
        """Nothing to close."""
