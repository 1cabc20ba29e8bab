"""Coordinators that stop at each step of a refusal, a late payment and a parcel, on real hosts."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from actors import sagas
from engine import commands
from engine.commands import Command, Op, Reply
from engine.ids import digest, home_of
from engine.outcome import Outcome
from engine.record import Line, Reservation, Status
from engine.requests import Reserve
from tests.cluster import eventually
from tests.fault.coordinator import HOWS, Coordinator, Stopped
from tests.real import SHARDS, Real, basket, fresh, hold, skus_over

#: A piece asks home after 5 s; then its answer, its commit, and a machine that is busy.
_ENDED_S: Final = 25.0
Position = dict[str, int]


class Basket:
    """Two units of a SKU of each of four shards."""

    def __init__(self, real: Real, request: Reserve) -> None:
        self.real = real
        self.request = request
        self.skus = [line[0] for line in request.lines]
        self.home = home_of(self.skus, SHARDS)

    async def at_home(self, command: Command) -> Reply:
        """What home decides, once it says so."""
        return await self.real.surely(min(self.skus), command)

    async def status(self) -> Status:
        """As home has it."""
        return Reservation((await self.at_home(commands.read(self.request.key)))[1]).status

    async def everywhere(self, holds: Callable[[Position], bool]) -> None:
        """Wait until every shard says so."""

        async def so() -> bool:
            return all([holds(await self.real.position(sku)) for sku in self.skus])

        await eventually(so, _ENDED_S)


async def made(real: Real, *, hold_ms: int | None = None, reserved: bool = True) -> Basket:
    """A basket, held unless told otherwise; ``hold_ms``: not for long."""
    skus = skus_over(4)
    await real.stock(*skus, units=10)
    lines: list[Line] = [[sku, None, 2] for sku in skus]
    request = basket(fresh("k"), *lines)
    if hold_ms is not None:
        request = Reserve(request.key, digest(lines, hold_ms, None), lines, hold_ms, None, False)
    if reserved:
        reply = await real.client.reserve_over_shards(request, real.deadline(10))
        assert reply[0] == Outcome.OK, reply
    return Basket(real, request)


def steps(*kinds: tuple[Op, int]) -> list[tuple[Op, int, bool, bool]]:
    """(what it does last, which of them, whether it is sent, whether its answer is seen)."""
    return [(op, nth, *how) for op, most in kinds for nth in range(1, most + 1) for how in HOWS]


DROPS: Final = [step for step in steps((Op.DROP, 3)) if not step[3]]
PAYMENTS: Final = steps((Op.TAKE, 3), (Op.SEAL, 1))
PARCELS: Final = steps((Op.STOCK, 3), (Op.FULFIL, 1))


def stopping(real: Real, step: tuple[Op, int, bool, bool]) -> Coordinator:
    """A coordinator that ends at a step."""
    op, nth, sent, answered = step
    return Coordinator(real, op=op, nth=nth, sent=sent, answered=answered)


def test_a_coordinator_that_stops_while_it_drops_leaves_nothing(real: Real) -> None:
    """Home has refused; pieces that nobody gives back ask home and end; the key is free."""

    async def story(step: tuple[Op, int, bool, bool]) -> None:
        bought = await made(real, reserved=False)
        home_sku = min(bought.skus)
        for key in ("all-a", "all-b"):
            reply = await real.surely(home_sku, hold(f"{key}-{home_sku}", home_sku, 5))
            assert reply[0] == Outcome.OK
        refused = sagas.reserve(stopping(real, step), SHARDS, bought.request, real.deadline(5))
        assert (await refused)[0] == Outcome.SHORT
        others = Basket(real, bought.request)
        others.skus = [sku for sku in bought.skus if sku != home_sku]
        await others.everywhere(lambda position: position["reserved"] == 0)
        await real.surely(home_sku, commands.release(f"all-a-{home_sku}"))
        again = await real.client.reserve_over_shards(bought.request, real.deadline(5))
        assert again[0] == Outcome.OK
        await others.everywhere(lambda position: position["reserved"] == 2)

    async def stories() -> None:
        await asyncio.gather(*map(story, DROPS))

    real.run(stories())


def test_a_coordinator_that_stops_at_any_step_of_a_late_payment(real: Real) -> None:
    """Paid as a whole or not at all; whoever pays again pays once."""

    async def story(step: tuple[Op, int, bool, bool]) -> None:
        bought = await made(real, hold_ms=500)
        await bought.everywhere(lambda position: position["sellable"] == 10)
        key, home = bought.request.key, bought.home
        late = await bought.at_home(commands.confirm(key))
        assert late[0] == Outcome.ELSEWHERE
        with pytest.raises(Stopped):
            await sagas.confirm_late(
                stopping(real, step), SHARDS, home, key, late[1], real.deadline(5)
            )
        paid = step[0] == Op.SEAL and step[2]
        units = {"reserved": 0, "committed": 2 if paid else 0}
        await bought.everywhere(lambda position: units.items() <= position.items())
        assert await bought.status() is (Status.CONFIRMED if paid else Status.EXPIRED)
        again = await bought.at_home(commands.confirm(key))
        assert again[0] == (Outcome.OK if paid else Outcome.ELSEWHERE)
        if not paid:
            again = await real.client.confirm_late(home, key, again[1], real.deadline(5))
            assert again[0] == Outcome.OK
        await bought.everywhere(lambda p: (p["reserved"], p["committed"]) == (0, 2))

    async def stories() -> None:
        await asyncio.gather(*map(story, PAYMENTS))

    real.run(stories())


def test_a_coordinator_that_stops_at_any_step_of_a_parcel(real: Real) -> None:
    """Units leave every shard or none; the same parcel again leaves once."""

    async def story(step: tuple[Op, int, bool, bool]) -> None:
        bought = await made(real)
        key, home = bought.request.key, bought.home
        assert (await bought.at_home(commands.confirm(key)))[0] == Outcome.OK
        await bought.everywhere(lambda position: position["committed"] == 2)
        lines = [[sku, "w1", 1] for sku in bought.skus]
        parcel = commands.fulfil(key, "parcel-1", b"p" * 16, lines)
        told = await bought.at_home(parcel)
        assert told[0] == Outcome.ELSEWHERE
        with pytest.raises(Stopped):
            await sagas.fulfil(
                stopping(real, step), SHARDS, home, parcel, told[1], real.deadline(5)
            )
        left = step[0] == Op.FULFIL and step[2]
        if left:
            await bought.everywhere(lambda p: (p["on_hand"], p["committed"]) == (9, 1))
        again = await bought.at_home(parcel)
        assert again[0] == (Outcome.OK if left else Outcome.ELSEWHERE)
        if not left:
            again = await real.client.fulfil_over_shards(
                home, key, "parcel-1", b"p" * 16, lines, again[1], real.deadline(5)
            )
            assert again[0] == Outcome.OK
        await bought.everywhere(lambda p: (p["on_hand"], p["committed"]) == (9, 1))
        assert await bought.status() is Status.CONFIRMED

    async def stories() -> None:
        await asyncio.gather(*map(story, PARCELS))

    real.run(stories())
