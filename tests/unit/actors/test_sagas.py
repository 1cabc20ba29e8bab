"""Baskets over shards that have too few copies: made or not, and never the wrong one of the two."""

import asyncio
from typing import Any

from actors import sagas, stockroom
from engine import commands
from engine.commands import Reply
from engine.outcome import Outcome
from engine.record import PARTIAL, Reservation, Status
from tests.bare_shards import HOME, OTHER, Shards, of, on_shards
from tests.builders import NOW_MS, put_node
from tests.cluster import SHARDS


@on_shards
async def test_a_basket_without_copies_is_made_and_called_weaker(shards: Shards) -> None:
    """Whichever shard lacks them, home or one with a piece; the record is in the reply."""
    for number, alone in enumerate(({of(HOME)}, {of(OTHER)}, {of(HOME), of(OTHER)})):
        shards.alone = alone
        reply = await shards.reserve(f"k{number}", 1, 2)
        assert (reply[0], reply[2][0]) == (Outcome.WEAKER, Outcome.OK)
        reservation = Reservation(reply[2][1])
        assert sorted(reservation.backings()) == [(HOME, "w1", 1), (OTHER, "w1", 2)]
    assert shards.reserved() == [3, 6]


@on_shards
async def test_a_repeat_waits_for_the_copies_again(shards: Shards) -> None:
    """Without them it is told the same; with them that it is there."""
    shards.alone = {of(HOME), of(OTHER)}
    assert (await shards.reserve("k", 1, 2))[0] == Outcome.WEAKER
    again = await shards.reserve("k", 1, 2)
    assert (again[0], again[2][0]) == (Outcome.WEAKER, Outcome.REPEATED)
    other = await shards.reserve("k", 2, 2)
    assert other[0] == Outcome.KEY_REUSED
    shards.alone = set()
    assert (await shards.reserve("k", 1, 2))[0] == Outcome.REPEATED
    assert shards.reserved() == [1, 2]


@on_shards
async def test_a_refused_basket_is_refused_whatever_its_pieces_lack(shards: Shards) -> None:
    """Nothing is sealed, so nothing is applied; what a piece had taken goes back."""
    shards.alone = {of(HOME), of(OTHER)}
    for units in ((11, 1), (1, 11)):
        reply = await shards.reserve("k", *units)
        assert reply[0] == Outcome.SHORT
        assert [row[2] for row in reply[1]] == [11]
    assert shards.reserved() == [0, 0]
    reply = await shards.reserve("k", 11, 12, **{PARTIAL: True})
    assert (reply[0], reply[2][0]) == (Outcome.WEAKER, Outcome.OK)
    assert shards.reserved() == [10, 10]


@on_shards
async def test_a_basket_that_ended_is_repeated_and_its_new_pieces_go_back(shards: Shards) -> None:
    """Home knows the key; what the repeat took elsewhere is not kept for anybody."""
    shards.alone = {of(HOME), of(OTHER)}
    assert (await shards.reserve("k", 1, 2))[0] == Outcome.WEAKER
    home = shards.ledgers[of(HOME)]
    home.decide(commands.release("k"), NOW_MS)
    name, other = f"{of(HOME):03x}.k", shards.ledgers[of(OTHER)]
    nonce = Reservation(other.reservations[f"/{name}"]).digest
    other.decide(commands.tell(name, nonce, Status.RELEASED, 0, None), NOW_MS)
    assert shards.reserved() == [0, 0]
    again = await shards.reserve("k", 1, 2)
    assert (again[0], again[2][0]) == (Outcome.WEAKER, Outcome.REPEATED)
    assert shards.reserved() == [0, 0]


@on_shards
async def test_a_late_payment_without_copies_is_made_and_called_weaker(shards: Shards) -> None:
    """Refused for want of units it is refused, with all short lines."""
    made = await shards.reserve("k", 4, 4)
    shards.now_ms += 2 * Reservation(made[1]).expires_at_ms
    shards.alone = {of(HOME), of(OTHER)}
    for ledger in shards.ledgers[:SHARDS]:
        ledger.decide(commands.expire(["k"]), shards.now_ms)
    name, other = f"{of(HOME):03x}.k", shards.ledgers[of(OTHER)]
    nonce = Reservation(other.reservations[f"/{name}"]).digest
    other.decide(commands.tell(name, nonce, Status.EXPIRED, 0, None), shards.now_ms)
    other.decide(commands.reserve("all", b"a" * 16, [[OTHER, None, 8]], 1000), shards.now_ms)

    async def paid() -> Reply:
        late = await shards.call(of(HOME), commands.confirm("k"), 0)
        assert late[0] == Outcome.ELSEWHERE
        reply = await sagas.confirm_late(shards, SHARDS, of(HOME), "k", late[1], 0)
        await asyncio.sleep(0)
        return reply

    assert await paid() == [Outcome.NOT_HELD, Status.EXPIRED, [[OTHER, None, 4, 2]]]
    assert shards.reserved() == [0, 8]
    other.decide(commands.release("all"), shards.now_ms)
    reply = await paid()
    assert (reply[0], reply[2][0]) == (Outcome.WEAKER, Outcome.OK)
    assert Reservation(reply[2][1]).status is Status.CONFIRMED
    again = await shards.call(of(HOME), commands.confirm("k"), 0)
    assert (again[0], again[2][0]) == (Outcome.WEAKER, Outcome.OK)


@on_shards
async def test_a_piece_whose_record_is_not_told_is_given_back(shards: Shards) -> None:
    """Without what it took there is nothing to seal: nothing is done, and that is said."""
    shards.alone, shards.bare = {of(OTHER)}, True
    assert (await shards.reserve("k", 1, 2))[0] == Outcome.UNAVAILABLE
    assert shards.reserved() == [0, 0]


@on_shards
async def test_an_adjustment_without_copies_is_made_as_a_whole(shards: Shards) -> None:
    """A reference without copies does not keep its rows out; a repeat waits for them again."""
    shards.alone = {of(OTHER), shards.net}
    rows: list[list[Any]] = [[sku, "w1", 5, None, None, None] for sku in (HOME, OTHER)]
    for _ in range(2):
        told = await stockroom.adjust(shards, "po", b"d" * 16, rows, 0)
        assert told[0] == Outcome.WEAKER
    positions = [shards.ledgers[of(sku)].position(sku, "w1").on_hand for sku in (HOME, OTHER)]
    assert positions == [15, 15]
    shards.alone = set()
    done = await stockroom.adjust(shards, "po", b"d" * 16, rows, 0)
    assert isinstance(done, stockroom.Adjusted)
    assert done.repeated
    assert [row[2] for row in done.results] == [15, 15]


@on_shards
async def test_a_node_without_copies_is_known_to_all_shards(shards: Shards) -> None:
    """And said to have too few, where it is kept."""
    shards.alone = {shards.net, of(OTHER)}
    reply = await put_node(shards, "w2", {"kind": "store"}, 0)
    assert (reply[0], reply[2][0]) == (Outcome.WEAKER, Outcome.OK)
    assert all("w2" in ledger.nodes for ledger in shards.ledgers)
