"""What a commit does and when it is refused, on every kind of store."""

import pytest

from engine import commands
from engine.errors import StoreRefused
from engine.store.protocol import Right, ShardStore
from tests.builders import (
    NOW_MS,
    Backend,
    Owner,
    commit_of,
    founding,
    fresh,
    owned,
    reserve,
    run,
    scanned,
)

HOUR = NOW_MS // 3_600_000


async def hashes(store: ShardStore, *names: str) -> dict[str, dict[str, bytes]]:
    """Some hashes of shard 0."""
    return {name: await scanned(store, 0, name) for name in names}


def test_a_commit_writes_state_records_guard_and_events_together(backend: Backend) -> None:
    """One call, five places, one entry in the stream whose id is the seq."""

    async def steps() -> None:
        store = await backend.store()
        sealed = commit_of(
            1,
            b"",
            guard=["A|w1", 0, 10, 0],
            fields={"q|A|w1": b"q"},
            records={"k1": b"r1", "k2": bytes(range(256))},
            closed={"k0": b"r0"},
        )
        right = await owned(store)
        await store.commit(right, sealed)
        assert await hashes(store, "free", "state", "reservations", f"closed:{HOUR}") == {
            "free": {"A|w1": b"10"},
            "state": {"q|A|w1": b"q"},
            "reservations": {"k1": b"r1", "k2": bytes(range(256))},
            f"closed:{HOUR}": {"k0": b"r0"},
        }
        (entry,) = await store.events(0, 0, 10)
        assert (entry.seq, entry.events, entry.hash) == (1, sealed.events, sealed.hash_after)
        await store.check(right, 1, sealed.hash_after)
        await store.close()

    run(steps())


def test_a_commit_deletes_what_it_says(backend: Backend) -> None:
    """Fields of state and reservations go; what is not there is no error."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        first = commit_of(1, b"", fields={"a": b"1", "b": b"2"}, records={"k1": b"1", "k2": b"2"})
        await store.commit(right, first)
        second = commit_of(2, first.hash_after, forgotten=["a", "never"], gone=["k1", "never"])
        await store.commit(right, second)
        assert await hashes(store, "state", "reservations") == {
            "state": {"b": b"2"},
            "reservations": {"k2": b"2"},
        }
        await store.close()

    run(steps())


def test_the_same_commit_again_is_accepted_and_changes_nothing(backend: Backend) -> None:
    """A lost answer is settled by sending the same bytes again."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        stock = commit_of(1, b"", guard=["A|w1", 0, 10, 0])
        sale = commit_of(2, stock.hash_after, guard=["A|w1", 3, 0, 0])
        await store.commit(right, stock)
        for _ in range(3):
            await store.commit(right, sale)
        assert await scanned(store, 0, "free") == {"A|w1": b"7"}
        assert [entry.seq for entry in await store.events(0, 0, 10)] == [1, 2]
        await store.close()

    run(steps())


def test_a_commit_of_another_history_is_refused(backend: Backend) -> None:
    """The seq must be the next and the head the last; otherwise nothing is written."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        first = commit_of(1, b"", records={"k": b"r"})
        await store.commit(right, first)
        for stray in (
            commit_of(1, b"", records={"other": b"r"}),  # The same seq with other content.
            commit_of(3, first.hash_after),  # One is missing.
            commit_of(2, b"another head"),
            commit_of(0, b""),
        ):
            with pytest.raises(StoreRefused) as refused:
                await store.commit(right, stray)
            assert (refused.value.code, refused.value.detail) == ("SEQ", "1")
        assert await scanned(store, 0, "reservations") == {"k": b"r"}
        assert len(await store.events(0, 0, 10)) == 1
        await store.close()

    run(steps())


def test_a_check_writes_nothing_and_knows_the_head(backend: Backend) -> None:
    """No answer rests on state that was never committed: seq and head must both fit."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        sealed = commit_of(1, b"")
        await store.commit(right, sealed)
        await store.check(right, 1, sealed.hash_after)
        for seq, head in ((0, b""), (1, b"other"), (2, sealed.hash_after)):
            with pytest.raises(StoreRefused, match="SEQ 1"):
                await store.check(right, seq, head)
        with pytest.raises(StoreRefused, match="NOSHARD"):
            await store.check(Right(5, 1, right.token), 0, b"")
        await store.close()

    run(steps())


def test_commits_and_checks_are_answered_in_order(backend: Backend) -> None:
    """Calls may be sent before the last was answered; each sees those before it."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        head, waiting = b"", []
        for seq in range(1, 51):
            sealed = commit_of(seq, head, records={f"k{seq}": b"r"})
            head = sealed.hash_after
            waiting += [store.commit(right, sealed), store.check(right, seq, head)]
        for answer in waiting:
            await answer
        assert len(await scanned(store, 0, "reservations")) == 50
        await store.close()

    run(steps())


def test_ended_records_lie_in_their_hours_until_the_bucket_is_dropped(backend: Backend) -> None:
    """One drop a commit, of the bucket that is named and of no other."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        first = commit_of(1, b"", closed={"a": b"1"}, closed_bucket=HOUR - 30)
        second = commit_of(2, first.hash_after, closed={"b": b"2"}, closed_bucket=HOUR - 1)
        await store.commit(right, first)
        await store.commit(right, second)
        assert await store.closed_hours(0) == [HOUR - 30, HOUR - 1]
        third = commit_of(3, second.hash_after, drop_bucket=HOUR - 30)
        await store.commit(right, third)
        assert await store.closed_hours(0) == [HOUR - 1]
        assert await store.recall(0, {HOUR - 30: ["a"], HOUR - 1: ["a", "b"]}) == {"b": b"2"}
        await store.close()

    run(steps())


def test_ten_thousand_fields_fit_into_one_commit(backend: Backend) -> None:
    """Lua unpacks in slices: the largest batch is no special case."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        names = [f"n{number:05d}" for number in range(10_000)]
        guard = [part for name in names for part in (f"{name}|w1", 0, 5, 0)]
        first = commit_of(
            1,
            b"",
            guard=guard,
            fields=dict.fromkeys(names, b"f"),
            records=dict.fromkeys(names, b"r"),
            closed=dict.fromkeys(names, b"c"),
        )
        await store.commit(right, first)
        second = commit_of(2, first.hash_after, forgotten=names, gone=names)
        await store.commit(right, second)
        found = await hashes(store, "free", "state", "reservations", f"closed:{HOUR}")
        assert [len(found[name]) for name in found] == [10_000, 0, 0, 10_000]
        assert set(found["free"].values()) == {b"5"}
        await store.close()

    run(steps())


def test_holds_behind_facts_that_carry_nothing_are_kept(backend: Backend) -> None:
    """An attempt that came to nothing, or a shortfall that has closed, is a fact without payload.

    To Lua that is a hole in a list, and a list with holes may end at any of them.
    """

    async def steps() -> None:
        store = await backend.store()
        owner = await Owner.of(store)
        await owner.do(*founding({"A": {"w1": 10_000}}))
        for empty in range(1, 41):
            for before, behind in ((0, 1), (1, 1), (2, 3)):
                batch = [reserve(fresh(), ("A", 1)) for _ in range(before)]
                batch += [commands.ask(fresh("gone"), b"n" * 8) for _ in range(empty)]
                batch += [reserve(fresh(), ("A", 1)) for _ in range(behind)]
                await owner.do(*batch)
                kept = await scanned(store, 0, "reservations")
                assert kept.keys() == owner.ledger.reservations.keys(), (before, empty, behind)
        await store.close()

    run(steps())
