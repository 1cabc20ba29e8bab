"""What is read beside commits: peek, recall, scan, events, on every kind of store."""

import pytest

from engine.limits import PEEK_FIELDS_MAX
from tests.builders import Backend, commit_of, owned, run, scanned


def test_a_peek_tells_fields_and_the_seq_they_belong_to(backend: Backend) -> None:
    """The audit compares an owner's books with the store at one seq."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store, epoch=4)
        sealed = commit_of(1, b"", guard=["A|w1", 0, 7, 0], records={"k": b"\xff\x00"})
        await store.commit(right, sealed)
        peeked = await store.peek(0, "reservations", ["k", "absent"])
        assert (peeked.epoch, peeked.seq, peeked.values) == (4, 1, [b"\xff\x00", None])
        assert (await store.peek(0, "free", ["A|w1"])).values == [b"7"]
        assert (await store.peek(0, "free", [])).values == []
        await store.close()

    run(steps())


def test_a_peek_reads_as_many_fields_as_it_promises(backend: Backend) -> None:
    """A thousand at one instant."""

    async def steps() -> None:
        store = await backend.store()
        names = [f"k{number}" for number in range(PEEK_FIELDS_MAX)]
        records = {name: name.encode() for name in names}
        await store.commit(await owned(store), commit_of(1, b"", records=records))
        peeked = await store.peek(0, "reservations", names)
        assert peeked.values == [name.encode() for name in names]
        await store.close()

    run(steps())


def test_a_recall_finds_ended_records_in_the_newest_hour_that_is_asked_first(
    backend: Backend,
) -> None:
    """A revived reservation that ended again lies in two buckets: the first one asked counts."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        old = commit_of(1, b"", closed={"k": b"old", "o": b"only"}, closed_bucket=100)
        new = commit_of(2, old.hash_after, closed={"k": b"new"}, closed_bucket=101)
        await store.commit(right, old)
        await store.commit(right, new)
        found = await store.recall(0, {101: ["k", "o"], 100: ["k", "o"], 99: ["k"]})
        assert found == {"k": b"new", "o": b"only"}
        assert await store.recall(0, {}) == {}
        await store.close()

    run(steps())


def test_a_scan_gives_every_field_as_bytes(backend: Backend) -> None:
    """Recovery reads whole hashes, the guard's numbers too; what is missing is empty."""

    async def steps() -> None:
        store = await backend.store()
        names = [f"k{number}" for number in range(12_000)]
        sealed = commit_of(1, b"", guard=["A|w1", 0, 3, 0], records=dict.fromkeys(names, b"r"))
        await store.commit(await owned(store), sealed)
        assert set(await scanned(store, 0, "reservations")) == set(names)
        assert await scanned(store, 0, "free") == {"A|w1": b"3"}
        assert await scanned(store, 0, "closed:77") == {}
        await store.close()

    run(steps())


@pytest.mark.parametrize(("after", "most", "seqs"), [
    (0, 10, [1, 2, 3, 4, 5]), (2, 10, [3, 4, 5]), (2, 2, [3, 4]), (5, 10, []), (99, 10, []),
])  # fmt: skip
def test_events_are_read_behind_a_seq_in_order(
    backend: Backend, after: int, most: int, seqs: list[int]
) -> None:
    """A consumer goes on from the last seq it has seen."""

    async def steps() -> None:
        store = await backend.store()
        right, head = await owned(store), b""
        for seq in range(1, 6):
            sealed = commit_of(seq, head)
            await store.commit(right, sealed)
            head = sealed.hash_after
        assert [entry.seq for entry in await store.events(0, after, most)] == seqs
        await store.close()

    run(steps())


def test_an_event_stream_is_weighed_and_cut_by_the_next_commit(backend: Backend) -> None:
    """By its owner, in the commit: no other write touches it."""

    async def steps() -> None:
        store = await backend.store()
        assert await store.events_weight(0) == (0, 0)
        right, head = await owned(store), b""
        for seq in range(1, 202):
            if seq == 201:
                size, first = await store.events_weight(0)
                assert 0.8 < size / (200 * 10_000) < 1.6
                assert first == 1
                store.trim_events(right, 150)
            sealed = commit_of(seq, head, records={"k": b"r" * 10_000})
            await store.commit(right, sealed)
            head = sealed.hash_after
        assert (await store.events(0, 0, 1))[0].seq == 150
        assert (await store.events_weight(0))[1] == 150
        await store.commit(right, commit_of(202, head))
        assert (await store.events(0, 0, 1))[0].seq == 150, "once"
        await store.close()

    run(steps())


def test_closed_hours_are_told_for_their_own_shard_only(backend: Backend) -> None:
    """Shard 0x001 is not shard 0x011."""

    async def steps() -> None:
        store = await backend.store(shards=2)
        right = await owned(store, shard=1)
        await store.commit(right, commit_of(1, b"", closed={"k": b"r"}, closed_bucket=5))
        assert await store.closed_hours(1) == [5]
        assert await store.closed_hours(0) == []
        await store.close()

    run(steps())
