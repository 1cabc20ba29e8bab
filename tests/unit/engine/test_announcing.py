"""Events of what channels may sell: once for all that has changed, adding up for whoever owns."""

from collections import Counter
from typing import Any

from engine import commands
from engine.announcing import ANNOUNCED
from engine.commands import Command, shares
from engine.events import Event
from engine.outcome import Outcome
from engine.rebuild import facts_of
from engine.store.memory import MemoryServer, MemoryStore
from tests.builders import NOW_MS, Owner, count, empty_ledger, founding, receive, reserve, run

LIVE = {"pool": None, "late_payment": "hold_again", "anonymous_hold_seconds": None, ANNOUNCED: True}
SHOP = {**LIVE, ANNOUNCED: False}


def network(version: int, **channels: Any) -> Command:
    elements = {f"h|{name}": members for name, members in channels.items()}
    return commands.take_network(version - 1, version, elements)


class Listener:
    """An owner that announces, and what its events add up to."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.place: list[Any] | None = None
        self.sums: Counter[tuple[str, str]] = Counter()

    async def announce(self, most: int = 100) -> list[str]:
        """All portions; the SKUs told of."""
        skus: list[str] = []
        while True:
            replies, sealed = await self.owner.decide(shares.announce(self.place, most))
            assert replies[0][0] == Outcome.OK
            self.place = replies[0][1]
            if sealed is not None:
                await self.owner.store.commit(self.owner.right, sealed)
                skus += self.hear(sealed.events)
            if not replies[0][1][2]:
                return skus

    def hear(self, events: bytes) -> list[str]:
        told = [fact for fact in facts_of(events) if fact[0] is Event.AVAILABILITY]
        for _, sku, changed in told:
            for channel, (before, units) in changed.items():
                assert self.sums[sku, channel] == before
                self.sums[sku, channel] += units - before
        return [sku for _, sku, _ in told]


def on_shop(test: Any) -> Any:
    """With two SKUs, of which a channel that is told of has a quota, and one that is not."""

    def wrapped() -> None:
        async def story() -> None:
            owner = await Owner.of(MemoryStore(MemoryServer(1)))
            quota = shares.set_quota("A", "live", (2, None, 0, None))
            stock = {"A": {"w1": 5, "w2": 1}, "B": {"w1": 3}}
            await owner.do(*founding(stock), network(2, live=LIVE, shop=SHOP), quota)
            await test(Listener(owner))

        run(story())

    wrapped.__doc__ = test.__doc__
    return wrapped


@on_shop
async def test_all_figures_come_first_and_then_what_has_changed_once(listener: Listener) -> None:
    """However many reservations there were; what ends as it began is not told."""
    assert await listener.announce(most=1) == ["A", "B"]
    assert listener.sums == {("A", "live"): 6, ("B", "live"): 3}
    assert await listener.announce() == []
    for number in range(3):
        await listener.owner.do(reserve(f"k{number}", ("A", 1)))
    await listener.owner.do(reserve("back", ("B", 1)), commands.release("back"))
    assert await listener.announce() == ["A"]
    assert listener.sums["A", "live"] == 3
    await listener.owner.do(count("B", 0), receive("A", 4))
    assert sorted(await listener.announce()) == ["A", "B"]
    assert listener.sums == {("A", "live"): 7, ("B", "live"): 0}


@on_shop
async def test_the_next_owner_goes_on_where_the_last_one_stopped(listener: Listener) -> None:
    """What changed before it was told is told then."""
    await listener.announce()
    await listener.owner.do(reserve("k", ("B", 2)))
    listener.owner = await Owner.of(listener.owner.store, epoch=2)
    listener.place = None
    assert await listener.announce() == ["B"]
    assert listener.sums["B", "live"] == 1


@on_shop
async def test_a_portion_that_is_taken_back_is_told_again(listener: Listener) -> None:
    """The store has refused it."""
    ledger = listener.owner.ledger
    _, sealed = await listener.owner.decide(shares.announce(None, 9))
    assert sealed is not None
    ledger.take_back(sealed)
    assert sorted(await listener.announce()) == ["A", "B"]


@on_shop
async def test_a_channel_that_is_declared_later_is_told_of_from_nothing(
    listener: Listener,
) -> None:
    """And one that is no more goes on from its last figure, should it be again."""
    await listener.announce()
    await listener.owner.do(network(3, live=SHOP, shop=LIVE))
    listener.place = None
    await listener.announce()
    await listener.owner.do(reserve("k", ("B", 1)), network(4, live=LIVE))
    listener.place = None
    assert await listener.announce() == ["B"]
    assert listener.sums == {
        ("A", "live"): 6, ("B", "live"): 2, ("A", "shop"): 4, ("B", "shop"): 2,
    }  # fmt: skip


def test_a_reader_too_far_behind_is_told_so() -> None:
    """Then the owner looks at everything again."""
    ledger = empty_ledger()
    assert ledger.decide(shares.announce([ledger.epoch + 1, 0, "", False], 9), NOW_MS) == [
        Outcome.GAP, 0,
    ]  # fmt: skip
