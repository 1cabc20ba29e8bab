"""What a host does by itself: expiry, asking homes, bringing news, tidying, the network.

Everything here is ordinary commands; if a host dies in the middle, its successor finds the same
work again in the records.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from actors.announcer import Announcer
from actors.arrivals import Arrivals
from actors.clocks import Clocks
from actors.folding import bound_events
from actors.keeper import Keeper
from actors.news import News
from actors.offers import Offers
from actors.queues import Exchange, Row
from engine import commands
from engine.commands import Command, Reply, shares, waiting
from engine.holds import is_uncollected
from engine.ids import split_id
from engine.limits import EXPIRY_GRACE_MS, SWEEP_MAX
from engine.outcome import DECISIONS, Outcome, but_for_copies
from engine.record import (
    HOME,
    Reservation,
    Status,
    expires_at_ms_of,
    plain_record,
    status_of,
)
from engine.state import PIECE, TIMED

if TYPE_CHECKING:
    from actors.host import HostCore
    from actors.owner import ShardOwner

log = structlog.get_logger()

_EVERY_S: Final = 0.1
_TIDY_EVERY_S: Final = 30.0
_NETWORK_EVERY_S: Final = 0.5
_KEEP_EVERY_S: Final = 0.5
_DEMAND_EVERY_S: Final = 1.0
_QUEUES_EVERY_S: Final = 1.0
_CLOCK_EVERY_S: Final = 10.0
_WEIGH_EVERY_S: Final = 10.0
#: Pieces that ask home in one round.
_ROUND_MAX: Final = 256
#: A piece that got no answer asks again after this long.
_ASK_AGAIN_MS: Final = 1_000
_CALL_S: Final = 2.0
#: Due fields looked at for one sweep. Most holds end before their time, and looking is cheap:
#: this many take some milliseconds.
_LOOKED_AT_MAX: Final = 32 * SWEEP_MAX


class Peers(Protocol):
    """The way to other shards, whoever owns them."""

    shards: int
    net: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...

    async def tell_queues(self, told: list[Row], since: int) -> tuple[int, list[Row]]:
        """Tell the supervisor what stores are to prepare, and hear it."""
        ...


class _Rhythm:
    """Says when it is time again; at once when first asked."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True


