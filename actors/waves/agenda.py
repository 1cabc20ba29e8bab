"""What is to be planned though nobody has asked: after so long, so many orders, or what happened.

Pure: instants are seconds on the caller's clock. What comes while a wave runs waits here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from actors.waves.touching import TOUCHED_MAX, Touching

#: What has happened, whose repair cannot wait first.
OUTAGE, REFUSAL, LATE_RECEIPT = "outage", "refusal", "late_receipt"
CORRECTION, BETTER_STOCK = "correction", "better_stock"
REPAIRS: Final = (OUTAGE, REFUSAL, LATE_RECEIPT, CORRECTION, BETTER_STOCK)

#: Something that happened: which of ``REPAIRS``, the node and the SKU; "" means any.
Touched: TypeAlias = tuple[str, str, str]

#: What happens together is repaired together: so long more of it is waited for.
GATHER_S: Final = 1.0
#: A repair that has not come to its end is tried again after this long.
AGAIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Automatic:
    """Which waves begin by themselves; by default none."""

    every_s: int = 0  # 0: not by the clock.
    every_orders: int = 0  # Confirmed since the last wave; 0: however many there are.
    repairs: bool = False  # Of what ``REPAIRS`` names.

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.every_s or self.every_orders or self.repairs)


@dataclass(frozen=True, slots=True)
class Due:
    """A wave that should begin now; over all orders where ``touching`` is None."""

    trigger: str
    touching: Touching | None = None
    closed_nodes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Heard:
    """What of one kind has happened since the last repair of it."""

    ripe_at: float
    nodes: set[str] = field(default_factory=set)
    skus: set[str] = field(default_factory=set)


class Agenda:
    """Says which wave is due."""

    def __init__(self, automatic: Automatic) -> None:
        self._automatic = automatic
        self._heard: dict[str, _Heard] = {}
        self._confirmed = 0
        self._since: float | None = None  # The last wave over all orders, or the first question.

    def hear(
        self, confirmed: int, touched: Iterable[Touched], now_s: float, wait_s: float = GATHER_S
    ) -> None:
        """So many orders were confirmed, and this has happened; its repair waits so long."""
        self._confirmed += confirmed
        for kind, node, sku in touched:
            heard = self._heard.setdefault(kind, _Heard(now_s + wait_s))
            heard.nodes.add(node)
            heard.skus.add(sku)

    def again(self, due: Due, now_s: float) -> None:
        """A repair has not come to its end: a shard was away, or moves were refused."""
        if due.trigger in REPAIRS:
            heard = self._heard.setdefault(due.trigger, _Heard(now_s + AGAIN_S))
            touching = due.touching or Touching()
            heard.nodes.update(touching.nodes or [""])
            heard.skus.update(touching.skus or [""])

    def began(self, touching: Touching | None, now_s: float) -> None:
        """A wave begins, whoever asked for it; one over all orders is what clock and count want."""
        if touching is None:
            self._since, self._confirmed = now_s, 0

    def due(self, now_s: float) -> Due | None:
        """The wave to begin now, taken off the agenda; to be asked while none runs."""
        if self._since is None:
            self._since = now_s
        for kind in REPAIRS:
            heard = self._heard.get(kind)
            if heard is not None and now_s >= heard.ripe_at:
                del self._heard[kind]
                return _repair(kind, heard)
        every = self._automatic
        if every.every_orders and self._confirmed >= every.every_orders:
            return Due("count")
        if every.every_s and now_s - self._since >= every.every_s:
            return Due("clock")
        return None


def _repair(kind: str, heard: _Heard) -> Due:
    """Units of these SKUs on these nodes; with more names than a wave is narrowed to, all."""
    nodes = () if "" in heard.nodes else tuple(sorted(heard.nodes))
    skus = () if "" in heard.skus else tuple(sorted(heard.skus))
    many = max(len(nodes), len(skus)) > TOUCHED_MAX
    touching = Touching(nodes, skus) if (nodes or skus) and not many else None
    return Due(kind, touching, nodes if kind == OUTAGE else ())
