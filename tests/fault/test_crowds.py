"""Crowds over HTTP, and a gateway that dies under them."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from engine import commands
from engine.outcome import Outcome
from engine.record import Reservation
from tests.cluster import eventually
from tests.real import SHARDS, Answer, Http, Real, fresh, skus_over

BUYERS: Final = 10_000
UNITS: Final = 1_000
CONNECTIONS: Final = 256
_PAUSE_S: Final = 0.02
#: A piece asks home after 5 s; then its answer, its commit, and a machine that is busy.
_PIECES_S: Final = 25.0


@pytest.fixture(scope="module")
def _gateway(engine: Real) -> Iterator[None]:
    engine.run(engine.start_worker())
    yield
    engine.run(engine.kill_worker())


pytestmark = pytest.mark.usefixtures("_gateway")


async def surely(http: Http, key: str, sku: str) -> Answer:
    """The definite answer to a reservation: whoever is told to come back does."""
    while True:
        answer = await http.reserve(key, sku)
        if answer.status not in (429, 503):
            return answer
        await asyncio.sleep(_PAUSE_S)


async def decided(http: Http, key: str, skus: list[str]) -> Answer:
    """The definite answer to a basket; units in others that are not decided yet are none."""
    while True:
        answer = await http.basket(key, skus)
        if answer.status not in (429, 503) and not answer.body.get("retryable"):
            return answer
        await asyncio.sleep(_PAUSE_S)


async def crowd(real: Real, keys: list[str], sku: str, connections: int) -> dict[str, Answer]:
    """Every key's answer, over so many connections."""
    told: dict[str, Answer] = {}
    left = list(keys)

    async def buy() -> None:
        async with Http(real.port) as http:
            while left:
                key = left.pop()
                told[key] = await surely(http, key, sku)

    await asyncio.gather(*(buy() for _ in range(connections)))
    return told


async def exactly_those_are_held(real: Real, sku: str, held: list[str]) -> None:
    """Acknowledged is present, and nobody else has units."""
    for key in held:
        reply = await real.surely(sku, commands.read(key))
        assert reply[0] == Outcome.OK, f"{key} was acknowledged and is not there"
        assert sum(units for _, _, units in Reservation(reply[1]).backings()) == 1
    assert (await real.position(sku))["reserved"] == len(held)


def test_ten_thousand_buyers_for_a_thousand_units(real: Real) -> None:
    """Exactly a thousand are held; a winner who asks again is not told that it is sold out."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=UNITS)
        keys = [fresh("k") for _ in range(BUYERS)]
        told = await crowd(real, keys, sku, CONNECTIONS)
        held = [key for key, answer in told.items() if answer.status == 201]
        assert len(held) == UNITS
        assert {answer.status for answer in told.values()} == {201, 409}
        position = await real.position(sku)
        assert position == {"on_hand": UNITS, "reserved": UNITS, "committed": 0, "sellable": 0}
        again = await crowd(real, held, sku, CONNECTIONS)
        assert {answer.status for answer in again.values()} == {200}
        await exactly_those_are_held(real, sku, held)

    real.run(story())


def test_the_same_key_a_hundred_times_at_once(real: Real) -> None:
    """One effect: one is told that it was made, all others that it is there."""

    async def story() -> None:
        sku, key = fresh("sku"), fresh("k")
        await real.stock(sku, units=10)

        async def buy() -> Answer:
            async with Http(real.port) as http:
                return await surely(http, key, sku)

        answers = await asyncio.gather(*(buy() for _ in range(100)))
        assert sorted(answer.status for answer in answers) == [200] * 99 + [201]
        assert len({answer.body["id"] for answer in answers}) == 1
        await exactly_those_are_held(real, sku, [key])

    real.run(story())


def test_the_last_winner_of_a_sold_out_sku_retries(real: Real) -> None:
    """While everybody else is told "sold out" from the gateway's hint, he is told "yours"."""

    async def story() -> None:
        sku, winner = fresh("sku"), fresh("k")
        await real.stock(sku, units=1)
        async with Http(real.port) as http:
            assert (await surely(http, winner, sku)).status == 201
            for _ in range(100):
                losers = [fresh("k") for _ in range(50)]
                told, again = await asyncio.gather(
                    crowd(real, losers, sku, 10), surely(http, winner, sku)
                )
                assert {answer.status for answer in told.values()} == {409}
                assert again.status == 200
        await exactly_those_are_held(real, sku, [winner])

    real.run(story())


