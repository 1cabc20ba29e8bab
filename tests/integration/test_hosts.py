"""Hosts die, shards move, deadlines pass; callers are told the truth."""

import asyncio

from actors import feed
from engine import commands
from engine.ids import shard_of
from engine.outcome import Outcome
from tests.builders import define_node
from tests.cluster import SHARDS, Cluster, on_cluster, skus_on, until


@on_cluster
async def test_a_dead_host_is_replaced_and_nothing_acknowledged_is_missing(
    cluster: Cluster,
) -> None:
    """Its shards are served by others; every hold that was answered is there."""
    skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
    await cluster.stock(dict.fromkeys(skus, 50))
    told = [await cluster.reserve(f"k{n}", [skus[n % 4], None, 1]) for n in range(20)]
    assert {reply[0] for reply in told} == {Outcome.OK}
    victim = cluster.owner_of(skus[0])
    await victim.die()
    reply = await cluster.reserve("after", [skus[0], None, 1])
    for _ in range(20):
        if reply[0] == Outcome.OK:
            break
        reply = await cluster.reserve("after", [skus[0], None, 1])
    assert reply[0] == Outcome.OK
    for n in range(20):
        assert (await cluster.call(skus[n % 4], commands.read(f"k{n}")))[0] == Outcome.OK
    await until(lambda: not cluster.supervisor.reasons())
    await cluster.audit_is_clean()


@on_cluster
async def test_all_hosts_may_die_at_once(cluster: Cluster) -> None:
    """New ones own every shard; what was acknowledged is there."""
    skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
    await cluster.stock(dict.fromkeys(skus, 50))
    for n, sku in enumerate(skus):
        assert (await cluster.reserve(f"k{n}", [sku, None, 1]))[0] == Outcome.OK
    dead = set(cluster.hosts)
    await asyncio.gather(*(cluster.hosts[name].die() for name in dead))
    await until(lambda: dead.isdisjoint(cluster.supervisor.map.owners))
    await until(lambda: not cluster.supervisor.reasons())
    for n, sku in enumerate(skus):
        assert (await cluster.call(sku, commands.read(f"k{n}")))[0] == Outcome.OK
    await cluster.audit_is_clean()


@on_cluster
async def test_a_shard_moves_while_it_is_selling(cluster: Cluster) -> None:
    """Every request gets one answer, every hold is kept, nobody is told no by mistake."""
    await cluster.stock({"A": 1_000})
    shard = shard_of("A", SHARDS)
    stop = asyncio.Event()
    replies: list[commands.Reply] = []

    async def buy(who: int) -> None:
        number = 0
        while not stop.is_set():
            replies.append(await cluster.reserve(f"k{who}-{number}", ["A", None, 1]))
            number += 1

    buyers = [asyncio.ensure_future(buy(who)) for who in range(8)]
    for _ in range(6):
        await until(lambda: len(replies) % 20 > 10)
        owner = cluster.owner_of("A")
        other = next(host for host in cluster.hosts.values() if host is not owner)
        await cluster.supervisor.move(shard, other.name)
    stop.set()
    await asyncio.gather(*buyers)
    held = sum(reply[0] == Outcome.OK for reply in replies)
    assert held == (await cluster.position("A"))["reserved"]
    assert {reply[0] for reply in replies} <= {Outcome.OK, Outcome.SHORT, Outcome.UNAVAILABLE}
    await cluster.audit_is_clean()


@on_cluster
async def test_an_answer_that_comes_too_late_is_said_to_be_unknown(cluster: Cluster) -> None:
    """Never a late success; the repeat of the key settles it."""
    await cluster.stock({"A": 10})
    store = cluster.owner_of("A").store
    store.gate = asyncio.Event()
    command = commands.reserve("k1", b"d" * 16, [["A", None, 1]], 900_000, None)
    assert (await cluster.call("A", command, seconds=0.2))[0] == Outcome.LOST
    store.gate.set()
    assert (await cluster.call("A", command))[0] == Outcome.REPEATED
    assert (await cluster.position("A"))["reserved"] == 1


