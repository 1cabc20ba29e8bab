"""Waves and the shard they belong to: where ``net`` goes, their repairs go."""

import asyncio
from typing import Any

import uvloop

from actors import stockroom
from actors.waves.agenda import Automatic
from actors.waves.desk import LEFT
from engine import commands
from engine.commands import network
from engine.outcome import Outcome
from engine.record import ZONE, Durability, Reservation
from tests.builders import adjust, reserve
from tests.cluster import SHARDS, Cluster, LocalHost, cluster, eventually, until

NET = SHARDS
DAY_MS = 86_400_000


def host_of_net(made: Cluster) -> LocalHost:
    owner = made.supervisor.map.owners[NET]
    assert owner is not None
    return made.hosts[owner]


async def shop(made: Cluster) -> None:
    """One order, at ``w1``, that ``w2`` could serve as well."""
    await made.stock({"A": 1})
    await made.stock({"A": 1}, node="w2")
    lanes = [["w1", "z", 100, 0, DAY_MS, None, []], ["w2", "z", 130, 0, DAY_MS, None, []]]
    await stockroom.define(made.client, network.define_lanes(lanes), made.deadline())
    to: dict[str, Any] = {ZONE: "z"}
    assert (await made.call("A", reserve("k", ("A", 1), **to)))[0] == Outcome.OK
    assert (await made.call("A", commands.confirm("k")))[0] == Outcome.OK


def ask(host: LocalHost, do: str, **more: Any) -> Any:
    return host.core.waves.told({"do": do, **more})


def begin(host: LocalHost, name: str) -> Any:
    return ask(
        host, "begin", name=name, scope="confirmed", max_seconds=5, dry_run=True, closed_nodes=[],
        touching=None, capacity_percent=None, days_faster=None, merge_orders=False,
    )  # fmt: skip


def with_cluster(automatic: Automatic, story: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), cluster(Durability.FSYNC, waves=automatic) as made:
            await shop(made)
            await story(made)

    uvloop.run(main())


def test_a_wave_ends_where_net_leaves_its_host() -> None:
    """The next host may begin another at once: never do two run."""

    async def story(made: Cluster) -> None:
        host = host_of_net(made)
        assert begin(host, "w")["same"]
        assert begin(host, "v")["running"]["name"] == "w"
        await host.core.release(NET)
        await until(lambda: ask(host, "read", name="w")["wave"]["finished_at"] is not None)
        told = ask(host, "read", name="w")["wave"]
        assert (told["state"], told["reason"]) == ("failed", LEFT)

    with_cluster(Automatic(), story)


def test_a_shortfall_is_repaired_though_the_host_of_net_dies_before() -> None:
    """Its successor looks at what is open, whichever host has the shortfall's shard."""

    async def story(made: Cluster) -> None:
        before = host_of_net(made)
        assert (await made.call("A", adjust(("A", "w1", None, 0))))[0] == Outcome.OK
        await before.die()  # What happens together is waited for: it has not begun yet.
        assert ask(before, "list")["waves"] == []
        await until(lambda: made.supervisor.map.owners[NET] not in (None, before.name))
        await eventually(lambda: at_w2(made))
        (told,) = ask(host_of_net(made), "list")["waves"]
        assert (told["trigger"], told["moved"], told["hit_orders"]) == ("correction", 1, 1)
        await made.audit_is_clean()

    with_cluster(Automatic(repairs=True), story)


async def at_w2(made: Cluster) -> bool:
    reply = await made.call("A", commands.read("k"))
    return reply[0] == Outcome.OK and [*Reservation(reply[1]).backings()] == [("A", "w2", 1)]
