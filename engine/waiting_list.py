"""Who waits for units of a SKU, first come first served, and who has been offered some.

An entry is a value; a new one takes its place where something changes. Queues are derived from the
entries that still wait. Nothing here decides: see ``waiting`` and ``offering``.
"""

from collections.abc import Mapping
from enum import IntEnum
from heapq import heappop, heappush
from typing import Any, NamedTuple, TypeAlias

from engine.demand import share_name
from engine.record import CAMPAIGN, CHANNEL, CUSTOMER, PREORDER, ZONE, Extra
from engine.stock import Book


class Standing(IntEnum):
    """Where an entry is in its life. Wire format: append, never renumber."""

    WAITING = 0
    OFFERED = 1  # Units are held for it; what becomes of them is told by the reservation.
    LEFT = 2  # Its customer has left.
    EXPIRED = 3  # No units came in its time.
    OVER_LIMIT = 4  # Its customer has as many by now as one may have.
    ASKED = 5  # Units are held; whether its customer may have them is asked. Told as waiting.


class Entry(NamedTuple):
    """One customer's place in the list of one SKU. Times in ms."""

    key: str
    number: int  # Within the SKU: smaller is served first.
    standing: Standing
    sku: str
    units: int
    channel: str | None
    customer: str
    zone: str | None  # Where the parcel goes.
    digest: str  # Of the request, hex.
    offer_ms: int  # How long units are held for it.
    joined_at_ms: int
    until_ms: int  # When it gives up waiting; when its offer ends; when it ended.
    reservation: str | None  # Key of the offer.
    campaign: str | None = None  # It waits for units declared to that one.
    preorder: bool = False  # Units on their way will do.

    @property
    def extra(self) -> Extra:
        """Its rarer members as those of a reservation."""
        members = {
            CHANNEL: self.channel, CAMPAIGN: self.campaign, CUSTOMER: self.customer,
            ZONE: self.zone, PREORDER: self.preorder or None,
        }  # fmt: skip
        return {name: value for name, value in members.items() if value is not None}

    @property
    def kind(self) -> "Kind":
        """What it has in common with those who want the same."""
        return (self.channel, self.zone, self.campaign, self.preorder), self.units

    def waits(self, now_ms: int) -> bool:
        """Whether it may still be offered units."""
        return self.standing == Standing.WAITING and now_ms < self.until_ms

    @property
    def is_served(self) -> bool:
        """Whether it has its offer, or none will come any more."""
        return self.standing not in (Standing.WAITING, Standing.ASKED)


#: Channel, zone, campaign and whether units on their way will do: there is as much for all alike.
Alike: TypeAlias = tuple[str | None, str | None, str | None, bool]
#: And units: of entries that have these in common the first is served first.
Kind: TypeAlias = tuple[Alike, int]


class Queue:
    """Those who wait for one SKU, first first."""

    __slots__ = ("_stirred", "book", "entries", "kinds")

    def __init__(self, book: Book, stirred: dict[str, None]) -> None:
        self.book = book
        self.entries: dict[str, Entry] = {}
        #: The same by what they want: a look at the first of each kind is a look at all.
        self.kinds: dict[Kind, dict[str, Entry]] = {}
        self._stirred = stirred

    def stir(self) -> None:
        """Units may have come back, or somebody may have more now: look whom to serve."""
        self._stirred[self.book.sku] = None

    def add(self, entry: Entry) -> None:
        """Put an entry in its place."""
        _add(self.entries, entry)
        _add(self.kinds.setdefault(entry.kind, {}), entry)

    def remove(self, entry: Entry) -> None:
        """It waits no longer."""
        del self.entries[entry.key]
        alike = self.kinds[entry.kind]
        del alike[entry.key]
        if not alike:
            del self.kinds[entry.kind]

    def first(self, kind: Kind, now_ms: int) -> Entry | None:
        """The first of a kind who may be offered units."""
        alike = self.kinds.get(kind, {})
        return next((entry for entry in alike.values() if entry.waits(now_ms)), None)

    def last_number(self) -> int:
        """The number of the last; 0 where nobody waits."""
        return _last_number(self.entries)

    def place(self, key: str) -> int:
        """One's place, from 1."""
        return list(self.entries).index(key) + 1


