"""What the shards of one host have accepted that orders should be planned anew for."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from actors.waves.agenda import (
    BETTER_STOCK,
    CORRECTION,
    LATE_RECEIPT,
    OUTAGE,
    REFUSAL,
    Automatic,
    Touched,
)
from engine.effects import Effects
from engine.events import Event
from engine.ledger import Ledger
from engine.stock import ON_ITS_WAY, Position

#: The reason of a correction by which a place says that it will not serve what it was promised for.
REFUSED: Final = "refusal"
#: Things remembered until they are told; beyond that all orders are looked at for the kind.
_KEPT_MAX: Final = 10_000
_CONFIRMED: Final = int(Event.CONFIRMED)
_SHORT: Final = frozenset({Event.SHORT, Event.LATE})


class Noticing:
    """Of one host. ``accepted`` stands on the way of every commit: it costs next to nothing."""

    def __init__(self, automatic: Automatic, net: int) -> None:
        self._automatic = automatic
        self._net = net
        self._confirmed = 0
        self._touched: dict[Touched, None] = {}
        #: Units by (fact, backing) of what is open: only what grows is news.
        self._short: dict[tuple[int, str], int] = {}

    def accepted(self, shard: int, effects: Effects) -> None:
        """The store has a batch of a shard."""
        if self._automatic.every_orders:
            self._confirmed += effects.facts[::3].count(_CONFIRMED)
        if not self._automatic.repairs:
            return
        for position, (added, removed) in effects.world.items():
            if added > removed and _is_better(position):
                self._note((BETTER_STOCK, "", position.book.sku))
        if effects.fields:  # A shortfall, and every change of the network, writes some.
            facts = effects.facts
            for event, subject, told in zip(facts[::3], facts[1::3], facts[2::3], strict=True):
                if event in _SHORT:
                    self._fell_short(event, subject, told)
                elif event == Event.NETWORK and shard == self._net:
                    self._note_all(_shut(told.items()))

    def loaded(self, ledger: Ledger) -> None:
        """A shard has come to this host, or somebody else is to be told: what is open counts."""
        if not self._automatic.repairs:
            return
        for event, records in ((Event.SHORT, ledger.shortfalls), (Event.LATE, ledger.late)):
            for backing, record in records.items():
                self._short.pop((event, backing), None)
                self._fell_short(event, backing, record)
        if ledger.shard == self._net:
            members = ((f"n|{name}", node.members) for name, node in ledger.nodes.items())
            self._note_all(_shut(members))

    def take(self) -> tuple[int, list[Touched]]:
        """Orders confirmed and what has happened since the last time."""
        taken = self._confirmed, list(self._touched)
        self._confirmed, self._touched = 0, {}
        return taken

    def put_back(self, confirmed: int, touched: Iterable[Touched]) -> None:
        """Nobody could be told."""
        self._confirmed += confirmed
        self._note_all(touched)

    def _fell_short(self, event: int, backing: str, record: list[Any] | None) -> None:
        before = self._short.pop((event, backing), 0)
        if record is None:
            return
        _, units, reason, *_ = record
        self._short[event, backing] = units
        if units > before:
            sku, _, slot = backing.partition("|")
            if ON_ITS_WAY in slot:
                self._note((LATE_RECEIPT, "", sku))
            else:
                self._note((REFUSAL if reason == REFUSED else CORRECTION, slot, sku))

    def _note_all(self, touched: Iterable[Touched]) -> None:
        for one in touched:
            self._note(one)

    def _note(self, touched: Touched) -> None:
        if len(self._touched) >= _KEPT_MAX:
            touched = touched[0], "", ""
        self._touched[touched] = None


def _is_better(position: Position) -> bool:
    """Whether units have come that orders could have which stand elsewhere."""
    if position.supply is not None or not position.sellable:
        return False
    others = position.book.positions.values()
    return any(other.committed for other in others if other is not position)


def _shut(members: Iterable[tuple[str, Any]]) -> Iterator[Touched]:
    """Nodes among elements of the network that send nothing any more."""
    for name, value in members:
        if name[0] == "n" and value.get("capacity_per_hour") == 0:
            yield OUTAGE, name[2:], ""
