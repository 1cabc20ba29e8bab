"""What a reservation's units count in beside positions: its share, and its customer's limits.

Everything rests on the record alone, so that a copy loaded from the store counts the same.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine import totals
from engine.counting import add_to
from engine.demand import OF_CAMPAIGN, share_name
from engine.record import CUSTOMER, SHIPPED, Extra, Reservation
from engine.shares import Share
from engine.stock import Book, Position

if TYPE_CHECKING:
    from engine.state import ShardState


class Account:
    """Where the units of one reservation and SKU are counted."""

    __slots__ = ("customer", "limits", "share")

    def __init__(self, share: Share | None, customer: str | None, book: Book) -> None:
        self.share = share
        self.customer = customer
        #: Units by customer, of each limit that applies.
        self.limits: list[dict[str, int]] = []
        if customer is not None:
            if share is not None and share.terms.limit is not None:
                self.limits.append(share.by_customer)
            if book.limit is not None:
                self.limits.append(book.by_customer)

    def take(self, state: "ShardState", position: Position, units: int) -> None:
        """Units were held."""
        share = self.share
        if share is not None:
            state.touch_share(share)
            share.held += units
            share.took(position, units)
        self.count(state, units)

    def confirm(self, state: "ShardState", units: int) -> None:
        """Held units were paid for."""
        if self.share is not None:
            state.touch_share(self.share)
            self.share.held -= units
            self.share.confirmed += units

    def give_back(
        self, state: "ShardState", position: Position, units: int, *, confirmed: bool
    ) -> None:
        """Units are free again: the share has its claim to them back."""
        share = self.share
        if share is not None:
            state.touch_share(share)
            if confirmed:
                share.confirmed -= units
            else:
                share.held -= units
            share.fill(position)
            if not share.taken and not share.terms.defined:
                _forget(state, share)
        self.count(state, -units)

    def ship(self, state: "ShardState", units: int) -> None:
        """Confirmed units have left; the customer has had them."""
        if self.share is not None:
            state.touch_share(self.share)
            self.share.confirmed -= units
            # Of a channel nobody has set anything for nothing is kept.
            self.share.shipped += units if self.share.terms.defined else 0

    def count(self, state: "ShardState", units: int) -> None:
        """Count units under the customer's limits."""
        for counts in self.limits:
            state.count(counts, self.customer or "", units)

    def load(self, units: int, *, confirmed: bool) -> None:
        """Count units of a record from the store."""
        if self.share is not None:
            if confirmed:
                self.share.confirmed += units
            else:
                self.share.held += units

    def load_customer(self, units: int) -> None:
        """Count what its customer has or had by a record from the store."""
        for counts in self.limits:
            add_to(counts, self.customer or "", units)


def _forget(state: "ShardState", share: Share) -> None:
    """Callers may name any channel: one that has nothing leaves nothing."""
    shares = share.book.shares
    if shares.pop(share.name, None) is not None:
        state.undo(lambda: shares.update({share.name: share}))


def account_of(book: Book, extra: Extra) -> Account | None:
    """Where units of a reservation with these members count; None if nowhere."""
    return account(book, share_name(extra), extra.get(CUSTOMER)) if extra else None


def account(book: Book, name: str | None, customer: str | None) -> Account | None:
    """Where units of this customer from the share of this name count."""
    share = book.shares.get(name) if name is not None else None
    if share is None and name is not None and not name.startswith(OF_CAMPAIGN):
        # Counted from its first unit on: a quota may be set for the channel at any time.
        share = book.shares[name] = Share(book, name)
    if share is None and (customer is None or book.limit is None):
        return None
    return Account(share, customer, book)


def units_sent(record: Reservation) -> Iterator[tuple[str, str, int]]:
    """(sku, node, units) of all that has left of a record."""
    for _, lines in record.extra.get(SHIPPED, {}).values():
        yield from lines


def outlive(state: "ShardState", record: Reservation) -> None:
    """What a record has sent as it ends counts on, under the limits that its SKUs have.

    Kept beside the records, so that a copy from the store counts it from its first decision on,
    and for longer than the record answers for its key.
    """
    customer = record.extra.get(CUSTOMER)
    name = share_name(record.extra)
    if customer is None:
        return
    for sku, _, units in units_sent(record):
        book = state.books.get(sku)
        if book is None:
            continue  # Another shard's line.
        share = book.shares.get(name) if name is not None else None
        if share is not None and share.terms.limit is not None:
            at = totals.of_sku(share.name, sku)
            totals.keep_sent(state, at, customer, units, share.terms.ends_at_ms)
        if book.limit is not None:
            totals.keep_sent(state, totals.of_sku("", sku), customer, units, 0)
