"""Who may write a shard: one owner at a time, on every kind of store."""

import pytest

from engine.errors import StoreRefused
from engine.store.protocol import Right, ShardStore
from tests.builders import NOW_MS, Backend, commit_of, owned, run, scanned


async def refusal(store: ShardStore, right: Right, term: int) -> str:
    """The code with which a right is refused."""
    with pytest.raises(StoreRefused) as refused:
        await store.acquire(right, term, "host")
    return refused.value.code


def test_a_new_shard_is_acquired_at_the_beginning_of_its_history(backend: Backend) -> None:
    """An empty history has seq 0, an empty head and no time."""

    async def steps() -> None:
        store = await backend.store()
        acquired = await store.acquire(Right(0, 1, "t"), 1, "host")
        assert (acquired.seq, acquired.head, acquired.now_ms) == (0, b"", 0)
        assert acquired.store_id
        assert abs(acquired.clock_ms - await store.clock_ms()) < 5_000
        await store.close()

    run(steps())


def test_a_shard_is_acquired_where_its_history_stands(backend: Backend) -> None:
    """The next owner learns the last commit's seq, head and shard time."""

    async def steps() -> None:
        store = await backend.store()
        sealed = commit_of(1, b"")
        await store.commit(await owned(store), sealed)
        acquired = await store.acquire(Right(0, 2, "t2"), 1, "host")
        assert (acquired.seq, acquired.head) == (1, sealed.hash_after)
        assert acquired.now_ms == NOW_MS
        await store.close()

    run(steps())


def test_only_a_newer_epoch_acquires(backend: Backend) -> None:
    """Nobody can hold the same right twice: an equal or older epoch is refused."""

    async def steps() -> None:
        store = await backend.store()
        await owned(store, epoch=7)
        assert await refusal(store, Right(0, 7, "other"), 1) == "EPOCH"
        assert await refusal(store, Right(0, 6, "other"), 1) == "EPOCH"
        await store.acquire(Right(0, 8, "other"), 1, "host")
        await store.close()

    run(steps())


def test_epochs_are_compared_as_numbers(backend: Backend) -> None:
    """10 is newer than 9 though it sorts before it as text; so are epochs made of a clock."""

    async def steps() -> None:
        store = await backend.store()
        await owned(store, epoch=9)
        await owned(store, epoch=10)
        await owned(store, epoch=1_790_000_000_001)
        assert await refusal(store, Right(0, 1_790_000_000_000, "t"), 1) == "EPOCH"
        await store.close()

    run(steps())


def test_a_supervisor_of_an_older_term_is_refused(backend: Backend) -> None:
    """Two supervisors on one store: the older one stops assigning."""

    async def steps() -> None:
        store = await backend.store()
        await store.acquire(Right(0, 1, "t"), 5, "host")
        assert await refusal(store, Right(0, 2, "t"), 4) == "TERM"
        await store.acquire(Right(0, 2, "t"), 5, "host")
        await store.close()

    run(steps())


def test_a_shard_that_was_never_founded_cannot_be_acquired(backend: Backend) -> None:
    """One shard and net were founded; there is no third."""

    async def steps() -> None:
        store = await backend.store(shards=1)
        assert await refusal(store, Right(2, 1, "t"), 1) == "NOSHARD"
        await store.close()

    run(steps())


def test_a_stale_owner_can_neither_commit_nor_check(backend: Backend) -> None:
    """Promise 7: whatever it believes, an owner that was superseded is refused by the store."""

    async def steps() -> None:
        store = await backend.store()
        old = await owned(store, epoch=1)
        new = await owned(store, epoch=2)
        for attempt in (
            store.commit(old, commit_of(1, b"")),
            store.check(old, 0, b""),
            store.commit(Right(0, 2, "guessed"), commit_of(1, b"")),
        ):
            with pytest.raises(StoreRefused) as refused:
                await attempt
            assert (refused.value.code, refused.value.detail) == ("FENCED", "2")
        await store.commit(new, commit_of(1, b"", records={"k": b"r"}))
        assert await scanned(store, 0, "reservations") == {"k": b"r"}
        await store.close()

    run(steps())


def test_a_stale_owner_is_fenced_even_when_its_commit_was_applied(backend: Backend) -> None:
    """The fence comes first: only the present owner learns that a commit is there already."""

    async def steps() -> None:
        store = await backend.store()
        old, sealed = await owned(store, epoch=1), commit_of(1, b"")
        await store.commit(old, sealed)
        new = await owned(store, epoch=2)
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.commit(old, sealed)
        await store.commit(new, sealed)
        await store.close()

    run(steps())


def test_a_released_shard_can_only_be_written_after_a_new_acquire(backend: Backend) -> None:
    """After an orderly move neither the old right nor a stale one works."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        await store.release(right)
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.commit(right, commit_of(1, b""))
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.release(right)
        await store.commit(await owned(store, epoch=2), commit_of(1, b""))
        await store.close()

    run(steps())


def test_shards_have_owners_of_their_own(backend: Backend) -> None:
    """A right to one shard is none to another."""

    async def steps() -> None:
        store = await backend.store(shards=2)
        mine = await owned(store, shard=0)
        await owned(store, shard=1, epoch=3)
        await store.commit(mine, commit_of(1, b"", records={"k": b"r"}))
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.commit(Right(1, 1, mine.token), commit_of(1, b""))
        assert await scanned(store, 1, "reservations") == {}
        await store.close()

    run(steps())
