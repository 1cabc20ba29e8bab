"""The core of a shard host: owns some shards, without Ray, on one asyncio loop.

Batches come in as frames (``wire``), each shard's part goes to its owner, and the frame is
answered when all parts are. Background work (expiry, news for pieces, the network) is ordinary
commands through the same owners.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import msgpack
import structlog

from actors import books, feed, pairs, rebuilding, recovery, reused
from actors.chores import Chores
from actors.jobs import Job
from actors.lane import LineLost
from actors.owner import Phase, ShardOwner
from actors.waves.agenda import Automatic
from actors.waves.desk import Desk
from engine.commands import Command, Reply
from engine.errors import StoreLost, StoreRefused
from engine.limits import CLOSED_WINDOW_MS, HINT_MS
from engine.outcome import Outcome
from engine.record import Durability
from engine.store.protocol import Acquired, Right, ShardStore

log = structlog.get_logger()

#: Asks the supervisor for renewed rights to shards; only the current assignee gets any.
Renew = Callable[[str, list[int]], Coroutine[Any, Any, list[Right]]]

_RECONNECT_PAUSE_S: Final = 0.05


class HostCore:
    """Some shards, one store connection."""

    def __init__(
        self,
        name: str,
        shards: int,
        store: ShardStore,
        level: Durability,
        renew: Renew,
        *,
        window_ms: int = CLOSED_WINDOW_MS,
        waves: Automatic | None = None,
    ) -> None:
        self.name = name
        self.shards = shards
        self.level = level
        self.window_ms = window_ms
        self.store = store
        self.owners: dict[int, ShardOwner] = {}
        self.recovering: set[int] = set()
        self.chores = Chores(self)
        self.waves = Desk(
            self.start,
            waves or Automatic(),
            shards,
            lambda: [owner.ledger for owner in self.owners.values()],
        )
        #: Backings that the store's guard has refused here, and SKUs of which it did so again.
        self._oversold: set[str] = set()
        self._stopped: set[str] = set()
        self._renew = renew
        self._term = 0
        self._settling: asyncio.Task[None] | None = None
        self._lost_again = False
        self._tasks: set[asyncio.Task[Any]] = set()

    # Frames

    def apply(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        """Decide a frame ``[shard, command, shard, command, ...]``; answer with the replies.

        A map instead of an array is a question to the host itself, see ``_control``.
        """
        asked = msgpack.unpackb(payload, strict_map_key=False)
        if isinstance(asked, dict):
            self.start(self._control(asked, respond))
        else:
            Frame(asked, respond).run(self.owners)

    async def _control(self, asked: dict[str, Any], respond: Callable[[bytes], None]) -> None:
        """Answer a question, or say that the store is away: nobody waits for nothing."""
        try:
            answer = await self._told(asked)
        except (StoreLost, StoreRefused) as error:
            answer = {"failed": str(error)}
        respond(msgpack.packb(answer))

    async def _told(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``report``, ``wave``, ``prices``; of one shard events, audit, rebuild, keys or pairs."""
        match asked["m"]:
            case "report":
                return self.report()
            case "events":
                return await feed.entries(self.store, asked["shard"], asked["after"], asked["most"])
            case "audit":
                owner = self.owners.get(asked["shard"])
                return await books.audit(owner, self.store) if owner is not None else {}
            case "rebuild":
                owner = self.owners.get(asked["shard"])
                if owner is None:
                    return {}
                return await rebuilding.rebuild(owner, self.store, asked)
            case "keys":
                owner = self.owners.get(asked["shard"])
                return await reused.told(owner, self.store, asked) if owner is not None else {}
            case "pairs":
                owner = self.owners.get(asked["shard"])
                return await pairs.told(owner, asked) if owner is not None else {}
            case "wave":
                return self.waves.told(asked)
            case "prices":
                return self.waves.prices.told(asked)
            case unknown:
                raise ValueError(f"no such question: {unknown}")

    def ask(self, shard: int, command: Command) -> "asyncio.Future[Reply]":
        """One command to a shard of this host."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(replies: list[Reply]) -> None:
            if not future.done():
                future.set_result(replies[0])

        owner = self.owners.get(shard)
        if owner is None:
            done([[Outcome.NOT_OWNER, 0]])
        else:
            owner.submit(Job([command], done))
        return future

    # Shards come and go

    async def assign(self, right: Right, term: int) -> None:
        """Become the owner of a shard: acquire, load, serve. Raises what the store refuses."""
        self._term = max(self._term, term)
        self.recovering.add(right.shard)
        started = time.monotonic()
        try:
            acquired = await self.store.acquire(right, term, self.name)
            ledger = await recovery.load(
                self.store, right, acquired, self.shards, self.level, window_ms=self.window_ms
            )
            for sku in self._stopped:
                ledger.stop(sku)
            if acquired.seq:
                await _hints_are_over(acquired)
        finally:
            self.recovering.discard(right.shard)
        noticing = self.waves.noticing
        if noticing is not None:
            noticing.loaded(ledger)
        owner = ShardOwner(
            ledger,
            self.store,
            right,
            on_lost=self.settle,
            on_gone=self._gone,
            on_reload=self._reload,
            on_accepted=None if noticing is None else noticing.accepted,
        )
        owner.start_clock(acquired)
        before = self.owners.get(right.shard)
        if before is not None:  # Two rights for the same host: the newer one rules.
            if before.right.epoch > right.epoch:
                return
            before.step_down()
        self.owners[right.shard] = owner
        owner.serve()
        self.start(recovery.load_closed(self.store, ledger, lambda: owner.phase is not Phase.GONE))
        log.info(
            "serving",
            shard=right.shard,
            epoch=right.epoch,
            reservations=len(ledger.reservations),
            seconds=round(time.monotonic() - started, 3),
        )

    async def release(self, shard: int) -> None:
        """Give a shard up in order."""
        owner = self.owners.get(shard)
        if owner is not None:
            await owner.move_out()
            self._gone(owner)

    def _gone(self, owner: ShardOwner) -> None:
        if self.owners.get(owner.right.shard) is owner:  # Else a later one is there already.
            del self.owners[owner.right.shard]
            if owner.right.shard == self.shards:
                self.waves.leave()

    def _reload(self, owner: ShardOwner) -> None:
        """Drop a copy that cannot be trusted; own the shard anew if it is still ours.

        What the guard refuses once may have been a defect of the copy. Of a SKU that it refuses
        again nothing is sold until somebody has looked, and this host has been started anew.
        """
        self._gone(owner)
        if owner.oversold in self._oversold:
            sku = owner.oversold.partition("|")[0]
            log.error("sales stopped: the store's guard refused again", sku=sku)
            self._stopped.add(sku)
        elif owner.oversold:
            self._oversold.add(owner.oversold)
        self.start(self._own_again([owner.right.shard]))

    async def _own_again(self, shards: Iterable[int]) -> None:
        for right in await self._renew(self.name, list(shards)):
            try:
                await self.assign(right, self._term)
            except (StoreLost, StoreRefused) as error:
                log.warning("cannot own a shard again", shard=right.shard, reason=str(error))
        await self._renew(self.name, [])  # Whoever waits for a changed map tries again.

    # A store that was lost

    def settle(self) -> None:
        """A commit's answer is missing: new connection, new rights, compare histories."""
        for owner in self.owners.values():
            owner.suspended = True
        self._lost_again = True
        if self._settling is None or self._settling.done():
            self._settling = self.start(self._settle())

    async def _settle(self) -> None:
        log.warning("the store was lost or has another history: settling", host=self.name)
        while self._lost_again:
            self._lost_again = False
            asked = list(self.owners)
            try:
                await self.store.reconnect()
                await self.store.clock_ms()
                rights = await self._renew(self.name, asked)
                resuming = [self._resume(right) for right in rights]
                for failed in await asyncio.gather(*resuming, return_exceptions=True):
                    if failed is not None:
                        raise failed
            except (StoreLost, StoreRefused, LineLost) as error:
                log.warning("the store is not back yet", host=self.name, reason=str(error))
                for owner in self.owners.values():  # Those that are back get another right.
                    owner.suspended = True
                self._lost_again = True
                await asyncio.sleep(_RECONNECT_PAUSE_S)
                continue
            renewed = {right.shard for right in rights}
            for shard in asked:
                if shard not in renewed and shard in self.owners:
                    self.owners[shard].step_down()

    async def _resume(self, right: Right) -> None:
        owner = self.owners.get(right.shard)
        if owner is None:
            return
        try:
            acquired = await self.store.acquire(right, self._term, self.name)
        except StoreRefused as error:
            if error.code not in ("TERM", "EPOCH"):
                raise
            owner.step_down()
            return
        await owner.resume(right, acquired)

    # Life

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something in the background; its failure is logged, never silent."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed", host=self.name, error=repr(task.exception()))

    async def stop(self) -> None:
        """Finish what is decided, give all shards back, end."""
        self.chores.stop()
        await self.waves.stop()
        for shard in list(self.owners):
            with contextlib.suppress(StoreLost, StoreRefused):
                await self.release(shard)
        for task in list(self._tasks):
            task.cancel()
        await self.store.close()

    def health(self) -> dict[str, Any]:
        """What the supervisor asks between decisions, twice a second: cheap."""
        return {
            "shards": list(self.owners),
            "recovering": list(self.recovering),
            "settling": self._settling is not None and not self._settling.done(),
        }

    def report(self) -> dict[str, Any]:
        """What ``GET /v1/shards`` and ``/metrics`` want to know."""
        return {
            "host": self.name,
            "recovering": sorted(self.recovering),
            "shards": [_shard_report(self.name, owner) for owner in self.owners.values()],
        }


