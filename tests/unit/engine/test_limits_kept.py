"""What a customer was sent counts under the limits of its SKUs for whoever owns the shard next."""

from typing import Any

from engine import commands
from engine.commands import Reply, shares
from engine.outcome import Outcome
from engine.record import CAMPAIGN, CUSTOMER, Extra
from engine.stock import Terms
from engine.store.memory import MemoryServer, MemoryStore
from tests.builders import NOW_MS, Owner, founding, fulfil, reserve, run

DAY_MS = 86_400_000
OF_ANN: Extra = {CUSTOMER: "ann"}
IN_DROP: Extra = {CUSTOMER: "ann", CAMPAIGN: "drop"}
LIMITED = {"limit_per_customer": 2}


async def successor(owner: Owner) -> Owner:
    """The next owner, before it has loaded anything that has ended."""
    epoch = owner.right.epoch + 1
    return await Owner.of(owner.store, epoch=epoch)


async def sent(owner: Owner, key: str, extra: Extra, *, more: int = 0) -> None:
    """A unit is bought and leaves; of ``more`` units the buyer thinks better of."""
    replies = await owner.do(
        reserve(key, ("A", 1 + more), **extra), commands.confirm(key),
        fulfil(key, "parcel", ("A", "w1", 1)), *([commands.cancel(key)] if more else []),
    )  # fmt: skip
    assert [reply[0] for reply in replies] == [Outcome.OK] * len(replies)


def limited(*more: list[Any]) -> list[list[Any]]:
    """Ten units of a SKU of which each customer may have two."""
    return [*founding({"A": {"w1": 10}}), *more]


async def next_unit(owner: Owner, extra: Extra, now_ms: int = NOW_MS) -> Reply:
    """One more, given back at once where it was had."""
    replies = await owner.do(
        reserve("more", ("A", 1), **extra), commands.release("more"), now_ms=now_ms
    )
    return replies[0]


def test_units_sent_count_for_the_next_owner_before_it_has_loaded_what_ended() -> None:
    """Fulfilled ones and those of which a part was cancelled; of the SKU and of a campaign."""

    async def story(extra: Extra, *made: list[Any]) -> None:
        owner = await Owner.of(MemoryStore(MemoryServer(1)))
        await owner.do(*limited(*made))
        await sent(owner, "one", extra, more=1)
        await sent(owner, "two", extra)
        assert (await next_unit(owner, extra))[0] == Outcome.OVER_LIMIT
        heir = await successor(owner)
        heir.ledger.closed_loaded = False
        assert (await next_unit(heir, extra))[0] == Outcome.OVER_LIMIT
        assert (await next_unit(heir, {**extra, CUSTOMER: "eve"}))[0] == Outcome.OK

    run(story(OF_ANN, commands.define_sku("A", ["A", 0, None, LIMITED])))
    terms = Terms(defined=True, ends_at_ms=NOW_MS + DAY_MS, limit=2)
    run(story(IN_DROP, shares.open_campaign("drop", list(terms), [["A", 9]])))


def test_it_counts_for_longer_than_the_reservation_answers_for_its_key() -> None:
    """And until the SKU has no limit any more; then nobody keeps it."""

    async def story() -> None:
        owner = await Owner.of(MemoryStore(MemoryServer(1)))
        await owner.do(*limited(commands.define_sku("A", ["A", 0, None, LIMITED])))
        await sent(owner, "one", OF_ANN)
        await sent(owner, "two", OF_ANN)
        later = NOW_MS + 3 * DAY_MS
        await owner.do(commands.tidy(), now_ms=later)
        heir = await successor(owner)
        assert heir.ledger.closed == {}
        assert (await next_unit(heir, OF_ANN, later))[0] == Outcome.OVER_LIMIT
        await heir.do(commands.define_sku("A", ["A", 0, None, {}]), now_ms=later)
        await heir.do(commands.tidy(), now_ms=later)
        ledger = (await successor(heir)).ledger
        assert not ledger.totals.sent
        assert not ledger.books["A"].by_customer

    run(story())
