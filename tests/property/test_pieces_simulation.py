"""Reservations over several shards on thousands of bad days: no half basket, nothing left."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import pytest

from actors import sagas
from engine import commands, fulfilment, holds, ledger, pieces
from engine.commands import Command, Op, Reply
from engine.ids import digest, home_of
from engine.outcome import Outcome
from engine.record import NONCE, Reservation, Status
from engine.requests import Reserve
from engine.state import PIECE, ShardState
from engine.store.memory import MemoryServer
from tests.property.settled import settled
from tests.property.simulation import (
    ALL_SKUS,
    CALL_S,
    SHARDS,
    SKUS,
    STORM_S,
    Cluster,
    Host,
    simulate,
)

#: How many days the suite plays; every planted bug must be found within them.
DAYS: Final = 2_500
BLOCK: Final = 100
#: Refusals after which nothing may have been done.
NOTHING_DONE = {Outcome.SHORT, Outcome.CONTENDED, Outcome.UNAVAILABLE, Outcome.IN_PROGRESS}
#: Shorter and longer than a piece waits before it asks home.
HOLDS_MS = (1_500, 3_000, 9_000)
#: Units of a basket that has ended can be bought again within a second.
PROMPTLY_S: Final = 1.0
PLANS = ("pay", "pay", "late", "late", "late", "release", "leave", "ship", "cancel")


class Ends:
    """A way to the shards for a coordinator that ends when home has sealed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """Nobody is there any more to tell the pieces that they are held."""
        if command[0] == Op.TELL:
            return [Outcome.LOST, 0]
        return await self._cluster.call(shard, command, deadline_at)


