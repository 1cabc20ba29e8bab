"""A working copy from the store, and the audit that every start makes of it."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from engine.errors import StoreLost, StoreRefused
from engine.ledger import Ledger
from engine.limits import CLOSED_BUCKET_MS, CLOSED_WINDOW_MS
from engine.record import Durability
from engine.store.protocol import Acquired, Right, ShardStore

log = structlog.get_logger()

_AGAIN_S: Final = 0.25


async def load(
    store: ShardStore,
    right: Right,
    acquired: Acquired,
    shards: int,
    level: Durability,
    *,
    window_ms: int = CLOSED_WINDOW_MS,
) -> Ledger:
    """The ledger of a shard just acquired; its books are compared with the store's guard.

    Scanning needs no lock: a commit of the last owner ran before the acquire, or is fenced.
    """
    ledger = Ledger(right.shard, shards, level, window_ms=window_ms)
    ledger.seq, ledger.head, ledger.epoch = acquired.seq, acquired.head, right.epoch
    ledger.changed_floor = acquired.seq + 1
    items: list[tuple[str, bytes]] = []
    async for portion in store.scan(right.shard, "state"):
        items.extend(portion)
    ledger.load_state(items)
    async for portion in store.scan(right.shard, "reservations"):
        ledger.load_records(portion)
        await asyncio.sleep(0)  # Other shards of this host go on selling.
    guard: dict[str, int] = {}
    async for portion in store.scan(right.shard, "free"):
        guard.update((backing, int(units)) for backing, units in portion)
    for backing in ledger.stop_where_books_differ(guard):
        log.error("books differ from the guard: sales stopped", shard=right.shard, at=backing)
    ledger.closed_loaded = False
    return ledger


async def load_closed(store: ShardStore, ledger: Ledger, is_needed: Callable[[], bool]) -> None:
    """The index of ended reservations, while the shard is serving already.

    Until it is there, each unknown key costs a look into the store and no SKU may be called sold
    out by a hint: a store that is away for a moment is asked again for as long as it is needed.
    """
    known: set[int] = set()
    while is_needed():
        try:
            await _load_hours(store, ledger, known)
        except (StoreLost, StoreRefused) as error:
            log.warning("ended ones are not loaded yet", shard=ledger.shard, reason=str(error))
            await asyncio.sleep(_AGAIN_S)
        else:
            ledger.closed_loaded = True
            return


async def _load_hours(store: ShardStore, ledger: Ledger, known: set[int]) -> None:
    """The hours that are not ``known`` yet."""
    oldest = (await store.clock_ms() - ledger.window_ms) // CLOSED_BUCKET_MS - 1
    for hour in await store.closed_hours(ledger.shard):
        if hour in known:
            continue
        ledger.closed_hours.setdefault(hour, [])
        if hour > oldest:  # Else its window is over: tidying drops it.
            async for portion in store.scan(ledger.shard, f"closed:{hour}"):
                ledger.load_closed(hour, portion)
                await asyncio.sleep(0)
        known.add(hour)
