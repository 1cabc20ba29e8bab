"""Stock rebuilt from a shard's events: what came in is what is there and what has left.

A fold over the facts of each commit, in order, from the shard's first commit or from a *base*: what
the events up to one of them came to, kept in the store so that these may be trimmed. The result
must be the live state; a difference is a defect, or somebody's hand in the store.

A base's fields are ``at`` (a ``Place``), ``q|<backing>`` (on_hand, quarantined, damaged) and
``p|<record>`` (the parcels seen of a record that may ship more).
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from engine.events import Event
from engine.record import SHIPPED, Reservation, Status, pack, plain_record, status_of, unpack
from engine.stock import NOTHING, Stock
from engine.store.protocol import StreamEntry

_SUPPLY: Final = frozenset({
    Event.SUPPLY_OPENED, Event.SUPPLY_RECEIVED, Event.SUPPLY_DELAYED, Event.SUPPLY_CANCELLED,
})  # fmt: skip
#: Facts with a record that may have shipped units since it was last seen.
_SHIPPING: Final = frozenset({Event.SHIPPED, Event.PIECE})
#: Facts after which a record ships nothing more.
_ENDING: Final = frozenset({Event.CANCELLED, Event.PIECE_DROPPED})


class Place(NamedTuple):
    """A point of a shard's history, and how what is known of the stock there was found."""

    seq: int = 0
    head: bytes = b""  # The running hash behind the commit ``seq``.
    live_seq: int = 0  # Where live state was taken, the events before it being gone; 0: nowhere.
    live_at_ms: int = 0  # When, in shard time.

    @classmethod
    def of(cls, packed: bytes | None) -> "Place":
        """What ``packed`` made; the beginning of history where there is no base."""
        if packed is None:
            return cls()
        seq, head, live_seq, live_at_ms = unpack(packed)
        return cls(seq, head.encode("utf-8", "surrogateescape"), live_seq, live_at_ms)

    def packed(self) -> bytes:
        """The bytes to store."""
        packed: bytes = pack(list(self))
        return packed


