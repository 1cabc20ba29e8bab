"""Campaigns: declared units of many SKUs, on sale for a while to those who name the campaign.

``net`` keeps the campaign and its state; the shard of each SKU keeps its units as a share. Opening
and closing are steps that may be repeated: whoever takes over goes on where another stopped.
"""

from collections.abc import Sequence
from typing import Any

from engine.commands import Command, Reply
from engine.demand import OF_CAMPAIGN
from engine.events import Event
from engine.outcome import Outcome
from engine.record import pack
from engine.shares import Share, eligible, new_share, replace_all, room
from engine.state import ShardState
from engine.stock import Book, Terms

OK = Outcome.OK


def open_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.open_campaign``."""
    _, campaign, terms, items = command
    unknown = _unknown(state, items)
    if unknown:
        return [Outcome.UNKNOWN_SKU, unknown]
    name = OF_CAMPAIGN + campaign
    books = [(state.books[sku], units) for sku, units in items]
    opened: list[Share] = []
    short: list[list[Any]] = []
    for book, units in books:
        if name in book.shares:
            continue  # A step that is repeated.
        share = new_share(state, book, name)
        state.touch_share(share)
        share.terms, share.exclusive = Terms(*terms), units
        opened.append(share)
        missing = share.place()
        if missing:
            short.append([book.sku, None, units, units - missing])
    if short:
        for share in opened:
            _forget(state, share)
        return [Outcome.SHORT, short, False]
    for share in opened:
        _tell(state, share)
    return [OK]


def _unknown(state: ShardState, items: Sequence[Sequence[Any]]) -> list[str]:
    return sorted(item[0] for item in items if item[0] not in state.books)


def _tell(state: ShardState, share: Share) -> None:
    state.effects.seen[share.book.sku] = None
    state.fact(Event.CAMPAIGN_UNITS, f"{share.book.sku}|{share.name}", share.header())


def _forget(state: ShardState, share: Share) -> None:
    """As if it had never been."""
    share.exclusive = 0
    share.shrink()
    share.terms = Terms()
    del share.book.shares[share.name]
    state.undo(lambda: share.book.shares.update({share.name: share}))


def close_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.close_campaign``."""
    _, campaign, skus, forget = command
    for sku in skus:
        share = _share(state, sku, campaign)
        if share is None or share.terms.closed:
            continue
        state.touch_share(share)
        if forget and not share.taken:
            _forget(state, share)
        else:
            share.terms = share.terms._replace(closed=True)
            share.shrink()
        share.book.stir()  # Whoever waits for it waits in vain.
        replace_all(state, share.book)
        _tell(state, share)
    return [OK]


def _share(state: ShardState, sku: str, campaign: str) -> Share | None:
    book = state.books.get(sku)
    return None if book is None else book.shares.get(OF_CAMPAIGN + campaign)


def read_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.read_campaign``."""
    _, campaign, skus = command
    rows = []
    for sku in skus:
        share = _share(state, sku, campaign)
        if share is not None:
            confirmed = share.confirmed + share.shipped
            rows.append([sku, share.exclusive, share.held, confirmed, share.refused, share.left])
    return [OK, *rows]


def preview_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.preview_campaign``."""
    _, terms, items = command
    unknown = _unknown(state, items)
    if unknown:
        return [Outcome.UNKNOWN_SKU, unknown]
    return [OK, *([sku, units, _sources(state.books[sku], terms, units)] for sku, units in items)]


def _sources(book: Book, terms: Sequence[Any], units: int) -> list[list[Any]]:
    share = Share(book, OF_CAMPAIGN)
    share.terms = Terms(*terms)
    sources = []
    for position in eligible(book, share, units):
        part = min(units, room(position))
        if part:
            supply = position.supply
            sources.append([
                position.node, supply.supply if supply else None, part,
                supply.available_at_ms if supply else None,
            ])  # fmt: skip
            units -= part
    return sources


# At ``net``


def define_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.define_campaign``."""
    _, campaign, members = command
    known = state.campaigns.get(campaign)
    if known is not None and known[0] != "draft":
        return [Outcome.CAMPAIGN_STATE, campaign, known[0]]
    if known is None or known[1] != members:
        _keep(state, campaign, ["draft", members, now_ms])
    return [OK, *state.campaigns[campaign][:2]]


def move_campaign(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.move_campaign``."""
    _, campaign, states, to = command
    known = state.campaigns.get(campaign)
    if known is None:
        return [Outcome.UNKNOWN_CAMPAIGN, [campaign]]
    if known[0] not in states and known[0] != to:
        return [Outcome.CAMPAIGN_STATE, campaign, known[0]]
    if known[0] != to:
        _keep(state, campaign, [to, known[1], now_ms])
    return [OK, *state.campaigns[campaign][:2]]


def _keep(state: ShardState, campaign: str, record: list[Any]) -> None:
    campaigns, before = state.campaigns, state.campaigns.get(campaign)

    def restore() -> None:
        if before is None:
            campaigns.pop(campaign, None)
        else:
            campaigns[campaign] = before

    state.undo(restore)
    campaigns[campaign] = record
    state.field(f"m|{campaign}", pack(record))
    state.fact(Event.CAMPAIGN, campaign, record)


def find_campaigns(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.find_campaigns``."""
    campaign = command[1]
    if campaign is None:
        return [OK, dict(state.campaigns)]
    known = state.campaigns.get(campaign)
    return [Outcome.UNKNOWN_CAMPAIGN, [campaign]] if known is None else [OK, {campaign: known}]
