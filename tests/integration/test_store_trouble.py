"""A store that keeps silent or has no memory left."""

import asyncio

import pytest

from actors import owner as owner_module
from engine import commands
from engine.outcome import Outcome
from tests.cluster import Cluster, on_cluster, until


@on_cluster
async def test_a_store_that_keeps_silent_is_given_up_and_settled_with(cluster: Cluster) -> None:
    """The connection stands, and yet nobody waits for the answer for ever."""
    await cluster.stock({"A": 5})
    host = cluster.owner_of("A")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner_module, "COMMIT_SILENCE_MS", 50)
        host.store.gate = asyncio.Event()  # Nobody ever sets it.
        sent = host.store.commits
        held = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 2]))
        await until(lambda: host.store.commits > sent)
        host.store.gate = None
        assert (await held)[0] == Outcome.OK
    assert (await cluster.reserve("k2", ["A", None, 4]))[0] == Outcome.SHORT
    await cluster.audit_is_clean()


@on_cluster
async def test_units_come_back_while_the_store_has_no_memory(cluster: Cluster) -> None:
    """New holds are refused at once, releases and expiry go through beside them."""
    await cluster.stock({"A": 5})
    for key in ("k1", "k2"):
        assert (await cluster.reserve(key, ["A", None, 2]))[0] == Outcome.OK
    store = cluster.owner_of("A").store
    store.full = True
    assert (await cluster.reserve("k3", ["A", None, 1]))[0] == Outcome.UNAVAILABLE
    asked = [
        cluster.call("A", commands.release("k1")),
        cluster.reserve("k4", ["A", None, 1]),
        cluster.call("A", commands.read("k2")),
    ]
    told = await asyncio.gather(*asked)
    assert [reply[0] for reply in told] == [Outcome.OK, Outcome.UNAVAILABLE, Outcome.OK]
    store.full = False
    owner = cluster.owner_of("A").core.owners
    await until(
        lambda: all(one._full_until < asyncio.get_running_loop().time() for one in owner.values())
    )
    assert (await cluster.reserve("k5", ["A", None, 3]))[0] == Outcome.OK
    await cluster.audit_is_clean()