class Chores:
    """Background work of one host."""

    def __init__(self, host: "HostCore") -> None:
        self._host = host
        self._peers: Peers | None = None
        self._task: asyncio.Task[Any] | None = None
        self._news = News(host, self._call)
        self._clocks = Clocks(host)
        self._keeper = Keeper()
        self._arrivals = Arrivals(host, self._call)
        self._offers = Offers(host, self._call)
        self._announcer = Announcer(host)
        self._queues = Exchange(host)
        self._exchanging: asyncio.Task[Any] | None = None
        self._sweeping: set[ShardOwner] = set()  # Whose last sweep is not answered yet.
        self._weighing: set[ShardOwner] = set()  # Whose event stream is being bounded.

    def begin(self, peers: Peers) -> None:
        """Start working; pieces and the network need the way to other shards."""
        self._peers = peers
        self._task = asyncio.ensure_future(self._run())

    def stop(self) -> None:
        """Stop working."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        tidy, follow = _Rhythm(_TIDY_EVERY_S), _Rhythm(_NETWORK_EVERY_S)
        weigh, compare = _Rhythm(_WEIGH_EVERY_S), _Rhythm(_CLOCK_EVERY_S)
        keep, tell = _Rhythm(_KEEP_EVERY_S), _Rhythm(_DEMAND_EVERY_S)
        exchange = _Rhythm(_QUEUES_EVERY_S)
        while True:
            await asyncio.sleep(_EVERY_S)
            chores = [_watch, self._sweep, self._serve_waiting, self._offers.ask, self._news.bring,
                      self._announcer.tell]  # fmt: skip
            chores += [self._tidy] if tidy.due() else []
            chores += [self._follow] if follow.due() else []
            chores += [self._write_demand] if tell.due() else []
            chores += [self._weigh] if weigh.due() else []
            chores += [self._keep_campaigns, self._arrivals.look_after] if keep.due() else []
            for owner in list(self._host.owners.values()):
                for chore in chores:
                    self._do(chore, owner)
            if exchange.due() and (self._exchanging is None or self._exchanging.done()):
                assert self._peers is not None
                self._exchanging = self._host.start(self._queues.round(self._peers.tell_queues))
            if compare.due():
                self._host.start(self._clocks.compare())

    def _do(self, chore: Callable[["ShardOwner"], None], owner: "ShardOwner") -> None:
        """One chore's defect is its own: all the others go on, and it comes round again."""
        try:
            chore(owner)
        except Exception:
            log.exception("a chore failed", shard=owner.right.shard, chore=chore.__name__)

    def _tidy(self, owner: "ShardOwner") -> None:
        self._host.ask(owner.right.shard, commands.tidy())

    def _serve_waiting(self, owner: "ShardOwner") -> None:
        if owner.ledger.waiting.wants(owner.now_ms()):
            self._host.ask(owner.right.shard, waiting.serve())

    def _write_demand(self, owner: "ShardOwner") -> None:
        demand = owner.telemetry.demand
        if not demand:
            return
        rows = demand.take()

        def written(done: "asyncio.Future[Reply]") -> None:
            if but_for_copies(done.result())[0] != Outcome.OK:
                demand.put_back(rows)

        asked = self._host.ask(owner.right.shard, shares.count_refused(rows))
        asked.add_done_callback(written)

    def _keep_campaigns(self, owner: "ShardOwner") -> None:
        assert self._peers is not None
        if owner.right.shard == self._peers.net and owner.ledger.campaigns:
            self._host.start(self._keeper.keep(owner, self._peers))

    def _weigh(self, owner: "ShardOwner") -> None:
        """Bound its event stream, unless the last time is not over: there was much to fold."""
        if owner not in self._weighing:
            self._weighing.add(owner)
            weighed = self._host.start(bound_events(owner, self._host.store))
            weighed.add_done_callback(lambda _: self._weighing.discard(owner))

    def _follow(self, owner: "ShardOwner") -> None:
        self._host.start(self._follow_network(owner))

    # Expiry and pieces

    def _sweep(self, owner: "ShardOwner") -> None:
        """End holds whose time is over; a crowd of them in one sweep after the other."""
        if owner in self._sweeping or not self._may_expire(owner):
            return
        due = _due(owner)
        holds = [field for field in due if field[0] != PIECE]
        if holds:
            self._sweeping.add(owner)
            self._host.ask(owner.right.shard, commands.expire(holds)).add_done_callback(
                lambda done: self._swept(owner, holds, done.result(), more=len(due) == SWEEP_MAX)
            )
        pieces = owner.ledger.pieces_due(due)
        for field in pieces[:_ROUND_MAX]:
            self._host.start(self._ask_home(owner, field))
        for field in pieces[_ROUND_MAX:]:
            owner.ledger.schedule(field, owner.now_ms())

    def _may_expire(self, owner: "ShardOwner") -> bool:
        """Not at once after a takeover, not with clocks in doubt."""
        served_s = time.monotonic() - owner.serving_since
        return served_s >= EXPIRY_GRACE_MS / 1000 and not self._clocks.in_doubt(owner)

    def _swept(self, owner: "ShardOwner", holds: list[str], reply: Reply, *, more: bool) -> None:
        self._sweeping.discard(owner)
        reply = but_for_copies(reply)  # An end that is lost comes again.
        if reply[0] != Outcome.OK:
            for field in holds:  # Not decided: they are still due.
                owner.ledger.schedule(field, owner.now_ms())
            return
        owner.telemetry.expired += reply[1]
        if more:
            self._sweep(owner)

    async def _ask_home(self, owner: "ShardOwner", field: str) -> None:
        """A piece asks home what has become of it; without an answer it stays as it is."""
        record = owner.ledger.reservations.get(field)
        if record is None:
            return
        piece = Reservation(record)
        named = split_id(field[1:])
        if named is None or self._peers is None:
            return
        home, key = piece.extra[HOME], named[1]
        reply = await self._call(home, commands.ask(key, piece.digest))
        if reply[0] == Outcome.OK:
            told = commands.tell(field[1:], piece.digest, *reply[1:])
            reply = await self._host.ask(owner.right.shard, told)
        if reply[0] != Outcome.OK:
            owner.ledger.schedule(field, owner.now_ms() + _ASK_AGAIN_MS)

    async def _call(self, shard: int, command: Command) -> Reply:
        assert self._peers is not None
        if shard in self._host.owners:
            return await self._host.ask(shard, command)
        deadline_at = asyncio.get_running_loop().time() + _CALL_S
        return await self._peers.call(shard, command, deadline_at)

    # The network

    async def _follow_network(self, owner: "ShardOwner") -> None:
        """Take what ``net`` knows that this shard does not."""
        assert self._peers is not None
        if owner.right.shard == self._peers.net:
            return
        while True:
            known = owner.ledger.network
            reply = await self._call(self._peers.net, commands.read_network(known))
            if reply[0] != Outcome.OK or reply[1] <= known:
                break
            more = reply[1] < reply[3]
            taken = commands.take_network(known, reply[1], reply[2])
            reply = await self._host.ask(owner.right.shard, taken)
            if reply[0] != Outcome.OK or not more:
                break
        if reply[0] in DECISIONS and reply[0] != Outcome.OK:
            log.warning("network version refused", shard=owner.right.shard, reply=reply)


def _is_over(record: bytes, now_ms: int) -> bool:
    status = status_of(record)
    if status in TIMED:
        return expires_at_ms_of(record) <= now_ms
    # A hold that was paid for is looked at once more; only a pickup has another date.
    rarer = status == Status.CONFIRMED and plain_record(record) is None
    return rarer and is_uncollected(Reservation(record), now_ms)


def _due(owner: "ShardOwner") -> list[str]:
    """Up to ``SWEEP_MAX`` fields whose time has come.

    Most that were to be looked at now have been paid or given back, or have got more time.
    """
    ledger, now_ms = owner.ledger, owner.now_ms()
    fields: list[str] = []
    looked_at = 0
    while len(fields) < SWEEP_MAX and looked_at < _LOOKED_AT_MAX:
        due = ledger.due(now_ms, SWEEP_MAX - len(fields))
        if not due:
            break
        looked_at += len(due)
        records = ledger.reservations
        fields += [f for f in due if f in records and _is_over(records[f], now_ms)]
    return fields


def _watch(owner: "ShardOwner") -> None:
    owner.watch()
