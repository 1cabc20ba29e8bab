"""What may be sold of which SKU, for somebody who follows: all there is, then what has changed.

A reader's place in a shard is ``[epoch, seq, sku, whole]``. While ``whole``, all SKUs are told in
the order of their names; ``sku`` was the last. Then those that changed after commit ``seq``, in the
order of commits and names; of the commit behind it only those behind ``sku``. What changes while
all are being told is told again afterwards.
"""

from bisect import bisect_left, bisect_right, insort
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from engine.commands import Command, Reply
from engine.limits import CHANGES_LOOKED_AT_MAX, CHANGES_ROWS_MAX
from engine.outcome import Outcome
from engine.views import sellable

if TYPE_CHECKING:
    from engine.state import ShardState

#: [epoch, seq, sku, whole]
Place: TypeAlias = list[Any]


def changes(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.changes``."""
    _, place, most = command
    found = portion(state, place, most)
    if found is None:
        return [Outcome.GAP, state.seq]
    told: dict[str, Any] = {}
    rows = 0
    for _, sku in found.named[:most]:
        seen = told[sku] = sellable(state.books[sku], now_ms)
        rows += len(seen[0])
        if rows >= CHANGES_ROWS_MAX:
            break
    return [Outcome.OK, state.seq, found.behind(state, len(told)), told]


class Portion(NamedTuple):
    """What follows a reader's place."""

    place: Place
    named: list[tuple[int, str]]  # (commit, SKU), one more than is told at a time.

    def behind(self, state: "ShardState", count: int) -> Place:
        """His place when he has been told so many of them."""
        epoch, seq, _, whole = self.place
        if count < len(self.named):
            at, last = self.named[count - 1]
            return [epoch, seq if whole else at - 1, last, whole]
        return [epoch, seq if whole else state.seq, "", False]


def portion(state: "ShardState", place: Place | None, most: int) -> Portion | None:
    """The SKUs behind a place (None: at the beginning); None where nobody can tell any more."""
    start: Place = [state.epoch, state.seq, "", True] if place is None else place
    epoch, seq, last, whole = start
    if epoch != state.epoch or seq + 1 < state.changed_floor:
        return None
    named = _all(state, last, most) if whole else _changed(state, seq, last, most)
    return None if named is None else Portion(start, named)


def _all(state: "ShardState", last: str, most: int) -> list[tuple[int, str]]:
    """SKUs behind ``last``, one more than is told at a time."""
    names = order(state)
    start = bisect_right(names, last)
    return [(0, sku) for sku in names[start : start + most + 1]]


def _changed(state: "ShardState", seq: int, last: str, most: int) -> list[tuple[int, str]] | None:
    """(commit, SKU) of the oldest changes not told, one more than is told at a time.

    None: too many to look through, which must not hold up those who sell.
    """
    newer: list[tuple[int, str]] = []
    for sku, changed_at in islice(reversed(state.changed.items()), CHANGES_LOOKED_AT_MAX):
        if changed_at <= seq:
            break
        at = min(changed_at, state.seq)  # Commits that were taken back have left theirs.
        if (at, sku) > (seq + 1, last) and sku in state.books:
            newer.append((at, sku))
    else:
        if len(state.changed) > CHANGES_LOOKED_AT_MAX:
            return None
    return nsmallest(most + 1, newer)


def order(state: "ShardState") -> list[str]:
    """All SKUs by name; kept from the first time on that somebody asks for them."""
    if state.sku_order is None:
        state.sku_order = sorted(state.books)
    return state.sku_order


def enter(state: "ShardState", sku: str) -> None:
    """A SKU has become known."""
    if state.sku_order is not None:
        insort(state.sku_order, sku)


def leave(state: "ShardState", sku: str) -> None:
    """It has not."""
    if state.sku_order is not None:
        del state.sku_order[bisect_left(state.sku_order, sku)]
