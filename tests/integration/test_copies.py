"""A level that asks for copies: who is promised anything waits for them, and for nothing else."""

import asyncio

import pytest

from actors import chores
from engine import commands
from engine.commands import Reply
from engine.errors import StoreLost
from engine.ids import shard_of
from engine.outcome import Outcome
from engine.record import Durability, Reservation, Status
from tests.builders import put_node
from tests.cluster import SHARDS, Cluster, eventually, on_cluster_at, skus_on, until

replicated = on_cluster_at(Durability.REPLICATED)

#: A SKU on each shard, smallest first: the first one's shard is home.
SKUS = sorted(skus_on(shard, 1)[0] for shard in range(SHARDS))


def alone(cluster: Cluster, *, so: bool = True) -> None:
    """Without the second copy of anything, or with it again."""
    for host in cluster.hosts.values():
        host.store.alone = so


def weaker(reply: Reply, inner: Outcome = Outcome.OK) -> bool:
    """Whether it says that something is done, with too few copies."""
    return bool(reply[0] == Outcome.WEAKER and reply[2][0] == inner)


@replicated
async def test_with_all_copies_everything_is_answered_as_ever(cluster: Cluster) -> None:
    """And the level is named in the record."""
    await cluster.stock({"A": 10})
    reply = await cluster.reserve("k1", ["A", None, 1])
    assert reply[0] == Outcome.OK
    assert Reservation(reply[1]).level is Durability.REPLICATED
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.REPEATED
    assert (await cluster.reserve("k2", ["A", None, 10]))[0] == Outcome.SHORT
    assert (await cluster.call("A", commands.confirm("k1")))[0] == Outcome.OK
    await cluster.audit_is_clean()


@replicated
async def test_without_copies_what_is_done_is_done_and_called_weaker(cluster: Cluster) -> None:
    """A repeat of the key waits for them again, and is told when they are there."""
    await cluster.stock({"A": 10})
    alone(cluster)
    assert weaker(await cluster.reserve("k1", ["A", None, 2]))
    assert (await cluster.position("A"))["reserved"] == 2
    for _ in range(2):
        assert weaker(await cluster.reserve("k1", ["A", None, 2]), Outcome.REPEATED)
    for verb in (commands.extend("k1", 1_000_000), commands.confirm("k1"), commands.confirm("k1")):
        assert weaker(await cluster.call("A", verb))
    assert weaker(await cluster.call("A", commands.fulfil("k1", "p", b"d" * 16, None)))
    alone(cluster, so=False)
    assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.REPEATED
    assert (await cluster.call("A", commands.confirm("k1")))[0] == Outcome.OK
    await cluster.audit_is_clean()


@replicated
async def test_refusals_and_reads_of_the_same_batch_are_what_they_are(cluster: Cluster) -> None:
    """They promise nothing: sold out is sold out, and a look is a look."""
    await cluster.stock({"A": 3})
    alone(cluster)
    host = cluster.owner_of("A")
    host.store.gate = asyncio.Event()  # All that is asked meanwhile becomes one batch.
    sent = host.store.commits
    first = asyncio.ensure_future(cluster.reserve("first", ["A", None, 1]))
    await until(lambda: host.store.commits > sent)
    asked = [
        cluster.reserve("yes", ["A", None, 2]),
        cluster.reserve("no", ["A", None, 1]),
        cluster.reserve("yes", ["A", None, 1]),
        cluster.call("A", commands.read("first")),
        cluster.call("A", commands.read("never")),
        cluster.call("A", commands.stock("A")),
        cluster.call("A", commands.read_sku("A")),
        cluster.call("A", commands.view(["A"], 0)),
        cluster.call("A", commands.hint("A", 0, 0)),
        cluster.call("A", commands.release("never")),
        cluster.reserve("other", ["unknown", None, 1]),
    ]
    told = [asyncio.ensure_future(each) for each in asked]
    await asyncio.sleep(0)  # They are all on their way.
    host.store.gate.set()
    assert weaker(await first)
    replies = await asyncio.gather(*told)
    assert weaker(replies[0])
    assert [reply[0] for reply in replies[1:]] == [
        Outcome.SHORT, Outcome.KEY_REUSED, Outcome.OK, Outcome.UNKNOWN_RESERVATION, Outcome.OK,
        Outcome.OK, Outcome.OK, Outcome.OK, Outcome.UNKNOWN_RESERVATION, Outcome.UNKNOWN_SKU,
    ]  # fmt: skip


@replicated
async def test_reads_and_refusals_alone_wait_for_no_copies(cluster: Cluster) -> None:
    """A replica that is away costs whoever is promised nothing no time either."""
    await cluster.stock({"A": 1})
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK

    async def never() -> bool:
        raise AssertionError("asked for copies")

    cluster.owner_of("A").store.copies = never  # type: ignore[method-assign]
    assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.SHORT
    assert (await cluster.call("A", commands.read("k1")))[0] == Outcome.OK
    assert (await cluster.position("A"))["reserved"] == 1


