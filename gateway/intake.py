"""On the way in: load, recent keys and the sold-out hint, and only then the owner.

Nothing here decides about stock: what is answered without the owner is a refusal that may be
sent again, or one that an owner made less than a tenth of a second ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias

import structlog

from engine import commands, record
from engine.commands import Command, Reply, shares
from engine.demand import share_name
from engine.demand_log import DemandLog, Row, refusals
from engine.ids import shard_of, split_id
from engine.outcome import Outcome
from engine.requests import Reserve
from gateway import bundles
from gateway.answers import unpacked
from gateway.hints import Hints
from gateway.keys import RecentKeys
from gateway.metrics import Metrics
from gateway.network_view import NetworkView
from gateway.ports import Owners
from gateway.requests import Ask, Asks

#: Called with (home, reply).
Decided: TypeAlias = Callable[[int, Reply], None]
#: Called with the reply, once, perhaps before the call returns.
Finished: TypeAlias = Callable[[Reply], None]
#: What finishes a reservation over several shards: (home, key, record) → reply.
OverShards: TypeAlias = Callable[[int, str, bytes], Coroutine[Any, Any, Reply]]
#: (reference, digest, lines or None), see ``requests.parcel``.
Parcel: TypeAlias = tuple[str, bytes, list[tuple[str, str, int]] | None]

#: Reservations a worker has on the way before it refuses new ones: 0.2 s of work at the rate of
#: one worker, well within the default deadline.
RESERVATIONS_WAITING_MAX: Final = 6_000
#: The same for what finishes a reservation. Apart, so that a crowd of buyers never keeps those
#: out who have paid.
FINISHING_WAITING_MAX: Final = 6_000
#: By then the crowd before the caller has been answered.
OVERLOAD_RETRY_MS: Final = 250
_DEMAND_EVERY_S: Final = 1.0

_OK: Final = int(Outcome.OK)
_REPEATED: Final = int(Outcome.REPEATED)
_SHORT: Final = int(Outcome.SHORT)
_WEAKER: Final = int(Outcome.WEAKER)
_LOST: Final = int(Outcome.LOST)
_UNKNOWN_SKU: Final = int(Outcome.UNKNOWN_SKU)
_UNKNOWN_CAMPAIGN: Final = int(Outcome.UNKNOWN_CAMPAIGN)
_ELSEWHERE: Final = int(Outcome.ELSEWHERE)
#: After these units were, or may have been, taken.
_MAY_HAVE_TAKEN: Final = frozenset((_OK, _WEAKER, _LOST))
_OVERLOADED: Final[Reply] = [Outcome.OVERLOADED, OVERLOAD_RETRY_MS]

log = structlog.get_logger()


class Intake:
    """What all requests of one worker share."""

    def __init__(self, client: Owners, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.metrics = metrics
        self.loop = loop
        self.keys = RecentKeys()
        self.hints = Hints(client, loop)
        self.network = NetworkView(client, loop)
        self.asks = Asks(client.shards)
        self.reservations_waiting = 0
        self.finishing_waiting = 0
        self._refused = DemandLog()
        self._tasks: set[asyncio.Task[None]] = set()

    def reserve(self, key: str, ask: Ask, deadline_at: float, done: Decided) -> bool:
        """Have ``ask`` decided; ``done`` is called once, perhaps before this returns.

        Whether a task of its own is at work, because the lines lie on several shards.
        """
        home = ask.home
        if self.reservations_waiting >= RESERVATIONS_WAITING_MAX:
            done(home, _OVERLOADED)
            return False
        before = self.keys.home_of(key)
        if before is not None and before != home:
            done(home, [Outcome.KEY_REUSED, key])
            return False
        # Partials rather than closures: no frame of their own, a million times a minute.
        decided = partial(self._reserved, key, ask, done, deadline_at)
        if not ask.single:
            self.reservations_waiting += 1
            self._run(self._counted(ask, self._over_shards(ask.of(key), deadline_at)), decided)
            return True
        if before is None and self.hints.by_sku and self.hints.says_sold_out(ask.of(key)):
            sku, node, units = ask.lines[0]
            self.metrics.refused += 1
            reply = [_SHORT, [[sku, node, units, 0]], True]
            self._unserved(ask, reply)
            done(home, reply)
            return False
        self.reservations_waiting += 1
        packed = commands.packed_reserve(key, ask.tail)
        self.client.submit_packed(home, packed, deadline_at, decided)
        return False

    async def _counted(self, ask: Ask, work: Coroutine[Any, Any, Reply]) -> Reply:
        """The reply of more than one owner, which none of them counts where it refuses."""
        reply = await work
        self._unserved(ask, reply)
        return reply

    def _unserved(self, ask: Ask, reply: Reply) -> None:
        """Demand that no owner counts: owners are told once a second, as counts."""
        share = share_name(ask.extra) if ask.extra is not None else None
        refused = refusals(ask.lines, share, reply)
        if refused and not self._refused:
            self.loop.call_later(_DEMAND_EVERY_S, self._tell_unserved)
        self._refused.add(refused)

    def _tell_unserved(self) -> None:
        by_shard: dict[int, list[Row]] = {}
        for row in self._refused.take():
            by_shard.setdefault(shard_of(row[0], self.client.shards), []).append(row)
        deadline_at = self.loop.time() + _DEMAND_EVERY_S
        for shard, rows in by_shard.items():
            self.client.submit(shard, shares.count_refused(rows), deadline_at, _ignored)

    async def _over_shards(self, request: Reserve, deadline_at: float) -> Reply:
        reply = await self.client.reserve_over_shards(request, deadline_at)
        if reply[0] != _UNKNOWN_SKU:
            return reply
        return await bundles.reserve(self.client, self.network, request, reply, deadline_at)

    def _reserved(
        self, key: str, ask: Ask, done: Decided, deadline_at: float, reply: Reply
    ) -> None:
        if reply[0] == _UNKNOWN_SKU and ask.single:
            # The shard knows no such SKU: it may be a bundle.
            work = bundles.reserve(self.client, self.network, ask.of(key), reply, deadline_at)
            self._run(self._counted(ask, work), partial(self._settled, key, ask, done))
        elif reply[0] == _ELSEWHERE:
            # A limit applies that is counted on the shard of the customer.
            work = self._over_shards(ask.of(key).under(reply[1]), deadline_at)
            self._run(self._counted(ask, work), partial(self._settled, key, ask, done))
        else:
            self._settled(key, ask, done, reply)

    def _settled(self, key: str, ask: Ask, done: Decided, reply: Reply) -> None:
        self.reservations_waiting -= 1
        code = reply[0]
        if self.hints.by_sku and code in _MAY_HAVE_TAKEN:
            for line in ask.lines:
                self.hints.units_moved(line[0])
        if code == _OK:
            self.metrics.created += 1
            self.keys.remember(key, ask.home)
        elif code == _REPEATED:
            self.metrics.repeated += 1
            self.keys.remember(key, ask.home)
        elif code == _UNKNOWN_CAMPAIGN and ask.extra is not None and record.CAMPAIGN in ask.extra:
            # The shard does not sell for it; whether there is such a campaign, ``net`` knows.
            self.metrics.refused += 1
            asked = self.client.explain_campaign(ask.extra[record.CAMPAIGN], ask.lines)
            self._run(self._counted(ask, asked), partial(done, ask.home))
            return
        elif code == _WEAKER:  # It is made all the same, now or before.
            self.keys.remember(key, ask.home)
        elif code != _LOST:  # Which is made or not.
            self.metrics.refused += 1
            if code == _SHORT and len(ask.lines) == 1 and len(reply) > 2 and reply[2]:
                self.hints.sold_out(ask.of(key))
        done(ask.home, reply)

    def confirm(self, name: str, deadline_at: float, done: Finished) -> None:
        """Have a reservation confirmed; ``name`` is its id."""
        self._finish(name, commands.confirm, deadline_at, done)

    def release(self, name: str, deadline_at: float, done: Finished) -> None:
        """Have a reservation released."""
        self._finish(name, commands.release, deadline_at, done)

    def fulfil(self, name: str, parcel: Parcel, deadline_at: float, done: Finished) -> None:
        """Have units of a reservation leave."""
        reference, digest, lines = parcel

        def command(key: str) -> Command:
            return commands.fulfil(key, reference, digest, lines)

        def over_shards(home: int, key: str, record: bytes) -> Coroutine[Any, Any, Reply]:
            return self.client.fulfil_over_shards(
                home, key, reference, digest, lines, record, deadline_at
            )

        self._finish(name, command, deadline_at, done, over_shards)

    def _finish(
        self,
        name: str,
        command: Callable[[str], Command],
        deadline_at: float,
        done: Finished,
        over_shards: OverShards | None = None,
    ) -> None:
        place = split_id(name)
        if place is None or place[0] >= self.client.shards:
            done([Outcome.UNKNOWN_RESERVATION, [name]])
            return
        if self.finishing_waiting >= FINISHING_WAITING_MAX:
            done(_OVERLOADED)
            return
        home, key = place
        self.finishing_waiting += 1

        def settled(reply: Reply) -> None:
            self.finishing_waiting -= 1
            if self.hints.by_sku and reply[0] <= _REPEATED:
                self.units_moved(reply[1])
            done(reply)

        def decided(reply: Reply) -> None:
            if reply[0] != _ELSEWHERE:
                settled(reply)
            elif over_shards is None:
                self._run(self.client.confirm_late(home, key, reply[1], deadline_at), settled)
            else:
                self._run(over_shards(home, key, reply[1]), settled)

        self.client.submit(home, command(key), deadline_at, decided)

    def units_moved(self, record: bytes) -> None:
        """Units of a reservation may have gone back: no hint about them holds any more."""
        for line in unpacked(record)[3]:
            self.hints.units_moved(line[0])

    def _run(self, reply: Coroutine[Any, Any, Reply], done: Callable[[Reply], None]) -> None:
        task = self.loop.create_task(_told(reply, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ignored(_reply: Reply) -> None:
    """Counts of a second may be lost."""


async def _told(reply: Coroutine[Any, Any, Reply], done: Callable[[Reply], None]) -> None:
    try:
        result = await reply
    except Exception:
        log.exception("A coordinator failed")
        result = [Outcome.LOST, OVERLOAD_RETRY_MS]
    done(result)
