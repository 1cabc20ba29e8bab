"""Shards, coordinators and a bad network in one process, in virtual time, from one seed.

The ledgers, the memory store and the coordinators are the real ones. Messages are lost, doubled
and reordered, owners die before and after their commits, are replaced while they still run, and
coordinators stop anywhere. Then the network heals, and what is left behind must end by itself.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgpack

from actors import sagas
from engine import commands
from engine.backings import units_left
from engine.commands import Command, Op, Reply, moving, supplies
from engine.effects import Sealed
from engine.errors import StoreRefused
from engine.ids import shard_of
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.rebacking import last_change
from engine.record import (
    HOME,
    NONCE,
    OWES,
    Reservation,
    Status,
    expires_at_ms_of,
)
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from tests.builders import NOW_MS, empty_ledger, founding
from tests.property.fold import Fold

SHARDS: Final = 3
NAMES: Final = [f"sku{number}" for number in range(60)]
SKUS: Final = [[n for n in NAMES if shard_of(n, SHARDS) == shard][:2] for shard in range(SHARDS)]
ALL_SKUS: Final = [sku for skus in SKUS for sku in skus]
STOCK: Final = {"w1": 3, "w2": 1}
CALL_S: Final = 2.0
TICK_S: Final = 0.25
STORM_S: Final = 12.0
CALM_S: Final = 25.0
#: How often the network, the owners and the coordinators fail while the storm lasts.
LOST_SHARE: Final = 0.05
DOUBLED_SHARE: Final = 0.2
SLOW_SHARE: Final = 0.08
CRASH_SHARE: Final = 0.02
REPLACED_SHARE: Final = 0.02
MOVED_SHARE: Final = 0.3


class _Instant(selectors.SelectSelector):
    """Waits by moving the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Nothing ever comes from outside."""
        assert timeout is not None, "everybody waits for nobody"
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose hours last milliseconds."""

    def __init__(self) -> None:
        self.instant = _Instant()
        super().__init__(self.instant)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self.instant.now


class Host:
    """The owner of one shard under one right."""

    def __init__(self, ledger: Ledger, right: Right) -> None:
        self.ledger = ledger
        self.right = right
        self.alive = True


