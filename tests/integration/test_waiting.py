"""Waiting lists whose owner dies, or whose store has no memory for offers."""

from typing import Any

from engine import commands
from engine.commands import waiting
from engine.ids import digest
from engine.outcome import Outcome
from engine.record import CUSTOMER
from engine.waiting import ENTRY_MEMBERS
from engine.waiting_list import Standing
from tests.cluster import Cluster, on_cluster, until


async def join(cluster: Cluster, key: str, units: int = 1) -> None:
    """Somebody waits, for an hour and then for an offer's minute."""
    extra = {CUSTOMER: key}
    asked = digest([["A", None, units]], 0, extra)
    reply = await cluster.call("A", waiting.join(key, asked, "A", units, extra, 3_600_000, 60_000))
    assert reply[0] == Outcome.OK


async def told(cluster: Cluster, key: str) -> dict[str, Any]:
    """An entry as it is."""
    reply = await cluster.call("A", waiting.read(key))
    return dict(zip(ENTRY_MEMBERS, reply[1], strict=True))


@on_cluster
async def test_the_next_owner_serves_those_who_wait_in_their_order(cluster: Cluster) -> None:
    """And knows whom its predecessor has served."""
    await cluster.stock({"A": 3})
    await cluster.reserve("k", ["A", None, 2])
    for key in ("a", "b", "c"):
        await join(cluster, key)
    offered = await told(cluster, "a")
    assert offered["status"] == Standing.OFFERED
    await cluster.owner_of("A").die()
    await until(lambda: not cluster.supervisor.reasons())
    assert (await cluster.call("A", commands.release("k")))[0] == Outcome.OK
    entries = [await told(cluster, key) for key in ("a", "b", "c")]
    assert [entry["status"] for entry in entries] == [Standing.OFFERED] * 3
    assert entries[0] == offered
    await cluster.audit_is_clean()


@on_cluster
async def test_a_full_store_takes_units_back_and_offers_them_once_it_has_room(
    cluster: Cluster,
) -> None:
    """An offer is a new record, and a release may not wait for it."""
    await cluster.stock({"A": 2})
    await cluster.reserve("k", ["A", None, 2])
    await join(cluster, "a")
    store = cluster.owner_of("A").store
    store.full = True
    await until_released(cluster)
    assert (await told(cluster, "a"))["status"] == Standing.WAITING
    store.full = False
    ledger = cluster.owner_of("A").core.owners
    await until(lambda: all(not owner.ledger.waiting.stirred for owner in ledger.values()))
    assert (await told(cluster, "a"))["status"] == Standing.OFFERED
    await cluster.audit_is_clean()


async def until_released(cluster: Cluster) -> None:
    """At first the store is asked for the offer as well; then it is known to be full."""
    for _ in range(3):
        if (await cluster.call("A", commands.release("k")))[0] == Outcome.OK:
            return
    raise AssertionError
