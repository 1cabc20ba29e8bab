"""Two of them on one store: the one that started later rules, the other says so and keeps still."""

import asyncio
import copy
from typing import Final

from engine import commands
from engine.ids import shard_of
from engine.limits import HEALTH_EVERY_MS
from engine.outcome import Outcome
from tests.cluster import SHARDS, Cluster, cluster, on_cluster, skus_on, until

TAKEN_OVER: Final = "another Tidegate has taken this store over"
SKUS: Final = [skus_on(shard, 1)[0] for shard in range(SHARDS)]


def taken_over(made: Cluster) -> bool:
    """Whether it says why it is not ready."""
    return any(TAKEN_OVER in reason for reason in made.client.readiness())


async def rounds(count: int) -> None:
    """So many times the supervisors have looked after their hosts."""
    await asyncio.sleep(count * HEALTH_EVERY_MS / 1000)


def epochs(made: Cluster) -> list[int]:
    """By shard; whoever acquires makes it grow."""
    return [made.server.shards[shard].epoch for shard in range(SHARDS + 1)]


@on_cluster
async def test_the_later_supervisor_rules_and_the_earlier_one_says_so(older: Cluster) -> None:
    """Its readiness names the reason, its callers hear that nothing was done, nobody duels."""
    await older.stock(dict.fromkeys(SKUS, 10))
    assert (await older.reserve("before", [SKUS[0], None, 1]))[0] == Outcome.OK
    async with cluster(server=older.server) as newer:
        ruled = epochs(newer)
        # Its owners find out by asking the store.
        told = await asyncio.gather(*(older.reserve(f"k-{sku}", [sku, None, 1]) for sku in SKUS))
        assert {reply[0] for reply in told} == {Outcome.UNAVAILABLE}
        await until(lambda: taken_over(older))
        assert not newer.supervisor.reasons()
        assert not taken_over(newer)
        for sku in SKUS:
            assert (await newer.reserve(f"k-{sku}", [sku, None, 1]))[0] == Outcome.OK
        held = await newer.call(SKUS[0], commands.read("before"))
        assert held[0] == Outcome.OK
        await rounds(3)
        assert epochs(newer) == ruled
        assert (await older.reserve("late", [SKUS[0], None, 1]))[0] == Outcome.UNAVAILABLE
        await newer.audit_is_clean()
    assert taken_over(older), "it does not come back by itself"


@on_cluster
async def test_a_refused_supervisor_gives_no_rights_and_replaces_nobody(older: Cluster) -> None:
    """A host that lost the store gets none; one that dies leaves its shards to the other."""
    await older.stock(dict.fromkeys(SKUS, 10))
    async with cluster(server=older.server) as newer:
        ruled = epochs(newer)
        await older.reserve("k", [SKUS[0], None, 1])
        await until(lambda: taken_over(older))
        for host in list(older.hosts.values()):
            assert older.supervisor._renew(host.name, list(range(SHARDS + 1))) == []
        await next(iter(older.hosts.values())).die()
        await rounds(3)
        assert epochs(newer) == ruled
        for sku in SKUS:
            assert (await newer.reserve(f"k-{sku}", [sku, None, 1]))[0] == Outcome.OK
        await newer.audit_is_clean()


@on_cluster
async def test_a_lost_commit_of_the_earlier_one_is_decided_once(older: Cluster) -> None:
    """Its owner cannot settle it, the later supervisor's owner knows: a repeat there tells."""
    await older.stock({SKUS[0]: 10})
    host = older.owner_of(SKUS[0])
    host.store.lose_applied = 1
    renew, asked = host.core._renew, asyncio.Event()

    async def slow(name: str, shards: list[int]) -> list[object]:
        asked.set()
        await newer_is_there.wait()
        return list(await renew(name, shards))

    newer_is_there = asyncio.Event()
    host.core._renew = slow  # type: ignore[assignment]
    command = commands.reserve("k", b"d" * 16, [[SKUS[0], None, 1]], 900_000, None)
    reply = asyncio.ensure_future(older.call(SKUS[0], command))
    await asked.wait()
    async with cluster(server=older.server) as newer:
        newer_is_there.set()
        assert (await reply)[0] == Outcome.LOST
        assert (await newer.call(SKUS[0], command))[0] == Outcome.REPEATED
        assert (await newer.position(SKUS[0]))["reserved"] == 1
        await newer.audit_is_clean()


@on_cluster
async def test_an_earlier_supervisor_that_wakes_up_over_an_idle_shop_harms_nobody(
    older: Cluster,
) -> None:
    """Nobody has asked its owners anything; their books are old, and they can say nothing."""
    await older.stock(dict.fromkeys(SKUS, 10))
    async with cluster(server=older.server) as newer:
        for sku in SKUS:
            assert (await newer.reserve(f"k-{sku}", [sku, None, 10]))[0] == Outcome.OK
        before = copy.deepcopy(newer.server.shards)
        for sku in SKUS:
            owner = older.owner_of(sku)
            shard = shard_of(sku, SHARDS)
            for command in (
                commands.stock(sku),
                commands.release(f"k-{sku}"),
                commands.confirm(f"k-{sku}"),
            ):
                reply = await owner.core.ask(shard, command)
                assert reply[0] == Outcome.NOT_OWNER
        after = newer.server.shards
        assert [before[n].head for n in before] == [after[n].head for n in after]
        await newer.audit_is_clean()
