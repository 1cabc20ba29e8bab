"""Assigning and moving shards when a host, the store or a clock says something odd."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from engine.ids import shard_of
from engine.outcome import Outcome
from engine.record import Durability
from engine.store.protocol import Right
from tests.cluster import SHARDS, Cluster, LocalHost, on_cluster, until


def others_of(cluster: Cluster, host: LocalHost) -> LocalHost:
    return next(other for other in cluster.hosts.values() if other is not host)


@on_cluster
async def test_a_shard_moves_though_its_owner_fails_to_give_it_up(cluster: Cluster) -> None:
    """Whatever it raises: the next owner's right ends that of the last."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")

    async def broken(shard: int) -> None:
        raise RuntimeError("a defect")

    host.release = broken  # type: ignore[method-assign]
    await cluster.supervisor.move(shard_of("A", SHARDS), others_of(cluster, host).name)
    assert not cluster.supervisor.reasons()
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_a_host_that_is_missing_is_started_once(cluster: Cluster) -> None:
    """Though two notice in the same turn of the loop: the watch, and who replaced the last one."""
    await cluster.stock({"A": 10})
    supervisor = cluster.supervisor
    await cluster.owner_of("A").die()
    await until(lambda: len(supervisor._hosts) == 1)
    await asyncio.gather(supervisor._fill_up(), supervisor._fill_up(), supervisor._fill_up())
    await until(lambda: not supervisor.reasons() and len(supervisor._hosts) == 2)
    assert supervisor._starting == 0
    assert len(cluster.hosts) == 3
    await cluster.audit_is_clean()


def test_a_term_from_a_clock_that_was_ahead_keeps_nobody_out() -> None:
    """Whoever starts rules; who ruled before and still runs is told so."""

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="tg-") as sockets:
            cluster = Cluster(Path(sockets), Durability.FSYNC)
            ahead = cluster.supervisor._term + 3_600_000
            for shard in cluster.server.shards.values():
                shard.term = ahead
            async with asyncio.timeout(10):
                await cluster.supervisor.start()
            assert cluster.supervisor.reasons() == []
            for shard in cluster.server.shards.values():
                shard.term += 1  # Another one started.
            await cluster.supervisor.move(0, cluster.supervisor.map.owners[1] or "")
            assert any("another Tidegate" in reason for reason in cluster.supervisor.reasons())
            await cluster.supervisor.stop()

    uvloop.run(main())


@on_cluster
async def test_health_from_before_an_assignment_starts_no_second_one(cluster: Cluster) -> None:
    """A host's word is about the map it was asked under."""
    await cluster.stock({"A": 10})
    shard = shard_of("A", SHARDS)
    host, assigned = cluster.owner_of("A"), 0
    other = others_of(cluster, host)
    health, assign = other.health, other.assign
    asked, moved = asyncio.Event(), asyncio.Event()

    async def late() -> dict[str, Any]:
        told = await health()
        asked.set()
        await moved.wait()
        return told

    async def counted(right: Right, term: int) -> None:
        nonlocal assigned
        assigned += 1
        await assign(right, term)

    other.health, other.assign = late, counted  # type: ignore[method-assign]
    await asked.wait()
    await cluster.supervisor.move(shard, other.name)
    moved.set()
    await until(lambda: other.name not in cluster.supervisor._unanswered)
    await asyncio.sleep(0.1)
    assert assigned == 1
