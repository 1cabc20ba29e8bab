"""The gateway's only door to the shards: commands join batches, batches find owners.

Runs on the caller's asyncio loop. ``submit`` is the hot path: a callback, no future, no task.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack
import structlog

from actors import audit, campaigns, feed, sagas, stockroom
from actors.batching import Entry, HostQueue
from actors.counts import Counts
from actors.lane import LaneLine, Line, LineLost, connect
from actors.queues import Row
from actors.shard_map import ShardMap
from engine import commands
from engine.commands import FINISHING, Command, Reply
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome
from engine.record import Durability
from engine.requests import Reserve

log = structlog.get_logger()

#: How a line to a host is opened: by lane, or through Ray.
OpenLine = Callable[[str, str, Callable[[], None]], "Future[Line]"]

_TICK_S: Final = 0.01
#: Resending after a takeover: at most so often, and so long in all.
_TRIES_MAX: Final = 2
_RETRY_S: Final = 1.0
#: To find out why a campaign was refused: one read.
_EXPLAIN_S: Final = 1.0
_RECONNECT_S: Final = 0.05


class Client:
    """Calls to shards, whoever owns them at the moment."""

    def __init__(self, control: str, open_line: OpenLine | None = None) -> None:
        self.shards = 0
        self.net = 0
        self.level = Durability.FSYNC
        self.map = ShardMap()
        self._control_path = control
        self._open_line = open_line or open_lane
        self._reasons: list[str] = ["waiting for the supervisor"]
        self._queues: dict[str, HostQueue] = {}
        self._parked: list[Entry] = []
        self._control: LaneLine | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # Life

    async def start(self) -> None:
        """Learn the shard map and keep following it."""
        first: Future[None] = asyncio.get_running_loop().create_future()
        self._background(self._follow_map(first))
        self._background(self._tick())
        await first

    async def stop(self) -> None:
        """End all lines; what is unanswered is answered as lost."""
        for task in list(self._tasks):
            task.cancel()
        for queue in self._queues.values():
            queue.close()
        if self._control is not None:
            self._control.close()

    def _background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def readiness(self) -> list[str]:
        """Why commands may not be served now; empty when they are."""
        return list(self._reasons)

    # The shard map

    async def _follow_map(self, first: "Future[None]") -> None:
        version = -1
        while True:
            try:
                if self._control is None or self._control.lost:
                    self._control = await connect(self._control_path)
                    version = -1
                asked = msgpack.packb({"m": "map", "version": version})
                told = msgpack.unpackb(await self._control.call(asked))
            except LineLost:
                self._reasons = ["the supervisor does not answer"]
                await asyncio.sleep(_RECONNECT_S)
                continue
            version = told["version"]
            self.shards, self.net = told["shards"], told["shards"]
            self.level = Durability(told["level"])
            self._reasons = told["reasons"]
            self._take_map(ShardMap.unpacked(told["map"]))
            if not first.done():
                first.set_result(None)

    def _take_map(self, new: ShardMap) -> None:
        self.map = new
        for name, address in new.addresses.items():
            if name not in self._queues:
                queue = self._queues[name] = HostQueue(name, self._answered, self._undelivered)
                self._background(self._open(queue, address))
        for name in [name for name in self._queues if name not in new.addresses]:
            self._queues.pop(name).close()
        parked, self._parked = self._parked, []
        for entry in parked:
            self._route(entry)

    async def _open(self, queue: HostQueue, address: str) -> None:
        """Open a host's line, and again when it breaks while the host is still on the map."""

        def lost() -> None:
            queue.line_lost()
            if not queue.closed:
                self._background(self._open(queue, address))

        while not queue.closed:
            try:
                queue.attach(await self._open_line(queue.name, address, lost))
            except LineLost as error:
                log.debug("cannot reach a host yet", host=queue.name, reason=str(error))
                await asyncio.sleep(_RECONNECT_S)
            else:
                self._send_unsent(queue.name)
                return

    def _send_unsent(self, host: str) -> None:
        """A host's line is back: send what had waited for it. Else only another map helps."""
        parked, self._parked = self._parked, []
        for entry in parked:
            if entry.tries == 0 and self.map.owners[entry.shard] == host:
                self._route(entry)
            else:
                self._parked.append(entry)

    # Commands

    def submit(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        """Send a command to a shard's owner; ``done`` is called once, by the deadline.

        ``deadline_at`` is on the loop's clock. Never raises: what goes wrong on the way is a
        reply too (OVERLOADED, UNAVAILABLE: nothing was done; LOST: done or not).
        """
        packed = commands.pack_command(command)
        self._route(Entry(shard, packed, command[0] in FINISHING, deadline_at, done))

    def submit_packed(
        self, shard: int, packed: bytes, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        """``submit`` for a command that begins something and is packed already."""
        entry = Entry(shard, packed, False, deadline_at, done)
        shards = self.map
        entry.map_version = shards.version
        owner = shards.owners[shard] if shard < len(shards.owners) else None
        queue = self._queues.get(owner) if owner is not None else None
        if queue is None:
            self._park(entry)
        elif not queue.add(entry):
            entry.answer([Outcome.OVERLOADED, RETRY_AFTER_MS])

    def _route(self, entry: Entry) -> None:
        if entry.done is None:
            return
        entry.map_version = self.map.version
        owners = self.map.owners
        owner = owners[entry.shard] if entry.shard < len(owners) else None
        queue = self._queues.get(owner) if owner is not None else None
        if queue is None or owner == entry.running_at:
            self._park(entry)
        elif not queue.add(entry):
            entry.answer([Outcome.OVERLOADED, RETRY_AFTER_MS])

    def _park(self, entry: Entry) -> None:
        """Wait for another map than the one it was routed by, a while."""
        now = asyncio.get_running_loop().time()
        entry.first_parked_at = entry.first_parked_at or now
        self._parked.append(entry)

    def _answered(self, entry: Entry, reply: Reply) -> None:
        """A host has answered: pass it on, or try the next owner."""
        outcome = reply[0]
        if outcome not in (Outcome.NOT_OWNER, Outcome.IN_DOUBT):
            entry.answer(reply)
            return
        entry.in_doubt = entry.in_doubt or outcome == Outcome.IN_DOUBT
        self._undelivered(entry)

    def _undelivered(self, entry: Entry) -> None:
        entry.tries += 1
        if entry.done is None:
            return
        if entry.tries > _TRIES_MAX:
            self._give_up(entry)
        elif entry.map_version != self.map.version:
            self._route(entry)
        else:
            self._park(entry)

    def _give_up(self, entry: Entry) -> None:
        entry.answer([Outcome.UNAVAILABLE, RETRY_AFTER_MS])

    async def _tick(self) -> None:
        """Deadlines, and entries parked for too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            for queue in self._queues.values():
                queue.drop_late(now)
            if self._parked:
                parked, self._parked = self._parked, []
                for entry in parked:
                    if now >= min(entry.deadline_at, entry.first_parked_at + _RETRY_S):
                        self._give_up(entry)
                    elif entry.map_version != self.map.version:
                        self._route(entry)
                    else:
                        self._parked.append(entry)

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """``submit`` as an awaitable."""
        future: Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            if not future.done():
                future.set_result(reply)

        self.submit(shard, command, deadline_at, done)
        return await future

    async def control(self, host: str, request: dict[str, Any], timeout_s: float = 30.0) -> Any:
        """A question to a host itself; ``LineLost`` where it is not reached in time."""
        queue = self._queues.get(host)
        if queue is None or queue.line is None:
            raise LineLost(f"{host} is not connected")
        try:
            async with asyncio.timeout(timeout_s):
                answer = await queue.line.call(msgpack.packb(request))
        except TimeoutError as error:
            raise LineLost(f"{host} did not answer in {timeout_s} s") from error
        told = msgpack.unpackb(answer, strict_map_key=False)
        if "failed" in told:
            raise LineLost(f"{host}: {told['failed']}")
        return told

    async def add_up(self, worker: str, counts: Counts) -> Counts:
        """Tell what this worker has counted; the sum over all workers. Raises ``LineLost``."""
        if self._control is None:
            raise LineLost("the supervisor is not connected")
        asked = {"m": "counts", "worker": worker, "counts": counts}
        total: Counts = msgpack.unpackb(await self._control.call(msgpack.packb(asked)))
        return total

    async def tell_queues(self, told: list[Row], since: int) -> tuple[int, list[Row]]:
        """See ``queues.Board.take``. Raises ``LineLost``."""
        if self._control is None:
            raise LineLost("the supervisor is not connected")
        asked = {"m": "queues", "told": told, "since": since}
        version, rows = msgpack.unpackb(await self._control.call(msgpack.packb(asked)))
        return version, rows

    # What takes more than one command

    async def reserve_over_shards(self, request: Reserve, deadline_at: float) -> Reply:
        """See ``sagas.reserve``."""
        return await sagas.reserve(self, self.shards, request, deadline_at)

    async def explain_campaign(self, campaign: str, lines: list[list[Any]]) -> Reply:
        """See ``campaigns.explain``."""
        deadline_at = asyncio.get_running_loop().time() + _EXPLAIN_S
        return await campaigns.explain(self, campaign, lines, deadline_at)

    async def confirm_late(self, home: int, key: str, record: bytes, deadline_at: float) -> Reply:
        """See ``sagas.confirm_late``."""
        return await sagas.confirm_late(self, self.shards, home, key, record, deadline_at)

    async def fulfil_over_shards(
        self,
        home: int,
        key: str,
        reference: str,
        digest: bytes,
        lines: Sequence[Sequence[Any]] | None,
        record: bytes,
        deadline_at: float,
    ) -> Reply:
        """See ``sagas.fulfil``."""
        parcel = commands.fulfil(key, reference, digest, lines)
        return await sagas.fulfil(self, self.shards, home, parcel, record, deadline_at)

    async def adjust(
        self, reference: str, digest: bytes, rows: list[list[Any]], deadline_at: float
    ) -> stockroom.Adjusted | Reply:
        """See ``stockroom.adjust``."""
        return await stockroom.adjust(self, reference, digest, rows, deadline_at)

    async def events(self, after: str | None, limit: int) -> feed.Page:
        """See ``feed.read``."""
        return await feed.read(self, after, limit)

    async def shard_reports(self) -> list[dict[str, Any]]:
        """One report a shard, by shard; what nobody owns says so."""
        return await audit.reports(self)

    async def audit(self, *, events: bool = False) -> audit.Audit:
        """See ``audit.run``."""
        return await audit.run(self, events=events)


def open_lane(name: str, address: str, on_lost: Callable[[], None]) -> "Future[Line]":
    """A line to a host over its own socket."""
    return asyncio.ensure_future(connect(address, on_lost))
