"""Short ways to a ledger with stock, commands with fresh keys, and stores of every kind."""

import asyncio
import itertools
import os
import shutil
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from actors import stockroom
from engine import commands
from engine.commands import Command, Reply, network
from engine.effects import Effects, Sealed
from engine.errors import CannotStart
from engine.ids import digest
from engine.ledger import Ledger
from engine.record import PARTIAL, Durability, pack
from engine.store.memory import MemoryServer, MemoryStore
from engine.store.protocol import Acquired, Right, ShardStore
from engine.store.redis import RedisStore, client
from engine.store.server import StoreServer, find_binary
from engine.store.setup import prepare

T = TypeVar("T")
Stock = Mapping[str, Mapping[str, int]]

#: An instant in 2026, five seconds after a full hour.
NOW_MS: Final = 1_790_002_805_000
HOLD_MS: Final = 900_000
WAREHOUSE: Final = {"kind": "warehouse"}
_numbers = itertools.count(1)


def run(steps: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns."""
    return asyncio.run(steps)


def fresh(prefix: str = "k") -> str:
    """A key or reference nobody has used yet."""
    return f"{prefix}-{next(_numbers)}"


# Commands


def lines_of(*wanted: Sequence[Any]) -> list[list[Any]]:
    """Lines out of ``(sku, units)`` or ``(sku, units, node)``."""
    return [[sku, node[0] if node else None, units] for sku, units, *node in wanted]


def reserve(key: str, *wanted: Sequence[Any], hold_ms: int = HOLD_MS, **extra: Any) -> Command:
    """Hold ``(sku, units)`` or ``(sku, units, node)``; ``extra`` as in ``record``."""
    lines = lines_of(*wanted)
    return commands.reserve(
        key, digest(lines, hold_ms, extra or None), lines, hold_ms, extra or None
    )


def reserve_partly(key: str, *wanted: Sequence[Any]) -> Command:
    """Hold what there is of the lines."""
    return reserve(key, *wanted, **{PARTIAL: True})


def fulfil(key: str, reference: str, *parcel: Sequence[Any]) -> Command:
    """Ship ``(sku, node, units)``, or all that is left."""
    rows = [list(row) for row in parcel] or None
    return commands.fulfil(key, reference, digest([], 0, {"rows": rows}), rows)


def adjust(*rows: Sequence[Any], reference: str | None = None) -> Command:
    """Rows ``(sku, node, delta, on_hand, safety_stock)``, of which the last may be missing."""
    padded = [[*row, *[None] * (6 - len(row))] for row in rows]
    return commands.adjust(reference or fresh("po"), 0, digest([], 0, {"rows": padded}), padded)


def receive(sku: str, units: int, node: str = "w1") -> Command:
    """So many units have come."""
    return adjust((sku, node, units))


def count(sku: str, on_hand: int, node: str = "w1") -> Command:
    """So many units are there."""
    return adjust((sku, node, None, on_hand))


def founding(stock: Stock, nodes: Mapping[str, dict[str, Any]] | None = None) -> list[Command]:
    """Commands that make nodes, SKUs and stock known: ``{sku: {node: units}}``."""
    places = {node: dict(WAREHOUSE) for by_node in stock.values() for node in by_node}
    rows = [(sku, node, units) for sku, by_node in stock.items() for node, units in by_node.items()]
    elements = {f"n|{name}": members for name, members in {**places, **(nodes or {})}.items()}
    made = [commands.take_network(0, 1, elements)]
    made += [commands.define_sku(sku, [sku, 0, None]) for sku in stock]
    return [*made, adjust(*rows, reference="founding")] if rows else made


# Ledgers


def empty_ledger(shard: int = 0, shards: int = 1) -> Ledger:
    """A ledger that knows nothing."""
    return Ledger(shard, shards, Durability.FSYNC)


def stocked_ledger(stock: Stock, nodes: Mapping[str, dict[str, Any]] | None = None) -> Ledger:
    """A ledger with ``{sku: {node: units}}``, its founding sealed and accepted."""
    ledger = empty_ledger()
    ledger.decide_all(founding(stock, nodes), NOW_MS)
    sealed = ledger.seal()
    if sealed is not None:
        ledger.accepted(sealed)
    return ledger


def counters(ledger: Ledger) -> dict[str, tuple[int, ...]]:
    """On hand, safety stock, reserved, committed and quarantined units of every backing."""
    return {
        position.backing: position.counts()[:5]
        for book in ledger.books.values()
        for position in book.positions.values()
    }


# Stores


class Owner:
    """A ledger and its store, one batch at a time, as a host drives them but without overlap."""

    def __init__(self, store: ShardStore, ledger: Ledger, right: Right) -> None:
        self.store = store
        self.ledger = ledger
        self.right = right

    @classmethod
    async def of(
        cls, store: ShardStore, shard: int = 0, shards: int = 1, epoch: int = 1
    ) -> "Owner":
        """The owner of a shard under a new epoch, with what the store has of it."""
        right = Right(shard, epoch, f"token-{epoch}")
        acquired = await store.acquire(right, 1, f"host-{epoch}")
        return cls(store, await recovered(store, right, acquired, shards), right)

    async def do(self, *batch: Command, now_ms: int = NOW_MS) -> list[Reply]:
        """The replies to a batch, accepted by the store."""
        replies, sealed = await self.decide(*batch, now_ms=now_ms)
        if sealed is None:
            await self.store.check(self.right, self.ledger.seq, self.ledger.head)
        else:
            await self.store.commit(self.right, sealed)
            self.ledger.accepted(sealed)
        return replies

    async def decide(
        self, *batch: Command, now_ms: int = NOW_MS
    ) -> tuple[list[Reply], Sealed | None]:
        """The replies to a batch that is not committed yet."""
        ledger = self.ledger
        by_hour: dict[int, list[str]] = {}
        for field in sorted(ledger.to_recall(batch)):
            for hour in ledger.hours_of(field, now_ms):
                by_hour.setdefault(hour, []).append(field)
        ledger.recalled = dict(await self.store.recall(self.right.shard, by_hour))
        replies = ledger.decide_all(batch, now_ms)
        ledger.recalled = {}
        return replies, ledger.seal()


async def scanned(store: ShardStore, shard: int, name: str) -> dict[str, bytes]:
    """One hash of a shard."""
    return {field: value async for portion in store.scan(shard, name) for field, value in portion}


async def recovered(store: ShardStore, right: Right, acquired: Acquired, shards: int = 1) -> Ledger:
    """The ledger that the store's hashes tell of, closed index and all."""
    ledger = empty_ledger(right.shard, shards)
    ledger.seq, ledger.head, ledger.epoch = acquired.seq, acquired.head, right.epoch
    ledger.load_state((await scanned(store, right.shard, "state")).items())
    ledger.load_records((await scanned(store, right.shard, "reservations")).items())
    guard = {b: int(v) for b, v in (await scanned(store, right.shard, "free")).items()}
    assert ledger.stop_where_books_differ(guard) == []
    for hour in await store.closed_hours(right.shard):
        ledger.load_closed(hour, (await scanned(store, right.shard, f"closed:{hour}")).items())
    return ledger


class Backend:
    """One kind of store; every test gets it empty."""

    kind = "memory"

    async def store(self, shards: int = 1) -> ShardStore:
        """A connection to an empty store of so many shards (and net)."""
        return MemoryStore(MemoryServer(shards))

    def stop(self) -> None:
        """End what was started."""


class ServerBackend(Backend):
    """A real server of our own, emptied for each test."""

    def __init__(self, kind: str, data: Path, level: Durability = Durability.FSYNC) -> None:
        self.kind = kind
        self.level = level
        self.server = StoreServer(binary_or_skip(kind), data, level)
        run(self.server.start())

    async def store(self, shards: int = 1) -> RedisStore:
        """See ``Backend.store``."""
        await self.admin("FLUSHALL", "SYNC")
        await prepare(self.server.admin_url, shards, self.level)
        return await self.connection()

    async def connection(self) -> RedisStore:
        """One more connection to the store as it is."""
        store = RedisStore(self.server.url, self.level)
        await store.connect()
        return store

    async def admin(self, *words: Any) -> Any:
        """What the server answers its administrator."""
        admin = client(self.server.admin_url)
        try:
            return await admin.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await admin.aclose()

    def stop(self) -> None:
        """See ``Backend.stop``."""
        run(self.server.stop())


def binary_or_skip(kind: str) -> Path:
    """The server's program; where it is missing a laptop skips, and CI fails."""
    try:
        if kind == "system" and os.environ.get("CI") != "true" and not shutil.which("redis-server"):
            pytest.skip("no redis-server on the PATH")
        return find_binary(kind)
    except CannotStart as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


# Commits made by hand


def commit_of(
    seq: int,
    before: bytes,
    *,
    guard: Sequence[Any] = (),
    fields: Mapping[str, bytes] | None = None,
    forgotten: Sequence[str] = (),
    records: Mapping[str, bytes] | None = None,
    gone: Sequence[str] = (),
    closed: Mapping[str, bytes] | None = None,
    excused: Sequence[str] = (),
    returning: bool = False,
    closed_bucket: int = NOW_MS // 3_600_000,
    drop_bucket: int | None = None,
) -> Sealed:
    """A commit no ledger has decided; ``guard`` is flat (backing, taken, added, removed)."""
    changes = pack([
        list(guard), _flat(fields), list(forgotten), _flat(records), list(gone), _flat(closed),
        list(excused),
    ])  # fmt: skip
    events = pack([1, NOW_MS, 0, [0, str(seq), changes]])
    return Sealed(
        seq=seq,
        hash_before=before,
        hash_after=blake2b(before + events, digest_size=16).digest(),
        now_ms=NOW_MS,
        closed_bucket=closed_bucket,
        changes=changes,
        events=events,
        returning=returning,
        drop_bucket=drop_bucket,
        effects=Effects(),
    )


def _flat(items: Mapping[str, bytes] | None) -> list[Any]:
    return list(itertools.chain.from_iterable((items or {}).items()))


async def owned(store: ShardStore, shard: int = 0, epoch: int = 1) -> Right:
    """The right to write a shard, just acquired."""
    right = Right(shard, epoch, f"token-{epoch}")
    await store.acquire(right, 1, f"host-{epoch}")
    return right


def define_node(name: str, members: dict[str, Any]) -> Command:
    """Make a node known at ``net``, or replace its members."""
    return network.define({f"n|{name}": members})


async def put_node(
    client: stockroom.Shards, name: str, members: dict[str, Any], deadline_at: float
) -> Reply:
    """The same, and every shard knows before this returns."""
    return await stockroom.define(client, define_node(name, members), deadline_at)