def test_a_gateway_is_killed_with_requests_in_flight(real: Real) -> None:
    """Callers repeat their keys to the next one: each is held once, whatever was answered."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=1_000_000)
        keys = [fresh("k") for _ in range(3_000)]
        left, told, broken = list(keys), dict[str, Answer](), 0

        async def buy() -> None:
            nonlocal broken
            while left:
                key = left.pop()
                while key not in told:
                    try:
                        async with Http(real.port) as http:
                            told[key] = await surely(http, key, sku)
                    except (OSError, asyncio.IncompleteReadError):
                        broken += 1
                        await asyncio.sleep(_PAUSE_S)

        buyers = [asyncio.create_task(buy()) for _ in range(64)]
        for answered in (500, 1_500):
            while len(told) < answered:  # noqa: ASYNC110 - other tasks' count
                await asyncio.sleep(0)
            await real.kill_worker()
            await real.start_worker()
        await asyncio.gather(*buyers)
        assert broken, "nothing was in flight"
        assert {answer.status for answer in told.values()} <= {200, 201}
        await exactly_those_are_held(real, sku, keys)

    real.run(story())


@pytest.mark.parametrize("units", [1_000_000, 90], ids=["plenty", "scarce"])
def test_a_gateway_is_killed_in_the_middle_of_baskets(real: Real, units: int) -> None:
    """Its coordinators stop wherever they were: nothing is half, and a key is held once or not."""

    async def story() -> None:
        skus = skus_over(SHARDS)
        await real.stock(*skus, units=units)
        lot = random.Random(1)
        baskets = {fresh("k"): lot.sample(skus, 4) for _ in range(240)}
        left, told, broken = list(baskets), dict[str, Answer](), 0

        async def buy() -> None:
            nonlocal broken
            while left:
                key = left.pop()
                while key not in told:
                    try:
                        async with Http(real.port) as http:
                            told[key] = await decided(http, key, baskets[key])
                    except (OSError, asyncio.IncompleteReadError):
                        broken += 1
                        await asyncio.sleep(_PAUSE_S)

        buyers = [asyncio.create_task(buy()) for _ in range(32)]
        for answered in (40, 120):
            while len(told) < answered:  # noqa: ASYNC110 - other tasks' count
                await asyncio.sleep(0)
            await real.kill_worker()
            await real.start_worker()
        await asyncio.gather(*buyers)
        assert broken, "nothing was in flight"
        held = [key for key, answer in told.items() if answer.status in (200, 201)]
        assert {answer.status for answer in told.values()} <= {200, 201, 409}
        assert len(held) == len(baskets) or units < len(baskets)
        wanted = Counter(sku for key in held for sku in baskets[key])

        async def whole() -> bool:
            positions = {sku: await real.position(sku) for sku in skus}
            return all(positions[sku]["reserved"] == wanted[sku] <= units for sku in skus)

        await eventually(whole, _PIECES_S)
        for key, answer in told.items():
            reply = await real.surely(min(baskets[key]), commands.read(key))
            assert reply[0] == (Outcome.OK if key in held else Outcome.UNKNOWN_RESERVATION)
            if key in held:
                reservation = Reservation(reply[1])
                assert sorted(reservation.backings()) == [
                    (s, "w1", 1) for s in sorted(baskets[key])
                ]
                assert answer.body["id"].endswith(f".{key}")

    real.run(story())


def test_an_owner_is_killed_under_a_crowd(real: Real) -> None:
    """Nobody is told something wrong: repeats end in exactly as many holds as there are units."""

    async def story() -> None:
        sku = fresh("sku")
        await real.stock(sku, units=UNITS)
        keys = [fresh("k") for _ in range(4 * UNITS)]
        buying = asyncio.create_task(crowd(real, keys, sku, 64))
        while (await real.position(sku))["reserved"] < UNITS // 4:
            pass
        await real.kill_owner(sku)
        told = await buying
        # 200: its first answer was lost with the owner.
        held = [key for key, answer in told.items() if answer.status in (200, 201)]
        assert len(held) == UNITS
        assert {answer.status for answer in told.values()} <= {200, 201, 409}
        await exactly_those_are_held(real, sku, held)

    real.run(story())
