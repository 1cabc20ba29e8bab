"""Demand that could not be served: lost demand is data.

A refusal changes nothing, so it has no commit of its own. Owners count what they have told no, and
once a second a command writes the counts as one event; at a crash the last second may be lost.
Gateways count what they refuse themselves, and baskets over several shards: no single owner knows
whether such a basket was refused, or is a repeat of one that was held long ago.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from engine.commands import Command, Reply
from engine.demand import OF_CAMPAIGN, Demand
from engine.events import Event
from engine.limits import REFUSALS_KEPT_MAX
from engine.outcome import Outcome
from engine.record import Line
from engine.shares import Share

if TYPE_CHECKING:
    from engine.state import ShardState

#: (sku, share or None, reason, units)
Refusal: TypeAlias = tuple[str, str | None, str, int]
#: [sku, share or None, reason, requests, units]
Row: TypeAlias = list[Any]

_NOT_OPEN: Final = "campaign-not-open"
#: Refusals that mean that somebody wanted what he could not have.
_REASONS: Final = {
    Outcome.OVER_LIMIT: "over-limit",
    Outcome.OVER_QUOTA: "over-quota",
    Outcome.CAMPAIGN_NOT_OPEN: _NOT_OPEN,
    Outcome.SHORT: "insufficient-stock",
}
#: What stands for all SKUs beyond those that are counted apart.
OTHERS: Final = ""


def refusals(lines: Sequence[Line], share: str | None, refused: Reply) -> list[Refusal]:
    """What a refusing reply means for each SKU; none where it was not for want of units.

    Of a basket those lines count that were the reason.
    """
    reason = _REASONS.get(refused[0])
    if reason is None:
        return []
    if refused[0] == Outcome.SHORT and refused[2]:
        reason = "sold-out"
    if refused[0] == Outcome.CAMPAIGN_NOT_OPEN:
        return [(sku, share, reason, units) for sku, _, units in lines]
    if refused[0] == Outcome.OVER_LIMIT:
        # Two limits may be exceeded; one over several SKUs means all of them.
        wanted = {row[0]: row[3] for row in refused[1] if row[0] is not None}
        if len(wanted) < len({row[0] for row in refused[1]}):
            wanted = {sku: units for sku, _, units in lines}
        return [(sku, share, reason, units) for sku, units in wanted.items()]
    return [(row[0], share, reason, row[2]) for row in refused[1]]


def note(state: "ShardState", lines: Sequence[Line], demand: Demand, refused: Reply) -> None:
    """Note a refusal; it counts when it has been said."""
    state.refusals += refusals(lines, demand.share, refused)


class DemandLog:
    """What one owner has refused since it was last written."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str | None, str], list[int]] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._counts)

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Count refusals that have been said."""
        for sku, share, reason, units in refusals:
            self._count((sku, share, reason), 1, units)

    def put_back(self, rows: Iterable[Row]) -> None:
        """Rows that could not be written count again."""
        for sku, share, reason, requests, units in rows:
            self._count((sku, share, reason), requests, units)

    def _count(self, at: tuple[str, str | None, str], requests: int, units: int) -> None:
        if at not in self._counts and len(self._counts) >= REFUSALS_KEPT_MAX:
            at = (OTHERS, None, at[2])
        counts = self._counts.setdefault(at, [0, 0])
        counts[0] += requests
        counts[1] += units

    def take(self) -> list[Row]:
        """All rows; counting begins anew."""
        rows = [[*at, *counts] for at, counts in self._counts.items()]
        self._counts = {}
        return rows


def count_refused(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.count_refused``; a campaign counts what came while it was open."""
    rows = command[1]
    for sku, name, reason, _, units in rows:
        share = None if reason == _NOT_OPEN else _campaign(state, sku, name)
        if share is not None:
            state.touch_share(share)
            share.refused += units
    state.fact(Event.DEMAND_REFUSED, "", rows)
    return [Outcome.OK]


def _campaign(state: "ShardState", sku: str, name: str | None) -> Share | None:
    book = state.books.get(sku)
    if book is None or name is None or not name.startswith(OF_CAMPAIGN):
        return None
    return book.shares.get(name)
