"""The desk of ``net``: one wave at a time, and what comes meanwhile afterwards."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from actors.waves import agenda, desk
from actors.waves.agenda import Automatic, Touched
from actors.waves.desk import Desk
from actors.waves.gathering import CannotGather
from actors.waves.wave import Report, WaveFailed
from tests.cluster import until

NET = 1
LOST: Touched = ("correction", "n", "A")
HIT: Touched = ("refusal", "n", "B")


class Office:
    """A desk whose waves end when the test says so; no shard but ``net`` is there."""

    def __init__(self, automatic: Automatic) -> None:
        self.waves: list[tuple[Report, asyncio.Future[Any]]] = []
        self.prices = 0
        ledger: Any = SimpleNamespace(shard=NET, shortfalls={}, late={}, nodes={})
        self.client: Any = SimpleNamespace(map=SimpleNamespace(owners=["h", "h"]))
        self.desk = Desk(asyncio.ensure_future, automatic, 1, lambda: [ledger])

    async def run(self, _client: Any, report: Report) -> Any:
        """In place of ``wave.run``."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waves.append((report, done))
        return await done

    def priced(self) -> None:
        """Prices would be found anew."""
        self.prices += 1

    async def begun(self, number: int) -> Report:
        """The wave of this number, once it runs; none behind it does."""
        await until(lambda: len(self.waves) >= number)
        await asyncio.sleep(0.05)
        assert len(self.waves) == number
        return self.waves[-1][0]

    def end(self, error: Exception | None = None) -> None:
        """The running wave."""
        if error is None:
            self.waves[-1][1].set_result(SimpleNamespace())
        else:
            self.waves[-1][1].set_exception(error)

    def hear(self, *touched: Touched, confirmed: int = 0) -> bool:
        """What another host tells."""
        rows = [list(row) for row in touched]
        told = self.desk.told({"do": "hear", "confirmed": confirmed, "touched": rows})
        return bool(told["heard"])

    def request(self, **more: Any) -> dict[str, Any]:
        """Somebody asks for a wave."""
        asked: dict[str, Any] = {
            "name": None, "scope": "confirmed", "max_seconds": 1, "dry_run": False,
            "closed_nodes": [], "touching": None, "capacity_percent": None, "days_faster": None,
            "merge_orders": False,
        }  # fmt: skip
        return self.desk.told({"do": "begin", **asked, **more})


Test = Callable[[Office], Coroutine[Any, Any, None]]


@pytest.fixture
def at_office(monkeypatch: pytest.MonkeyPatch) -> Callable[[Automatic, Test], None]:
    """Run a test at a desk that looks at everything at once."""
    for module, name in ((desk, "_LOOK_S"), (agenda, "AGAIN_S")):
        monkeypatch.setattr(module, name, 0.01)

    def run(automatic: Automatic, test: Test) -> None:
        async def main() -> None:
            office = Office(automatic)
            monkeypatch.setattr(desk, "run", office.run)
            monkeypatch.setattr(office.desk.prices, "after_wave", office.priced)
            office.desk.begin(office.client)
            await until(lambda: not automatic.wanted or office.hear())
            await test(office)
            await office.desk.stop()

        asyncio.run(main())

    return run


def test_what_happens_during_a_wave_is_repaired_behind_it(at_office: Any) -> None:
    async def test(office: Office) -> None:
        assert office.request(name="mine")["wave"]["trigger"] == "request"
        office.hear(LOST)
        office.hear(HIT)
        await asyncio.sleep(agenda.GATHER_S + 0.1)
        await office.begun(1)
        office.end()
        assert (await office.begun(2)).trigger == "refusal"
        assert office.request()["running"]["trigger"] == "refusal"
        office.end()
        assert (await office.begun(3)).trigger == "correction"
        office.end()
        await office.begun(3)
        assert office.prices == 1  # Repairs are not worth it.
        waves = office.desk.told({"do": "list"})["waves"]
        assert [one["name"] for one in waves] == ["mine", "w-1", "w-2"]

    at_office(Automatic(repairs=True), test)


def test_a_repair_for_which_a_shard_was_away_comes_again(at_office: Any) -> None:
    async def test(office: Office) -> None:
        office.hear(LOST)
        first = await office.begun(1)
        away = WaveFailed("shard 0: unavailable")
        away.__cause__ = CannotGather()
        office.end(away)
        second = await office.begun(2)
        assert (second.trigger, second.touching) == (first.trigger, first.touching)
        office.end(WaveFailed("the solver ended with 1"))  # That would be so again.
        await office.begun(2)
        assert office.desk.told({"do": "read", "name": "w-2"})["wave"]["state"] == "failed"

    at_office(Automatic(repairs=True), test)


def test_a_repair_goes_on_as_long_as_it_gets_anywhere(at_office: Any) -> None:
    async def test(office: Office) -> None:
        office.hear(LOST)
        first = await office.begun(1)
        first.moved, first.refusals = 3, Counter(short=1)
        office.end()
        second = await office.begun(2)
        second.moved, second.refusals = 0, Counter(short=1)
        office.end()
        await office.begun(2)

    at_office(Automatic(repairs=True), test)


def test_so_many_orders_begin_a_wave_and_one_that_is_asked_for_counts(at_office: Any) -> None:
    async def test(office: Office) -> None:
        office.hear(confirmed=9)
        office.request(dry_run=True)  # Moves nothing, so it is none.
        await office.begun(1)
        office.end()
        await office.begun(1)
        office.request()
        await office.begun(2)
        office.hear(confirmed=9)
        office.end()
        await office.begun(2)
        office.hear(confirmed=1)
        assert (await office.begun(3)).trigger == "count"
        office.end()

    at_office(Automatic(every_orders=10), test)


def test_a_desk_that_is_not_nets_hears_nothing() -> None:
    office = Office(Automatic(repairs=True))
    assert not office.hear(LOST)


def test_a_wave_that_nobody_wants_any_more_ends_where_net_goes(at_office: Any) -> None:
    async def test(office: Office) -> None:
        office.desk.leave()  # Nothing runs: nothing ends.
        office.request(name="mine")
        await office.begun(1)
        office.desk.leave()
        await asyncio.sleep(0.05)
        told = office.desk.told({"do": "read", "name": "mine"})["wave"]
        assert (told["state"], told["reason"]) == ("failed", desk.LEFT)

    at_office(Automatic(), test)
