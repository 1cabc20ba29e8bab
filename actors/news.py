"""News that reservations owe to other shards: each is brought until it is acknowledged.

Debts take turns, so that a shard that is away keeps nobody waiting but its own. Once it has not
answered, one debt a second finds out whether it is back, and the others wait.
"""

import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from engine import commands
from engine.commands import Command, Reply
from engine.ids import reservation_id, shard_of
from engine.ledger import Ledger
from engine.outcome import DECISIONS, Outcome
from engine.record import NONCE, OWES, Reservation

if TYPE_CHECKING:
    from actors.host import HostCore
    from actors.owner import ShardOwner

#: One command to a shard, whoever owns it.
Call = Callable[[int, Command], Coroutine[Any, Any, Reply]]

#: Debts begun to be paid in one round.
_ROUND_MAX: Final = 256
#: How long a shard that did not answer is left alone.
_AWAY_S: Final = 1.0


class News:
    """What one host's reservations owe."""

    def __init__(self, host: "HostCore", call: Call) -> None:
        self._host = host
        self._call = call
        #: By shard, the keys whose turn comes next; filled again when all have had theirs.
        self._turns: dict[int, deque[str]] = {}
        self._telling: set[tuple[int, str]] = set()
        self._away_until: dict[int, float] = {}

    def bring(self, owner: "ShardOwner") -> None:
        """One round: start to tell the shards whose turn it is."""
        shard = owner.right.shard
        turns = self._turns.setdefault(shard, deque())
        if not turns:
            turns.extend(owner.ledger.owing)
        for _ in range(min(len(turns), _ROUND_MAX)):
            key = turns.popleft()
            waits = (shard, key) in self._telling or key not in owner.ledger.owing
            if not waits and self._anybody_there(owed_to(owner.ledger, key)):
                self._telling.add((shard, key))
                self._host.start(self._tell(owner, key))

    def _anybody_there(self, shards: Iterable[int]) -> bool:
        now = time.monotonic()
        return not self._away_until or any(now >= self._away_until.get(s, 0.0) for s in shards)

    async def _tell(self, owner: "ShardOwner", key: str) -> None:
        shard = owner.right.shard
        try:
            # As accepted by the store: news of an uncommitted state must not leave.
            reply = await self._host.ask(shard, commands.read(key))
            if reply[0] == Outcome.OK:
                reservation = Reservation(reply[1])
                owes = dict(reservation.extra.get(OWES, {}))
            elif reply[0] == Outcome.UNKNOWN_RESERVATION:
                owes = {}
            else:
                return  # Not known now: its turn comes again.
            if not owes and not owed_to(owner.ledger, key):
                owner.ledger.owing.discard(key)
            for other, news in owes.items():
                if self._may_try(other):
                    await self._tell_one(owner, key, reservation, (other, news))
        finally:
            self._telling.discard((shard, key))

    async def _tell_one(
        self, owner: "ShardOwner", key: str, reservation: Reservation, debt: tuple[int, list[Any]]
    ) -> None:
        """Bring one shard its news, and settle that where it has acknowledged."""
        shard, (other, news) = owner.right.shard, debt
        nonce = bytes.fromhex(reservation.extra[NONCE])
        lines = [
            line for line in reservation.lines if shard_of(line[0], self._host.shards) == other
        ]
        name, (status, expires_at_ms, shipped, *more) = reservation_id(shard, key), news
        counted = more[0] if more else None
        tell = commands.tell(name, nonce, status, expires_at_ms, shipped, counted, lines)
        told = await self._call(other, tell)
        if told[0] in DECISIONS or told[0] == Outcome.WEAKER:
            self._away_until.pop(other, None)
        else:
            self._away_until[other] = time.monotonic() + _AWAY_S
        if told[0] == Outcome.OK:
            await self._host.ask(shard, commands.settle(key, other, news))

    def _may_try(self, shard: int) -> bool:
        """Whether a shard answers, or it is time to find out."""
        now = time.monotonic()
        until = self._away_until.get(shard)
        if until is None:
            return True
        if now < until:
            return False
        self._away_until[shard] = now + _AWAY_S  # The others wait for what this one finds.
        return True


def owed_to(ledger: Ledger, key: str) -> list[int]:
    """The shards that a reservation owes news as the owner sees it, accepted or not."""
    record = ledger.reservations.get(key)
    return [] if record is None else list(Reservation(record).extra.get(OWES, {}))
