"""Stock folded from events before these are trimmed: base and events always make the live state."""

import random
from pathlib import Path
from typing import Any

import pytest

from actors import folding, rebuilding
from actors.owner import ShardOwner
from engine import commands
from engine.errors import StoreRefused
from engine.rebuild import Place, base_of
from engine.record import Durability, pack
from engine.store.memory import MemoryServer, MemoryStore
from engine.store.protocol import AT, Acquired, BaseChange, Right, ShardStore
from tests.builders import (
    NOW_MS,
    Backend,
    Owner,
    ServerBackend,
    count,
    founding,
    fresh,
    fulfil,
    owned,
    receive,
    reserve,
    run,
    scanned,
)
from tests.scripts import SHARDS
from tests.warehouse_scripts import WarehouseScript

ASKED: dict[str, Any] = {"records": [], "backings": []}


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five entries are kept, and three read at a time."""
    monkeypatch.setattr(folding, "EVENTS_KEPT_MAX", 5)
    for each in (folding, rebuilding):
        monkeypatch.setattr(each, "ENTRIES", 3)


def serving(owner: Owner) -> ShardOwner:
    """The same shard as its host looks after it."""

    def unexpected(*_: Any) -> None:
        raise AssertionError("the shard is lost")

    made = ShardOwner(
        owner.ledger, owner.store, owner.right,
        on_lost=unexpected, on_gone=unexpected, on_reload=unexpected,
    )  # fmt: skip
    made.start_clock(Acquired(owner.ledger.seq, owner.ledger.head, NOW_MS, "", NOW_MS))
    made.serve()
    return made


async def bounded(owner: Owner) -> None:
    """What a host does every ten seconds."""
    await folding.bound_events(serving(owner), owner.store)


async def rebuilt(owner: Owner) -> dict[str, Any]:
    """What the audit hears from a host."""
    return await rebuilding.rebuild(serving(owner), owner.store, ASKED)


def stocked(base: dict[str, bytes]) -> dict[str, bytes]:
    """The fields of a base without places that have nothing."""
    return {name: value for name, value in base.items() if value != pack([0, 0, 0])}


async def place(store: ShardStore) -> Place:
    """Where the base stands."""
    return Place.of(await folding.at_of(store, 0))


async def sold(store: ShardStore, commits: int = 20) -> Owner:
    """An owner that has sent a parcel with each commit, of one order too."""
    owner = await Owner.of(store)
    await owner.do(*founding({"A": {"w1": 100}, "B": {"w1": 7}}))
    await owner.do(reserve("k", ("A", commits)), commands.confirm("k"))
    for _ in range(commits - 5):
        await owner.do(fulfil("k", fresh("parcel"), ("A", "w1", 1)))
    return owner


def test_what_is_trimmed_is_in_the_base_and_the_rest_is_in_the_stream(backend: Backend) -> None:
    async def steps() -> None:
        owner = await sold(await backend.store())
        store, last = owner.store, owner.ledger.seq
        assert (await rebuilt(owner))["source"] == "stream"
        await bounded(owner)
        assert await place(store) == Place(last - 5, (await store.events(0, last - 6, 1))[0].hash)
        assert (await store.events(0, 0, 1))[0].seq == 1, "the next commit trims"
        await owner.do(fulfil("k", fresh("parcel"), ("A", "w1", 1)))
        assert (await store.events(0, 0, 1))[0].seq == last - 4
        told = await rebuilt(owner)
        assert (told["source"], told["base_seq"]) == ("base", last - 5)
        assert (told["differing"], told["broken"], told["since_ms"]) == ([], None, None)
        await store.close()

    run(steps())


def test_a_crash_between_folding_and_trimming_counts_nothing_twice(backend: Backend) -> None:
    """The base has what the stream still has: who goes on from the base takes none of it again."""

    async def steps() -> None:
        store = await backend.store()
        await bounded(await sold(store))
        successor = await Owner.of(store, epoch=2)
        await successor.do(receive("A", 3))
        assert (await store.events(0, 0, 1))[0].seq == 1, "whoever asked for it is gone"
        for _ in range(3):
            await bounded(successor)
            await successor.do(receive("B", 1))
            assert (await rebuilt(successor))["differing"] == []
        assert (await store.events(0, 0, 1))[0].seq == (await place(store)).seq + 1
        await store.close()

    run(steps())


def test_a_cut_made_under_a_reader_sends_him_to_the_base(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked for before the audit began, and the next commit makes it."""

    async def steps() -> None:
        owner = await sold(await backend.store())
        await bounded(owner)
        store, read, reads = owner.store, owner.store.events, 0

        async def cutting(shard: int, after: int, most: int) -> Any:
            nonlocal reads
            reads += 1
            if reads == 3:
                await owner.do(reserve(fresh(), ("A", 1)))
            return await read(shard, after, most)

        monkeypatch.setattr(store, "events", cutting)
        told = await rebuilt(owner)
        assert (told["source"], told["differing"], told["broken"]) == ("base", [], None)
        assert (await read(0, 0, 1))[0].seq == told["base_seq"] + 1
        await store.close()

    run(steps())