class Day:
    """Buyers with their baskets, and what each was told."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.told: dict[str, list[tuple[bytes, int]]] = {}
        self.sent: dict[str, int] = {}

    async def story(self, cluster: Cluster) -> None:
        """Some buyers send the same request twice at once, some use a key for two baskets."""
        buyers = []
        for number in range(self.random.randint(2, 6)):
            request = self.basket(f"k{number}")
            same = self.random.choice((1, 1, 1, 2, 3))
            other = self.random.random() < 0.1
            buyers += [cluster.start(self.buyer(cluster, request)) for _ in range(same)]
            if other:
                buyers.append(cluster.start(self.buyer(cluster, self.basket(request.key))))
        for buyer in buyers:
            if self.random.random() < 0.15:
                cluster.loop.call_later(self.random.uniform(0, 4), buyer.cancel)
        await asyncio.wait(buyers, timeout=STORM_S * 2)

    def basket(self, key: str) -> Reserve:
        """Two to four lines; now and then one is content with less."""
        skus = self.random.sample(ALL_SKUS, self.random.randint(2, 4))
        lines = [[sku, None, self.random.randint(1, 3)] for sku in skus]
        partial = self.random.random() < 0.2
        extra = {"p": True} if partial else None
        hold_ms = self.random.choice(HOLDS_MS)
        return Reserve(key, digest(lines, hold_ms, extra), lines, hold_ms, extra, partial)

    async def buyer(self, cluster: Cluster, request: Reserve) -> None:
        """Reserve, and perhaps pay, give back, pay late, ship or cancel."""
        key = request.key
        self.sent[key] = self.sent.get(key, 0) + 1
        await asyncio.sleep(self.random.uniform(0, 1.5))
        until = cluster.loop.time() + CALL_S
        reply = await sagas.reserve(cluster, SHARDS, request, until)
        self.told.setdefault(key, []).append((request.digest, reply[0]))
        home = home_of((line[0] for line in request.lines), SHARDS)
        plan = self.random.choice(PLANS)
        if reply[0] not in (Outcome.OK, Outcome.REPEATED) or plan == "leave":
            return
        if plan == "late":
            await asyncio.sleep(request.hold_ms / 1000 + self.random.uniform(-0.2, 2))
        verb = commands.release(key) if plan == "release" else commands.confirm(key)
        reply = await cluster.call(home, verb, cluster.loop.time() + CALL_S)
        if reply[0] == Outcome.ELSEWHERE:
            reply = await sagas.confirm_late(
                cluster, SHARDS, home, key, reply[1], cluster.loop.time() + CALL_S
            )
        if reply[0] != Outcome.OK:
            return
        await self.after(cluster, home, key, plan)

    async def after(self, cluster: Cluster, home: int, key: str, plan: str) -> None:
        """What happens to a paid basket."""
        if cluster.storm:
            await asyncio.sleep(self.random.uniform(0, 1))
        until = cluster.loop.time() + CALL_S
        if plan in ("ship", "cancel"):
            parcel = commands.fulfil(key, "parcel-1", b"d" * 16, None)
            reply = await cluster.call(home, parcel, until)
            if reply[0] == Outcome.ELSEWHERE:
                await sagas.fulfil(cluster, SHARDS, home, parcel, reply[1], until)
        if plan == "cancel":
            await cluster.call(home, commands.cancel(key), until)

    async def orderly(self, cluster: Cluster) -> None:
        """Behind the storm: however a basket ends, its other shards hear of it at once.

        They would ask by themselves, but only after seconds in which nobody can buy the units.
        """
        for plan in ("release", "expire", "ship", "cancel"):
            there = [sku for skus in SKUS for sku in list(filter(cluster.sellable, skus))[:1]]
            lines = [[sku, None, 1] for sku in there]
            if len(lines) < 2:
                return
            key = f"calm-{plan}"
            request = Reserve(
                key, digest(lines, HOLDS_MS[0], None), lines, HOLDS_MS[0], None, False
            )
            until = cluster.loop.time() + CALL_S
            reply = await sagas.reserve(Ends(cluster), SHARDS, request, until)
            assert reply[0] == Outcome.OK, reply
            home = home_of(there, SHARDS)
            if plan == "expire":
                await asyncio.sleep(HOLDS_MS[0] / 1000)
            else:
                verb = commands.release if plan == "release" else commands.confirm
                assert (await cluster.call(home, verb(key), until))[0] == Outcome.OK
            await self.after(cluster, home, key, plan)
            await asyncio.sleep(PROMPTLY_S)
            left = [shard for shard in range(SHARDS) if cluster.piece_of(shard, home, key)]
            assert not left, f"{plan}: shards {left} have not heard of it"

    def answers_were_true(self, cluster: Cluster) -> None:
        """A yes is there for good; after a no to the only request of a key there is nothing."""
        for key, told in self.told.items():
            homes = [self.known(cluster, shard, key) for shard in range(SHARDS)]
            kept = {record.digest for record in homes if record is not None}
            for sent, outcome in told:
                if outcome in (Outcome.OK, Outcome.REPEATED):
                    assert sent in kept, f"{key} was promised and is not there"
            if self.sent[key] == 1 and told[0][1] in NOTHING_DONE:
                assert not kept, f"{key} was refused and is there"

    @staticmethod
    def known(cluster: Cluster, shard: int, key: str) -> Reservation | None:
        """A reservation, open or ended."""
        hashes = cluster.server.shards[shard].hashes
        for name, fields in hashes.items():
            if (name == "reservations" or name.startswith("closed:")) and key in fields:
                return Reservation(fields[key])
        return None


def play(seed: int) -> None:
    """One day, and what must be true behind it."""
    day = Day(seed)
    cluster = simulate(seed, day.story, day.orderly)
    settled(cluster)
    day.answers_were_true(cluster)


@pytest.mark.parametrize("block", range(DAYS // BLOCK))
def test_whatever_fails_no_basket_is_half_and_nothing_is_left_behind(block: int) -> None:
    """A coordinator, an owner or a message may stop at any point: the pieces end by themselves."""
    for seed in range(block * BLOCK, block * BLOCK + BLOCK):
        try:
            play(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100, 200))
def test_in_very_many_days_no_basket_is_half(block: int) -> None:
    """The same, ten thousand times."""
    test_whatever_fails_no_basket_is_half_and_nothing_is_left_behind(block)


# Bugs of each kind, planted: a test that cannot fail proves nothing.


def drop_without_nonce(state: ShardState, command: Command, now_ms: int) -> Reply:
    """A late drop of one attempt ends the piece of another."""
    record = state.reservations.get(PIECE + command[1])
    nonce = Reservation(record).digest if record else command[2]
    return pieces.drop(state, [command[0], command[1], nonce], now_ms)


def tell_without_nonce(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Old news of an attempt that came to nothing reach the next one."""
    record = state.reservations.get(PIECE + command[1])
    nonce = Reservation(record).digest if record else command[2]
    return pieces.tell(state, [*command[:2], nonce, *command[3:]], now_ms)


