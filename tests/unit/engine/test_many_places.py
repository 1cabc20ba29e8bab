"""A SKU that lies in thousands of places: no step may walk over all of them for each of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from engine import commands
from engine.commands import Command, network, shares
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import CAMPAIGN, CHANNEL, ZONE, pack
from engine.stock import Position, Terms
from tests.builders import NOW_MS, WAREHOUSE, adjust, empty_ledger, reserve

PLACES = [f"s{number:04d}" for number in range(600)]


class Walked(dict[str, Position]):
    """Positions of a book, which counts how many of them were looked at."""

    steps = 0

    def values(self) -> Any:
        """All of them are walked over."""
        self.steps += len(self)
        return super().values()

    def __getitem__(self, slot: str) -> Position:
        self.steps += 1
        return super().__getitem__(slot)

    def __iter__(self) -> Iterator[str]:
        self.steps += len(self)
        return super().__iter__()


def known_places(channels: tuple[str, ...] = ()) -> tuple[Ledger, Walked]:
    """A ledger with the places and one SKU that lies nowhere yet, and its positions."""
    ledger = empty_ledger()
    members = {**WAREHOUSE, "channels": list(channels)}
    nodes = {f"n|{place}": members for place in PLACES}
    ledger.decide(commands.take_network(0, 1, nodes), NOW_MS)
    ledger.decide(commands.define_sku("A", ["A", 0, None]), NOW_MS)
    ledger.seal()
    positions = ledger.books["A"].positions = Walked()
    return ledger, positions


def test_recovery_walks_over_the_positions_a_few_times_only() -> None:
    """Each is added on its own, as the store's fields come in no order."""
    ledger, positions = known_places()
    ledger.load_state((f"q|A|{place}", pack([5, 0, 0, 0])) for place in PLACES)
    assert len(positions) == len(PLACES)
    assert positions.steps <= 4 * len(PLACES)


def test_an_import_and_its_way_back_walk_over_them_a_few_times_only() -> None:
    """Slices make the positions one by one; a store that refuses them takes each away again."""
    ledger, positions = known_places(("live",))
    for at in range(0, len(PLACES), 100):
        ledger.decide(adjust(*(("A", place, 5) for place in PLACES[at : at + 100])), NOW_MS)
    assert ledger.books["A"].restricted == len(PLACES)
    ledger.take_back(None)
    assert not positions
    assert not ledger.books["A"].restricted
    assert positions.steps <= 4 * len(PLACES)


def only_place(ledger: Ledger) -> str | None:
    """The node whose position takes the short way."""
    only = ledger.books["A"].only
    return None if only is None else only.node


def test_the_only_place_is_known_whatever_came_and_went() -> None:
    """One place without channels takes the short way; a second one, or channels, end that."""
    ledger, _ = known_places()
    ledger.decide(adjust(("A", PLACES[0], 5)), NOW_MS)
    assert only_place(ledger) == PLACES[0]
    ledger.seal()
    ledger.decide(adjust(("A", PLACES[1], 5)), NOW_MS)
    assert only_place(ledger) is None
    ledger.take_back(None)
    assert only_place(ledger) == PLACES[0]
    served = {f"n|{PLACES[0]}": {**WAREHOUSE, "channels": ["live"]}}
    ledger.decide(network.define(served), NOW_MS)
    assert only_place(ledger) is None


def stocked_places(units: int, *commands_first: Command) -> tuple[Ledger, Walked]:
    """So many units in each place, with lanes to a zone; what was decided after that."""
    ledger, positions = known_places()
    ledger.decide(adjust(*(("A", place, units) for place in PLACES)), NOW_MS)
    lanes: list[list[Any]] = [
        [place, "north", 100 + at, 0, 1, None, []] for at, place in enumerate(PLACES)
    ]
    ledger.decide(network.define_lanes(lanes), NOW_MS)
    for command in commands_first:
        assert ledger.decide(command, NOW_MS)[0] == Outcome.OK
    ledger.seal()
    return ledger, positions


NORTH: dict[str, Any] = {ZONE: "north"}
LIVE: dict[str, Any] = {CHANNEL: "live"}
DROP: dict[str, Any] = {CAMPAIGN: "drop"}
DECLARED = shares.open_campaign(
    "drop", list(Terms(defined=True, ends_at_ms=2 * NOW_MS)), [["A", 2 * len(PLACES)]]
)


@pytest.mark.parametrize(("there", "first", "units", "extra"), [
    (3, (), 2, {}),
    (3, (), 2, NORTH),
    (1, (), 3, NORTH),
    (0, (), 1, {}),
    (0, (), 1, NORTH),
    (1, (), 30, NORTH),
    (3, (shares.set_quota("A", "live", [len(PLACES), None, 0, None]),), 1, LIVE),
    (3, (shares.set_quota("A", "live", [len(PLACES), None, 0, None]),), 1, {**LIVE, **NORTH}),
    (3, (shares.set_quota("A", "live", [2 * len(PLACES), None, 0, None]),), 1, NORTH),
    (3, (shares.set_quota("A", "live", [0, None, 9, None]),), 1, LIVE),
    (3, (DECLARED,), 1, DROP),
    (3, (DECLARED,), 3, DROP),
    (3, (DECLARED,), 2, {**DROP, **NORTH}),
], ids=["anywhere", "to a zone", "split", "sold out", "sold out to a zone", "too many to a zone",
        "of a quota", "of a quota to a zone", "beside a quota", "beyond a buffer", "of a campaign",
        "split of a campaign", "of a campaign to a zone"])  # fmt: skip
def test_a_request_looks_at_a_few_places(
    there: int, first: tuple[Command, ...], units: int, extra: dict[str, Any]
) -> None:
    """Served or refused, with and without units that come back; once the order is made."""
    ledger, positions = stocked_places(there, *first)
    for number in range(120):
        if number == 20:
            positions.steps = 0
        reply = ledger.decide(reserve(f"k{number}", ("A", units), **extra), NOW_MS)
        if reply[0] == Outcome.OK and number % 3 == 0:
            ledger.decide(commands.release(f"k{number}"), NOW_MS)
    assert positions.steps <= 100 * 25


def test_a_quota_that_is_a_part_of_the_stock_follows_an_import_row_by_row() -> None:
    """Each row looks at the places that get the units, not at all of them."""
    ledger, positions = stocked_places(
        3, shares.set_quota("A", "live", [0, None, 0, 500]),
    )  # fmt: skip
    positions.steps = 0
    for at in range(0, len(PLACES), 100):
        ledger.decide(adjust(*(("A", place, 4) for place in PLACES[at : at + 100])), NOW_MS)
    share = ledger.books["A"].shares["c:live"]
    assert share.exclusive == share.placed == 7 * len(PLACES) // 2
    assert positions.steps <= 25 * len(PLACES)