@pytest.mark.parametrize("level", [Durability.EVERYSEC, Durability.FSYNC])
@pytest.mark.parametrize("kind", ["embedded", "system"])
def test_a_server_killed_at_any_point_has_base_and_events_that_fit(
    kind: str, level: Durability, tmp_path: Path
) -> None:
    """Behind folding, and behind the commit that trims; its file has the one before the other."""
    backend = ServerBackend(kind, tmp_path / "data", level)

    async def steps() -> None:
        store = await backend.store()
        await bounded(await sold(store))
        for epoch in range(2, 6):
            backend.server.kill()
            await backend.server.restart()
            await store.reconnect()
            successor = await Owner.of(store, epoch=epoch)
            told = await rebuilt(successor)
            assert (told["differing"], told["broken"]) == ([], None)
            first = (await store.events(0, 0, 1))[0].seq
            assert first <= (await place(store)).seq + 1
            await bounded(successor)
            if epoch % 2:
                await successor.do(receive("A", 3), fulfil("k", fresh("p"), ("A", "w1", 1)))
        assert first > 1
        await store.close()

    try:
        run(steps())
    finally:
        backend.stop()


def test_a_crash_between_two_portions_goes_on_where_the_base_stands(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        owner = await sold(await backend.store())
        store, change, left = owner.store, owner.store.change_base, 2

        async def failing(right: Right, step: BaseChange) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise StoreRefused("FENCED", "another owner")
            await change(right, step)

        monkeypatch.setattr(store, "change_base", failing)
        await bounded(owner)
        assert (await place(store)).seq == 6
        monkeypatch.undo()
        successor = await Owner.of(store, epoch=2)
        monkeypatch.setattr(folding, "EVENTS_KEPT_MAX", 5)
        await bounded(successor)
        await successor.do(receive("A", 3))
        assert (await store.events(0, 0, 1))[0].seq == successor.ledger.seq - 5
        assert (await rebuilt(successor))["differing"] == []
        await store.close()

    run(steps())


def test_a_planted_error_is_found_behind_a_base(backend: Backend) -> None:
    async def steps() -> None:
        owner = await sold(await backend.store())
        await bounded(owner)
        await owner.do(count("B", 8))
        owner.ledger.books["A"].positions["w1"].on_hand += 2
        owner.ledger.books["B"].positions["w1"].on_hand -= 1
        told = await rebuilt(owner)
        assert told["differing"] == [
            ["A|w1", (87, 0, 0), (85, 0, 0)], ["B|w1", (7, 0, 0), (8, 0, 0)],
        ]  # fmt: skip
        assert told["touched"] == {"A|w1": owner.ledger.seq - 1, "B|w1": owner.ledger.seq}
        await owner.store.close()

    run(steps())


def test_trimmed_without_a_base_one_is_taken_from_live_state_and_says_so(backend: Backend) -> None:
    """By an older version: nothing can be said of what was before."""

    async def steps() -> None:
        owner = await sold(await backend.store())
        store = owner.store
        store.trim_events(owner.right, 10)
        await owner.do(receive("B", 1))
        assert (await rebuilt(owner))["source"] == "nothing"
        await bounded(owner)
        taken = await place(store)
        assert taken.live_seq == taken.seq == owner.ledger.seq
        assert taken.live_at_ms >= NOW_MS
        for _ in range(7):
            await owner.do(receive("B", 1), fulfil("k", fresh("parcel"), ("A", "w1", 1)))
        await bounded(owner)
        await owner.do(receive("B", 1))
        moved = await place(store)
        assert moved == moved._replace(seq=owner.ledger.seq - 6, live_seq=taken.live_seq)
        told = await rebuilt(owner)
        assert (told["source"], told["since_ms"]) == ("live", taken.live_at_ms)
        assert told["differing"] == []
        await store.close()

    run(steps())


def test_a_hand_in_the_stream_breaks_its_chain(backend: Backend) -> None:
    """Entries that are not those committed are never folded, and said to be so."""

    async def steps() -> None:
        owner = await Owner.of(await backend.store())
        await owner.do(*founding({"A": {"w1": 10}}))
        before = owner.ledger.head
        await owner.do(receive("A", 1))
        owner.ledger.head = before  # As if another history had been written.
        entry = (await owner.store.events(0, 1, 1))[0]
        made = serving(owner)
        made.accepted_seq, original = 2, owner.store.events

        async def planted(shard: int, after: int, most: int) -> Any:
            found = await original(shard, after, most)
            return [type(entry)(e.seq, e.events, b"x" * 16) if e.seq == 2 else e for e in found]

        owner.store.events = planted  # type: ignore[method-assign]
        told = await rebuilding.rebuild(made, owner.store, ASKED)
        assert told["broken"] == [2, entry.hash.hex(), (b"x" * 16).hex()]
        assert told["differing"] == []
        await owner.store.close()

    run(steps())


def test_the_base_is_changed_by_the_owner_from_where_he_saw_it(backend: Backend) -> None:
    async def steps() -> None:
        store = await backend.store()
        right = await owned(store)
        first = BaseChange(before=b"", after=b"1", put={"q|A|w1": b"x", "p|k": b"y"})
        await store.change_base(right, first)
        with pytest.raises(StoreRefused, match="SEQ"):
            await store.change_base(right, first)
        newer = await owned(store, epoch=2)
        second = BaseChange(before=b"1", after=b"2", put={"q|A|w1": b"z"}, gone=["p|k"])
        with pytest.raises(StoreRefused, match="FENCED"):
            await store.change_base(right, second)
        await store.change_base(newer, second)
        assert await scanned(store, 0, "base") == {AT: b"2", "q|A|w1": b"z"}
        many = {f"q|{number}|w1": b"v" for number in range(5_000)}
        await store.change_base(newer, BaseChange(before=b"2", after=b"", put=many, anew=True))
        assert await scanned(store, 0, "base") == many
        await store.close()

    run(steps())


def test_a_cut_asked_for_under_an_older_right_is_none(backend: Backend) -> None:
    """The store may have come back behind, without the base that was seen under that right."""

    async def steps() -> None:
        owner = await sold(await backend.store())
        await bounded(owner)
        successor = await Owner.of(owner.store, epoch=2)
        await successor.do(receive("A", 1))
        assert (await owner.store.events(0, 0, 1))[0].seq == 1
        await owner.store.close()

    run(steps())


@pytest.mark.parametrize("seed", range(10))
def test_base_and_events_make_the_live_state_whatever_happens(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every command there is, folded in portions of any size at any time."""

    async def steps() -> None:
        drawn = random.Random(seed)
        store = MemoryStore(MemoryServer(SHARDS))
        owner = await Owner.of(store, 0, SHARDS)
        for now_ms, batch in WarehouseScript(seed).batches(150):
            await owner.do(*batch, now_ms=now_ms)
            if drawn.random() < 0.3:
                await bounded(owner)
                assert (await rebuilt(owner))["differing"] == []
        told = await rebuilt(owner)
        assert (told["source"], told["differing"], told["broken"]) == ("base", [], None)
        monkeypatch.setattr(folding, "EVENTS_KEPT_MAX", 0)
        await bounded(owner)
        kept = await scanned(store, 0, "base")
        del kept[AT]
        live = base_of(folding.live_stock(owner.ledger), owner.ledger.reservations.items())
        assert stocked(kept) == stocked(live)
        assert kept.keys() <= live.keys(), "nothing piles up that live state would not have"

    run(steps())
