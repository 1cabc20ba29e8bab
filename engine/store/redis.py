"""The store on Redis ≥ 7.0 or Valkey: commits over our own wire, everything else by redis-py."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.effects import Sealed
from engine.errors import StoreLost, StoreRefused
from engine.record import Durability, pack
from engine.store.keys import closed_key, commit_keys, hour_of, key
from engine.store.protocol import Acquired, BaseChange, Peeked, Right, StreamEntry
from engine.store.wire import Wire, connect

#: Fields one HSCAN asks for: big enough to be fast, small enough not to hold the server up.
_SCAN_COUNT: Final = 5_000
#: Nodes of an event stream that are looked at to tell its size: some hundred commits.
_SAMPLES: Final = 5
#: How long an answer is waited for that is no commit's.
_ANSWER_S: Final = 30
#: How long copies are waited for before an answer says that it is weaker than asked, and how
#: often they are asked for in that time: a replica that is asked while it writes its file says
#: what it had before, and then nothing for a second unless it is asked again.
_COPIES_MS: Final = 500
_COPIES_ASKED: Final = 10


class RedisStore:
    """One host's connections to one primary."""

    def __init__(self, url: str, level: Durability) -> None:
        self._client = client(url)
        self._level = level
        self._wire: Wire | None = None
        self._connecting = asyncio.Lock()
        self._trims: dict[Right, int] = {}  # For the next commit under a right.

    async def connect(self) -> None:
        """Open the wire for commits."""
        self._wire = await connect(*_endpoint(self._client))

    async def reconnect(self) -> None:
        """A new wire; what was unanswered on the old one is lost."""
        if self._wire is not None:
            self._wire.close()
        await self.connect()

    def commit(self, right: Right, sealed: Sealed) -> "Future[None]":
        """See ``ShardStore.commit``."""
        shard = right.shard
        keys = commit_keys(shard, sealed.closed_bucket)
        if sealed.drop_bucket is not None:
            keys = (*keys, closed_key(shard, sealed.drop_bucket))
        function = "tidegate_commit_returning_v1" if sealed.returning else "tidegate_commit_v1"
        return self._call(
            "FCALL", function, str(len(keys)), *keys, str(right.epoch), right.token,
            str(sealed.seq), sealed.hash_before, sealed.hash_after, str(sealed.now_ms),
            str(self._trims.pop(right, 0)), sealed.changes, sealed.events,
        )  # fmt: skip

    def check(self, right: Right, seq: int, head: bytes) -> "Future[None]":
        """See ``ShardStore.check``."""
        meta = key(right.shard, "meta")
        return self._call(
            "FCALL_RO",
            "tidegate_check_v1",
            "1",
            meta,
            str(right.epoch),
            right.token,
            str(seq),
            head,
        )

    def _call(self, *words: Any) -> "Future[Any]":
        if self._wire is not None:
            return self._wire.call(*words)
        future: Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreRefused("DISCONNECTED", "not sent"))
        return future

    async def copies(self) -> bool:
        """See ``ShardStore.copies``; on the commits' own connection, after their answers."""
        if self._level < Durability.REPLICATED:
            return True
        each_ms = str(_COPIES_MS // _COPIES_ASKED)
        for _ in range(_COPIES_ASKED):
            if self._level is Durability.REPLICATED:
                counts = [await self._call("WAIT", "1", each_ms)]
            else:
                counts = await self._call("WAITAOF", "1", "1", each_ms)
            if min(counts) >= 1:
                return True
        return False

    async def acquire(self, right: Right, term: int, owner: str) -> Acquired:
        """See ``ShardStore.acquire``; on the commits' own connection.

        A server counts copies up to the last write of the connection that asks. Behind an acquire
        that covers all commits of the shard before it, whoever made them; on a new connection
        that has written nothing it would be success for nothing.
        """
        async with self._connecting:  # Whoever comes first connects for all.
            if self._wire is None or not self._wire.connected:
                await self.reconnect()
        answer = self._call(
            "FCALL", "tidegate_acquire_v1", "1", key(right.shard, "meta"),
            str(term), str(right.epoch), right.token, owner,
        )  # fmt: skip
        try:
            reply = await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError as error:
            raise StoreLost("no answer from the store") from error
        seq, head, now_ms, store_id, clock_ms = reply
        return Acquired(int(seq), head, int(now_ms), store_id.decode(), int(clock_ms))

    async def release(self, right: Right) -> None:
        """See ``ShardStore.release``."""
        meta = key(right.shard, "meta")
        await self._ask("FCALL", "tidegate_release_v1", 1, meta, right.epoch, right.token)

    async def scan(self, shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """See ``ShardStore.scan``."""
        cursor = 0
        while True:
            cursor, portion = await self._ask(
                "HSCAN", key(shard, name), cursor, "COUNT", _SCAN_COUNT
            )
            yield [(field.decode(), value) for field, value in portion.items()]
            if int(cursor) == 0:
                return

    async def closed_hours(self, shard: int) -> list[int]:
        """See ``ShardStore.closed_hours``."""
        found: set[int] = set()
        cursor = 0
        while True:
            cursor, names = await self._ask("SCAN", cursor, "MATCH", key(shard, "closed:*"))
            found.update(hour_of(name.decode()) for name in names)
            if int(cursor) == 0:
                return sorted(found)

    async def recall(self, shard: int, fields: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """See ``ShardStore.recall``."""
        pipeline = self._client.pipeline(transaction=False)
        for hour, names in fields.items():
            pipeline.hmget(closed_key(shard, hour), list(names))
        found: dict[str, bytes] = {}
        with _faults():
            answers = await pipeline.execute()
        for names, values in zip(fields.values(), answers, strict=True):
            for name, value in zip(names, values, strict=True):
                if value is not None:
                    found.setdefault(name, value)
        return found

    async def peek(self, shard: int, name: str, fields: Sequence[str]) -> Peeked:
        """See ``ShardStore.peek``."""
        epoch, seq, _, *values = await self._ask(
            "FCALL_RO", "tidegate_peek_v1", 2, key(shard, "meta"), key(shard, name), *fields
        )
        return Peeked(int(epoch), int(seq), values)

    async def events(self, shard: int, after: int, most: int) -> list[StreamEntry]:
        """See ``ShardStore.events``."""
        stream = key(shard, "events")
        entries: Any = await self._ask("XRANGE", stream, f"({after}-0", "+", "COUNT", most)
        return [
            StreamEntry(int(entry_id.split(b"-")[0]), fields[b"e"], fields[b"h"])
            for entry_id, fields in entries
        ]

    async def events_weight(self, shard: int) -> tuple[int, int]:
        """See ``ShardStore.events_weight``."""
        first = await self.events(shard, 0, 1)
        usage = await self._ask("MEMORY", "USAGE", key(shard, "events"), "SAMPLES", _SAMPLES)
        return int(usage or 0), first[0].seq if first else 0

    def trim_events(self, right: Right, below: int) -> None:
        """See ``ShardStore.trim_events``."""
        self._trims[right] = below

    async def change_base(self, right: Right, change: BaseChange) -> None:
        """See ``ShardStore.change_base``."""
        put = list(chain.from_iterable(change.put.items()))
        await self._ask(
            "FCALL", "tidegate_base_v1", 2, key(right.shard, "meta"), key(right.shard, "base"),
            right.epoch, right.token, change.before, change.after, int(change.anew),
            pack([put, list(change.gone)]),
        )  # fmt: skip

    async def clock_ms(self) -> int:
        """See ``ShardStore.clock_ms``."""
        seconds, micros = await self._ask("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def _ask(self, *words: Any) -> Any:
        with _faults():
            return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """See ``ShardStore.close``."""
        if self._wire is not None:
            self._wire.close()
        await self._client.aclose()


@contextmanager
def _faults() -> Iterator[None]:
    """redis-py's errors as ours; it takes the codes it knows off the text."""
    try:
        yield
    except (ResponseError, BusyLoadingError) as error:
        known = getattr(error, "status_code", None)
        code, _, detail = (known, "", str(error)) if known else str(error).partition(" ")
        raise StoreRefused(code, detail) from error
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise StoreLost(str(error)) from error


def client(url: str) -> "redis.asyncio.Redis":
    """A redis-py client for everything but commits, with its own retries off."""
    return redis.asyncio.Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=_ANSWER_S, protocol=2
    )


def _endpoint(made: "redis.asyncio.Redis") -> tuple[str | tuple[str, int], tuple[str, str] | None]:
    """Address and credentials of a client's URL."""
    kwargs = made.connection_pool.connection_kwargs
    address = kwargs.get("path") or (kwargs.get("host", "127.0.0.1"), kwargs.get("port", 6379))
    if not kwargs.get("password"):
        return address, None
    return address, (kwargs.get("username") or "default", kwargs["password"])
