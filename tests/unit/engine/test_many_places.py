"""A SKU that lies in thousands of places: no step may walk over all of them for each of them."""

from collections.abc import Iterator
from typing import Any

from engine import commands
from engine.commands import network
from engine.ledger import Ledger
from engine.record import pack
from engine.stock import Position
from tests.builders import NOW_MS, WAREHOUSE, adjust, empty_ledger

PLACES = [f"s{number:04d}" for number in range(600)]


class Walked(dict[str, Position]):
    """Positions of a book, which counts how many of them were walked over."""

    steps = 0

    def values(self) -> Any:
        """All of them are walked over."""
        self.steps += len(self)
        return super().values()

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
