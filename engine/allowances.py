"""What a share and the limits of customers allow, before anybody looks at stock."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from engine.commands import Reply
from engine.demand import OF_CAMPAIGN, Demand
from engine.limits import HOLD_SECONDS_DEFAULT, ON_HAND_MAX
from engine.outcome import Outcome
from engine.ranking import everywhere
from engine.record import Line
from engine.shares import Share, share_of
from engine.stock import Book

if TYPE_CHECKING:
    from engine.state import ShardState

_WHOLE: Final = 1000  # Permille


def allowed(share: Share, now_ms: int) -> int:
    """Units that a share may still take by its own rules."""
    terms = share.terms
    if not share.is_campaign:
        return ON_HAND_MAX if terms.cap is None else max(0, terms.cap - share.taken)
    if terms.closed:
        return 0
    on_sale = share.exclusive
    if terms.tranches is not None:
        begun = [permille for from_ms, permille in terms.tranches if from_ms <= now_ms]
        on_sale = share.exclusive * (begun[-1] if begun else 0) // _WHOLE
    return max(0, on_sale - share.taken)


def most(book: Book, demand: Demand, wanted: int | None = None) -> int:
    """Units that a demand may take of a SKU at most, however much there is.

    Whoever says how many are wanted is told that number, or more, where it is no fewer.
    """
    share = share_of(book, demand)
    if share is None:
        return ON_HAND_MAX
    units = allowed(share, demand.now_ms)
    buffer = share.terms.buffer
    if buffer:
        if wanted is None:
            others = sum(position.sellable for position in book.here())
        else:
            enough = wanted + buffer
            others = sum(there for *_, there in everywhere(book).first(enough, len(book.positions)))
        units = min(units, max(0, others + share.placed - buffer))
    return units


def refuse_share(
    state: "ShardState",
    lines: Sequence[Line],
    demand: Demand,
    beyond: Callable[[], Reply | None] | None = None,
) -> Reply | None:
    """Why the share or a limit refuses these lines, whatever there is; None if neither does.

    In the order of the checks: campaign unknown, not open, limit, quota. ``beyond``: what limits
    over several SKUs say.
    """
    if demand.share is None and all(state.books[line[0]].limit is None for line in lines):
        return None
    units_of: dict[str, int] = {}
    for sku, _, units in lines:
        units_of[sku] = units_of.get(sku, 0) + units
    books = [(state.books[sku], units) for sku, units in units_of.items()]
    if demand.share is not None and demand.share.startswith(OF_CAMPAIGN):
        refused = _not_open(books, demand)
        if refused is not None:
            return refused
    refused = _over_limit(books, demand) or (beyond() if beyond is not None else None)
    return refused or _over_quota(lines, books, demand)


def hold_for(state: "ShardState", lines: Sequence[Line], demand: Demand, hold_ms: int) -> int:
    """How long to hold, in ms: as asked for, else as the campaign says, else as everybody."""
    for line in lines:
        share = share_of(state.books[line[0]], demand)
        if share is not None and share.is_campaign:
            return share.hold_ms(hold_ms, demand.customer)
    channel = state.channels.get(demand.channel or "")
    if channel is not None and demand.customer is None and channel["anonymous_hold_seconds"]:
        return min(hold_ms, int(channel["anonymous_hold_seconds"]) * 1000)
    return hold_ms or HOLD_SECONDS_DEFAULT * 1000


def _not_open(books: list[tuple[Book, int]], demand: Demand) -> Reply | None:
    name = (demand.share or "").removeprefix(OF_CAMPAIGN)
    shares = [share_of(book, demand) for book, _ in books]
    if any(share is None for share in shares):
        return [Outcome.UNKNOWN_CAMPAIGN, [name]]
    for share in shares:
        if share is not None and not is_open(share, demand.now_ms):
            state = "closed" if share.terms.closed else "open"
            return [Outcome.CAMPAIGN_NOT_OPEN, name, state]
    return None


def is_open(share: Share, now_ms: int) -> bool:
    """Whether a campaign sells at this time."""
    terms = share.terms
    return not terms.closed and terms.starts_at_ms <= now_ms < terms.ends_at_ms


def _over_limit(books: list[tuple[Book, int]], demand: Demand) -> Reply | None:
    over = []
    for book, units in books:
        share = share_of(book, demand)
        limits = [(book.limit, book.by_customer)]
        if share is not None:
            limits.append((share.terms.limit, share.by_customer))
        for limit, by_customer in limits:
            if limit is None:
                continue
            if demand.customer is None:
                return [Outcome.INVALID, "customer", "is required where a limit applies"]
            taken = by_customer.get(demand.customer, 0)
            if taken + units > limit:
                over.append([book.sku, limit, taken, units])
    return [Outcome.OVER_LIMIT, over] if over else None


def _over_quota(
    lines: Sequence[Line], books: list[tuple[Book, int]], demand: Demand
) -> Reply | None:
    left: dict[str, int] = {}
    for book, units in books:
        share = share_of(book, demand)
        units_left = ON_HAND_MAX if share is None else allowed(share, demand.now_ms)
        if units_left < units:
            left[book.sku] = units_left
    if not left or (demand.partial and (len(left) < len(books) or any(left.values()))):
        return None
    short: list[Any] = [[*line, left[line[0]]] for line in lines if line[0] in left]
    return [Outcome.OVER_QUOTA, short]
