"""The guard: no promise takes a free quantity below zero, on every kind of store."""

import pytest

from engine.errors import StoreRefused
from tests.builders import Backend, commit_of, owned, run, scanned

# Free units before; then (taken, added, removed), whether a shortfall record comes with the
# commit, and free units after, or None where it is refused.
CASES = [
    ("a promise takes what is there", 5, (5, 0, 0), False, 0),
    ("a promise may not take more", 5, (6, 0, 0), False, None),
    ("a shortfall record excuses no promise", 5, (6, 0, 0), True, None),
    ("a promise may take what has just come", 0, (5, 5, 0), False, 0),
    ("a promise may not take more than has just come", 0, (6, 5, 0), False, None),
    ("what is removed does not count against a promise", 5, (5, 0, 3), True, -3),
    ("a promise and a removal without a record", 5, (5, 0, 3), False, None),
    ("a correction may go below zero with its record", 5, (0, 0, 8), True, -3),
    ("a correction may not go below zero without one", 5, (0, 0, 8), False, None),
    ("a correction that stays above zero needs none", 5, (0, 0, 5), False, 0),
    ("nothing can be promised while units are missing", -3, (1, 0, 0), False, None),
    ("not even with a receipt that is too small", -3, (1, 3, 0), False, None),
    ("a receipt lifts it", -3, (0, 2, 0), False, -1),
    ("a release lifts it again", -3, (-2, 0, 0), False, -1),
    ("a release and a removal with the record", -3, (-2, 0, 1), True, -2),
    ("a large number keeps all its digits", 10**15, (1, 0, 0), False, 10**15 - 1),
]


@pytest.mark.parametrize(("free", "moved", "excused", "after"), [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_the_guard_lets_the_world_take_but_never_a_promise(
    backend: Backend, free: int, moved: tuple[int, int, int], excused: bool, after: int | None
) -> None:
    """Promise 1, in the store: the second of three places that check it."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        start = ["A|w1", 0, max(free, 0), max(-free, 0)]
        first = commit_of(1, b"", guard=start, excused=["A|w1"])
        await store.commit(right, first)
        records = {"k": b"r"}
        sealed = commit_of(
            2,
            first.hash_after,
            guard=["B|w1", 0, 1, 0, "A|w1", *moved],
            records=records,
            excused=["A|w1"] if excused else ["B|w1"],
        )
        if after is None:
            with pytest.raises(StoreRefused) as refused:
                await store.commit(right, sealed)
            assert (refused.value.code, refused.value.detail) == ("OVERSELL", "A|w1")
            assert await scanned(store, 0, "reservations") == {}
            assert await scanned(store, 0, "free") == {"A|w1": str(free).encode()}
            await store.check(right, 1, first.hash_after)
        else:
            await store.commit(right, sealed)
            left = {"A|w1": str(after).encode(), "B|w1": b"1"}
            assert await scanned(store, 0, "free") == left
        await store.close()

    run(steps())


def test_a_commit_that_calls_itself_returning_may_take_nothing(backend: Backend) -> None:
    """The door that stays open when memory is short lets no promise through."""

    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        first = commit_of(1, b"", guard=["A|w1", 0, 5, 0])
        await store.commit(right, first)
        taking = commit_of(2, first.hash_after, guard=["A|w1", 1, 0, 0], returning=True)
        with pytest.raises(StoreRefused, match="OVERSELL"):
            await store.commit(right, taking)
        await store.commit(
            right, commit_of(2, first.hash_after, guard=["A|w1", -1, 0, 0], returning=True)
        )
        assert await scanned(store, 0, "free") == {"A|w1": b"6"}
        await store.close()

    run(steps())
