"""What a request may have of the units there are: refused before stock is looked at, or granted."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from engine import totals
from engine.accounts import Account, account
from engine.allowances import most, refuse_share
from engine.commands import Reply
from engine.costed import in_turn
from engine.costing import costs_of
from engine.demand import Demand
from engine.outcome import Outcome
from engine.record import COSTS, DELIVER_BY, Extra, Line, pack
from engine.shares import Counts, Share
from engine.sourcing import available, choose, wished
from engine.state import ShardState
from engine.stock import Book, Position
from engine.to_store import send_over, sender
from engine.together import together
from engine.totals import Total


def refuse(
    state: ShardState,
    lines: Sequence[Line],
    extra: Extra | None,
    demand: Demand,
    *,
    late: bool = False,
    total: Total | None = None,
) -> Reply | None:
    """What is wrong with a request before stock is looked at.

    ``late``: a payment after expiry, whose date may have passed meanwhile. ``total``: what this
    shard would have to count under limits over several SKUs.
    """
    if extra and not late and DELIVER_BY in extra and extra[DELIVER_BY] <= demand.now_ms:
        return [Outcome.INVALID, "deliver_by", "must lie ahead"]
    unknown = sorted({line[0] for line in lines if line[0] not in state.books})
    if unknown:
        return [Outcome.UNKNOWN_SKU, unknown]
    unknown = sorted({line[1] for line in lines if line[1] and line[1] not in state.nodes})
    if unknown:
        return [Outcome.UNKNOWN_NODE, unknown]
    if demand.zone is not None and state.lanes and demand.zone not in state.lanes:
        return [Outcome.UNKNOWN_ZONE, [demand.zone]]
    behind = state.waiting.behind
    if behind and any(line[0] in behind for line in lines):
        # Units came back that are not all offered yet to those who wait for them.
        return [Outcome.CONTENDED, [[*line, 0] for line in lines], False]
    return refuse_share(state, lines, demand, lambda: totals.refuse(state, lines, extra, total))


def grant(state: ShardState, lines: Sequence[Line], demand: Demand) -> list[Line] | None:
    """Set the units of all lines aside and return the lines with their backings, or None.

    Lines with a node are served first. With ``partial`` each line gets what is there, and
    None means that no line got anything.
    """
    granted: list[Line] = [[sku, wish, units] for sku, wish, units in lines]
    taken: list[tuple[Position, int, Account | None]] = []
    sent: list[tuple[Line, Position, int]] = []  # To the store where they are collected.
    before = shares_of(state, lines, demand)
    ordered = sorted(granted, key=lambda line: line[1] is None)
    at_once = _together(state, ordered, demand)
    for at, line in enumerate(ordered):
        sku, wish, units = line
        book = state.books[sku]
        counted = account(book, demand.share, demand.customer)
        if at_once is not None:
            found = [(at_once[at], units)]
        else:
            may = min(units, most(book, demand, units))
            found = _sources(book, wish, may, demand)
            missing = units - sum(part for _, part in found)
            if demand.pickup and wish is not None and missing and may == units:
                origin = sender(state, book, wish, missing, demand)
                if origin is not None:
                    found = [*found, (origin, missing)]
                    sent.append((line, origin, missing))
        if not demand.partial and sum(part for _, part in found) < units:
            break
        for position, part in found:
            state.hold(position, part)
            if counted is not None:
                counted.take(state, position, part)
            taken.append((position, part, counted))
            line.extend((position.slot, part))
    else:
        if taken:
            for line, origin, units in sent:
                _send(state, line, origin, units)
            return granted
    for position, part, counted in reversed(taken):
        state.hold(position, -part)
        if counted is not None:
            counted.count(state, -part)
    put_back(before)
    return None


def store_hold(
    state: ShardState,
    key: str,
    digest: bytes,
    granted: list[Line],
    extra: Extra | None,
    demand: Demand,
    expires_at_ms: int,
) -> bytes:
    """Make a new hold of granted lines; its record."""
    members: list[Any] = [state.level_flags, expires_at_ms, digest, granted]
    costs = costs_of(state, granted, demand)
    if costs:
        extra = {**(extra or {}), COSTS: costs}
    if extra:
        members.append(extra)
    record: bytes = pack(members)
    state.held(key, record)
    for line in granted:
        state.taken(line, key)
    state.schedule(key, expires_at_ms)
    return record


def _send(state: ShardState, line: Line, origin: Position, units: int) -> None:
    """Units held where they are, the last of a line, are held on their way to its store instead."""
    state.hold(origin, -units)
    position = send_over(state, origin, line[1], units)
    state.hold(position, units)
    line[-2] = position.slot


#: A book, the name of a share of it, and the share with its counts; None where there is none.
Before: TypeAlias = list[tuple[Book, str, tuple[Share, Counts] | None]]


def shares_of(state: ShardState, lines: Sequence[Line], demand: Demand) -> Before:
    """The shares that a request draws on, as they are before it is tried."""
    if demand.share is None:
        return []
    books = [state.books[sku] for sku in dict.fromkeys(line[0] for line in lines)]
    shares = [(book, book.shares.get(demand.share)) for book in books]
    return [
        (book, demand.share, None if share is None else (share, share.counts()))
        for book, share in shares
    ]


def put_back(before: Before) -> None:
    """It came to nothing: every unit is set aside where it was."""
    for book, name, known in before:
        if known is not None:
            known[0].restore(known[1])
        else:
            book.shares.pop(name, None)  # Made for units that were not had.


def _together(state: ShardState, lines: Sequence[Line], demand: Demand) -> list[Position] | None:
    """Where lines of an order with a destination leave from, whole; None: each by itself."""
    if demand.lanes is None or len(lines) == 1 or any(line[1] for line in lines):
        return None
    wanted = [(state.books[line[0]], line[2]) for line in lines]
    if any(book.stopped or most(book, demand, units) < units for book, units in wanted):
        return None
    return together(wanted, demand)


def _sources(
    book: Book, wish: str | None, units: int, demand: Demand
) -> list[tuple[Position, int]]:
    if wish is None:
        return choose(book, units, demand)
    if book.stopped:
        return []
    return in_turn(wished(book, wish, demand), units, demand)


def short_reply(state: ShardState, lines: Sequence[Line], demand: Demand) -> list[Any]:
    """``[[sku, node, requested, available], ...]`` of all short lines, and whether sold out."""
    left: dict[tuple[str, str | None], int] = {}
    wished: dict[str, int] = {}
    short = []
    for sku, wish, units in sorted(lines, key=lambda line: line[1] is None):
        before = wished.get(sku, 0) if wish is None else 0
        there = max(0, available(state.books[sku], wish, units + before, demand) - before)
        if wish is not None and there >= units:
            wished[sku] = wished.get(sku, 0) + units
        if there < units:
            left[sku, wish] = there
    for sku, wish, units in lines:
        if (sku, wish) in left:
            short.append([sku, wish, units, left[sku, wish]])
    return [short, len(lines) == 1 and short[0][3] == 0]