def _last_number(entries: dict[str, Entry]) -> int:
    return next(reversed(entries.values())).number if entries else 0


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    """In order of their numbers, which nearly always is at the end."""
    last = _last_number(entries)
    entries[entry.key] = entry
    if entry.number < last:
        ordered = sorted(entries.values(), key=lambda entry: entry.number)
        entries.clear()
        entries.update((entry.key, entry) for entry in ordered)


class WaitingList:
    """All entries of one shard, the ended ones too for as long as they are told of."""

    def __init__(self, kept_ms: int) -> None:
        """``kept_ms``: how long an entry is told of after its end."""
        self.entries: dict[str, Entry] = {}
        #: Entries as the store has them, until they are loaded.
        self.kept: dict[str, list[Any]] = {}
        #: When more of a campaign's units come on sale that somebody waits for, by SKU.
        self.begins: list[tuple[int, str]] = []
        #: Entries whose customers' shards are to be asked.
        self.asked: dict[str, None] = {}
        #: SKUs whose queues are to be looked at, first first.
        self.stirred: dict[str, None] = {}
        #: Of those the ones that the last look had no time for: nobody else is served before.
        self.behind: frozenset[str] = frozenset()
        #: The store has no memory for more: no offers until it has.
        self.paused = False
        self._kept_ms = kept_ms
        self._due: list[tuple[int, str]] = []

    def load(self, books: Mapping[str, Book]) -> None:
        """Take in what the store has kept; each queue is to be looked at."""
        entries = [Entry(*members) for members in self.kept.values()]
        for entry in sorted(entries, key=lambda entry: entry.number):
            self.set(books, entry.key, entry._replace(standing=Standing(entry.standing)))
        self.kept = {}

    def set(self, books: Mapping[str, Book], key: str, entry: Entry | None) -> None:
        """Let an entry be as given; None: there is none."""
        before = self.entries.pop(key, None)
        if before is not None and before.standing is Standing.WAITING:
            self._leave(books[before.sku], before)
        self.asked.pop(key, None)
        if entry is None:
            return
        self.entries[key] = entry
        if entry.standing is Standing.ASKED:
            self.asked[key] = None
        heappush(self._due, (self._due_ms(entry), key))
        if entry.standing is Standing.WAITING:
            self._join(books[entry.sku], entry)

    def _join(self, book: Book, entry: Entry) -> None:
        queue = book.waiting
        if queue is None:
            queue = book.waiting = Queue(book, self.stirred)
            book.look_alone()
        queue.add(entry)
        queue.stir()
        share = book.shares.get(share_name(entry.extra) or "") if entry.campaign else None
        for from_ms, _ in (share.terms.tranches or ()) if share is not None else ():
            heappush(self.begins, (from_ms, book.sku))

    def _leave(self, book: Book, entry: Entry) -> None:
        queue = book.waiting
        assert queue is not None
        queue.remove(entry)
        if not queue.entries:
            book.waiting = None
            book.look_alone()

    def _due_ms(self, entry: Entry) -> int:
        return entry.until_ms + (self._kept_ms if entry.is_served else 0)

    def wants(self, now_ms: int) -> bool:
        """Whether there is something to do: units to offer, or entries whose time is over."""
        due = [*self._due[:1], *self.begins[:1]]
        return bool(self.stirred) or any(at_ms <= now_ms for at_ms, _ in due)

    def begin(self, books: Mapping[str, Book], now_ms: int) -> None:
        """Units of campaigns have come on sale with the time: look whom to serve."""
        while self.begins and self.begins[0][0] <= now_ms:
            book = books.get(heappop(self.begins)[1])
            if book is not None:
                book.stir()

    def due(self, now_ms: int, most: int) -> list[Entry]:
        """Up to ``most`` entries whose time is over; each is named once."""
        found: dict[str, Entry] = {}
        while self._due and self._due[0][0] <= now_ms and len(found) < most:
            at_ms, key = heappop(self._due)
            entry = self.entries.get(key)
            if entry is not None and self._due_ms(entry) == at_ms:
                found[key] = entry
        return list(found.values())
