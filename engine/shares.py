"""Shares: units of a SKU set aside for one channel or campaign, and what it has taken.

A share's exclusive units are *placed* on named backings: nobody else may take them there. What it
takes comes out of them first; what comes back goes back into them, as long as it has less than
its right. When the world takes stock away they are placed elsewhere; what cannot be placed
anywhere is the share's declaration shortfall.

For every share, always: placed units <= ``left`` = max(0, exclusive - taken), and at every backing
the units set aside there <= what is free beyond its safety stock.
"""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

from engine.demand import OF_CAMPAIGN, OF_CHANNEL, Demand
from engine.limits import HOLD_SECONDS_DEFAULT
from engine.ranking import Order, by_priority, everywhere, order_of
from engine.stock import Book, Position, Terms, rose

if TYPE_CHECKING:
    from engine.state import ShardState


class Share:
    """What one channel or campaign may have of a SKU, and has."""

    __slots__ = (
        "aside",
        "book",
        "by_customer",
        "confirmed",
        "exclusive",
        "held",
        "name",
        "placed",
        "refused",
        "shipped",
        "terms",
    )

    def __init__(self, book: Book, name: str) -> None:
        self.book = book
        self.name = name
        self.exclusive = 0  # Units nobody else may take, taken ones included.
        self.terms = Terms()
        self.held = 0  # Units of its held reservations.
        self.confirmed = 0  # Of its confirmed ones, not shipped yet.
        self.shipped = 0
        self.refused = 0  # Units asked for in vain; no decision rests on it.
        self.aside: dict[str, int] = {}  # Units by slot that wait for it there.
        self.placed = 0  # Their sum.
        #: Units that each customer has or had, where there is a limit.
        self.by_customer: dict[str, int] = {}

    @property
    def taken(self) -> int:
        """Units of its reservations, the shipped ones too."""
        return self.held + self.confirmed + self.shipped

    @property
    def left(self) -> int:
        """Units that it may still take before anybody else."""
        return 0 if self.terms.closed else max(0, self.exclusive - self.taken)

    @property
    def is_campaign(self) -> bool:
        """A campaign draws on its own units only."""
        return self.name.startswith(OF_CAMPAIGN)

    def counts(self) -> "Counts":
        """What a batch may change, in the order of ``restore``."""
        return (
            self.exclusive, self.terms, self.held, self.confirmed, self.shipped, dict(self.aside),
            self.refused,
        )  # fmt: skip

    def restore(self, counts: "Counts") -> None:
        """Take everything back to what ``counts`` said."""
        aside = counts[5]
        for slot in self.aside.keys() | aside.keys():
            self._set(slot, aside.get(slot, 0))
        self.exclusive, self.terms, self.held, self.confirmed, self.shipped, _, self.refused = (
            counts
        )

    def header(self) -> list[Any]:
        """What the store keeps of it, apart from what is set aside where."""
        return [self.exclusive, self.shipped, self.refused, list(self.terms)]

    def load(self, header: list[Any]) -> None:
        """Take what ``header`` was in."""
        self.exclusive, self.shipped, self.refused, terms = header
        self.terms = Terms(*terms)

    def set_aside(self, slot: str, units: int) -> None:
        """As the store says."""
        self._set(slot, units)

    def _set(self, slot: str, units: int) -> None:
        change = units - self.aside.get(slot, 0)
        if not change:
            return
        if units:
            self.aside[slot] = units
        else:
            del self.aside[slot]
        self.placed += change
        position = self.book.positions[slot]
        position.aside += change
        position.withhold()
        rose(position)

    def took(self, position: Position, units: int) -> None:
        """So many units were taken there: its own first, wherever they lie."""
        own = self.aside.get(position.slot, 0)
        self._set(position.slot, own - min(own, units))
        self.shrink()

    def sold(self, position: Position, units: int) -> None:
        """``took`` for a campaign's hold of its own units, which nobody else sees any change of."""
        slot = position.slot
        self.held += units
        left = self.aside[slot] - units
        if left:
            self.aside[slot] = left
        else:
            del self.aside[slot]
        self.placed -= units
        position.aside -= units
        position.withheld -= units

    def hold_ms(self, asked_ms: int, customer: str | None) -> int:
        """How long it holds: as asked for, else as its terms say; 0: they do not."""
        hold_ms = asked_ms or self.terms.hold_ms
        if customer is None and self.terms.anonymous_hold_ms:
            hold_ms = min(hold_ms or self.terms.anonymous_hold_ms, self.terms.anonymous_hold_ms)
        return hold_ms or HOLD_SECONDS_DEFAULT * 1000

    def shrink(self) -> None:
        """Let go what is set aside beyond its right."""
        excess = self.placed - self.left
        for slot in sorted(self.aside) if excess > 0 else ():
            part = min(excess, self.aside[slot])
            self._set(slot, self.aside[slot] - part)
            excess -= part
            if not excess:
                break

    def fill(self, position: Position) -> None:
        """Set aside there what it may have and has not."""
        part = min(self.left - self.placed, room(position))
        if part > 0:
            self._set(position.slot, self.aside.get(position.slot, 0) + part)

    def due(self) -> int:
        """Exclusive units of a share that is a part of what is there: rounded down.

        What the rounding leaves stays with everybody.
        """
        return self.shipped + self.book.there * (self.terms.permille or 0) // 1000

    def place(self) -> int:
        """Set everything aside that it may have; units that cannot be placed anywhere."""
        missing = self.left - self.placed
        if missing > 0:
            for position in eligible(self.book, self, missing):
                self.fill(position)
        return self.left - self.placed


