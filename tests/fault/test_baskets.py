"""Baskets over four shards whose coordinator stops at each step, on real hosts."""

import asyncio
from collections.abc import Callable
from typing import Final

from actors import sagas
from engine import commands
from engine.commands import Op, Reply
from engine.ids import home_of, shard_of
from engine.outcome import Outcome
from engine.record import Reservation, Status
from engine.requests import Reserve
from tests.cluster import until
from tests.fault.coordinator import HOWS, Coordinator, Stopped
from tests.real import SHARDS, Real, basket, fresh, skus_over

#: A piece asks home after 5 s; then its answer, its commit, and a machine that is busy.
_ENDED_S: Final = 25.0


async def stopped(real: Real, request: Reserve, coordinator: Coordinator) -> None:
    """Run a reservation up to the step at which its coordinator ends."""
    try:
        await sagas.reserve(coordinator, SHARDS, request, real.deadline(5))
    except Stopped:
        return
    raise AssertionError("the coordinator was not stopped")


#: (what it does last, which of them, whether it is sent, whether its answer is seen)
STEPS: Final = [
    (op, nth, sent, answered)
    for op, most in ((Op.TAKE, 3), (Op.SEAL, 1))
    for nth in range(1, most + 1)
    for sent, answered in HOWS
]


async def whole_or_nothing(real: Real, request: Reserve) -> bool:
    """Whether a basket is held, once its pieces have settled; False where nothing is left."""
    skus = [line[0] for line in request.lines]

    async def reserved() -> set[int]:
        return {(await real.position(sku))["reserved"] for sku in skus}

    async with asyncio.timeout(_ENDED_S):
        while True:
            home = home_of(skus, SHARDS)
            reply = await real.client.call(home, commands.read(request.key), real.deadline())
            held = reply[0] == Outcome.OK and Reservation(reply[1]).status is Status.HELD
            if await reserved() == ({2} if held else {0}):
                return held
            await asyncio.sleep(0.1)


def test_a_coordinator_that_stops_at_any_step_leaves_no_half_basket(real: Real) -> None:
    """Pieces ask home within seconds: held as a whole, or given back as a whole."""

    async def story() -> None:
        requests: list[Reserve] = []
        for op, nth, sent, answered in STEPS:
            skus = skus_over(4)
            await real.stock(*skus, units=10)
            request = basket(fresh("k"), *([sku, None, 2] for sku in skus))
            coordinator = Coordinator(real, op=op, nth=nth, sent=sent, answered=answered)
            await stopped(real, request, coordinator)
            requests.append(request)
        ended = await asyncio.gather(*(whole_or_nothing(real, request) for request in requests))
        sealed = [op == Op.SEAL and sent for op, _, sent, _ in STEPS]
        assert ended == sealed
        for request, held in zip(requests, ended, strict=True):
            reply = await real.client.reserve_over_shards(request, real.deadline(5))
            assert reply[0] == (Outcome.REPEATED if held else Outcome.OK)

    real.run(story())


def test_owners_killed_between_the_steps_leave_no_half_basket(real: Real) -> None:
    """A participant dies after its piece was taken, and home after it has sealed."""

    async def story() -> None:
        skus = skus_over(4)
        await real.stock(*skus, units=10)
        home = home_of(skus, SHARDS)
        request = basket(fresh("k"), *([sku, None, 2] for sku in skus))
        participant = next(sku for sku in skus if shard_of(sku, SHARDS) != home)
        coordinator = Coordinator(real, op=Op.TAKE, nth=3, sent=True, answered=True)
        await stopped(real, request, coordinator)
        await real.kill_owner(participant)
        assert not await whole_or_nothing(real, request)

        await real.whole()
        request = basket(fresh("k"), *([sku, None, 2] for sku in skus))
        coordinator = Coordinator(real, op=Op.SEAL, nth=1, sent=True, answered=True)
        await stopped(real, request, coordinator)
        await real.kill_owner(min(skus))
        assert await whole_or_nothing(real, request)

        # Paid at home; a participant's owner dies before it has heard of it, or after.
        confirm = commands.confirm(request.key)
        assert (await real.surely(min(skus), confirm))[0] == Outcome.OK
        await real.whole()
        await real.kill_owner(participant)
        await _all(real, skus, lambda position: position["committed"] == 2)

    real.run(story())


async def _all(real: Real, skus: list[str], right: Callable[[dict[str, int]], bool]) -> None:
    """Wait until the news have reached every shard."""
    seen: dict[str, bool] = {}

    async def look() -> None:
        while not all(seen.get(sku) for sku in skus):
            for sku in skus:
                seen[sku] = right(await real.position(sku))
            await asyncio.sleep(0.1)

    looking = asyncio.create_task(look())
    await until(looking.done, _ENDED_S)
    await looking


def test_the_same_basket_many_times_at_once_has_one_effect(real: Real) -> None:
    """One of them seals, all others are told of it."""

    async def story() -> None:
        skus = skus_over(4)
        await real.stock(*skus, units=100)
        request = basket(fresh("k"), *([sku, None, 2] for sku in skus))

        async def surely() -> Reply:
            while True:
                reply = await real.client.reserve_over_shards(request, real.deadline(5))
                if reply[0] in (Outcome.OK, Outcome.REPEATED):
                    return reply
                assert reply[0] in (Outcome.IN_PROGRESS, Outcome.CONTENDED), reply
                await asyncio.sleep(0.05)

        replies = await asyncio.gather(*(surely() for _ in range(50)))
        assert sum(reply[0] == Outcome.OK for reply in replies) == 1
        assert {Reservation(reply[1]).digest for reply in replies} == {request.digest}
        assert await whole_or_nothing(real, request)

    real.run(story())


def test_baskets_that_want_the_same_last_units(real: Real) -> None:
    """As many whole baskets as there are units for, and nothing held for the others."""

    async def story() -> None:
        skus = skus_over(4)
        await real.stock(*skus, units=10)
        requests = [basket(fresh("k"), *([sku, None, 2] for sku in skus)) for _ in range(20)]

        async def surely(request: Reserve) -> Reply:
            while True:
                reply = await real.client.reserve_over_shards(request, real.deadline(5))
                if reply[0] not in (Outcome.CONTENDED, Outcome.IN_PROGRESS):
                    return reply
                await asyncio.sleep(0.05)

        replies = await asyncio.gather(*map(surely, requests))
        assert sorted(reply[0] for reply in replies) == [Outcome.OK] * 5 + [Outcome.SHORT] * 15
        for sku in skus:
            assert (await real.position(sku))["reserved"] == 10

    real.run(story())