class Cluster:
    """The shards, whoever owns them, and the way to them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.loop = asyncio.get_running_loop()
        self.server = MemoryServer(SHARDS)
        self.folds = [Fold(set(skus)) for skus in SKUS]
        self.storm = False
        self.tasks: set[asyncio.Task[Any]] = set()
        #: Commands after which units were missing; no store here loses anything.
        self.missed: list[Command] = []
        #: Pieces that stood elsewhere before, by shard; backings that are short of what left so.
        self.moved: set[tuple[int, str]] = set()
        self.excused: list[set[str]] = [set() for _ in range(SHARDS)]
        self.failures: list[BaseException] = []
        self.loop.set_exception_handler(self._failed)
        self.hosts = [self.successor(shard) for shard in range(SHARDS)]
        for host, skus in zip(self.hosts, SKUS, strict=True):
            for command in founding(dict.fromkeys(skus, STOCK)):
                self.apply(host, command)
        self.storm = True

    def now_ms(self) -> int:
        """The time of all shards."""
        return NOW_MS + int(self.loop.time() * 1000)

    def happens(self, share: float) -> bool:
        """Whether something that goes wrong so often does so now."""
        return self.storm and self.random.random() < share

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run beside the rest."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failures.append(error)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What goes wrong in a delivery, where nobody waits for it."""
        self.failures.append(context.get("exception") or AssertionError(context["message"]))

    def sellable(self, sku: str) -> int:
        """Units of a SKU that can be bought, by the owner's books."""
        book = self.hosts[shard_of(sku, SHARDS)].ledger.books[sku]
        return sum(position.sellable for position in book.positions.values())

    def piece_of(self, shard: int, home: int, key: str) -> bytes | None:
        """A reservation's piece on another shard than its home."""
        return self.hosts[shard].ledger.reservations.get(f"/{home:03x}.{key}")

    # Owners

    def successor(self, shard: int) -> Host:
        """A new owner with what the store has."""
        held = self.server.shards[shard]
        right = Right(shard, held.epoch + 1, f"token-{held.epoch + 1}")
        self.server.acquire(right, 1)
        ledger = empty_ledger(shard, SHARDS)
        ledger.seq, ledger.head, ledger.epoch = held.seq, held.head, right.epoch
        ledger.load_state(held.hashes["state"].items())
        ledger.load_records(held.hashes["reservations"].items())
        assert ledger.stop_where_books_differ(held.hashes["free"]) == []
        ledger.closed_loaded = self.random.random() < 0.5
        for name, bucket in list(held.hashes.items()):
            if ledger.closed_loaded and bucket and name.startswith("closed:"):
                ledger.load_closed(int(name.partition(":")[2]), bucket.items())
        return Host(ledger, right)

    def apply(self, host: Host, command: Command) -> Reply | None:
        """A command decided and committed; None if the owner died over it."""
        ledger, hashes = host.ledger, self.server.shards[host.right.shard].hashes
        now_ms = self.now_ms()
        for name in ledger.to_recall([command]):
            buckets = [hashes[f"closed:{hour}"] for hour in ledger.hours_of(name, now_ms)]
            ledger.recalled[name] = next((b[name] for b in buckets if name in b), None)
        reply = ledger.decide(command, now_ms)
        ledger.recalled = {}
        sealed = ledger.seal()
        if self.happens(CRASH_SHARE):
            host.alive = False  # Before its commit.
            return None
        try:
            if sealed is None:
                self.server.check(host.right, ledger.seq, ledger.head)
            else:
                self.server.commit(host.right, sealed)
                ledger.accepted(sealed)
                self.folds[host.right.shard].take(sealed.events)
        except StoreRefused as refusal:
            if refusal.code != "FENCED":
                raise AssertionError(f"a rightful owner is refused: {refusal}") from refusal
            host.alive = False
            return [Outcome.NOT_OWNER, 0]
        shard = host.right.shard
        if command[0] == Op.TELL and (shard, command[1]) in self.moved:
            # The parcel may have left from where the piece stood before.
            self.excused[shard].update(ledger.shortfalls)
        elif ledger.shortfalls.keys() - self.excused[shard] or (sealed and _removed(sealed)):
            self.missed.append(command)
        if self.happens(CRASH_SHARE):
            host.alive = False  # After it.
            return None
        return list(msgpack.unpackb(msgpack.packb(reply), strict_map_key=False))

    # The network

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """As ``Client.call``: sent again to the next owner, LOST or UNAVAILABLE in the end."""
        in_doubt = False
        sent: Command = msgpack.unpackb(msgpack.packb(command), strict_map_key=False)
        for _ in range(3):
            answer: asyncio.Future[Reply] = self.loop.create_future()
            self.send(self.hosts[shard], sent, answer)
            await asyncio.wait([answer], timeout=max(0, deadline_at - self.loop.time()))
            if not answer.done():
                return [Outcome.LOST, 100]
            reply = answer.result()
            if reply[0] not in (Outcome.NOT_OWNER, Outcome.IN_DOUBT):
                return reply
            in_doubt = in_doubt or reply[0] == Outcome.IN_DOUBT
            await asyncio.sleep(0.3)
        return [Outcome.LOST if in_doubt else Outcome.UNAVAILABLE, 100]

    def send(self, host: Host, command: Command, answer: "asyncio.Future[Reply]") -> None:
        """Deliver once, never or twice; a double comes late."""
        if not self.happens(LOST_SHARE):
            self.loop.call_later(self.delay(), self.deliver, host, command, answer)
        # A seal is never sent to an owner while it may still be deciding the first one.
        if command[0] != Op.SEAL and self.happens(DOUBLED_SHARE):
            late = self.random.uniform(0, 12)
            nobody: asyncio.Future[Reply] = self.loop.create_future()
            self.loop.call_later(late, self.double, host.right.shard, command, nobody)

    def double(self, shard: int, command: Command, answer: "asyncio.Future[Reply]") -> None:
        """To whoever owns the shard by then."""
        self.deliver(self.hosts[shard], command, answer)

    def deliver(self, host: Host, command: Command, answer: "asyncio.Future[Reply]") -> None:
        """Decide, and send the answer back unless it is lost."""
        reply = self.apply(host, command) if host.alive else [Outcome.NOT_OWNER, 0]
        if reply is None:
            reply = [Outcome.IN_DOUBT, 0]
        if not self.happens(LOST_SHARE):
            self.loop.call_later(self.delay(), _answer, answer, reply)

    def delay(self) -> float:
        """Mostly a moment, at times seconds: that is how messages overtake each other."""
        slow = self.happens(SLOW_SHARE)
        return self.random.uniform(0, 8.0 if slow else 0.02)

    # What hosts do by themselves

    async def supervise(self) -> None:
        """Replace owners that died, and some that did not; let the others do their chores."""
        while True:
            await asyncio.sleep(TICK_S)
            for shard, host in enumerate(self.hosts):
                if not host.alive or self.happens(REPLACED_SHARE):
                    self.hosts[shard] = self.successor(shard)
                self.chores(self.hosts[shard])

    def chores(self, host: Host) -> None:
        """Expire holds, ask homes about pieces, tell pieces what homes owe them."""
        now_ms = self.now_ms()
        due = [
            name
            for name in host.ledger.due(now_ms)
            if name in host.ledger.reservations
            and expires_at_ms_of(host.ledger.reservations[name]) <= now_ms
        ]
        holds = [name for name in due if name[0] != "/"]
        if holds:
            self.apply(host, commands.expire(holds))
        for name in host.ledger.pieces_due(due):
            self.start(self.ask_home(host, name))
        for key in list(host.ledger.owing):
            self.start(self.tell(host, key))
        for name in list(host.ledger.untold):
            self.start(self.tell_home(host, name))
        self.move(host)

    def move(self, host: Host) -> None:
        """Let a piece stand elsewhere, as a wave does; none of its own units move meanwhile."""
        names = [name for name in host.ledger.reservations if name[0] == "/"]
        if not host.alive or not names or not self.happens(MOVED_SHARE):
            return
        name = self.random.choice(names)
        standing = units_left(Reservation(host.ledger.reservations[name]))
        rows = [
            (sku, node, "w2" if node == "w1" else "w1", self.random.randint(1, units))
            for (sku, node), units in standing.items()
        ]
        if rows:
            self.moved.add((host.right.shard, name[1:]))
            self.apply(host, moving.move([(name, b"", rows, "north")]))

    async def tell_home(self, host: Host, name: str) -> None:
        """Home hears where a piece's units stand; what a dead owner had decided it never hears."""
        record = host.ledger.reservations.get(name) if host.alive else None
        piece = Reservation(record) if record is not None else None
        if record is None or piece is None or piece.status is Status.TAKEN:
            return
        key = name.partition(".")[2]
        told = supplies.reback(key, piece.digest, piece.lines, {}, last_change(piece))
        reply = await self.call(piece.extra[HOME], told, self.loop.time() + CALL_S)
        if reply[0] == Outcome.OK and host.alive:
            self.apply(host, supplies.told(name, record))

    async def ask_home(self, host: Host, name: str) -> None:
        """A piece without an answer stays."""
        piece = Reservation(host.ledger.reservations[name])
        key = name.partition(".")[2]
        asked = commands.ask(key, piece.digest)
        reply = await self.call(piece.extra[HOME], asked, self.loop.time() + CALL_S)
        if reply[0] == Outcome.OK and host.alive:
            self.apply(host, commands.tell(name[1:], piece.digest, *reply[1:]))
        else:
            host.ledger.schedule(name, self.now_ms() + 1_000)

    async def tell(self, host: Host, key: str) -> None:
        """News of an accepted state, until each shard has acknowledged it."""
        reply = self.apply(host, commands.read(key)) if host.alive else None
        if reply is None or reply[0] != Outcome.OK:
            return
        reservation = Reservation(reply[1])
        name = f"{host.right.shard:03x}.{key}"
        nonce = bytes.fromhex(reservation.extra[NONCE])
        for shard, news in reservation.extra.get(OWES, {}).items():
            lines = [line for line in reservation.lines if shard_of(line[0], SHARDS) == shard]
            told = [*commands.tell(name, nonce, *news)[:-1], lines]
            reply = await self.call(shard, told, self.loop.time() + CALL_S)
            if reply[0] == Outcome.OK and host.alive:
                self.apply(host, commands.settle(key, shard, news))


def _removed(sealed: Sealed) -> bool:
    """Whether the guard was told that the world has taken units, as a lost piece tells it."""
    guard = msgpack.unpackb(sealed.changes, raw=True)[0]
    return any(removed > 0 for removed in guard[3::4])


def _answer(answer: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)


Story = Callable[[Cluster], Coroutine[Any, Any, None]]


def simulate(seed: int, stormy: Story, calm: Story, made: type[Cluster] = Cluster) -> Cluster:
    """A cluster after a storm of that seed and the calm behind it."""
    random.seed(seed)  # The coordinators' jitter.
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_weather(made, seed, stormy, calm))
    finally:
        sagas._sent.clear()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _weather(made: type[Cluster], seed: int, stormy: Story, calm: Story) -> Cluster:
    cluster = made(seed)
    cluster.start(cluster.supervise())
    await stormy(cluster)
    await asyncio.sleep(max(0.0, STORM_S - cluster.loop.time()))
    cluster.storm = False
    await asyncio.sleep(CALM_S)
    await calm(cluster)
    await asyncio.sleep(CALM_S)
    return cluster
