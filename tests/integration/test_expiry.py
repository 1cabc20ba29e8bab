"""Holds and pieces whose time has come: what owners do by themselves, and how soon."""

import asyncio

import pytest

from actors import chores
from actors.owner import Job, ShardOwner
from engine import commands
from engine.commands import Command, Reply
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.cluster import SHARDS, Cluster, on_cluster, until

CROWD = 20_000


def owner_of(cluster: Cluster, sku: str) -> ShardOwner:
    return cluster.owner_of(sku).core.owners[shard_of(sku, SHARDS)]


async def decided(owner: ShardOwner, asked: list[Command]) -> list[Reply]:
    """The replies to commands that are decided at one instant."""
    told: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
    owner.submit(Job(asked, told.set_result))
    return await told


def holds(count: int, hold_ms: int) -> list[Command]:
    return [
        commands.reserve(f"k{n}", b"d" * 16, [["A", None, 1]], hold_ms, None) for n in range(count)
    ]


def test_a_crowd_of_holds_with_one_end_is_sold_again_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In sweeps that follow each other, behind whatever else waits."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 0)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": CROWD, "B": 1})
        owner = owner_of(cluster, "A")
        replies = await decided(owner, holds(CROWD, 1_000))
        assert {reply[0] for reply in replies} == {Outcome.OK}
        ends_at_ms = owner.now_ms() + 1_000
        position = owner.ledger.position("A", "w1")
        await until(lambda: position.sellable == CROWD)
        assert owner.now_ms() <= ends_at_ms + 1_000
        await cluster.audit_is_clean()

    test()


def test_holds_that_ended_in_time_keep_no_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all are paid or given back before their end: a sweep is not spent on those."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 0)
    monkeypatch.setattr(chores, "_EVERY_S", 0.2)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": CROWD})
        owner = owner_of(cluster, "A")
        await decided(owner, holds(CROWD, 1_000))
        ends_at_ms = owner.now_ms() + 1_000
        await decided(owner, [commands.confirm(f"k{n}") for n in range(CROWD - 1)])
        position = owner.ledger.position("A", "w1")
        await until(lambda: position.reserved == 0)
        assert owner.now_ms() <= ends_at_ms + 1_000

    test()


def test_a_chore_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One shard's defect is logged; the others' holds end, and its own once it is over."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 0)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 1})
        owner = owner_of(cluster, "A")
        due, failures = owner.ledger.due, 0

        def broken(now_ms: int, most: int = 512) -> list[str]:
            nonlocal failures
            failures += 1
            if failures <= 3:
                raise RuntimeError("a defect")
            return due(now_ms, most)

        monkeypatch.setattr(owner.ledger, "due", broken)
        await decided(owner, holds(1, 100))
        await until(lambda: owner.ledger.position("A", "w1").reserved == 0)
        assert failures > 3

    test()
