"""An owner's stock against its events: all of them, or those behind the base of its shard."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from actors.folding import ENTRIES, at_of, live_stock, rebuilding, standing_still
from actors.owner import ShardOwner
from engine.ledger import Ledger
from engine.rebuild import Place, Rebuilt
from engine.stock import NOTHING, Stock

if TYPE_CHECKING:
    from engine.store.protocol import ShardStore

#: Longer than the millisecond that shard time is told in.
_TICK_S: Final = 0.002


async def rebuild(owner: ShardOwner, store: "ShardStore", asked: dict[str, Any]) -> dict[str, Any]:
    """Stock rebuilt from the events against the owner's, at one seq; selling goes on meanwhile.

    ``source``: ``stream`` (it reaches back to the first commit), ``base`` (of events that were
    trimmed since), ``live`` (a base that had to be taken from live state, at ``since_ms`` of shard
    time) or ``nothing`` (trimmed without a base: nothing can be said until the owner has taken
    one). ``differing``: ``[backing, owner's, events']`` of stocks that are not the same at
    ``at_ms``. ``broken``: ``[seq, owner's hash, stream's hash or None]`` where the entry that the
    history has at a seq is not there; nothing is compared then. ``touched``: the last seq known,
    by backing that differs or that ``asked`` names among ``backings``; ``stock``: what the events
    say of these; ``countable``: those of them whose SKU and node the owner knows; ``seen``: the
    last seq and event, and whether the owner has what that left, by record of
    ``asked["records"]``.
    Empty where the shard went to another owner meanwhile.
    """
    async with owner.audits:
        begun = await _caught_up(owner, store, asked["records"])
        if begun is None:
            return {"source": "nothing", "base_seq": 0, "since_ms": None}
        source, rebuilt, broken = begun
        async with standing_still(owner) as serving:
            broken = broken or await _catch_up(owner, store, rebuilt)
            live, at_ms = live_stock(owner.ledger), owner.now_ms()
            seen = {
                at: [seq, event.name.lower(), record == owner.ledger.reservations.get(at)]
                for at, (seq, event, record) in rebuilt.seen.items()
            }
            # What moves in the same millisecond would not count as moved behind the comparison.
            await asyncio.sleep(_TICK_S)
    if not serving:
        return {}
    base = rebuilt.base
    differing = [] if broken else _differing(live, rebuilt)
    return {
        "source": source, "base_seq": base.seq, "since_ms": base.live_at_ms or None,
        "at_ms": at_ms, "differing": differing, "broken": broken,
        "seen": seen,
        "countable": [at for at in asked["backings"] if _is_countable(owner.ledger, at)],
        "touched": {
            backing: rebuilt.touched.get(f"q|{backing}")
            for backing in (*asked["backings"], *(at[0] for at in differing))
        },
        "stock": {backing: rebuilt.stock.get(backing, NOTHING) for backing in asked["backings"]},
    }  # fmt: skip


def _is_countable(ledger: Ledger, backing: str) -> bool:
    sku, _, node = backing.partition("|")
    return sku in ledger.books and node in ledger.nodes


async def _caught_up(
    owner: ShardOwner, store: "ShardStore", watched: list[str]
) -> tuple[str, Rebuilt, list[Any] | None] | None:
    """From what, how far, and where it broke off; None where entries are gone that no base has."""
    while True:
        begun = await _begun(owner, store, watched)
        if begun is None:
            return None
        source, rebuilt = begun
        broken = await _catch_up(owner, store, rebuilt)
        first = await store.events(owner.ledger.shard, 0, 1) if broken else []
        if not first or first[0].seq <= rebuilt.seq + 1:
            return source, rebuilt, broken
        # A cut that was asked for before has been made meanwhile: the base has what went.


async def _begun(
    owner: ShardOwner, store: "ShardStore", watched: list[str]
) -> tuple[str, Rebuilt] | None:
    """Where to begin, and what that is; None where the entries behind it are gone."""
    shard = owner.ledger.shard
    first = await store.events(shard, 0, 1)
    if owner.accepted_seq == 0 or (first and first[0].seq == 1):
        return "stream", rebuilding(owner.ledger, Place(), watched)
    base = Place.of(await at_of(store, shard))
    if base.seq == 0 or (first and first[0].seq > base.seq + 1):
        return None
    rebuilt = rebuilding(owner.ledger, base, watched)
    async for portion in store.scan(shard, "base"):
        rebuilt.load(portion)
        await asyncio.sleep(0)
    return "live" if base.live_seq else "base", rebuilt


async def _catch_up(owner: ShardOwner, store: "ShardStore", rebuilt: Rebuilt) -> list[Any] | None:
    """Take entries up to what the owner has had accepted; where that breaks off, see above."""
    while rebuilt.seq < owner.accepted_seq:
        entries = await store.events(owner.ledger.shard, rebuilt.seq, ENTRIES)
        for entry in entries:
            if not rebuilt.follows(entry):
                return [rebuilt.seq + 1, rebuilt.expected(entry).hex(), entry.hash.hex()]
            rebuilt.take(entry)
            await asyncio.sleep(0)
        if not entries:
            return [rebuilt.seq + 1, None, None]
    return None


def _differing(live: dict[str, Stock], rebuilt: Rebuilt) -> list[list[Any]]:
    told = rebuilt.stock
    return [
        [backing, live.get(backing, NOTHING), told.get(backing, NOTHING)]
        for backing in sorted(live.keys() | told.keys())
        if live.get(backing, NOTHING) != told.get(backing, NOTHING)
    ]
