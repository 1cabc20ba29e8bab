"""Owners and the store are killed and frozen under load; what was acknowledged is there."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from actors.client import Client
from actors.ray_line import open_ray
from engine import commands
from engine.ids import shard_of
from engine.outcome import Outcome
from engine.store.protocol import Right
from tests.cluster import until
from tests.real import SHARDS, Crowd, Real, fresh, hold


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that does nothing for a while, and notices nothing of it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_an_owner_is_killed_under_load(real: Real) -> None:
    """Acknowledged holds are there, buyers go on with its successor."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(32)
        await crowd.some(200)
        before = real.supervisor.map.owners[shard_of(sku, SHARDS)]
        await real.kill_owner(sku)
        await crowd.some(200)
        assert real.supervisor.map.owners[shard_of(sku, SHARDS)] != before
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


def test_an_owner_is_killed_before_it_has_decided(real: Real) -> None:
    """Commands lie in its socket when it dies: its successor decides them, once."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=100)
        keys = [fresh("k") for _ in range(20)]
        crowd = Crowd(real, sku)
        pid = await real.pid_of(sku)
        with frozen(pid):
            buying = [asyncio.create_task(crowd.buy(key)) for key in keys]
            await asyncio.wait(buying, timeout=0.1)  # They lie in its socket.
            os.kill(pid, signal.SIGKILL)
        replies = await asyncio.gather(*buying)
        assert {reply[0] for reply in replies} == {Outcome.OK}
        assert (await real.position(sku))["reserved"] == 20

    real.run(story())


def test_an_owner_is_killed_while_its_commit_is_on_its_way(real: Real) -> None:
    """The store gets the commit of a dead owner: applied or fenced, the key has one effect."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=100)
        keys = [fresh("k") for _ in range(20)]
        crowd = Crowd(real, sku)
        pid = await real.pid_of(sku)
        with frozen(real.store.pid):
            buying = [asyncio.create_task(crowd.buy(key)) for key in keys]
            # Frozen, the store tells nobody what has reached it; the owner's part takes 1 ms.
            await asyncio.wait(buying, timeout=0.1)
            os.kill(pid, signal.SIGKILL)
        replies = await asyncio.gather(*buying)
        assert {reply[0] for reply in replies} <= {Outcome.OK, Outcome.REPEATED}
        assert (await real.position(sku))["reserved"] == 20

    real.run(story())


def test_an_owner_is_killed_right_after_its_answers(real: Real) -> None:
    """What it said yes to is there, what it said no to is not."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=15)
        crowd = Crowd(real, sku)
        keys = [fresh("k") for _ in range(20)]
        for key, reply in zip(keys, await asyncio.gather(*map(crowd.buy, keys)), strict=True):
            crowd.told[key] = reply
        await real.kill_owner(sku)
        assert sum(reply[0] == Outcome.OK for reply in crowd.told.values()) == 15
        await crowd.nothing_is_missing()
        assert (await crowd.buy(keys[0]))[0] == Outcome.REPEATED

    real.run(story())


def test_a_host_whose_shards_wait_for_the_store_is_not_silent(real: Real) -> None:
    """More assignments than it handles at a time hang: its health is asked beside them."""

    async def story() -> None:
        host = next(iter(real.supervisor._hosts.values()))
        stale = Right(0, 1, "nobody's")
        term = real.supervisor._term
        with frozen(real.store.pid):
            hanging = [asyncio.create_task(host.assign(stale, term)) for _ in range(12)]
            await asyncio.sleep(0.3)
            async with asyncio.timeout(1):
                assert (await host.health())["recovering"] == [0]
        refused = await asyncio.gather(*hanging, return_exceptions=True)
        assert [getattr(refusal, "code", refusal) for refusal in refused] == ["EPOCH"] * 12

    real.run(story())


def test_all_owners_are_killed_at_once(real: Real) -> None:
    """New hosts own every shard."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(16)
        await crowd.some(100)
        for host in list(real.supervisor._hosts.values()):
            os.kill(await real.hosts[host.name].pid(), signal.SIGKILL)
        await crowd.some(100)
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


def test_a_frozen_owner_that_wakes_up_is_fenced(real: Real) -> None:
    """A successor serves after 2 s of silence; the old owner's yes and no are worth nothing."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(32)
        await crowd.some(200)
        shard = shard_of(sku, SHARDS)
        before = real.supervisor.map.owners[shard]
        with frozen(await real.pid_of(sku)):
            await until(lambda: real.supervisor.map.owners[shard] not in (before, None))
            successor = real.supervisor.map.owners[shard]
            await crowd.some(100)
        # Awake: its commits are refused, nobody asks it, nobody fights for the shard.
        await crowd.some(1_000)
        assert real.supervisor.map.owners[shard] == successor
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


def test_an_owner_that_slept_for_a_moment_goes_on(real: Real) -> None:
    """Shorter than the silence after which it is replaced."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(16)
        await crowd.some(100)
        owners = real.supervisor.map.owners
        with frozen(await real.pid_of(sku)):
            await asyncio.sleep(0.3)
        await crowd.some(100)
        assert real.supervisor.map.owners == owners
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


@pytest.mark.parametrize("times", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_the_store_is_killed_and_restarted_under_load(real: Real, times: int) -> None:
    """Owners settle with what it has kept: everything that was acknowledged, at this level."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(32)
        for _ in range(times):
            await crowd.some(200)
            real.store.kill()
            await real.store.restart()
        await crowd.some(200)
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


def test_store_and_owner_are_killed_together(real: Real) -> None:
    """The successor waits for the store and finds what was acknowledged."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        crowd = Crowd(real, sku)
        crowd.start(16)
        await crowd.some(100)
        real.store.kill()
        await real.kill_owner(sku)
        await real.store.restart()
        await crowd.some(100)
        await crowd.stop()
        await crowd.nothing_is_missing()

    real.run(story())


def test_paid_is_paid_and_given_back_is_given_back_after_a_takeover(real: Real) -> None:
    """The same answers from the successor, for each way a hold may end."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=10)
        paid, back = fresh("k"), fresh("k")
        for key, verb in ((paid, commands.confirm(paid)), (back, commands.release(back))):
            assert (await real.surely(sku, hold(key, sku)))[0] == Outcome.OK
            assert (await real.surely(sku, verb))[0] == Outcome.OK
        await real.kill_owner(sku)
        assert (await real.surely(sku, commands.confirm(paid)))[0] == Outcome.OK
        assert (await real.surely(sku, commands.confirm(back)))[0] == Outcome.NOT_HELD
        assert (await real.surely(sku, hold(back, sku)))[0] == Outcome.REPEATED
        position = await real.position(sku)
        assert (position["reserved"], position["committed"]) == (0, 1)

    real.run(story())


def test_an_owner_is_killed_while_batches_go_through_ray(real: Real) -> None:
    """The way of gateways on other machines ends and begins again like the lane."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        client = Client(str(real.folder / "control.sock"), open_ray)
        await client.start()
        crowd = Crowd(real, sku, client)
        try:
            crowd.start(16)
            await crowd.some(100)
            await real.kill_owner(sku)
            await crowd.some(100)
            await crowd.stop()
        finally:
            await client.stop()
        await crowd.nothing_is_missing()

    real.run(story())
