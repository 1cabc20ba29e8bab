"""What receipts leave to do: promises still to move, homes to be told, supplies that are over."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from engine.commands import Command, Reply, supplies
from engine.ids import split_id
from engine.outcome import Outcome, but_for_copies
from engine.rebacking import last_change
from engine.record import COSTS, HOME, Reservation, Status
from engine.stock import ON_ITS_WAY
from engine.supplies import to_forget

if TYPE_CHECKING:
    from actors.host import HostCore
    from actors.owner import ShardOwner

#: Pieces whose homes are told in one round, and supplies that are forgotten.
_ROUND_MAX: Final = 256


class Arrivals:
    """Looks after one host's receipts."""

    def __init__(
        self, host: "HostCore", call: Callable[[int, Command], Coroutine[Any, Any, Reply]]
    ) -> None:
        self._host = host
        self._call = call
        self._net = host.shards
        self._at_work: set[tuple[int, str]] = set()

    def look_after(self, owner: "ShardOwner") -> None:
        """One round."""
        shard, ledger = owner.right.shard, owner.ledger
        for backing in list(ledger.arriving):
            self._start(shard, backing, self._arrive(owner, backing))
        for sku, name, digest in to_forget(ledger, owner.now_ms(), _ROUND_MAX):
            self._start(shard, name, self._forget(shard, sku, name, digest))
        for field in list(ledger.untold)[:_ROUND_MAX]:
            self._start(shard, field, self._tell(owner, field))

    def _start(self, shard: int, name: str, work: Coroutine[Any, Any, None]) -> None:
        if (shard, name) in self._at_work:
            work.close()
            return
        self._at_work.add((shard, name))
        self._host.start(self._guarded(shard, name, work))

    async def _guarded(self, shard: int, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._at_work.discard((shard, name))

    async def _arrive(self, owner: "ShardOwner", backing: str) -> None:
        sku, _, slot = backing.partition("|")
        name = slot.partition(ON_ITS_WAY)[2]
        while backing in owner.ledger.arriving:
            reply = await self._host.ask(owner.right.shard, supplies.arrive(sku, name))
            if but_for_copies(reply)[0] != Outcome.OK:
                return

    async def _forget(self, shard: int, sku: str, name: str, digest: bytes) -> None:
        """The id first: it must not name what is not there any more."""
        unname = supplies.unname_supply(name, digest)
        if but_for_copies(await self._call(self._net, unname))[0] == Outcome.OK:
            await self._host.ask(shard, supplies.forget_supply(sku, name))

    async def _tell(self, owner: "ShardOwner", field: str) -> None:
        record = owner.ledger.reservations.get(field)
        named = split_id(field[1:])
        if record is None or named is None:
            owner.ledger.untold.discard(field)
            return
        piece = Reservation(record)
        if piece.status is Status.TAKEN:
            return  # Home may have sealed or not: it is told once the piece knows.
        # Answered once all before it is accepted: news of an uncommitted state must not leave.
        before = await self._host.ask(owner.right.shard, supplies.told(field, b""))
        accepted = but_for_copies(before)[0] == Outcome.OK
        if not accepted or owner.ledger.reservations.get(field) != record:
            return  # Its turn comes again.
        costs = piece.extra.get(COSTS, {})
        reback = supplies.reback(named[1], piece.digest, piece.lines, costs, last_change(piece))
        reply = but_for_copies(await self._call(piece.extra[HOME], reback))
        if reply[0] == Outcome.OK:
            await self._host.ask(owner.right.shard, supplies.told(field, record))