#: exclusive, terms, held, confirmed, shipped, aside, refused
Counts = tuple[int, Terms, int, int, int, dict[str, int], int]


def room(position: Position) -> int:
    """Units there that nobody has a claim to."""
    return max(0, position.free - position.withheld)


def eligible(book: Book, share: Share, units: int) -> Iterator[Position]:
    """Backings that so many units of a share may be placed on, in the order they are."""
    for _, position, _ in _rooms(share).first(units, len(book.positions)):
        yield position
    yield from _coming(share)


def _rooms(share: Share) -> Order:
    """Where its units may be placed of those that are there: as everybody's are taken."""
    book, nodes, channel = share.book, share.terms.nodes, _channel_of(share)
    if nodes is None and not book.restricted:
        return everywhere(book)
    named = None if nodes is None else frozenset(nodes)

    def fixed(position: Position) -> tuple[int, ...] | None:
        return by_priority(position) if _may_lie(position, named, channel) else None

    return order_of(book, ("rooms", named, channel), lambda: Order(book, fixed, room, fullest=True))


def _coming(share: Share) -> list[Position]:
    """The same of what is on its way: what comes first."""
    if not share.terms.include_supplies:
        return []
    nodes, channel = share.terms.nodes, _channel_of(share)
    coming = [at for at in share.book.supplies.values() if _may_lie(at, nodes, channel)]
    return sorted(coming, key=lambda at: (at.supply.available_at_ms if at.supply else 0, at.slot))


def _channel_of(share: Share) -> str | None:
    return share.terms.channel if share.is_campaign else share.name[len(OF_CHANNEL) :]


def _may_lie(position: Position, nodes: Container[str] | None, channel: str | None) -> bool:
    channels = position.place.channels
    if nodes is not None and position.node not in nodes:
        return False
    return not channels or channel in channels


def share_of(book: Book, demand: Demand) -> Share | None:
    """The share of a SKU that a demand draws on; None where it has none."""
    return book.shares.get(demand.share) if demand.share is not None else None


def sellable_to(position: Position, share: Share | None) -> int:
    """Units there that a request with this share may take."""
    if share is None:
        return position.sellable
    own = share.aside.get(position.slot, 0)
    if share.is_campaign:
        return max(0, min(own, position.free - position.withheld + position.aside))
    return max(0, position.free - position.withheld + own)


def settle(state: "ShardState", position: Position) -> None:
    """Stock or safety stock has changed there: claims beyond what is there move elsewhere."""
    book = position.book
    over = position.aside - max(0, position.free - position.withheld + position.aside)
    if over > 0:
        for share in sorted(book.shares.values(), key=lambda share: share.name, reverse=True):
            own = share.aside.get(position.slot, 0)
            part = min(over, own)
            if part:
                state.touch_share(share)
                share.set_aside(position.slot, own - part)
                over -= part
    replace_all(state, book)


def replace_all(state: "ShardState", book: Book) -> None:
    """Units may have become free: whoever has less set aside than he may have gets some."""
    for _, share in sorted(book.shares.items()):
        if share.left > share.placed:
            state.touch_share(share)
            share.place()


def follow_stock(state: "ShardState", book: Book) -> None:
    """What is there has changed: shares that are a part of it change with it."""
    for _, share in sorted(book.shares.items()):
        if share.terms.permille is not None:
            state.touch_share(share)
            share.exclusive = share.due()
            share.shrink()


def new_share(state: "ShardState", book: Book, name: str) -> Share:
    """A share that is not there yet."""
    share = book.shares[name] = Share(book, name)
    state.undo(lambda: book.shares.pop(name, None))
    return share
