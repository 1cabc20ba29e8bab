"""Offers to those who wait, under limits that their customers' shards count.

An offer is held first and told last: in between the customer's shard takes a piece that counts it,
as for every reservation, or says that he has too much. Whoever stops, the hold ends by itself, and
its home's news or its silence end the piece.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from engine import commands, totals
from engine.commands import Command, Reply, waiting
from engine.ids import reservation_id
from engine.outcome import Outcome, but_for_copies
from engine.record import COUNTED, DRAWN_ON, LIMITS, NONCE, PIECES, Reservation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.host import HostCore
    from actors.owner import ShardOwner

#: A shard that has not answered is asked again after this long.
_AGAIN_S: Final = 1.0
#: Customers' shards asked at a time for one shard's list.
_ASKED_MAX: Final = 256


def piece_of(home: int, key: str, record: bytes | None) -> tuple[int, Command] | None:
    """The customer's shard, and what it is to take; None where the hold has ended."""
    offer = Reservation(record) if record is not None else None
    if offer is None or NONCE not in offer.extra:
        return None
    extra: dict[str, Any] = {name: offer.extra[name] for name in DRAWN_ON if name in offer.extra}
    extra |= {LIMITS: offer.extra[LIMITS], COUNTED: totals.due(offer)}
    nonce = bytes.fromhex(offer.extra[NONCE])
    take = commands.take(reservation_id(home, key), nonce, home, [], extra, None)
    return offer.extra[PIECES][0], take


class Offers:
    """Asks for one host."""

    def __init__(
        self, host: "HostCore", call: "Callable[[int, Command], Awaitable[Reply]]"
    ) -> None:
        self._host = host
        self._call = call
        self._asking: set[tuple[int, str]] = set()

    def ask(self, owner: "ShardOwner") -> None:
        """Ask for every offer that nobody has been told of yet."""
        entries = owner.ledger.waiting.entries
        for key in list(owner.ledger.waiting.asked)[:_ASKED_MAX]:
            offer, place = entries[key].reservation, (owner.right.shard, key)
            if offer is not None and place not in self._asking:
                self._asking.add(place)
                self._host.start(self._settle(owner, key, offer))

    async def _settle(self, owner: "ShardOwner", key: str, offer: str) -> None:
        home = owner.right.shard
        try:
            asked = piece_of(home, offer, owner.ledger.reservations.get(offer))
            reply = but_for_copies(await self._call(*asked)) if asked is not None else [Outcome.OK]
            is_within = reply[0] == Outcome.OK
            if is_within or reply[0] == Outcome.OVER_LIMIT:
                told = waiting.answer(key, offer, is_within=is_within)
                reply = but_for_copies(await self._host.ask(home, told))
            if reply[0] != Outcome.OK:
                await asyncio.sleep(_AGAIN_S)
        finally:
            self._asking.discard((home, key))
