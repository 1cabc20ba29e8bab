"""An owner answers after acceptance, and settles what it cannot know."""

import asyncio
import copy

import pytest

from actors import owner as owner_module
from actors.jobs import Job
from engine import commands
from engine.ids import shard_of
from engine.limits import QUEUE_COMMANDS_MAX
from engine.outcome import Outcome
from engine.record import Reservation, Status
from engine.store.protocol import Right
from tests.cluster import SHARDS, Cluster, on_cluster, until


@on_cluster
async def test_nobody_is_answered_before_his_commit_is_accepted(cluster: Cluster) -> None:
    """No yes, no no and no read leaves while the batch it rests on is on its way."""
    await cluster.stock({"A": 1})
    store = cluster.owner_of("A").store
    store.gate = asyncio.Event()
    won = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 1]))
    await until(lambda: store.commits > 0)
    lost = asyncio.ensure_future(cluster.reserve("k2", ["A", None, 1]))
    read = asyncio.ensure_future(cluster.call("A", commands.read("k1")))
    done, _ = await asyncio.wait({won, lost, read}, timeout=0.2)
    assert not done
    store.gate.set()
    assert [(await task)[0] for task in (won, lost, read)] == [
        Outcome.OK, Outcome.SHORT, Outcome.OK,
    ]  # fmt: skip


def test_a_refused_batch_takes_the_one_behind_it_back_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store that cannot write for longer than we try leaves nothing half done."""
    monkeypatch.setattr(owner_module, "STORE_RETRY_MS", 100)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10})
        store = cluster.owner_of("A").store
        store.refuse_with = "MISCONF"
        replies = await asyncio.gather(
            *(cluster.reserve(f"k{n}", ["A", None, 2]) for n in range(3))
        )
        assert {reply[0] for reply in replies} == {Outcome.UNAVAILABLE}
        store.refuse_with = None
        assert (await cluster.position("A"))["sellable"] == 10
        assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.OK
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_a_store_that_refuses_for_a_moment_is_waited_for(cluster: Cluster) -> None:
    """The same bytes are sent again until they are taken."""
    await cluster.stock({"A": 10})
    store = cluster.owner_of("A").store
    store.refuse_with = "LOADING"
    reply = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 2]))
    await until(lambda: store.commits >= 3)
    store.refuse_with = None
    assert (await reply)[0] == Outcome.OK


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_without_a_second_effect(applied: bool) -> None:
    """The owner asks for a new right, compares histories, and answers."""

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await cluster.stock({"A": 10})
        host = cluster.owner_of("A")
        ledger = host.core.owners[shard_of("A", SHARDS)].ledger
        if applied:
            host.store.lose_applied = 1
        else:
            host.store.lose_unsent = 1
        assert (await cluster.reserve("k1", ["A", None, 2]))[0] == Outcome.OK
        assert host.core.owners[shard_of("A", SHARDS)].ledger is ledger, "reloaded"
        assert (await cluster.position("A"))["reserved"] == 2
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_a_store_that_came_back_behind_is_healed_with_the_same_bytes(
    cluster: Cluster,
) -> None:
    """What the store has lost is sent again in order; acknowledged holds are there again."""
    await cluster.stock({"A": 10})
    older = cluster.store_as_it_is()
    for n in range(3):
        assert (await cluster.reserve(f"k{n}", ["A", None, 1]))[0] == Outcome.OK
    newer = [entry.hash for entry in cluster.server.shards[shard_of("A", SHARDS)].events]
    cluster.server.shards = older
    for host in cluster.hosts.values():
        host.store.lose_unsent = 1
    assert (await cluster.reserve("k3", ["A", None, 1]))[0] == Outcome.OK
    events = cluster.server.shards[shard_of("A", SHARDS)].events
    assert [entry.hash for entry in events][: len(newer)] == newer
    assert (await cluster.position("A"))["reserved"] == 4
    await cluster.audit_is_clean()


@on_cluster
async def test_another_history_makes_the_owner_load_anew(cluster: Cluster) -> None:
    """A copy that the store contradicts is dropped, not defended."""
    await cluster.stock({"A": 10})
    shard = shard_of("A", SHARDS)
    host = cluster.owner_of("A")
    stranger = copy.deepcopy(cluster.server.shards[shard])
    stranger.head = b"somebody else's!"
    stranger.seq += 7
    cluster.server.shards[shard] = stranger
    host.store.lose_unsent = 1
    before = host.core.owners[shard]
    reply = await cluster.reserve("k1", ["A", None, 1])
    assert reply[0] in (Outcome.OK, Outcome.LOST, Outcome.UNAVAILABLE)
    await until(lambda: host.core.owners.get(shard) not in (None, before))
    assert (await cluster.reserve("k2", ["A", None, 1]))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_a_stale_owner_can_say_neither_yes_nor_no(cluster: Cluster) -> None:
    """Somebody else has the right: the old owner steps down, callers find the new one."""
    await cluster.stock({"A": 1})
    shard = shard_of("A", SHARDS)
    old = cluster.owner_of("A")
    other = next(host for host in cluster.hosts.values() if host is not old)
    right = Right(shard, cluster.supervisor._new_right(shard).epoch, "stolen")
    await other.core.assign(right, cluster.supervisor._term)
    reply = await old.core.ask(shard, commands.read("nobody"))
    assert reply[0] == Outcome.NOT_OWNER
    assert shard not in old.core.owners
    cluster.supervisor._set_owner(shard, other.name)
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_a_command_that_fails_leaves_its_neighbours_answers_alone(cluster: Cluster) -> None:
    """A defect in one decision is that command's trouble only."""
    await cluster.stock({"A": 10})
    core = cluster.owner_of("A").core
    shard = shard_of("A", SHARDS)
    good = commands.reserve("good", b"g" * 16, [["A", None, 1]], 1000, None)
    broken = [commands.Op.RESERVE, "bad"]
    answers: asyncio.Future[list[commands.Reply]] = asyncio.get_running_loop().create_future()
    core.owners[shard].submit(Job([good, broken, good], answers.set_result))
    replies = await answers
    assert [reply[0] for reply in replies] == [
        Outcome.OK, Outcome.UNAVAILABLE, Outcome.REPEATED,
    ]  # fmt: skip
    await cluster.audit_is_clean()