@replicated
async def test_a_basket_without_copies_is_held_as_a_whole(cluster: Cluster) -> None:
    """Weaker, and so is its repeat; one that is sold out is sold out, and nothing of it stays."""
    await cluster.stock(dict.fromkeys(SKUS, 10))
    alone(cluster)
    too_many = [[sku, None, 11 if sku == SKUS[2] else 1] for sku in SKUS]
    reply = await cluster.reserve("k2", *too_many)
    assert (reply[0], reply[1]) == (Outcome.SHORT, [[SKUS[2], None, 11, 10]])

    async def given_back() -> bool:
        return not any([(await cluster.position(sku))["reserved"] for sku in SKUS])

    await eventually(given_back)
    basket = [[sku, None, 2] for sku in SKUS]
    assert weaker(await cluster.reserve("k1", *basket))
    assert weaker(await cluster.reserve("k1", *basket), Outcome.REPEATED)
    assert [(await cluster.position(sku))["reserved"] for sku in SKUS] == [2] * SHARDS
    alone(cluster, so=False)
    assert (await cluster.reserve("k1", *basket))[0] == Outcome.REPEATED
    await cluster.audit_is_clean()


@replicated
async def test_news_without_copies_are_told_until_they_have_them(cluster: Cluster) -> None:
    """A payment reaches every piece; home forgets what it owes when all have their copies."""
    await cluster.stock(dict.fromkeys(SKUS, 10))
    assert (await cluster.reserve("k1", *([sku, None, 2] for sku in SKUS)))[0] == Outcome.OK
    alone(cluster)
    home = cluster.owner_of(SKUS[0]).core.owners[shard_of(SKUS[0], SHARDS)].ledger
    assert weaker(await cluster.call(SKUS[0], commands.confirm("k1")))

    async def everywhere() -> bool:
        return [(await cluster.position(sku))["committed"] for sku in SKUS] == [2] * SHARDS

    await eventually(everywhere)
    assert "k1" in home.owing
    alone(cluster, so=False)
    await until(lambda: not home.owing)
    await cluster.audit_is_clean()


def test_holds_end_without_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the sweep does not take an end with too few copies for none."""
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 0)

    @replicated
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 1})
        alone(cluster)
        brief = commands.reserve("k1", b"d" * 16, [["A", None, 1]], 100, None)
        assert weaker(await cluster.call("A", brief))
        owner = cluster.owner_of("A").core.owners[shard_of("A", SHARDS)]
        await until(lambda: owner.telemetry.expired == 1)
        reply = await cluster.call("A", commands.read("k1"))
        assert Reservation(reply[1]).status is Status.EXPIRED
        assert not owner.ledger.overdue_ms(owner.now_ms())
        assert weaker(await cluster.reserve("k2", ["A", None, 1]))

    test()


@pytest.mark.parametrize("applied", [True, False])
def test_a_settled_answer_waits_for_its_copies_too(applied: bool) -> None:
    """The commit's answer was lost, and the new connection has written nothing of it."""

    @replicated
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10})
        store = cluster.owner_of("A").store
        alone(cluster)
        if applied:
            store.lose_applied = 1
        else:
            store.lose_unsent = 1
        assert weaker(await cluster.reserve("k1", ["A", None, 2]))
        assert weaker(await cluster.reserve("k1", ["A", None, 2]), Outcome.REPEATED)
        alone(cluster, so=False)
        assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.REPEATED
        assert (await cluster.position("A"))["reserved"] == 2
        await cluster.audit_is_clean()

    test()


@replicated
async def test_a_successor_waits_for_the_copies_of_what_the_last_owner_did(
    cluster: Cluster,
) -> None:
    """It has written nothing itself but its right: a repeat is weaker all the same."""
    await cluster.stock({"A": 10})
    alone(cluster)
    assert weaker(await cluster.reserve("k1", ["A", None, 2]))
    before = cluster.owner_of("A")
    other = next(host for host in cluster.hosts.values() if host is not before)
    await cluster.supervisor.move(shard_of("A", SHARDS), other.name)
    assert weaker(await cluster.reserve("k1", ["A", None, 2]), Outcome.REPEATED)
    alone(cluster, so=False)
    assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.REPEATED


@replicated
async def test_a_line_that_breaks_while_copies_are_waited_for(cluster: Cluster) -> None:
    """It is done, nobody has counted the copies: weaker, never silence."""
    await cluster.stock({"A": 10})
    store = cluster.owner_of("A").store

    async def cut() -> bool:
        store.broken = True
        raise StoreLost("cut")

    store.copies = cut  # type: ignore[method-assign]
    assert weaker(await cluster.reserve("k1", ["A", None, 2]))
    del store.copies
    assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.REPEATED
    await cluster.audit_is_clean()


@replicated
async def test_stock_and_nodes_without_copies_are_there_as_a_whole(cluster: Cluster) -> None:
    """Rows on every shard, and a node that all of them know."""
    await cluster.stock(dict.fromkeys(SKUS, 10))
    alone(cluster)
    rows: list[list[object]] = [[sku, "w1", 5, None, None, None] for sku in SKUS]
    for _ in range(2):
        told = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
        assert told[0] == Outcome.WEAKER
    assert [(await cluster.position(sku))["on_hand"] for sku in SKUS] == [15] * SHARDS
    reply = await put_node(cluster.client, "w2", {"kind": "store"}, cluster.deadline())
    assert weaker(reply)
    alone(cluster, so=False)
    repeated, results = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
    assert repeated
    assert [row[2] for row in results] == [15] * SHARDS