async def _hints_are_over(acquired: Acquired) -> None:
    """The last owner may have let gateways call SKUs sold out; see ``engine.views.hint``."""
    over_at_s = acquired.answered_at_s + HINT_MS / 1000
    await asyncio.sleep(max(0.0, over_at_s - time.monotonic()))


def _shard_report(host: str, owner: ShardOwner) -> dict[str, Any]:
    ledger, telemetry = owner.ledger, owner.telemetry
    return {
        "shard": ledger.shard,
        "owner": host,
        "state": owner.phase.value,
        "epoch": owner.right.epoch,
        "seq": owner.accepted_seq,
        "open_reservations": ledger.open_count(),
        "queue": owner.queued,
        **telemetry.last_minute(),
        "sweep_lag_ms": ledger.overdue_ms(owner.now_ms()),
        "oversold_units": telemetry.oversold_units(ledger),
        "oversell_alarms": telemetry.oversell_alarms,
        "stopped_skus": len(ledger.stopped_skus),
        "batch_commands": telemetry.batch_commands.packed(),
        "decide_seconds": telemetry.decide_seconds.packed(),
        "commit_seconds": telemetry.commit_seconds.packed(),
        "serving": owner.phase is Phase.SERVING,
    }


class Frame:
    """A frame on its way: parts by shard, replies in the order of the commands."""

    __slots__ = ("_flat", "_left", "_replies", "_respond")

    def __init__(self, flat: list[Any], respond: Callable[[bytes], None]) -> None:
        self._flat = flat
        self._replies: list[Reply] = [[]] * (len(flat) // 2)
        self._respond = respond
        self._left = 0

    def run(self, owners: dict[int, ShardOwner]) -> None:
        """Give each shard's part to its owner."""
        parts: dict[int, list[int]] = {}
        flat = self._flat
        for at, shard in enumerate(flat[::2]):
            parts.setdefault(shard, []).append(at)
        self._left = len(parts)
        for shard, places in parts.items():
            commands = flat[1::2] if len(parts) == 1 else [flat[2 * at + 1] for at in places]
            job = Job(commands, self._done(places))
            owner = owners.get(shard)
            if owner is None:
                job.refuse(Outcome.NOT_OWNER)
            else:
                owner.submit(job)
        if not parts:
            self._respond(msgpack.packb([]))

    def _done(self, places: list[int]) -> Callable[[list[Reply]], None]:
        def done(replies: list[Reply]) -> None:
            for at, reply in zip(places, replies, strict=True):
                self._replies[at] = reply
            self._left -= 1
            if not self._left:
                self._respond(msgpack.packb(self._replies))

        return done