@on_cluster
async def test_an_ended_reservation_still_answers_for_its_key(cluster: Cluster) -> None:
    """Also after a new owner has loaded only the open ones."""
    await cluster.stock({"A": 10})
    await cluster.reserve("k1", ["A", None, 2])
    assert (await cluster.call("A", commands.release("k1")))[0] == Outcome.OK
    for _ in range(2):
        reply = await cluster.reserve("k1", ["A", None, 2])
        assert reply[0] == Outcome.REPEATED
        assert Reservation(reply[1]).status is Status.RELEASED
        assert (await cluster.reserve("k1", ["A", None, 3]))[0] == Outcome.KEY_REUSED
        owner = cluster.owner_of("A")
        other = next(host for host in cluster.hosts.values() if host is not owner)
        await cluster.supervisor.move(shard_of("A", SHARDS), other.name)
    await cluster.audit_is_clean()


@on_cluster
async def test_a_full_queue_refuses_new_holds_and_takes_what_finishes(cluster: Cluster) -> None:
    """Overload is refused early; confirm and release go on."""
    await cluster.stock({"A": 10})
    await cluster.reserve("k1", ["A", None, 1])
    core = cluster.owner_of("A").core
    owner = core.owners[shard_of("A", SHARDS)]
    owner.paused = True
    owner.queued = QUEUE_COMMANDS_MAX
    refused = await cluster.reserve("k2", ["A", None, 1])
    assert refused[0] == Outcome.OVERLOADED
    paid = asyncio.ensure_future(cluster.call("A", commands.confirm("k1")))
    await until(lambda: owner.queued > QUEUE_COMMANDS_MAX)
    owner.paused = False
    owner.pump()
    assert (await paid)[0] == Outcome.OK