@on_cluster
async def test_whoever_may_have_been_served_never_hears_that_nothing_was_done(
    cluster: Cluster,
) -> None:
    """The line breaks under a commit and nobody else owns the shard: unknown, and sent once."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    host.store.gate = asyncio.Event()
    before = host.store.commits
    reply = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 1]))
    await until(lambda: host.store.commits > before)
    line = cluster.client._queues[host.name].line
    assert line is not None
    line.close()
    await until(lambda: cluster.client._queues[host.name].line not in (None, line))
    cluster.supervisor._publish(cluster.supervisor.map.owners)
    assert (await reply)[0] == Outcome.LOST
    assert host.store.commits == before + 1
    host.store.gate.set()
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.REPEATED


@on_cluster
async def test_what_was_not_sent_when_the_line_broke_is_sent_when_it_is_back(
    cluster: Cluster,
) -> None:
    """Nobody else owns the shard, and it was never on its way: nothing is lost, nobody waits."""
    await cluster.stock({"A": 10})
    host = cluster.owner_of("A")
    host.store.gate = asyncio.Event()
    before = host.store.commits
    sent = asyncio.ensure_future(cluster.reserve("k1", ["A", None, 1]))
    await until(lambda: host.store.commits > before)
    queue = cluster.client._queues[host.name]
    waiting = asyncio.ensure_future(cluster.reserve("k2", ["A", None, 1]))
    await until(lambda: len(queue._then) == 1)
    line = queue.line
    assert line is not None
    line.close()
    await until(lambda: queue.line not in (None, line))
    host.store.gate.set()
    assert (await waiting)[0] == Outcome.OK
    assert (await sent)[0] == Outcome.LOST
    assert (await cluster.position("A"))["reserved"] == 2


@on_cluster
async def test_without_an_owner_nothing_is_done_and_that_is_said(cluster: Cluster) -> None:
    """A shard nobody owns for longer than we try: unavailable, outcome none."""
    await cluster.stock({"A": 10})
    shard = shard_of("A", SHARDS)
    host = cluster.owner_of("A")
    owners = list(cluster.supervisor.map.owners)
    owners[shard] = None
    cluster.supervisor._assigning.add(shard)
    cluster.supervisor._publish(tuple(owners))
    await until(lambda: cluster.client.map.owners[shard] is None)
    assert (await cluster.reserve("k1", ["A", None, 1]))[0] == Outcome.UNAVAILABLE
    cluster.supervisor._assigning.discard(shard)
    cluster.supervisor._set_owner(shard, host.name)
    assert (await cluster.position("A"))["reserved"] == 0


@on_cluster
async def test_an_adjustment_counts_once_however_often_it_is_sent(cluster: Cluster) -> None:
    """Rows over all shards, one refused; the repeat says the same, another list is refused."""
    skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
    await cluster.stock(dict.fromkeys(skus, 5))
    rows = [[sku, "w1", 10, None, None, None] for sku in skus]
    rows.append(["nobody", "w1", 1, None, None, None])
    first = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
    again = await cluster.client.adjust("po-1", b"a" * 16, rows, cluster.deadline())
    assert (first[0], again[0]) == (False, True)
    assert first[1] == again[1]
    assert [row[2] for row in first[1][:4]] == [15] * 4
    assert first[1][4][0] == Outcome.UNKNOWN_SKU
    other = await cluster.client.adjust("po-1", b"b" * 16, rows, cluster.deadline())
    assert other[0] == Outcome.KEY_REUSED


@on_cluster
async def test_a_shard_that_missed_a_node_learns_of_it_by_itself(cluster: Cluster) -> None:
    """Owners follow the network's version."""
    await cluster.stock({"A": 1})
    net = cluster.client.net
    members = {"kind": "store"}
    reply = await cluster.client.call(net, define_node("late", members), cluster.deadline())
    assert reply[0] == Outcome.OK
    ledgers = [o.ledger for h in cluster.hosts.values() for o in h.core.owners.values()]
    await until(lambda: all("late" in ledger.nodes for ledger in ledgers))


@on_cluster
async def test_the_feed_resumes_at_every_event(cluster: Cluster) -> None:
    """Read one by one or all at once, it is the same feed, in order within a shard."""
    skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
    await cluster.stock(dict.fromkeys(skus, 50))
    for n in range(12):
        await cluster.reserve(f"k{n}", [skus[n % 4], None, 1])
    whole = (await cluster.client.events(None, 1000)).events
    single: list[feed.Happened] = []
    cursor = None
    while True:
        page = await cluster.client.events(cursor, 1)
        if not page.events:
            break
        single += page.events
        cursor = page.events[-1].cursor
    # Cursors may differ (how far behind facts that are not shown), and so may the order of
    # shards within a millisecond; what a shard says may not.
    for shard in range(SHARDS):
        assert [e[1:] for e in single if e.shard == shard] == [
            e[1:] for e in whole if e.shard == shard
        ]
    assert sum(event.type == "reservation.held" for event in whole) == 12
    for shard in range(SHARDS):
        seqs = [event.seq for event in whole if event.shard == shard]
        assert seqs == sorted(seqs)


@on_cluster
async def test_the_audit_finds_what_was_planted(cluster: Cluster) -> None:
    """A changed record, a changed guard and a changed count, each named with both values."""
    await cluster.stock({"A": 10})
    await cluster.reserve("k1", ["A", None, 2])
    hashes = cluster.server.shards[shard_of("A", SHARDS)].hashes
    hashes["reservations"]["ghost"] = b"\x01"
    hashes["free"]["A|w1"] += 1
    hashes["state"]["q|A|w1"] = b"\x93\x0b\x00\x00"
    audit = await cluster.client.audit()
    assert not audit.clean
    assert {(f["kind"], f["sku"], f["node"], f["reservation"]) for f in audit.findings} == {
        ("reservations", None, None, "ghost"),
        ("free", "A", "w1", None),
        ("state", "A", "w1", None),
    }