def ask_without_mark(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Home says that there is nothing, and lets a slow seal prove it wrong."""
    record = state.known(command[1])
    if record is None or Reservation(record).extra.get(NONCE) != command[2].hex():
        return [Outcome.OK, Status.RELEASED, 0, None]
    return pieces.ask(state, command, now_ms)


def mark_beside_no_record_only(state: ShardState, command: Command, now_ms: int) -> Reply:
    """The same for the attempt of a late payment."""
    if state.known(command[1]) is not None:
        return ask_without_mark(state, command, now_ms)
    return pieces.ask(state, command, now_ms)


def seal_that_forgets_its_own(state: ShardState, command: Command, now_ms: int) -> Reply:
    """The same seal again is called a repeat of somebody else's."""
    known = state.known(command[1])
    if known is not None and Reservation(known).extra.get(NONCE) == command[2].hex():
        return holds.repeat(known, command[1], command[3], now_ms)
    return pieces.seal(state, command, now_ms)


def take_after_the_end(state: ShardState, command: Command, now_ms: int) -> Reply:
    """A late double of a take finds nothing of its piece, and starts it anew."""
    known, state.recalled = state.recalled, {}
    just_closed, state.just_closed = state.just_closed, {}
    try:
        return pieces.take(state, command, now_ms)
    finally:
        state.recalled, state.just_closed = known, just_closed


def tell_after_the_end(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Late news of a piece that has ended make it anew, as if the store had lost it."""
    known, state.recalled = state.recalled, {}
    just_closed, state.just_closed = state.just_closed, {}
    try:
        return pieces.tell(state, command, now_ms)
    finally:
        state.recalled = known
        state.just_closed = {**just_closed, **state.just_closed}


def take_over_a_live_piece(state: ShardState, command: Command, now_ms: int) -> Reply:
    """A piece of another attempt is in the way: it makes room instead of being busy."""
    record = state.reservations.get(PIECE + command[1])
    if record is not None and Reservation(record).digest != command[2]:
        pieces._end_piece(state, PIECE + command[1], Reservation(record))
    return pieces.take(state, command, now_ms)


def settle_before_it_is_told(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Home forgets what it owes as soon as one shard has heard of it."""
    record = state.reservations.get(command[1])
    if record is not None:
        for shard, news in list(Reservation(record).extra.get("o", {}).items()):
            holds.settle(state, [command[0], command[1], shard, news], now_ms)
    return [Outcome.OK]


#: How a reservation may end, each of which its pieces must hear of.
ENDS: Final = (Status.RELEASED, Status.EXPIRED, Status.CANCELLED, Status.FULFILLED)

PLANTED: list[tuple[Op, Callable[[ShardState, Command, int], Reply]]] = [
    (Op.DROP, drop_without_nonce),
    (Op.TELL, tell_without_nonce),
    (Op.ASK, ask_without_mark),
    (Op.ASK, mark_beside_no_record_only),
    (Op.SEAL, seal_that_forgets_its_own),
    (Op.TAKE, take_after_the_end),
    (Op.TELL, tell_after_the_end),
    (Op.TAKE, take_over_a_live_piece),
    (Op.SETTLE, settle_before_it_is_told),
]


@pytest.mark.parametrize(("op", "bug"), PLANTED, ids=[bug.__name__ for _, bug in PLANTED])
def test_a_planted_bug_is_found(
    op: Op, bug: Callable[[ShardState, Command, int], Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the days that the suite plays anyway."""
    monkeypatch.setitem(ledger._HANDLERS, op, bug)
    assert found_within(DAYS), f"{bug.__name__} went unnoticed"


def test_a_coordinator_that_drops_after_a_lost_seal_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer to a seal was lost, and it takes that for a no."""
    call = Cluster.call

    async def hasty(self: Cluster, shard: int, command: Command, deadline_at: float) -> Reply:
        reply = await call(self, shard, command, deadline_at)
        lost = command[0] == Op.SEAL and reply[0] == Outcome.LOST
        return [Outcome.UNAVAILABLE, 100] if lost else reply

    monkeypatch.setattr(Cluster, "call", hasty)
    assert found_within(DAYS), "it went unnoticed"


def test_a_piece_that_decides_by_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time has come, and it ends without asking home."""

    async def decide(self: Cluster, host: Host, name: str) -> None:
        piece = Reservation(host.ledger.reservations[name])
        self.apply(host, commands.tell(name[1:], piece.digest, Status.EXPIRED, 0, None))

    monkeypatch.setattr(Cluster, "ask_home", decide)
    assert found_within(DAYS), "it went unnoticed"


@pytest.mark.parametrize("silent", list(ENDS), ids=lambda status: status.name.lower())
def test_an_end_that_owes_nobody_is_found(silent: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home ends a reservation and keeps it from the shards that hold its pieces."""
    owe = holds.owe

    def forgetful(state: ShardState, key: str, reservation: Reservation) -> None:
        if reservation.status is not silent:
            owe(state, key, reservation)

    monkeypatch.setattr(holds, "owe", forgetful)
    monkeypatch.setattr(fulfilment, "owe", forgetful)
    assert found_within(DAYS), "it went unnoticed"


@pytest.mark.parametrize("door", ["check", "commit"])
def test_a_stale_owner_that_is_not_fenced_is_found(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says no, or yes, with books that are not the shard's any more; or it writes them."""
    fenced, real = MemoryServer.fenced, getattr(MemoryServer, door)

    def open_door(self: MemoryServer, *call: Any) -> None:
        monkeypatch.setattr(MemoryServer, "fenced", lambda self, right: self._shard(right.shard))
        try:
            real(self, *call)
        finally:
            monkeypatch.setattr(MemoryServer, "fenced", fenced)

    monkeypatch.setattr(MemoryServer, door, open_door)
    assert found_within(DAYS), "it went unnoticed"


def found_within(days: int) -> bool:
    """Whether one of the first days goes wrong."""
    for seed in range(days):
        try:
            play(seed)
        except (AssertionError, KeyError):
            return True
    return False
