"""Receipts whose coordinator or owner stops half-way, and homes of what has moved."""

from typing import Any

import pytest

from actors import supplies as over_shards
from engine import commands
from engine import supplies as handlers
from engine.commands import Reply, supplies
from engine.ids import digest, shard_of
from engine.outcome import Outcome
from engine.record import COSTS, DELIVER_BY, NONCE, PREORDER, Reservation, Status
from engine.requests import Reserve
from engine.stock import ON_ITS_WAY, SupplyMembers
from tests.baskets import HOME, SKUS, owner_of
from tests.cluster import SHARDS, Cluster, eventually, on_cluster, until

HOUR_MS = 3_600_000
FAR_MS = 4_000_000_000_000
AHEAD: dict[str, Any] = {PREORDER: True}
#: A SKU whose shard is not the home of a basket over all shards.
AWAY = SKUS[1]


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few promises are many slices."""
    monkeypatch.setattr(handlers, "ARRIVAL_SLICE", 2)


def members(units: int, at_ms: int = FAR_MS, origin: str | None = None) -> SupplyMembers:
    """What is announced."""
    return SupplyMembers("purchase_order", units, at_ms, b"d".hex(), origin)


async def announced(cluster: Cluster, units: int = 9, at_ms: int = FAR_MS) -> None:
    """A supply of every SKU, named after it."""
    await cluster.stock(dict.fromkeys(SKUS, 0))
    for sku in SKUS:
        reply = await over_shards.open_supply(
            cluster.client, f"po-{sku}", sku, "w1", members(units, at_ms), cluster.deadline()
        )
        assert reply[0] == Outcome.OK, reply


async def basket(cluster: Cluster, key: str, **extra: Any) -> Reservation:
    """Two units of every SKU."""
    reply = await cluster.reserve(key, *([sku, None, 2] for sku in SKUS), extra=extra or AHEAD)
    assert reply[0] == Outcome.OK, reply
    return Reservation(reply[1])


async def came(cluster: Cluster, sku: str, units: int) -> Reply:
    """A receipt whose coordinator is heard of no more: only its first slice is asked for."""
    note = supplies.receive(sku, f"po-{sku}", "note", b"n" * 16, units, final=False)
    return await cluster.call(sku, note)


def on_their_way(record: Reservation) -> set[str]:
    """SKUs whose units have not come."""
    return {sku for sku, slot, _ in record.backings() if ON_ITS_WAY in slot}


async def at_home(cluster: Cluster, key: str) -> Reservation:
    """The basket as its home tells it."""
    return Reservation((await cluster.call(HOME, commands.read(key)))[1])


async def crowd(cluster: Cluster, count: int) -> None:
    """Holds of a unit each."""
    for number in range(count):
        reply = await cluster.reserve(f"k{number}", [AWAY, None, 1], extra=AHEAD)
        assert reply[0] == Outcome.OK


async def all_came(cluster: Cluster, units: int, reserved: int) -> None:
    """Everything is on hand, and promised to the same."""

    async def so() -> bool:
        at = await cluster.position(AWAY)
        return (at["on_hand"], at["reserved"]) == (units, reserved)

    await eventually(so)
    await cluster.audit_is_clean()


@on_cluster
async def test_chores_go_on_where_a_coordinator_stopped(cluster: Cluster) -> None:
    """Nobody asks for the second slice."""
    await announced(cluster)
    await crowd(cluster, 7)
    reply = await came(cluster, AWAY, 9)
    assert reply[1][-1] == 7, "two have moved"
    await all_came(cluster, 9, 7)
    told = await cluster.call(AWAY, supplies.read_supply(AWAY, f"po-{AWAY}"))
    assert told[1][9] == "closed"


@on_cluster
async def test_the_next_owner_goes_on_where_one_died_between_two_slices(cluster: Cluster) -> None:
    """What had come and not moved yet is in the store."""
    await announced(cluster)
    await crowd(cluster, 7)
    reply = await came(cluster, AWAY, 8)
    assert reply[1][-1] == 6
    await cluster.owner_of(AWAY).die()
    await until(lambda: not cluster.supervisor.reasons())
    await all_came(cluster, 8, 7)
    again = await came(cluster, AWAY, 8)
    assert (again[0], again[1][6]) == (Outcome.REPEATED, 8), "it counts once"
    assert (await cluster.position(AWAY))["sellable"] == 1


@on_cluster
async def test_a_receipt_whose_answer_was_lost_counts_once(cluster: Cluster) -> None:
    """The store has it, its owner does not hear of it."""
    await announced(cluster)
    await crowd(cluster, 3)
    cluster.owner_of(AWAY).store.lose_applied = 1
    reply = await came(cluster, AWAY, 5)
    assert reply[0] in (Outcome.OK, Outcome.REPEATED)
    await all_came(cluster, 5, 3)


@on_cluster
async def test_homes_hear_of_it_though_they_died_meanwhile(cluster: Cluster) -> None:
    """The piece remembers that home does not know, its next owner too."""
    await announced(cluster)
    held = await basket(cluster, "b1")
    assert on_their_way(held) == set(SKUS)
    home, away = cluster.owner_of(HOME), cluster.owner_of(AWAY)
    for sku in SKUS:
        assert (await came(cluster, sku, 9))[0] == Outcome.OK
    await home.die()
    if away is not home:
        await away.die()
    await until(lambda: not cluster.supervisor.reasons())

    async def known() -> bool:
        record = await at_home(cluster, "b1")
        return not on_their_way(record)

    await eventually(known)
    record = await at_home(cluster, "b1")
    # Each backing keeps the date that was told of it.
    assert record.extra[COSTS] == {f"{sku}|w1": [FAR_MS, None, None] for sku in SKUS}
    assert (await cluster.call(HOME, commands.confirm("b1")))[0] == Outcome.OK
    await until(lambda: not owner_of(cluster, HOME).ledger.owing)
    reply = await shipped(cluster, "b1")
    assert Reservation(reply[1]).status is Status.FULFILLED
    await cluster.audit_is_clean()


async def shipped(cluster: Cluster, key: str) -> Reply:
    """All of a basket, as a gateway asks for it."""
    parcel = commands.fulfil(key, "p1", b"p" * 16, None)
    reply = await cluster.call(HOME, parcel)
    if reply[0] != Outcome.ELSEWHERE:
        return reply
    home = shard_of(HOME, SHARDS)
    return await cluster.client.fulfil_over_shards(
        home, key, "p1", b"p" * 16, None, reply[1], cluster.deadline()
    )


@on_cluster
async def test_what_another_shard_waits_for_cannot_be_shipped(cluster: Cluster) -> None:
    """The node is named, not the backing."""
    await announced(cluster)
    await basket(cluster, "b1")
    assert (await cluster.call(HOME, commands.confirm("b1")))[0] == Outcome.OK
    assert (await came(cluster, HOME, 9))[0] == Outcome.OK
    reply = await shipped(cluster, "b1")
    assert reply[0] == Outcome.SHORT
    assert reply[1] == [[sku, "w1", 2, 0] for sku in SKUS if sku != HOME]


@on_cluster
async def test_a_piece_that_home_has_not_sealed_yet_is_told_of_once_it_has(
    cluster: Cluster,
) -> None:
    """Home seals what the piece told before its units came."""
    await announced(cluster)
    name, nonce = f"{shard_of(HOME, SHARDS):03x}.b1", b"n" * 8
    line = [AWAY, None, 2]
    took = await cluster.call(
        AWAY, commands.take(name, nonce, shard_of(HOME, SHARDS), [line], AHEAD)
    )
    piece = Reservation(took[1])
    assert (await came(cluster, AWAY, 9))[0] == Outcome.OK
    away = owner_of(cluster, AWAY)
    await until(lambda: not away.ledger.arriving)
    await asked_of_chores(cluster)
    assert away.ledger.untold == {f"/{name}"}
    lines = [[HOME, None, 1], *piece.lines]
    seal = commands.seal("b1", nonce, b"d" * 16, lines, [shard_of(AWAY, SHARDS)], 900_000, AHEAD)
    assert (await cluster.call(HOME, seal))[0] == Outcome.OK
    told = commands.tell(name, nonce, Status.HELD, FAR_MS, None)
    assert (await cluster.call(AWAY, told))[0] == Outcome.OK
    await until(lambda: not away.ledger.untold)
    assert on_their_way(await at_home(cluster, "b1")) == {HOME}
    await cluster.audit_is_clean()


async def asked_of_chores(cluster: Cluster) -> None:
    """Let them have a round now."""
    for host in cluster.hosts.values():
        for owner in host.core.owners.values():
            host.core.chores._arrivals.look_after(owner)
    await eventually(lambda: nobody_at_work(cluster))


async def nobody_at_work(cluster: Cluster) -> bool:
    return not any(host.core.chores._arrivals._at_work for host in cluster.hosts.values())


@on_cluster
async def test_an_older_word_of_a_piece_changes_nothing(cluster: Cluster) -> None:
    """It may come late, from an owner that is none any more."""
    await announced(cluster)
    held = await basket(cluster, "b1")
    before = [line for line in held.lines if line[0] == AWAY]
    assert (await came(cluster, AWAY, 9))[0] == Outcome.OK

    async def known() -> bool:
        return AWAY not in on_their_way(await at_home(cluster, "b1"))

    await eventually(known)
    nonce = bytes.fromhex(held.extra[NONCE])
    reply = await cluster.call(HOME, supplies.reback("b1", nonce, before, {}, 1))
    assert reply[0] == Outcome.OK
    assert await known()


@on_cluster
async def test_pieces_are_served_by_date_and_named_when_it_is_missed(cluster: Cluster) -> None:
    """As if the whole basket lay on the shard of the units."""
    now_ms = owner_of(cluster, AWAY).now_ms()
    await announced(cluster, at_ms=now_ms + HOUR_MS)
    late, early = now_ms + 9 * HOUR_MS, now_ms + 2 * HOUR_MS
    await basket(cluster, "a-late", **{DELIVER_BY: late})
    await basket(cluster, "b-early", **{DELIVER_BY: early})
    put_off = supplies.delay(AWAY, f"po-{AWAY}", now_ms + 5 * HOUR_MS)
    reply = await cluster.call(AWAY, put_off)
    assert [[row[4], row[5], row[8]] for row in reply[2]] == [[2, "late", ["b-early"]]]
    reply = await came(cluster, AWAY, 2)
    assert reply[2] == [], "nobody is late who has his units"

    async def served() -> bool:
        return AWAY not in on_their_way(await at_home(cluster, "b-early"))

    await eventually(served)
    assert AWAY in on_their_way(await at_home(cluster, "a-late"))


@on_cluster
async def test_a_basket_of_dated_units_may_be_paid_late(cluster: Cluster) -> None:
    """It gets units on their way again if they still come in time."""
    now_ms = owner_of(cluster, AWAY).now_ms()
    await announced(cluster, at_ms=now_ms + HOUR_MS)
    extra = {DELIVER_BY: now_ms + 2 * HOUR_MS}
    lines = [[sku, None, 2] for sku in SKUS]
    request = Reserve("b1", digest(lines, 1, extra), lines, 1, extra, False)
    assert (await cluster.client.reserve_over_shards(request, cluster.deadline()))[0] == Outcome.OK
    home = shard_of(HOME, SHARDS)

    async def expired() -> bool:
        return (await at_home(cluster, "b1")).status is Status.EXPIRED

    await eventually(expired)

    async def confirmed() -> Reply:
        reply = await cluster.call(HOME, commands.confirm("b1"))
        if reply[0] != Outcome.ELSEWHERE:
            return reply
        return await cluster.client.confirm_late(home, "b1", reply[1], cluster.deadline())

    record = Reservation((await confirmed())[1])
    assert record.status is Status.CONFIRMED
    assert on_their_way(record) == set(SKUS)
    for sku in SKUS:
        assert (await came(cluster, sku, 2))[0] == Outcome.OK

    async def known() -> bool:
        return not on_their_way(await at_home(cluster, "b1"))

    await eventually(known)
    await cluster.audit_is_clean()


@on_cluster
async def test_a_name_is_found_though_its_coordinator_stopped_before_the_supply(
    cluster: Cluster,
) -> None:
    """The repeat makes what is missing; another body is refused meanwhile."""
    await cluster.stock({AWAY: 0})
    naming = supplies.name_supply("po-9", AWAY, b"d")
    net = cluster.client.net
    assert (await cluster.client.call(net, naming, cluster.deadline()))[0] == Outcome.OK
    other = members(3)._replace(digest=b"e".hex())

    async def opened(of: SupplyMembers) -> Reply:
        return await over_shards.open_supply(
            cluster.client, "po-9", AWAY, "w1", of, cluster.deadline()
        )

    assert (await opened(other))[0] == Outcome.KEY_REUSED
    assert (await opened(members(3)))[0] == Outcome.OK
    assert (await opened(members(3)))[0] == Outcome.REPEATED
    found = await over_shards.ask(
        cluster.client, "po-9", lambda sku: supplies.read_supply(sku, "po-9"), cluster.deadline()
    )
    assert found[1][:3] == ["po-9", "purchase_order", AWAY]


@on_cluster
async def test_what_ended_long_ago_is_forgotten_with_its_id(cluster: Cluster) -> None:
    """Both are free for something new."""
    await announced(cluster)
    for sku in SKUS:
        await came(cluster, sku, 9)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(handlers, "SUPPLY_KEPT_MS", 0)
        owners = [owner_of(cluster, sku) for sku in SKUS]
        await until(lambda: not any(owner.ledger.ended_supplies for owner in owners))
    for sku in SKUS:
        name = f"po-{sku}"
        asked_for = await cluster.client.call(
            cluster.client.net, supplies.find_supply(name), cluster.deadline()
        )
        assert asked_for == [Outcome.UNKNOWN_SUPPLY, [name]]
        assert (await cluster.position(sku))["on_hand"] == 9
    await cluster.audit_is_clean()
