"""Paid pieces without their home, homes without a paid piece: only the audit sees both sides.

An owner lists, as hashes of eight bytes, the pieces that are confirmed here, those that homes here
have been told of, and those that homes here know at all. What does not match is asked for again by
name until it does: news are on their way all the time.
"""

import asyncio
from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.reused import Ask
from engine.ids import reservation_id
from engine.record import NONCE, OWES, PIECES, Reservation, Status, plain_record, status_of
from engine.state import PIECE

if TYPE_CHECKING:
    from actors.owner import ShardOwner

_HASH_BYTES: Final = 8
#: Records looked at before the loop goes on with its commands: some milliseconds.
_PORTION: Final = 1_000
#: News take some milliseconds; whose shard is on its way to another host needs longer.
_TRIES: Final = 8
_PAUSE_S: Final = 0.25
#: Pieces named in one audit: what more there is will be found once these are settled.
_NAMED_MAX: Final = 1_000


class Pair(NamedTuple):
    """A piece, as its shard has it or as home knows it."""

    reservation: str
    nonce: str
    shard: int
    side: str  # ``piece``; ``told`` or ``known`` by home: known ones may not be confirmed yet.

    def hash(self) -> bytes:
        """The same for both sides."""
        named = f"{self.reservation} {self.nonce} {self.shard}".encode()
        return blake2b(named, digest_size=_HASH_BYTES).digest()


async def told(owner: "ShardOwner", asked: dict[str, Any]) -> dict[str, Any]:
    """The owner's half: all hashes by side, or what is behind those that are ``wanted``."""
    wanted = set(asked["wanted"]) if "wanted" in asked else None
    hashes: dict[str, list[bytes]] = {"piece": [], "told": [], "known": []}
    named: list[list[Any]] = []
    records = list(owner.ledger.reservations.items())
    for first in range(0, len(records), _PORTION):
        for field, record in records[first : first + _PORTION]:
            for pair in _pairs(owner.right.shard, field, record):
                known_as = pair.hash()
                if wanted is None:
                    hashes[pair.side].append(known_as)
                elif known_as in wanted:
                    named.append([known_as, *pair])
        await asyncio.sleep(0)
    return hashes if wanted is None else {"named": named}


def _pairs(shard: int, field: str, record: bytes) -> Iterator[Pair]:
    """What a record says of pieces."""
    if field[0] == PIECE:
        if status_of(record) == Status.CONFIRMED:
            yield Pair(field[1:], Reservation(record).digest.hex(), shard, "piece")
    elif plain_record(record) is None:
        home = Reservation(record)
        owed = home.extra.get(OWES, {})
        confirmed = home.status is Status.CONFIRMED
        for other in home.extra.get(PIECES, ()) if confirmed else owed:
            side = "known" if other in owed else "told"
            yield Pair(reservation_id(shard, field), home.extra[NONCE], other, side)


async def find(ask: Ask, shards: int) -> list[dict[str, Any]]:
    """The auditor's half: a finding for each piece that only one side has, again and again."""
    lists = [await ask(shard, {"m": "pairs"}) for shard in range(shards)]
    pieces, homes, known = (
        {known_as for one in lists for known_as in one[side]} for side in ("piece", "told", "known")
    )
    doubtful = sorted((homes - pieces) | (pieces - homes - known))[:_NAMED_MAX]
    alone: list[Pair] = []
    for _ in range(_TRIES if doubtful else 0):
        await asyncio.sleep(_PAUSE_S)
        sides = await _sides(ask, shards, doubtful)
        alone = [pair for pair in map(_alone, sides.values()) if pair is not None]
        doubtful = [pair.hash() for pair in alone]
        if not doubtful:
            break
    return [_finding(pair) for pair in sorted(alone)]


async def _sides(ask: Ask, shards: int, wanted: list[bytes]) -> dict[bytes, list[Pair]]:
    """What all shards say of some pieces, by hash."""
    sides: dict[bytes, list[Pair]] = {}
    for shard in range(shards):
        for known_as, *pair in (await ask(shard, {"m": "pairs", "wanted": wanted}))["named"]:
            sides.setdefault(known_as, []).append(Pair(*pair))
    return sides


def _alone(sides: list[Pair]) -> Pair | None:
    """The one side that a piece has, unless home knows that its news are on their way."""
    return sides[0] if len(sides) == 1 and sides[0].side != "known" else None


def _finding(pair: Pair) -> dict[str, Any]:
    is_piece = pair.side == "piece"
    return {
        "shard": pair.shard, "kind": "piece", "sku": None, "node": None,
        "reservation": pair.reservation,
        "owner": "confirmed" if is_piece else None, "store": None if is_piece else "confirmed",
    }  # fmt: skip
