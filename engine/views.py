"""What others may read: stock, changes for the gateways' views, sold-out hints."""

from typing import Any

from engine.allowances import most
from engine.commands import Command, Reply
from engine.demand import OF_CHANNEL, Demand
from engine.limits import HINT_KEYS_MAX, HINT_MS
from engine.outcome import Outcome
from engine.quotas import reports
from engine.shortfalls import shortfall_rows
from engine.state import ShardState
from engine.stock import Book
from engine.supplies import report

OK = Outcome.OK
#: SKUs one view answer carries; beyond it a gateway asks again for what it needs.
_CHANGES_MAX = 1_000


def stock(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.stock``."""
    book = state.books.get(command[1])
    if book is None:
        return [Outcome.UNKNOWN_SKU, [command[1]]]
    positions = sorted(book.here(), key=lambda position: position.node)
    coming = [book.supplies[name] for name in sorted(book.supplies)]
    shortfalls = [row for at in (*positions, *coming) for row in shortfall_rows(state, at)]
    reported = [position.report() for position in positions]
    supplies = [report(position) for position in coming]
    return [OK, state.seq, reported, shortfalls, reports(book), supplies]


def view(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.view``."""
    _, skus, since = command
    version = state.seq
    named = dict.fromkeys(skus)
    if since < state.changed_floor:
        version = -1 if since >= 0 else version
    else:
        for sku, changed_at in reversed(state.changed.items()):
            if changed_at <= since:
                break
            if len(named) == _CHANGES_MAX:
                version = -1
                break
            named[sku] = None
    books = state.books
    seen = {sku: sellable(books[sku], now_ms) if sku in books else None for sku in named}
    return [OK, state.epoch, state.seq, version, seen]


def sellable(book: Book, now_ms: int) -> list[Any]:
    """What views tell of a SKU: rows, quotas and supplies."""
    if book.stopped:
        return [[], {}, []]
    rows = [
        [position.node, position.sellable, sorted(position.place.channels)]
        for position in sorted(book.here(), key=lambda position: position.node)
        if position.sellable or position.aside
    ]
    return [rows, _of_channels(book, now_ms), _coming(book)]


def _coming(book: Book) -> list[list[Any]]:
    """What is on its way and may be promised: ``[node, sellable, channels, available_at_ms]``."""
    return [
        [at.node, at.sellable, sorted(at.place.channels), at.supply.available_at_ms]
        for at in book.supplies.values()
        if at.supply is not None and at.sellable
    ]


def _of_channels(book: Book, now_ms: int) -> dict[str, list[Any]]:
    """What channels with a quota may have: at most so much, and what is set aside for them."""
    of_channels = {}
    for name, share in book.shares.items():
        if share.terms.defined and not share.is_campaign:
            channel = name.removeprefix(OF_CHANNEL)
            demand = Demand(channel, share=name, now_ms=now_ms)
            of_channels[channel] = [most(book, demand), dict(share.aside)]
    return of_channels


def hint(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.hint``.

    It comes with a promise: until ``HINT_MS`` are over nobody takes units in a single line whose
    key is not in the filter, so that whoever has taken some is never told "sold out".

    Refused while units could come back from undecided baskets, while ended reservations are
    still being read (a retry of one must get its 200), for more keys than a filter may hold, and
    until they all have been entered into it.
    """
    _, sku, epoch_known, version_known = command
    book = state.books.get(sku)
    if book is None:
        return [Outcome.UNKNOWN_SKU, [sku]]
    takers = book.takers
    sellable = any(p.sellable or p.aside for p in book.here())
    if sellable or book.unsealed or not state.closed_loaded or len(takers) > HINT_KEYS_MAX:
        return [Outcome.SHORT]
    over_keys = takers.filter_now()
    if over_keys is None:
        return [Outcome.SHORT]
    state.hint(book, now_ms + HINT_MS)
    known = (state.epoch, takers.version) == (epoch_known, version_known)
    data = None if known else over_keys.to_bytes()
    return [OK, state.epoch, state.seq, takers.version, data]
