"""Baskets over several shards, from the caller's side: whole or not at all, whatever happens."""

import asyncio

import pytest

from actors import chores
from actors.owner import ShardOwner
from engine import commands
from engine import pieces as pieces_module
from engine.commands import Reply
from engine.ids import digest, shard_of
from engine.outcome import Outcome
from engine.record import NONCE, Reservation, Status
from engine.requests import Reserve
from tests.baskets import HOME, SKUS, everywhere, held, owner_of, stocked
from tests.cluster import SHARDS, Cluster, asked, eventually, on_cluster, skus_on, until

PARTIAL = {"p": True}


@on_cluster
async def test_a_basket_is_held_on_all_its_shards(cluster: Cluster) -> None:
    """The record at home names every unit; a repeat is told of it; another body is refused."""
    await stocked(cluster)
    reservation = await held(cluster, "k1")
    assert sorted(reservation.backings()) == [(sku, "w1", 2) for sku in SKUS]
    await everywhere(cluster, reserved=2, sellable=8)
    reports = await cluster.client.shard_reports()
    assert {r["shard"]: r["open_reservations"] for r in reports if r["open_reservations"]} == {
        shard_of(HOME, SHARDS): 1
    }
    again = await cluster.reserve("k1", *([sku, None, 2] for sku in SKUS))
    assert again[0] == Outcome.REPEATED
    other = await cluster.reserve("k1", *([sku, None, 3] for sku in SKUS))
    assert other[0] == Outcome.KEY_REUSED
    await everywhere(cluster, reserved=2, sellable=8)
    await cluster.audit_is_clean()


@on_cluster
async def test_all_short_lines_are_listed_in_the_order_of_the_request(cluster: Cluster) -> None:
    """Home's too, and nothing stays behind."""
    await stocked(cluster)
    units_of = dict(zip(reversed(SKUS), (11, 1, 12, 13), strict=True))
    reply = await cluster.reserve("k1", *([sku, None, units] for sku, units in units_of.items()))
    assert reply[0] == Outcome.SHORT
    assert reply[1] == [[sku, None, units, 10] for sku, units in units_of.items() if units > 10]
    await everywhere(cluster, reserved=0, sellable=10)


@on_cluster
async def test_unknown_skus_of_all_shards_are_named(cluster: Cluster) -> None:
    """Once each, sorted."""
    await stocked(cluster)
    unknown = sorted(skus_on(shard, 2)[1] for shard in (0, 2))
    lines = [[sku, None, 1] for sku in [*unknown, *SKUS]]
    assert await cluster.reserve("k1", *lines) == [Outcome.UNKNOWN_SKU, unknown]
    await everywhere(cluster, reserved=0, sellable=10)


@on_cluster
async def test_partial_holds_what_there_is(cluster: Cluster) -> None:
    """Of each line as much as is left; nothing at all is a refusal."""
    await stocked(cluster)
    reply = await cluster.reserve("k1", *([sku, None, 7] for sku in SKUS), extra=PARTIAL)
    assert reply[0] == Outcome.OK
    reply = await cluster.reserve("k2", *([sku, None, 7] for sku in SKUS), extra=PARTIAL)
    assert reply[0] == Outcome.OK
    assert [units for _, _, units in Reservation(reply[1]).backings()] == [3] * len(SKUS)
    await everywhere(cluster, reserved=10, sellable=0)
    reply = await cluster.reserve("k3", *([sku, None, 1] for sku in SKUS), extra=PARTIAL)
    assert reply[0] == Outcome.SHORT
    await everywhere(cluster, reserved=10, sellable=0)
    await cluster.audit_is_clean()


@on_cluster
async def test_paid_shipped_in_parts_and_the_rest_cancelled(cluster: Cluster) -> None:
    """Every shard hears of it; each parcel counts once."""
    await stocked(cluster)
    await held(cluster, "k1")
    assert (await cluster.call(HOME, commands.confirm("k1")))[0] == Outcome.OK
    await everywhere(cluster, reserved=0, committed=2)

    async def ship(reference: str, lines: list[list[object]] | None) -> Reply:
        body = digest([], 0, {"lines": lines})
        command = commands.fulfil("k1", reference, body, lines)
        reply = await cluster.call(HOME, command)
        if reply[0] != Outcome.ELSEWHERE:
            return reply
        return await cluster.client.fulfil_over_shards(
            shard_of(HOME, SHARDS), "k1", reference, body, lines, reply[1], cluster.deadline()
        )

    part: list[list[object]] = [[sku, "w1", 1] for sku in SKUS]
    for _ in range(2):
        assert (await ship("p1", part))[0] == Outcome.OK
    await everywhere(cluster, on_hand=9, committed=1)
    assert (await ship("p1", part[:1]))[0] == Outcome.KEY_REUSED
    too_many: list[list[object]] = [[SKUS[-1], "w1", 2]]
    assert (await ship("p2", too_many))[0] == Outcome.EXCEEDS_COMMITTED
    assert (await cluster.call(HOME, commands.cancel("k1")))[0] == Outcome.OK
    await everywhere(cluster, on_hand=9, committed=0, sellable=9)
    await cluster.audit_is_clean()


