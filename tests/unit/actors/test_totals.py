"""Limits of a buyer over several SKUs: counted on the customer's shard, by pieces without stock."""

import asyncio
from typing import Any

import pytest

from actors import sagas
from actors.campaigns import terms_of
from engine import commands
from engine.commands import Reply, shares
from engine.outcome import Outcome
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    COUNTED,
    CUSTOMER,
    LIMITS,
    NONCE,
    OWES,
    PARTIAL,
    PIECES,
    SUPERSEDES,
    Reservation,
    Status,
)
from engine.totals import UNPAID
from tests.bare_shards import HOME, OTHER, Shards, of
from tests.builders import NOW_MS
from tests.cluster import HOLD_MS, SHARDS, asked

WEB = {CHANNEL: "web"}
DROP = {CAMPAIGN: "drop"}
UNPAID_MOST, TOTAL_MOST = 4, 5
OVER_MS = NOW_MS + 10**9
CHANNEL_MEMBERS = {
    "name": "web", "late_payment": "hold_again", "anonymous_hold_seconds": None, "pool": None,
    UNPAID: UNPAID_MOST,
}  # fmt: skip
CAMPAIGN_MEMBERS = {
    "channel": None, "starts_at": NOW_MS - 1, "ends_at": OVER_MS, "nodes": None,
    "limit_per_customer": None, "limit_per_customer_total": TOTAL_MOST, "hold_seconds": None,
    "anonymous_hold_seconds": None, "include_supplies": False, "tranches": None,
}  # fmt: skip


def customer_on(shard: int) -> str:
    """A customer who is counted on that shard."""
    return next(name for name in map("c-{}".format, range(100)) if of(name) == shard)


#: Whose counts lie where neither SKU does, with the other SKU, and at home.
ELSEWHERE = customer_on(next(iter(set(range(SHARDS)) - {of(HOME), of(OTHER)})))
WITH_OTHER, AT_HOME = customer_on(of(OTHER)), customer_on(of(HOME))


class Shop:
    """Both limits in force, and what a buyer does."""

    def __init__(self) -> None:
        self.shards = Shards()
        elements = {"h|web": CHANNEL_MEMBERS}
        for ledger in self.shards.ledgers[:SHARDS]:
            ledger.decide(commands.take_network(ledger.network, 99, elements), NOW_MS)
        for sku in (HOME, OTHER):
            opened = shares.open_campaign("drop", terms_of(CAMPAIGN_MEMBERS), [[sku, 5]])
            assert self.shards.ledgers[of(sku)].decide(opened, NOW_MS) == [Outcome.OK]

    async def reserve(self, key: str, who: str | None, *units: int, **extra: Any) -> Reply:
        """Hold units of the home's SKU and the other's; 0: none of it."""
        lines = [[sku, None, n] for sku, n in zip((HOME, OTHER), units, strict=False) if n]
        members = {**extra, **({} if who is None else {CUSTOMER: who})}
        request = asked(key, *lines, extra=members)
        reply = await sagas.reserve(self.shards, SHARDS, request, 0)
        await self.heard()
        return reply

    async def finish(self, key: str, verb: str, home: str = HOME) -> Reply:
        """Confirm, release or cancel."""
        command = getattr(commands, verb)(key)
        reply = self.shards.ledgers[of(home)].decide(command, self.shards.now_ms)
        if reply[0] == Outcome.ELSEWHERE:
            reply = await sagas.confirm_late(self.shards, SHARDS, of(home), key, reply[1], 0)
        await self.heard()
        return reply

    def ship(self, key: str, sku: str) -> Reply:
        """All units of one SKU leave."""
        return self.shards.ledgers[of(HOME)].decide(
            commands.fulfil(key, f"parcel-{sku}", b"d" * 16, [(sku, "w1", 2)], over_shards=True),
            self.shards.now_ms,
        )

    def pass_time(self, ms: int) -> None:
        """What is over by then ends."""
        self.shards.now_ms += ms
        for ledger in self.shards.ledgers[:SHARDS]:
            keys = [key for key in ledger.reservations if key[0] != "/"]
            ledger.decide(commands.expire(keys), self.shards.now_ms)

    async def heard(self) -> None:
        """Drops have arrived, and all news have."""
        for _ in range(3):
            await asyncio.sleep(0)
        for home, ledger in enumerate(self.shards.ledgers[:SHARDS]):
            for key in list(ledger.owing):
                record = Reservation(ledger.reservations[key])
                nonce = bytes.fromhex(record.extra[NONCE])
                for shard, news in list(record.extra.get(OWES, {}).items()):
                    told = commands.tell(f"{home:03x}.{key}", nonce, *news)
                    assert self.shards.ledgers[shard].decide(told, self.shards.now_ms)[0] == 0
                    ledger.decide(commands.settle(key, shard, news), self.shards.now_ms)

    def counted(self, who: str) -> tuple[int, int]:
        """(units of the campaign, unpaid units of the channel) on the customer's shard."""
        totals = self.shards.ledgers[of(who)].totals.counts
        return totals.get("m:drop", {}).get(who, 0), totals.get("c:web", {}).get(who, 0)


