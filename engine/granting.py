"""What a request may have of the units there are: refused before stock is looked at, or granted."""

from collections.abc import Sequence
from typing import Any

from engine.commands import Reply
from engine.demand import Demand
from engine.outcome import Outcome
from engine.record import CAMPAIGN, DELIVER_BY, Extra, Line, line_units
from engine.sourcing import available, choose, serves
from engine.state import ShardState
from engine.stock import Position


def refuse(
    state: ShardState, lines: Sequence[Line], extra: Extra | None, now_ms: int
) -> Reply | None:
    """What is wrong with a request before stock is looked at."""
    if extra and DELIVER_BY in extra and extra[DELIVER_BY] <= now_ms:
        return [Outcome.INVALID, "deliver_by", "must lie ahead"]
    unknown = sorted({line[0] for line in lines if line[0] not in state.books})
    if unknown:
        return [Outcome.UNKNOWN_SKU, unknown]
    unknown = sorted({line[1] for line in lines if line[1] and line[1] not in state.nodes})
    if unknown:
        return [Outcome.UNKNOWN_NODE, unknown]
    if extra and CAMPAIGN in extra:
        return [Outcome.UNKNOWN_CAMPAIGN, [extra[CAMPAIGN]]]
    return None


def grant(state: ShardState, lines: Sequence[Line], demand: Demand) -> list[Line] | None:
    """Set the units of all lines aside and return the lines with their backings, or None.

    Lines with a node are served first. With ``partial`` each line gets what is there, and
    None means that no line got anything.
    """
    granted: list[Line] = [[sku, wish, units] for sku, wish, units in lines]
    taken: list[tuple[Position, int]] = []
    for line in sorted(granted, key=lambda line: line[1] is None):
        sku, wish, units = line
        for position, part in _sources(state, sku, wish, units, demand):
            state.hold(position, part)
            taken.append((position, part))
            line.extend((position.slot, part))
        if not demand.partial and line_units(line) < units:
            break
    else:
        if taken:
            return granted
    for position, part in taken:
        state.hold(position, -part)
    return None


def _sources(
    state: ShardState, sku: str, wish: str | None, units: int, demand: Demand
) -> list[tuple[Position, int]]:
    book = state.books[sku]
    if wish is None:
        return choose(book, units, demand)
    position = book.positions.get(wish)
    if position is None or book.stopped or not serves(position, demand):
        return []
    part = min(units, position.sellable)
    return [(position, part)] if part else []


def short_reply(state: ShardState, lines: Sequence[Line], demand: Demand) -> list[Any]:
    """``[[sku, node, requested, available], ...]`` of all short lines, and whether sold out."""
    left: dict[tuple[str, str | None], int] = {}
    wished: dict[str, int] = {}
    short = []
    for sku, wish, units in sorted(lines, key=lambda line: line[1] is None):
        there = available(state.books[sku], wish, demand)
        if wish is None:
            there = max(0, there - wished.get(sku, 0))
        elif there >= units:
            wished[sku] = wished.get(sku, 0) + units
        if there < units:
            left[sku, wish] = there
    for sku, wish, units in lines:
        if (sku, wish) in left:
            short.append([sku, wish, units, left[sku, wish]])
    return [short, len(lines) == 1 and short[0][3] == 0]