class Rebuilt:
    """Stock of one shard as its events say, up to the last entry taken."""

    def __init__(
        self, is_own: Callable[[str], bool], base: Place | None = None, watched: Iterable[str] = ()
    ) -> None:
        """``is_own``: whether a SKU is of this shard; ``watched``: records to note facts of.

        ``base``: where what will be loaded stands; None: at the beginning of history.
        """
        self.base = base or Place()
        self.seq, self.head = self.base.seq, self.base.head
        self.stock: dict[str, Stock] = {}  # By backing.
        #: Fields of the base that changed since it was loaded, with the last seq that did so.
        self.touched: dict[str, int] = {}
        #: The last seq, fact and bytes of each watched record.
        self.seen: dict[str, tuple[int, Event, bytes]] = {}
        self._is_own = is_own
        self._watched = frozenset(watched)
        self._parcels: dict[str, list[str]] = {}  # Seen, by record.

    @property
    def place(self) -> Place:
        """Where this stands."""
        return self.base._replace(seq=self.seq, head=self.head)

    def load(self, fields: Iterable[tuple[str, bytes | None]]) -> None:
        """Take fields of the base in; None: it has no such."""
        for name, value in fields:
            kind, _, rest = name.partition("|")
            if value is None:
                continue
            if kind == "q":
                on_hand, quarantined, damaged = unpack(value)
                self.stock[rest] = (on_hand, quarantined, damaged)
            elif kind == "p":
                self._parcels[rest] = unpack(value)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Fields of the base with what they must be now; None: gone."""
        for name in self.touched:
            kind, _, rest = name.partition("|")
            value: Any = self.stock.get(rest) if kind == "q" else self._parcels.get(rest)
            yield name, None if value is None else pack(list(value))

    def needs(self, entry: StreamEntry) -> set[str]:
        """Fields of the base that must be loaded before the entry is taken."""
        needed: set[str] = set()
        for event, subject, payload in facts_of(entry.events):
            if event is Event.ADJUSTED:
                needed.add(f"q|{subject}")  # A change is of what was there.
            shipped = shipped_of(_record(payload)) if event in _SHIPPING else None
            if shipped:
                needed.add(f"p|{subject}")
                needed.update(
                    f"q|{sku}|{slot}"
                    for _, lines in shipped.values()
                    for sku, slot, _ in lines
                    if self._is_own(sku)
                )
        return needed

    def follows(self, entry: StreamEntry) -> bool:
        """Whether an entry is the next of this history: by its number and by its hash."""
        return (entry.seq, entry.hash) == (self.seq + 1, self.expected(entry))

    def expected(self, entry: StreamEntry) -> bytes:
        """The hash that an entry has where it is the next."""
        return blake2b(self.head + entry.events, digest_size=16).digest()

    def take(self, entry: StreamEntry) -> None:
        """The next entry of the stream."""
        self.seq, self.head = entry.seq, entry.hash
        for event, subject, payload in facts_of(entry.events):
            if subject in self._watched:
                record = _record(payload) if isinstance(payload, str) else b""
                self.seen[subject] = (entry.seq, event, record)
            if event is Event.ADJUSTED:
                self._put(subject, adjusted(self.stock.get(subject, NOTHING), payload))
            elif event in _SUPPLY:
                self._put(subject, (payload[0], 0, 0))
            elif event is Event.FORGOTTEN and subject.startswith("u|"):
                self._put(subject[2:], None)
            elif event in _SHIPPING:
                self._ship(subject, _record(payload))
            elif event in _ENDING and shipped_of(_record(payload)):
                self._keep_parcels(subject, ())

    def _put(self, backing: str, stock: Stock | None) -> None:
        if stock is None:
            self.stock.pop(backing, None)
        else:
            self.stock[backing] = stock
        self.touched[f"q|{backing}"] = self.seq

    def _ship(self, field: str, record: bytes) -> None:
        shipped = shipped_of(record)
        if not shipped:
            return
        seen = self._parcels.get(field, ())
        for reference in shipped.keys() - seen:
            for sku, slot, units in shipped[reference][1]:
                if self._is_own(sku):
                    backing = f"{sku}|{slot}"
                    on_hand, quarantined, damaged = self.stock.get(backing, NOTHING)
                    self._put(backing, (max(0, on_hand - units), quarantined, damaged))
        self._keep_parcels(field, shipped if status_of(record) == Status.CONFIRMED else ())

    def _keep_parcels(self, field: str, references: Iterable[str]) -> None:
        """Only of records that may ship more: others would pile up for ever."""
        kept = sorted(references)
        if kept:
            self._parcels[field] = kept
        else:
            self._parcels.pop(field, None)
        self.touched[f"p|{field}"] = self.seq


def adjusted(before: Stock, payload: list[Any]) -> Stock:
    """What is there after an ``ADJUSTED``: a count says it, anything else says what changed."""
    on_hand, _, quarantined, _, _, *more = payload
    if len(more) < 2:  # Of an older version, which told no change.
        return on_hand, quarantined, sum(more)
    by, quarantined_by, damaged_by, counted = more[1]
    left = on_hand if counted else before[0] + by
    return left, before[1] + quarantined_by, before[2] + damaged_by


def base_of(stock: dict[str, Stock], records: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """The fields of a base that live state and open records make, but for ``at``."""
    fields: dict[str, bytes] = {f"q|{backing}": pack(list(at)) for backing, at in stock.items()}
    for field, record in records:
        shipped = shipped_of(record)
        if shipped and status_of(record) == Status.CONFIRMED:
            fields[f"p|{field}"] = pack(sorted(shipped))
    return fields


def shipped_of(record: bytes) -> dict[str, Any] | None:
    """``[digest, [[sku, slot, units], ...]]`` by reference of what a record has sent, if any."""
    if plain_record(record) is not None:
        return None
    shipped: dict[str, Any] | None = Reservation(record).extra.get(SHIPPED)
    return shipped


def facts_of(events: bytes) -> Iterator[tuple[Event, str, Any]]:
    """(event, subject, payload) of one entry, in order. Raises ValueError for an unknown event."""
    flat = unpack(events)[3]
    for at in range(0, len(flat), 3):
        yield Event(flat[at]), flat[at + 1], flat[at + 2]


def _record(payload: str) -> bytes:
    return payload.encode("utf-8", "surrogateescape")
