"""Lines to the store are cut under load, and owners that were asleep are asked once they wake."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgpack
import psutil
import pytest

from actors.lane import LaneLine, connect
from engine import commands
from engine.commands import Command, Reply
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.cluster import until
from tests.real import HOSTS, SHARDS, Crowd, Real, fresh, hold


@pytest.mark.parametrize("times", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_lines_to_the_store_are_cut_under_load(real: Real, times: int) -> None:
    """Commits lose their answers again and again; owners settle them and answer, none is lost."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        owners = real.supervisor.map.owners
        crowd = Crowd(real, sku)
        crowd.start(32)
        for turn in range(times):
            await crowd.some(100 if turn % 2 else 3)  # The second cut may meet a settling host.
            cut = await real.ask_store("CLIENT", "KILL", "USER", "tidegate")
            assert cut >= 1, "nobody was connected"
        await crowd.some(200)
        await crowd.stop()
        assert real.supervisor.map.owners == owners, "a host was replaced"
        await crowd.nothing_is_missing()

    real.run(story())


def test_one_line_is_cut_while_its_commit_is_on_its_way(real: Real) -> None:
    """The store has the bytes and cannot tell: what was applied is answered, not done twice."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=100)
        for _ in range(5):
            keys = [fresh("k") for _ in range(20)]
            crowd = Crowd(real, sku)
            reserved = (await real.position(sku))["reserved"]
            with stopped(real.store.pid):
                buying = [asyncio.create_task(crowd.buy(key)) for key in keys]
                cutting = asyncio.create_task(real.ask_store("CLIENT", "KILL", "USER", "tidegate"))
                # Frozen, the store reads nothing: both lie in its sockets when it wakes.
                await asyncio.wait([*buying, cutting], timeout=0.1)
            assert await cutting >= 1
            replies = await asyncio.gather(*buying)
            assert {reply[0] for reply in replies} <= {Outcome.OK, Outcome.REPEATED}
            assert (await real.position(sku))["reserved"] == reserved + 20

    real.run(story())


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing for a while, and notices nothing of it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def spared(real: Real, name: str) -> AsyncIterator[asyncio.Event]:
    """Nobody ends this host before the block does, or starts another one in its place.

    The event: the supervisor has given its order to end it.
    """
    host, supervisor = real.hosts[name], real.supervisor
    kill, ordered = host.kill, asyncio.Event()
    host.kill = ordered.set  # type: ignore[method-assign]
    supervisor._wanted -= 1
    try:
        yield ordered
        await ordered.wait()
    finally:
        supervisor._wanted += 1
        host.kill = kill  # type: ignore[method-assign]
        kill()


async def asked(line: LaneLine, shard: int, command: Command) -> Reply:
    """A host's answer to a caller who has not heard of any other."""
    answer = await line.call(msgpack.packb([shard, command]))
    (reply,) = msgpack.unpackb(answer, strict_map_key=False)
    return list(reply)


async def reported(line: LaneLine) -> dict[str, Any]:
    """What a host says of itself."""
    answer: dict[str, Any] = msgpack.unpackb(await line.call(msgpack.packb({"m": "report"})))
    return answer


def test_an_owner_that_wakes_up_is_alive_and_owns_nothing(real: Real) -> None:
    """Asked before it is killed it says that it is no owner; it fights for nothing."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(32)
        await crowd.some(200)
        shard = shard_of(sku, SHARDS)
        old = real.supervisor.map.owners[shard]
        assert old is not None
        pid = await real.pid_of(sku)
        async with spared(real, old) as ordered:
            with stopped(pid):
                await until(lambda: old not in real.supervisor.map.owners)
                await crowd.some(100)
                await ordered.wait()
                epoch = await real.epoch_of(sku)
            line = await connect(real.hosts[old].address)
            known = next(iter(crowd.told))
            for command in (
                hold(fresh("k"), sku), commands.read(known), commands.stock(sku),
                commands.release(known), hold(known, sku),
            ):  # fmt: skip
                assert (await asked(line, shard, command))[0] == Outcome.NOT_OWNER
            report = await reported(line)
            assert shard not in [row["shard"] for row in report["shards"]]
            assert psutil.Process(pid).status() in (psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING)
            await crowd.some(1_000)
            assert await real.epoch_of(sku) == epoch, "somebody fights for the shard"
            assert len(real.supervisor._hosts) == HOSTS - 1
            line.close()
            await crowd.stop()
            await crowd.nothing_is_missing()
            assert await real.epoch_of(sku) == epoch

    real.run(story())


def test_an_owner_that_wakes_up_with_a_commit_in_its_hands(real: Real) -> None:
    """Bought from it before it froze, it may be neither sold nor refused by it any more."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=20)
        shard = shard_of(sku, SHARDS)
        old = real.supervisor.map.owners[shard]
        assert old is not None
        crowd = Crowd(real, sku)
        direct = await connect(real.hosts[old].address)
        async with spared(real, old) as ordered:
            with stopped(await real.pid_of(sku)):
                # They lie in its socket until it wakes, and ask nobody else.
                late = [
                    asyncio.create_task(asked(direct, shard, hold(fresh("late"), sku)))
                    for _ in range(5)
                ]
                await ordered.wait()
                keys = [fresh("k") for _ in range(20)]
                for key, reply in zip(
                    keys, await asyncio.gather(*map(crowd.buy, keys)), strict=True
                ):
                    crowd.told[key] = reply
                assert not any(task.done() for task in late)
            assert {reply[0] for reply in await asyncio.gather(*late)} == {Outcome.NOT_OWNER}
            direct.close()
        assert {reply[0] for reply in crowd.told.values()} == {Outcome.OK}
        await crowd.nothing_is_missing()

    real.run(story())
