"""An owner's event stream kept within its bounds: what is too old is folded into the base first.

The base is never behind what is trimmed: it is in the store before the next commit trims. A crash
in between leaves entries that the base has already; whoever reads goes on behind the base.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from actors.owner import Phase, ShardOwner
from engine.errors import StoreLost, StoreRefused
from engine.ledger import Ledger
from engine.limits import EVENTS_BYTES_MAX, EVENTS_KEPT_MAX, PEEK_FIELDS_MAX
from engine.rebuild import Place, Rebuilt, base_of
from engine.stock import Stock
from engine.store.protocol import AT, BaseChange, Right, StreamEntry

if TYPE_CHECKING:
    from engine.store.protocol import ShardStore

log = structlog.get_logger()

#: Entries of the stream read and folded at a time.
ENTRIES: Final = 64
#: What is left of an event stream that was too large; it may grow for a while before the next cut.
_KEPT_SHARE: Final = 0.9
#: Open records looked at before the loop goes on with its commands: some milliseconds.
_PORTION: Final = 1_000


async def bound_events(owner: ShardOwner, store: "ShardStore") -> None:
    """Have the next commit cut an event stream that has more than it may.

    Where entries have been cut that no base has (an older version did so), one is made of live
    state, and says so.
    """
    right = owner.right
    try:
        size, first = await store.events_weight(right.shard)
        seq = _too_old(size, first, owner.accepted_seq)
        if seq or first > 1:
            async with owner.audits:
                base = await _advanced(owner, store, right, max(seq, first - 1))
            if seq and base is not None:
                store.trim_events(right, base.seq + 1)
    except StoreLost:
        return  # It is settled, or looked at again in the next round.
    except StoreRefused as error:
        log.warning("an event stream cannot be cut", shard=right.shard, reason=str(error))


def _too_old(size: int, first: int, last: int) -> int:
    """The last seq that must go; 0: none."""
    count = last - first + 1 if first else 0
    kept = min(count, EVENTS_KEPT_MAX)
    if size > EVENTS_BYTES_MAX:
        kept = min(kept, int(count * EVENTS_BYTES_MAX / size * _KEPT_SHARE))
    return last - kept if kept < count else 0


async def at_of(store: "ShardStore", shard: int) -> bytes | None:
    """Where a shard's base stands, a packed ``Place``; None where there is none."""
    return (await store.peek(shard, "base", [AT])).values[0]


async def _advanced(owner: ShardOwner, store: "ShardStore", right: Right, seq: int) -> Place | None:
    """The base, moved on to a seq at least; None where the shard has another owner now."""
    at = await at_of(store, right.shard)
    place = Place.of(at)
    while place.seq < seq:
        entries = await store.events(right.shard, place.seq, min(ENTRIES, seq - place.seq))
        rebuilt = await _folded(owner.ledger, store, place, entries)
        if rebuilt is None:
            log.error("events do not go on behind the base", shard=right.shard, seq=place.seq)
            return await _taken_live(owner, store, right, at)
        place, before, at = rebuilt.place, at, rebuilt.place.packed()
        await store.change_base(right, _change(rebuilt, before, at))
    return place


async def _folded(
    ledger: Ledger, store: "ShardStore", base: Place, entries: list[StreamEntry]
) -> Rebuilt | None:
    """What a portion of entries makes of as much of the base as they need.

    None where they do not follow it, or there are none.
    """
    rebuilt = rebuilding(ledger, base)
    needed: set[str] = set()
    for entry in entries:
        needed |= rebuilt.needs(entry)
        await asyncio.sleep(0)
    for names in _parts(sorted(needed)):
        peeked = await store.peek(ledger.shard, "base", names)
        rebuilt.load(zip(names, peeked.values, strict=True))
    for entry in entries:
        if not rebuilt.follows(entry):
            return None
        rebuilt.take(entry)
        await asyncio.sleep(0)
    return rebuilt if entries else None


def _change(rebuilt: Rebuilt, before: bytes | None, after: bytes) -> BaseChange:
    changes = dict(rebuilt.changes())
    put = {name: value for name, value in changes.items() if value is not None}
    gone = [name for name, value in changes.items() if value is None]
    return BaseChange(before=before or b"", after=after, put=put, gone=gone)


async def _taken_live(
    owner: ShardOwner, store: "ShardStore", right: Right, at: bytes | None
) -> Place | None:
    """A base of the state as it is now, in the store; None where it is another owner's."""
    async with standing_still(owner) as serving:
        if not serving:
            return None
        seq = owner.accepted_seq
        place = Place(seq, owner.accepted_head, seq, owner.now_ms())
        stock, records = live_stock(owner.ledger), list(owner.ledger.reservations.items())
    fields = base_of(stock, ())
    for first in range(0, len(records), _PORTION):
        fields.update(base_of({}, records[first : first + _PORTION]))
        await asyncio.sleep(0)
    await store.change_base(right, BaseChange(before=at or b"", after=b"", put={}, anew=True))
    for names in _parts(sorted(fields)):
        put = {name: fields[name] for name in names}
        await store.change_base(right, BaseChange(before=b"", after=b"", put=put))
    finished = BaseChange(before=b"", after=place.packed(), put={})
    await store.change_base(right, finished)
    return place


def _parts(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), PEEK_FIELDS_MAX):
        yield names[first : first + PEEK_FIELDS_MAX]


def rebuilding(ledger: Ledger, base: Place, watched: list[str] | None = None) -> Rebuilt:
    """A shard's stock to be rebuilt from a base on; see ``Rebuilt``."""
    return Rebuilt(lambda sku: sku in ledger.books, base, watched or ())


def live_stock(ledger: Ledger) -> dict[str, Stock]:
    """What an owner's books say is at each backing."""
    return {
        position.backing: position.stock
        for book in ledger.books.values()
        for position in book.positions.values()
    }


@asynccontextmanager
async def standing_still(owner: ShardOwner) -> AsyncIterator[bool]:
    """Nothing is decided and no commit is on its way; False: the shard is another owner's now."""
    owner.paused = True
    try:
        await owner.drained()
        yield owner.phase is Phase.SERVING
    finally:
        owner.paused = False
        owner.pump()