def in_shop(test: Any) -> Any:
    """Run a test in a shop of its own."""

    @pytest.mark.parametrize("who", [ELSEWHERE, WITH_OTHER, AT_HOME])
    def run_test(who: str) -> None:
        asyncio.run(test(Shop(), who))

    run_test.__name__, run_test.__doc__ = test.__name__, test.__doc__
    return run_test


@in_shop
async def test_a_campaign_counts_all_its_skus(shop: Shop, who: str) -> None:
    """Neither SKU alone would be too much; nothing is held of what is refused."""
    assert (await shop.reserve("k1", who, 3, **DROP))[0] == Outcome.OK
    assert shop.counted(who) == (3, 0)
    over = await shop.reserve("k2", who, 0, 3, **DROP)
    assert over == [Outcome.OVER_LIMIT, [[None, TOTAL_MOST, 3, 3, "m:drop"]]]
    assert (await shop.reserve("k3", who, 1, 2, **DROP))[0] == Outcome.OVER_LIMIT
    assert shop.shards.reserved() == [3, 0]
    assert shop.counted(who) == (3, 0)
    assert (await shop.reserve("k4", who, 0, 2, **DROP))[0] == Outcome.OK
    assert shop.counted(who) == (5, 0)
    assert (await shop.finish("k1", "release"))[0] == Outcome.OK
    assert shop.counted(who) == (2, 0)


@in_shop
async def test_what_was_sent_stays_counted(shop: Shop, who: str) -> None:
    """Confirmed, shipped in part, cancelled: the part that left is what he had."""
    assert (await shop.reserve("k1", who, 2, 2, **DROP))[0] == Outcome.OK
    await shop.finish("k1", "confirm")
    assert shop.counted(who) == (4, 0)
    assert shop.ship("k1", OTHER)[0] == Outcome.OK
    await shop.heard()
    await shop.finish("k1", "cancel")
    assert shop.counted(who) == (2, 0)
    assert (await shop.reserve("k2", who, 2, 1, **DROP))[0] == Outcome.OK
    await shop.finish("k2", "confirm")
    shop.ship("k2", HOME)
    shop.shards.ledgers[of(HOME)].decide(
        commands.fulfil("k2", "rest", b"d" * 16, None, over_shards=True), shop.shards.now_ms
    )
    await shop.heard()
    assert shop.counted(who) == (5, 0)
    assert (await shop.reserve("k3", who, 1, **DROP))[0] == Outcome.OVER_LIMIT


@in_shop
async def test_a_channel_counts_what_is_not_paid_for(shop: Shop, who: str) -> None:
    """Open holds only: paid, released and expired ones count no more."""
    for key, units in (("k1", 1), ("k2", 3)):
        assert (await shop.reserve(key, who, units, **WEB))[0] == Outcome.OK
    over = await shop.reserve("k3", who, 0, 1, **WEB)
    assert over == [Outcome.OVER_LIMIT, [[None, UNPAID_MOST, 4, 1, "c:web"]]]
    await shop.finish("k1", "confirm")
    assert shop.counted(who) == (0, 3)
    assert (await shop.reserve("k4", who, 0, 1, **WEB))[0] == Outcome.OK
    shop.pass_time(2 * HOLD_MS)
    await shop.heard()
    assert shop.counted(who) == (0, 0)


@in_shop
async def test_both_limits_at_once(shop: Shop, who: str) -> None:
    """Each counts in its own way; all that are exceeded are named."""
    both = {**DROP, **WEB}
    assert (await shop.reserve("k1", who, 2, 2, **both))[0] == Outcome.OK
    assert shop.counted(who) == (4, 4)
    over = await shop.reserve("k2", who, 1, 1, **both)
    assert over == [Outcome.OVER_LIMIT, [
        [None, UNPAID_MOST, 4, 2, "c:web"], [None, TOTAL_MOST, 4, 2, "m:drop"],
    ]]  # fmt: skip
    await shop.finish("k1", "confirm")
    assert shop.counted(who) == (4, 0)


@in_shop
async def test_a_repeat_counts_once(shop: Shop, who: str) -> None:
    """The same key again, while it is held and once it has ended."""
    for outcome in (Outcome.OK, Outcome.REPEATED):
        assert (await shop.reserve("k1", who, 2, 2, **DROP))[0] == outcome
        assert shop.counted(who) == (4, 0)
    await shop.finish("k1", "release")
    assert (await shop.reserve("k1", who, 2, 2, **DROP))[0] == Outcome.REPEATED
    assert shop.counted(who) == (0, 0)


