"""The feed in portions: however little comes at a time, every event once and nothing in silence."""

import asyncio
from typing import Any

import pytest

from actors import feed
from engine.ids import shard_of
from engine.store.memory import MemoryServer, MemoryStore
from engine.store.protocol import StreamEntry
from tests.cluster import SHARDS, Cluster, on_cluster, skus_on


class Commits(MemoryStore):
    """A store whose stream holds commits of so many bytes."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(MemoryServer(1))
        entries = [StreamEntry(n + 1, b"e" * size, b"") for n, size in enumerate(sizes)]
        self.server.shards[0].events = entries


@pytest.mark.parametrize(
    ("sizes", "after", "most", "answered"),
    [
        ([10] * 200, 0, 1_001, range(1, 65)),
        ([10] * 200, 190, 1_001, range(191, 201)),
        ([10] * 200, 0, 3, range(1, 4)),
        ([300_000] * 20, 0, 64, range(1, 5)),
        ([5_000_000, 10, 10], 0, 64, range(1, 2)),
        ([10, 10, 5_000_000, 10], 0, 64, range(1, 4)),
        ([], 0, 64, range(0)),
    ],
)
def test_a_host_sends_no_more_than_a_mebibyte_of_events_at_a_time(
    sizes: list[int], after: int, most: int, answered: range
) -> None:
    """Or one commit, which may be larger; and no more than 64."""
    told = asyncio.run(feed.entries(Commits(*sizes), 0, after, most))
    assert [seq for seq, _ in told["entries"]] == list(answered)


@pytest.mark.parametrize(("entries", "size"), [(1, 1), (2, 500), (64, 1), (3, 10**6)])
def test_the_feed_is_the_same_however_little_comes_at_a_time(
    monkeypatch: pytest.MonkeyPatch, entries: int, size: int
) -> None:
    """Commits of many facts, over all shards, in pages larger than what comes at a time."""

    @on_cluster
    async def test(cluster: Cluster) -> None:
        skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
        await cluster.stock(dict.fromkeys(skus, 50))
        buying = (cluster.reserve(f"k{n}", [skus[n % SHARDS], None, 1]) for n in range(80))
        await asyncio.gather(*buying)
        whole = (await cluster.client.events(None, 1_000)).events
        monkeypatch.setattr(feed, "_ENTRIES_MAX", entries)
        monkeypatch.setattr(feed, "_BYTES_MAX", size)
        for limit in (7, 1_000):
            events: list[feed.Happened] = []
            cursor = None
            while (page := await cluster.client.events(cursor, limit)).events:
                assert len(page.events) == limit or len(events) + len(page.events) == len(whole)
                events += page.events
                cursor = page.next
            for shard in range(SHARDS):
                expected = [event[1:] for event in whole if event.shard == shard]
                assert [event[1:] for event in events if event.shard == shard] == expected

    test()


@on_cluster
async def test_a_feed_read_from_the_oldest_kept_goes_on_from_there(cluster: Cluster) -> None:
    """One by one: a shard that was trimmed and not reached yet is no reason to begin anew."""
    skus = [skus_on(shard, 1)[0] for shard in range(SHARDS)]
    await cluster.stock(dict.fromkeys(skus, 50))
    for n in range(12):
        await cluster.reserve(f"k{n}", [skus[n % SHARDS], None, 1])
    for shard in range(SHARDS):
        del cluster.server.shards[shard].events[:-2]
    cursor, keys = None, []
    while (page := await cluster.client.events(cursor, 1)).events:
        keys += [event.data["key"] for event in page.events]
        cursor = page.next
    assert sorted(keys) == sorted(f"k{n}" for n in range(4, 12))


@on_cluster
async def test_what_is_trimmed_while_a_page_is_read_is_said_by_the_next(cluster: Cluster) -> None:
    """Never passed over in silence."""
    await cluster.stock({"A": 500})
    for n in range(100):
        await cluster.reserve(f"k{n}", ["A", None, 1])
    store, kept = cluster.owner_of("A").store, cluster.server.shards[shard_of("A", SHARDS)]
    read = store.events

    async def trimming(shard: int, after: int, most: int) -> Any:
        if after > 60:
            del kept.events[:-10]
        return await read(shard, after, most)

    store.events = trimming  # type: ignore[method-assign]
    start = (await cluster.client.events(None, 1)).next
    page = await cluster.client.events(start, 1_000)
    seqs = [event.seq for event in page.events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert 10 < len(seqs) < 100
    with pytest.raises(feed.CursorExpired):
        await cluster.client.events(page.next, 1_000)
