"""Quotas of channels: units nobody else may take, and how many a channel may take at most."""

from typing import Any, Final

from engine.commands import Command, Reply
from engine.corrections import remember
from engine.demand import OF_CHANNEL
from engine.events import Event
from engine.outcome import Outcome
from engine.shares import Share, eligible, new_share, replace_all, room
from engine.state import ShardState
from engine.stock import Book

OK = Outcome.OK
#: What the elements of a reported quota are.
QUOTA_MEMBERS: Final = (
    "channel", "exclusive", "cap", "taken", "short", "safety_stock", "share_permille", "borrowed",
)  # fmt: skip


def set_quota(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.set_quota``."""
    _, sku, channel, (exclusive, cap, buffer, permille) = command
    book = state.books.get(sku)
    if book is None:
        return [Outcome.UNKNOWN_SKU, [sku]]
    name = OF_CHANNEL + channel
    share = book.shares.get(name) or new_share(state, book, name)
    if permille is None and exclusive > share.exclusive:
        more = max(0, exclusive - share.taken) - share.placed
        available = sum(room(position) for position in eligible(book, share, more))
        if more > available:
            return [Outcome.QUOTA_EXCEEDS_STOCK, sku, channel, share.placed + available]
    state.touch_share(share)
    share.terms = share.terms._replace(defined=True, cap=cap, buffer=buffer, permille=permille)
    share.exclusive = exclusive if permille is None else share.due()
    _set_anew(state, share)
    replace_all(state, book)  # What it lets go, others may be waiting for.
    return [OK, _report(share)]


def _set_anew(state: ShardState, share: Share) -> None:
    share.shrink()
    share.place()
    share.book.stir()  # A cap may have been raised.
    state.effects.seen[share.book.sku] = None
    state.fact(Event.QUOTA, f"{share.book.sku}|{share.name}", share.header())


def _report(share: Share) -> list[Any]:
    terms = share.terms
    return [
        share.name.removeprefix(OF_CHANNEL), share.exclusive, terms.cap, share.taken,
        share.left - share.placed, terms.buffer, terms.permille, terms.borrowed,
    ]  # fmt: skip


def reports(book: Book) -> list[list[Any]]:
    """All quotas of a SKU, by channel."""
    return [
        _report(share)
        for name, share in sorted(book.shares.items())
        if share.terms.defined and not share.is_campaign
    ]


def read_quotas(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.read_quotas``."""
    book = state.books.get(command[1])
    return [Outcome.UNKNOWN_SKU, [command[1]]] if book is None else [OK, reports(book)]


def lend(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.lend``."""
    _, sku, lender_channel, borrower_channel, units, reference, digest = command
    book = state.books.get(sku)
    if book is None:
        return [Outcome.UNKNOWN_SKU, [sku]]
    name = f"{reference}|lend|{sku}"
    known = state.references.get(name)
    if known is not None and known[0] != digest.hex():
        return [Outcome.KEY_REUSED, reference]
    lender = book.shares.get(OF_CHANNEL + lender_channel)
    if known is None:
        left = lender.left if lender is not None else 0
        if lender is None or left < units:
            return [Outcome.QUOTA_EXCEEDS_STOCK, sku, lender_channel, left]
        to = OF_CHANNEL + borrower_channel
        borrower = book.shares.get(to) or new_share(state, book, to)
        for share, change in ((lender, -units), (borrower, units)):
            state.touch_share(share)
            share.exclusive += change
            borrowed = share.terms.borrowed + change
            share.terms = share.terms._replace(defined=True, borrowed=borrowed)
            _set_anew(state, share)
        remember(state, name, [digest.hex(), {}, now_ms])
    both = (lender_channel, borrower_channel)
    return [OK, *(_report(book.shares[OF_CHANNEL + channel]) for channel in both)]