@on_cluster
async def test_all_that_is_left_is_shipped_by_default(cluster: Cluster) -> None:
    """Fulfilled as a whole, on every shard."""
    await stocked(cluster)
    await held(cluster, "k1")
    await cluster.call(HOME, commands.confirm("k1"))
    await everywhere(cluster, committed=2)
    reply = await cluster.call(HOME, commands.fulfil("k1", "p1", b"d" * 16, None))
    assert reply[0] == Outcome.ELSEWHERE
    reply = await cluster.client.fulfil_over_shards(
        shard_of(HOME, SHARDS), "k1", "p1", b"d" * 16, None, reply[1], cluster.deadline()
    )
    assert Reservation(reply[1]).status is Status.FULFILLED
    await everywhere(cluster, on_hand=8, committed=0, sellable=8)
    await cluster.audit_is_clean()


@on_cluster
async def test_a_basket_given_back_is_given_back_everywhere(cluster: Cluster) -> None:
    """Home decides, the others are told; the key still answers."""
    await stocked(cluster)
    await held(cluster, "k1")
    assert (await cluster.call(HOME, commands.release("k1")))[0] == Outcome.OK
    await everywhere(cluster, reserved=0, sellable=10)
    again = await cluster.reserve("k1", *([sku, None, 2] for sku in SKUS))
    assert again[0] == Outcome.REPEATED
    assert Reservation(again[1]).status is Status.RELEASED
    await everywhere(cluster, reserved=0, sellable=10)


def expiring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "EXPIRY_GRACE_MS", 100)


async def brief(cluster: Cluster, key: str, hold_ms: int) -> Reservation:
    """A basket whose hold ends soon."""
    lines = [[sku, None, 2] for sku in SKUS]
    request = Reserve(key, digest(lines, hold_ms, None), lines, hold_ms, None, False)
    reply = await cluster.client.reserve_over_shards(request, cluster.deadline())
    assert reply[0] == Outcome.OK, reply
    return Reservation(reply[1])


async def paid_late(cluster: Cluster, key: str) -> Reply:
    reply = await cluster.call(HOME, commands.confirm(key))
    assert reply[0] == Outcome.ELSEWHERE
    home = shard_of(HOME, SHARDS)
    return await cluster.client.confirm_late(home, key, reply[1], cluster.deadline())