@in_shop
async def test_a_part_counts_as_what_was_got(shop: Shop, who: str) -> None:
    """All that was asked for must be allowed; what is counted is what is held."""
    assert (await shop.reserve("other", "somebody", 0, 3, **DROP))[0] == Outcome.OK
    reply = await shop.reserve("k1", who, 1, 3, **DROP, **{PARTIAL: True})
    assert reply[0] == Outcome.OK
    got = sum(units for *_, units in Reservation(reply[1]).backings())
    assert (got, shop.counted(who)[0]) == (3, 3)


@in_shop
async def test_a_late_payment_is_looked_at_again(shop: Shop, who: str) -> None:
    """Meanwhile he may have had others; unpaid units are no matter, it is paid for."""
    both = {**DROP, **WEB}
    assert (await shop.reserve("k1", who, 2, 2, **both))[0] == Outcome.OK
    shop.pass_time(2 * HOLD_MS)
    await shop.heard()
    assert shop.counted(who) == (0, 0)
    assert (await shop.reserve("k2", who, 2, **DROP))[0] == Outcome.OK
    late = await shop.finish("k1", "confirm")
    assert late[:2] == [Outcome.NOT_HELD, Status.EXPIRED]
    assert shop.counted(who) == (2, 0)
    await shop.finish("k2", "release")
    assert (await shop.reserve("k3", who, 0, 4, **WEB))[0] == Outcome.OK
    assert (await shop.finish("k1", "confirm"))[0] == Outcome.OK
    assert shop.counted(who) == (4, 4)


@in_shop
async def test_a_cart_is_not_blocked_by_itself(shop: Shop, who: str) -> None:
    """What it takes over counts no more, whether it had been counted or not."""
    assert (await shop.reserve("k1", who, 2, 2, **DROP))[0] == Outcome.OK
    assert (await shop.reserve("k2", who, 3, 2, **DROP, **{SUPERSEDES: "k1"}))[0] == Outcome.OK
    assert shop.counted(who) == (5, 0)
    over = await shop.reserve("k3", who, 3, 3, **DROP, **{SUPERSEDES: "k2"})
    assert over == [Outcome.OVER_LIMIT, [[None, TOTAL_MOST, 0, 6, "m:drop"]]]
    assert shop.counted(who) == (5, 0)


@in_shop
async def test_a_customer_is_required_where_such_a_limit_applies(shop: Shop, who: str) -> None:
    """And nothing is counted of those it does not apply to."""
    for extra in (DROP, WEB):
        for units in ((1,), (1, 1)):
            reply = await shop.reserve("k1", None, *units, **extra)
            assert reply[:2] == [Outcome.INVALID, "customer"]
    made = await shop.reserve("k2", who, 4, 1)
    assert made[0] == Outcome.OK
    assert not {LIMITS, COUNTED} & Reservation(made[1]).extra.keys()
    assert shop.counted(who) == (0, 0)
    plain = Reservation((await shop.reserve("k3", who, 1))[1])
    assert plain.extra[PIECES] == []


@in_shop
async def test_what_was_sent_is_forgotten_once_the_campaign_is_over(shop: Shop, who: str) -> None:
    """Until then it outlives the records; no field of the store is left behind."""
    await shop.reserve("k1", who, 2, 1, **DROP)
    await shop.finish("k1", "confirm")
    shop.ship("k1", HOME)
    await shop.heard()
    await shop.finish("k1", "cancel")
    ledger = shop.shards.ledgers[of(who)]
    for past_ms, counts in ((-1, (2, 0)), (1, (0, 0))):
        ledger.decide(commands.tidy(), OVER_MS + past_ms)
        assert shop.counted(who) == counts
    assert ledger.effects.fields[f"t|m:drop|{who}"] is None


@in_shop
async def test_a_lost_piece_counts_again(shop: Shop, who: str) -> None:
    """A store that lost it is told by home that it was promised."""
    await shop.reserve("k1", who, 1, 2, **DROP)
    if of(who) == of(HOME):
        return  # The record itself counts.
    ledger, field = shop.shards.ledgers[of(who)], f"/{of(HOME):03x}.k1"
    nonce = Reservation(ledger.reservations[field]).digest
    ledger.decide(commands.drop(field[1:], nonce), NOW_MS)
    assert field in ledger.reservations, "a sealed piece is not dropped"
    ledger.decide(commands.tell(field[1:], nonce, Status.RELEASED, 0, None), NOW_MS)
    ledger.just_closed.clear()
    ledger.closed.clear()
    assert shop.counted(who) == (0, 0)
    await shop.finish("k1", "confirm")
    assert shop.counted(who) == (3, 0)
