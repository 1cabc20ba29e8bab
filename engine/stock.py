"""Positions and the book of a SKU: what is where, and what of it may still be promised."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from engine.ids import backing_of
from engine.promised import Promised
from engine.record import pack
from engine.takers import Takers

if TYPE_CHECKING:
    from engine.ranking import Order
    from engine.shares import Share
    from engine.waiting_list import Queue

#: on_hand, quarantined, damaged: what is there of a backing, promised or not.
Stock: TypeAlias = tuple[int, int, int]

NOTHING: Final[Stock] = (0, 0, 0)
#: Between the node and the supply in the slot of what is still on its way; no id has it.
ON_ITS_WAY: Final = "|"
#: Packed lines kept per position; buyers ask for few different quantities.
_TAILS_MAX: Final = 64


class Node:
    """A place that can serve an order, as far as a shard needs to know it."""

    __slots__ = (
        "channels", "cutoff_minute", "handling_ms", "members", "minimum", "node", "opening",
        "priority", "settlement_cents",
    )  # fmt: skip

    def __init__(self, node: str, members: Mapping[str, Any]) -> None:
        self.node = node
        self.members = dict(members)
        self.priority: int = members.get("priority", 100)  # Smaller is taken first.
        self.channels: frozenset[str] = frozenset(members.get("channels", ()))  # Empty: all.
        self.minimum: int = members.get("minimum", 0)  # Of each SKU, never promised.
        self.settlement_cents: int = members.get("settlement_cents", 0)  # For each unit.
        self.handling_ms = int(members.get("handling_hours", 0) * 3_600_000)
        self.cutoff_minute: int | None = members.get("cutoff_minute")  # Of the UTC day.
        #: (ISO days, opens, closes): minutes of the UTC day; empty: always open.
        self.opening: list[Any] = members.get("opening", [])


class Position:
    """What one node has of one SKU, in whole units; or what one supply will bring there.

    Changed in place, unlike everything else here: a new value for each of 300,000 changes a
    second would cost more than the rest of the decision. ``Effects`` keeps the values before.
    """

    __slots__ = (
        "aside",
        "backing",
        "book",
        "committed",
        "damaged",
        "is_watched",
        "node",
        "on_hand",
        "place",
        "quarantined",
        "reserved",
        "safety_stock",
        "slot",
        "supply",
        "tails",
        "withheld",
    )

    def __init__(self, book: "Book", place: Node, supply: "Supply | None" = None) -> None:
        self.book = book
        self.place = place
        self.node = place.node
        self.supply = supply  # None: the units are at the node now.
        #: Names the backing within its SKU, in books and in the lines of records.
        self.slot = slot_of(place.node, supply.supply if supply is not None else None)
        self.backing = backing_of(book.sku, self.slot)
        self.on_hand = 0  # Physically there and good; of a supply: still to come.
        self.safety_stock = 0  # Withheld from promising.
        self.aside = 0  # Set aside for shares.
        self.withheld = (
            place.minimum if supply is None else 0
        )  # All that a request without a share may not take: see ``withhold``.
        self.reserved = 0  # In held reservations.
        self.committed = 0  # In confirmed ones, not shipped yet.
        self.quarantined = 0  # There, but held back until somebody has looked; not part of on_hand.
        self.damaged = 0  # There, and no good; not part of on_hand.
        self.tails: dict[tuple[str | None, int], bytes] = {}  # See ``pack_tail``.
        self.is_watched = True  # Some order of the book must hear when more may be sold.

    @property
    def free(self) -> int:
        """Units nobody was promised; negative while promises exceed what is there."""
        return self.on_hand - self.reserved - self.committed

    @property
    def sellable(self) -> int:
        """Units a new reservation may take."""
        return max(0, self.free - self.withheld)

    def restock(self, on_hand: int, safety_stock: int) -> None:
        """Let so many units be there, and so many of them be withheld; see ``withhold``."""
        if self.supply is None:
            before = max(0, self.on_hand - self.safety_stock)
            self.book.there += max(0, on_hand - safety_stock) - before
        self.on_hand, self.safety_stock = on_hand, safety_stock

    def withhold(self) -> None:
        """Look again at what ``withheld`` is the sum of."""
        supply = self.supply
        if supply is None:
            self.withheld = self.aside + max(self.safety_stock, self.place.minimum)
        elif supply.members.last or supply.members.state != "open":
            self.withheld = self.aside + self.on_hand  # It brings nothing more than has come.
        else:
            cap = supply.members.cap
            self.withheld = self.aside + (0 if cap is None else max(0, self.on_hand - cap))

    @property
    def shortfall(self) -> int:
        """Units promised but not there."""
        return max(0, -self.free)

    def pack_tail(self, wish: str | None, units: int) -> bytes:
        """The lines of a one-line record as bytes, kept with the position: buyers buy alike."""
        if len(self.tails) >= _TAILS_MAX:
            self.tails.clear()
        tail: bytes = pack([[self.book.sku, wish, units, self.slot, units]])
        self.tails[wish, units] = tail
        return tail

    def counts(self) -> "Counters":
        """All counters, in the order of ``restore``."""
        return (
            self.on_hand, self.safety_stock, self.reserved, self.committed, self.quarantined,
            self.damaged,
        )  # fmt: skip

    def restore(self, counts: "Counters") -> None:
        """Take all counters back to what ``counts`` said before."""
        self.restock(*counts[:2])
        self.reserved, self.committed = counts[2:4]
        self.quarantined, self.damaged = counts[4:]
        self.withhold()

    @property
    def stock(self) -> Stock:
        """What is there, promised or not."""
        return self.on_hand, self.quarantined, self.damaged

    def kept(self) -> list[int]:
        """The counters that the store keeps; the others are sums of records."""
        return [self.on_hand, self.safety_stock, self.quarantined, self.damaged]

    def report(self) -> list[Any]:
        """The position as replies carry it; see ``POSITION_MEMBERS``."""
        return [
            self.book.sku, self.node, self.on_hand, self.safety_stock, self.reserved,
            self.committed, self.quarantined, self.sellable, self.shortfall, self.damaged,
        ]  # fmt: skip


#: What the elements of a reported position are.
POSITION_MEMBERS = (
    "sku", "node", "on_hand", "safety_stock", "reserved", "committed", "quarantined", "sellable",
    "shortfall", "damaged",
)  # fmt: skip
#: on_hand, safety_stock, reserved, committed, quarantined, damaged
Counters: TypeAlias = tuple[int, int, int, int, int, int]


class Terms(NamedTuple):
    """On what conditions a share may take units. Times in ms."""

    defined: bool = False  # Somebody has set it: it is told, and kept without units.
    cap: int | None = None  # It may take no more.
    buffer: int = 0  # Units of the network that it may not see.
    permille: int | None = None  # Of what is there: its exclusive units follow the stock.
    borrowed: int = 0  # Of its exclusive units, those lent by other shares; lent ones: below 0.
    # Of a campaign:
    channel: str | None = None
    starts_at_ms: int = 0
    ends_at_ms: int = 0
    limit: int | None = None  # Units for each customer.
    hold_ms: int = 0
    anonymous_hold_ms: int = 0  # The same without a customer; 0: no shorter.
    nodes: list[str] | None = None  # Units from there only.
    include_supplies: bool = False
    tranches: list[list[int]] | None = None  # [from instant, permille of it all on sale], ascending
    closed: bool = False
    limit_total: int | None = None  # Units for each customer, over all its SKUs.


class Supply:
    """Units on their way to a node. A new one takes its place where something changes."""

    __slots__ = ("members", "promised", "supply")

    def __init__(self, supply: str, members: "SupplyMembers") -> None:
        self.supply = supply
        self.members = members
        self.promised = Promised()

    @property
    def available_at_ms(self) -> int:
        """When the units are expected to be there."""
        return self.members.available_at_ms


class SupplyMembers(NamedTuple):
    """What a supply is, apart from what is promised of it."""

    kind: str  # purchase_order, return, transfer
    quantity: int
    available_at_ms: int
    digest: str  # Of the request that made it, hex.
    from_node: str | None = None
    cap: int | None = None  # Units of it that may be promised.
    received: int = 0
    pending: int = 0  # Come, and not yet moved to the node with their promises.
    last: bool = False  # Nothing comes behind ``pending``.
    state: str = "open"  # open, closed, cancelled
    ended_at_ms: int = 0  # 0: it is open.


def slot_of(node: str, supply: str | None) -> str:
    """The slot of what is at a node, or of what a supply brings there."""
    return node if supply is None else f"{node}{ON_ITS_WAY}{supply}"


class Book:
    """All a shard knows of one SKU."""

    __slots__ = (
        "announced",
        "asked",
        "bids",
        "by_customer",
        "hinted_until_ms",
        "is_low",
        "limit",
        "low_stock",
        "members",
        "only",
        "orders",
        "positions",
        "restricted",
        "risen",
        "shares",
        "sku",
        "stopped",
        "supplies",
        "takers",
        "there",
        "unsealed",
        "waiting",
    )

    def __init__(self, sku: str, members: list[Any]) -> None:
        self.sku = sku
        #: name, weight_grams, category, and a map of rarer ones where there are any.
        self.members = members
        self.positions: dict[str, Position] = {}
        #: Cents a unit by node, see ``bids``.
        self.bids: Mapping[str, int] = {}
        #: Units told last in events, by channel that is told of.
        self.announced: Mapping[str, int] = {}
        #: Units on hand beyond each position's safety stock, of what is there now.
        self.there = 0
        #: The position where units are there at just one node, which is most SKUs of a drop.
        self.only: Position | None = None
        #: Gateways may call the SKU sold out until then without asking: no single line takes
        #: units of it, or its buyer might be told so about what is his. 0: they may not.
        self.hinted_until_ms = 0
        #: The books of this SKU contradict the store: nothing is sold until somebody has looked.
        self.stopped = False
        #: By name: of channels and campaigns that have a right to units or hold some.
        self.shares: dict[str, Share] = {}
        #: Units that each customer may have and has, whatever the channel; None: any.
        self.limit: int | None = None
        #: Fewer units in all are told of, once; None: nobody wants to know.
        self.low_stock: int | None = None
        self.is_low = False
        self.by_customer: dict[str, int] = {}
        #: How many positions are at nodes that serve certain channels only.
        self.restricted = 0
        #: Fields of records that took this SKU; some may have gone since.
        self.takers = Takers()
        #: See ``ranking``: what was asked for once; the orders; and watched positions that may have
        #: more to sell, the oldest first.
        self.asked: set[tuple[Any, ...]] = set()
        self.orders: dict[tuple[Any, ...], Order] = {}
        self.risen: list[Position] = []
        #: Positions of what is on its way, by supply.
        self.supplies: dict[str, Position] = {}
        #: Those who wait for units; None: nobody.
        self.waiting: Queue | None = None
        #: Units in pieces that home may still refuse.
        self.unsealed = 0
        self.define(members)

    def add(self, place: Node, supply: "Supply | None" = None) -> Position:
        """The position at a node, or of a supply on its way there, made if it is not there yet."""
        slot = slot_of(place.node, supply.supply if supply is not None else None)
        position = self.positions.get(slot)
        if position is None:
            position = Position(self, place, supply)
            self.enter(position)
        return position

    def enter(self, position: Position) -> None:
        """Take a position in. No walk over the others: there may be thousands, each to be added."""
        self.positions[position.slot] = position
        if position.supply is not None:
            self.supplies[position.supply.supply] = position
            return
        self.restricted += bool(position.place.channels)
        self.look_alone()

    def leave(self, position: Position) -> None:
        """Let a position go; no walk either."""
        del self.positions[position.slot]
        self.forget_orders()
        if position.supply is not None:
            del self.supplies[position.supply.supply]
            return
        self.restricted -= bool(position.place.channels)
        position.restock(0, 0)
        self.look_alone()

    def here(self) -> list[Position]:
        """The positions of units that are there now."""
        return [position for position in self.positions.values() if position.supply is None]

    def define(self, members: list[Any]) -> None:
        """Replace its members."""
        self.members = members
        rarer = members[3] if len(members) > 3 else {}
        self.limit = rarer.get("limit_per_customer")
        self.low_stock = rarer.get("low_stock")
        self.reorder()  # It may weigh something else, or have a limit now.

    def hint(self, until_ms: int) -> None:
        """The SKU may be called sold out until then; 0 ends that."""
        self.hinted_until_ms = until_ms
        self.look_alone()

    def reorder(self) -> None:
        """Look again at what is derived from the positions and their nodes."""
        self.restricted = sum(bool(position.place.channels) for position in self.here())
        self.forget_orders()
        self.look_alone()
        self.stir()

    def forget_orders(self) -> None:
        """What the positions are in the order of has changed."""
        self.orders.clear()
        self.risen.clear()

    def stir(self) -> None:
        """Look whether those who wait can be served now."""
        if self.waiting is not None:
            self.waiting.stir()

    def look_alone(self) -> None:
        """Whether there is just one place, and nothing that its short way does not look at."""
        alone = len(self.positions) - len(self.supplies) == 1
        alone = alone and not self.restricted and not self.stopped
        # The short way in ``holds`` does not look.
        alone = alone and not self.hinted_until_ms and self.limit is None and self.waiting is None
        self.only = self.here()[0] if alone else None


def rose(position: Position) -> None:
    """There may be more to sell at a position, to somebody at least."""
    book = position.book
    if book.waiting is not None:
        book.waiting.stir()
    if position.is_watched:
        position.is_watched = False
        book.risen.append(position)