def test_an_expired_basket_returns_everywhere_and_may_be_paid_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If all its units can be had again; else with all short lines, and nothing is taken."""
    expiring(monkeypatch)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await stocked(cluster)
        for key in ("k1", "k2"):
            await brief(cluster, key, 600)
        await everywhere(cluster, reserved=0, sellable=10)
        reply = await paid_late(cluster, "k1")
        assert reply[0] == Outcome.OK
        assert Reservation(reply[1]).status is Status.CONFIRMED
        await everywhere(cluster, committed=2, sellable=8)
        for sku in SKUS[1:3]:
            await cluster.reserve(f"all-{sku}", [sku, None, 7])
        reply = await paid_late(cluster, "k2")
        assert reply[:2] == [Outcome.NOT_HELD, Status.EXPIRED]
        assert sorted(reply[2]) == [[sku, None, 2, 1] for sku in SKUS[1:3]]
        # A refused late payment gives back what it took on the other shards.

        async def given_back() -> bool:
            return (await cluster.position(SKUS[3]))["sellable"] == 8

        await eventually(given_back)
        assert (await cluster.position(SKUS[1]))["sellable"] == 1
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_the_same_basket_twice_at_once(cluster: Cluster) -> None:
    """One is sealed; the other is told of it, or that it is being decided."""
    await stocked(cluster)
    lines = [[sku, None, 2] for sku in SKUS]
    replies = await asyncio.gather(*(cluster.reserve("k1", *lines) for _ in range(8)))
    assert {reply[0] for reply in replies} <= {
        Outcome.OK, Outcome.REPEATED, Outcome.IN_PROGRESS,
    }  # fmt: skip
    assert sum(reply[0] == Outcome.OK for reply in replies) <= 1

    async def known() -> bool:
        return bool((await cluster.reserve("k1", *lines))[0] == Outcome.REPEATED)

    await eventually(known)
    await everywhere(cluster, reserved=2, sellable=8)


@on_cluster
async def test_units_in_undecided_baskets_are_contended_not_short(cluster: Cluster) -> None:
    """They may come back: the caller is told to try again."""
    await stocked(cluster)
    name = f"{shard_of(HOME, SHARDS):03x}.somebody"
    take = commands.take(name, b"n" * 8, shard_of(HOME, SHARDS), [[SKUS[1], None, 10]], None)
    assert (await cluster.call(SKUS[1], take))[0] == Outcome.OK
    reply = await cluster.reserve("k1", *([sku, None, 2] for sku in SKUS))
    assert reply[0] == Outcome.CONTENDED
    assert reply[1] == [[SKUS[1], None, 2, 0]]
    assert reply[-1] > 0, "when to come back"
    await cluster.call(SKUS[1], commands.drop(name, b"n" * 8))
    await held(cluster, "k1")


@pytest.mark.parametrize("victim", ["home", "participant"])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_host_dies_between_the_steps(
    victim: str, *, sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successor asks or tells: the basket is held as a whole, or nothing of it is left."""
    monkeypatch.setattr(pieces_module, "PIECE_ASK_MS", 300)
    expiring(monkeypatch)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await stocked(cluster)
        request = asked("k1", *([sku, None, 2] for sku in SKUS))
        home = shard_of(HOME, SHARDS)
        nonce = b"n" * 8
        for sku in SKUS[1:]:
            take = commands.take(f"{home:03x}.k1", nonce, home, [[sku, None, 2]], None)
            assert (await cluster.call(sku, take))[0] == Outcome.OK
        if sealed:
            taken = [[sku, None, 2, "w1", 2] for sku in SKUS[1:]]
            seal = commands.seal(
                "k1", nonce, request.digest, [[HOME, None, 2], *taken],
                [shard_of(sku, SHARDS) for sku in SKUS[1:]], request.hold_ms,
            )  # fmt: skip
            assert (await cluster.call(HOME, seal))[0] == Outcome.OK
        sku = HOME if victim == "home" else SKUS[1]
        await cluster.owner_of(sku).die()
        await until(lambda: not cluster.supervisor.reasons())
        await everywhere(cluster, reserved=2 if sealed else 0)
        reply = await cluster.reserve("k1", *([sku, None, 2] for sku in SKUS))
        assert reply[0] == (Outcome.REPEATED if sealed else Outcome.OK)
        reservation = Reservation(reply[1])
        assert (reservation.extra[NONCE] == nonce.hex()) is sealed
        await everywhere(cluster, reserved=2)
        await cluster.audit_is_clean()

    test()


@on_cluster
async def test_a_participant_that_is_away_hears_of_the_payment_later(cluster: Cluster) -> None:
    """Confirm is answered at once; the news wait for the shard's next owner."""
    await stocked(cluster)
    await held(cluster, "k1")
    participant = next(sku for sku in SKUS if cluster.owner_of(sku) is not cluster.owner_of(HOME))
    host = cluster.owner_of(participant)
    home = cluster.owner_of(HOME).core.owners[shard_of(HOME, SHARDS)]
    await host.die()
    assert (await cluster.call(HOME, commands.confirm("k1")))[0] == Outcome.OK
    await until(lambda: not cluster.supervisor.reasons())
    await everywhere(cluster, reserved=0, committed=2)
    await until(lambda: not home.ledger.owing)
    await cluster.audit_is_clean()


def test_sealed_pieces_know_it_at_once_and_need_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SKU whose last units are in a held basket is sold out, not contended."""
    monkeypatch.setattr(pieces_module, "PIECE_ASK_MS", 300)
    expiring(monkeypatch)
    asked_home: list[str] = []

    async def counted(self: chores.Chores, owner: ShardOwner, field: str) -> None:
        asked_home.append(field)

    monkeypatch.setattr(chores.Chores, "_ask_home", counted)

    @on_cluster
    async def test(cluster: Cluster) -> None:
        await stocked(cluster)
        await held(cluster, "k1", units=10)
        books = [owner_of(cluster, sku).ledger.books[sku] for sku in SKUS]
        await until(lambda: not any(book.unsealed for book in books))
        for sku in SKUS:
            assert (await cluster.reserve("k2", [sku, None, 1]))[0] == Outcome.SHORT
        await asyncio.sleep(0.8)
        assert not asked_home
        await cluster.audit_is_clean()

    test()
