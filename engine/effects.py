"""What a batch changed: enough to commit it, and enough to take it back."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any, Final

from engine.counting import add_to
from engine.events import FORMAT, Event
from engine.limits import CLOSED_BUCKET_MS
from engine.record import pack
from engine.shares import Counts, Share
from engine.stock import Counters, Position, rose

#: One shared empty pair for the many positions whose world did not change.
_STILL = (0, 0)


#: Fields that a release may rewrite: a shortfall that shrinks, a share's units that are back, what
#: was sent to a customer before the rest was cancelled.
#: That may not hold it up when the store is full.
_RETURNING = ("f|", "F|", "a|", "s|", "t|")


@dataclass(slots=True)
class Sealed:
    """A decided batch, ready to be committed: the same bytes however often they are sent."""

    seq: int
    hash_before: bytes
    hash_after: bytes
    now_ms: int
    closed_bucket: int
    changes: bytes
    events: bytes
    #: Takes no units and adds no record: allowed when the store is out of memory.
    returning: bool
    #: An hour of ended reservations to drop, or None.
    drop_bucket: int | None
    effects: "Effects"


#: A new hold as a fact. A plain number: looking an enum's member up costs as much as a hold.
HELD: Final = int(Event.HELD)


class Effects:
    """Changes of the batch being decided, with the values before."""

    __slots__ = (
        "closed",
        "closed_before",
        "closed_hour",
        "counted",
        "drop_bucket",
        "facts",
        "fields",
        "holds",
        "now_ms",
        "positions",
        "records",
        "seen",
        "shares",
        "undo",
        "world",
    )

    def __init__(self) -> None:
        #: Record before, by field of ``reservations``; None where there was none. New holds
        #: are not among them: their facts say all there is to say.
        self.records: dict[str, bytes | None] = {}
        #: Counters before.
        self.positions: dict[Position, Counters] = {}
        #: Units added and removed by the world rather than by promises.
        self.world: dict[Position, tuple[int, int]] = {}
        #: Shares before.
        self.shares: dict[Share, Counts] = {}
        #: Units counted: where, under which name, how many.
        self.counted: list[tuple[dict[str, int], str, int]] = []
        #: SKUs that look different in views though no counter of theirs moved.
        self.seen: dict[str, None] = {}
        #: New values of fields of ``state``; None deletes.
        self.fields: dict[str, bytes | None] = {}
        #: Ended reservations and pieces, to be moved to this hour's bucket.
        self.closed: dict[str, bytes] = {}
        #: That hour, fixed by the first of them: the index and the bucket must agree.
        self.closed_hour: int | None = None
        #: How many had ended in that hour before; None: the hour was not known.
        self.closed_before: int | None = None
        #: Event, subject, payload, and again.
        self.facts: list[Any] = []
        #: Some of them are new holds.
        self.holds = False
        #: How to take back what the above does not tell.
        self.undo: list[Callable[[], object]] = []
        self.drop_bucket: int | None = None
        self.now_ms = 0

    def __bool__(self) -> bool:
        """Whether there is anything to commit: no change is without a fact."""
        return bool(self.facts)

    def hour(self) -> int:
        """The bucket of what ends in this batch."""
        if self.closed_hour is None:
            self.closed_hour = self.now_ms // CLOSED_BUCKET_MS
        return self.closed_hour

    def new_holds(self) -> list[str]:
        """Keys that were not there before this batch."""
        facts = self.facts
        return [facts[at + 1] for at in range(0, len(facts), 3) if facts[at] == HELD]

    def guard(self) -> list[Any]:
        """Flat (backing, taken, added, removed) of every backing whose free units moved."""
        entries: list[Any] = []
        world = self.world
        for position, (on_hand, _, reserved, committed, _, _) in self.positions.items():
            added, removed = world.get(position, _STILL)
            freed = position.on_hand - position.reserved - position.committed
            taken = on_hand - reserved - committed - freed + added - removed
            if taken or added or removed:
                entries += (position.backing, taken, added, removed)
        return entries

    def restore_counts(self) -> None:
        """Take all counters back to what they were before this batch."""
        for position, counts in self.positions.items():
            position.restore(counts)
            rose(position)
        for share, before in self.shares.items():
            share.restore(before)
        for counted, name, units in reversed(self.counted):
            add_to(counted, name, -units)

    def stock_fields(self) -> None:
        """Enter the positions whose counts (not promises) changed among the fields.

        What the world has touched is written even where it ends as it began: it may be new.
        """
        for position, before in self.positions.items():
            if (
                position in self.world
                or position.on_hand != before[0]
                or position.safety_stock != before[1]
                or (position.quarantined, position.damaged) != before[4:]
            ):
                self.fields[f"q|{position.backing}"] = pack(position.kept())
        for share, counts in self.shares.items():
            self._share_fields(share, counts)

    def _share_fields(self, share: Share, before: Counts) -> None:
        """Only what has changed: a share may have units aside in thousands of places."""
        at = f"{share.book.sku}|{share.name}"
        known = share.terms.defined or before[1].defined
        now = (share.exclusive, share.terms, share.shipped, share.refused)
        if known and now != (*before[:2], before[4], before[6]):
            self.fields[f"s|{at}"] = pack(share.header()) if share.terms.defined else None
        aside = before[5]
        changed = [slot for slot, units in share.aside.items() if aside.get(slot) != units]
        changed += [slot for slot in aside if slot not in share.aside]
        for slot in sorted(changed):
            units = share.aside.get(slot)
            self.fields[f"a|{at}|{slot}"] = None if units is None else pack(units)


def seal(
    effects: Effects,
    reservations: dict[str, bytes],
    seq: int,
    head: bytes,
    network: int,
) -> Sealed:
    """The batch as one commit after (seq, head); ``effects`` stay with it to be taken back."""
    effects.stock_fields()
    guard = effects.guard()
    put = [(f, reservations[f]) for f in effects.records if f in reservations]
    gone = [
        field
        for field, before in effects.records.items()
        if before is not None and field not in reservations
    ]
    grows = effects.holds or any(effects.records[field] is None for field, _ in put)
    fields: list[Any] = []
    forgotten: list[str] = []
    for field, value in effects.fields.items():
        if value is None:
            forgotten.append(field)
        else:
            fields += (field, value)
    closed: list[Any] = []
    for item in effects.closed.items():
        closed += item
    excused = [
        field[2:] for field, value in effects.fields.items() if value and field.startswith("f|")
    ]
    puts = list(chain.from_iterable(put))
    changes = pack([guard, fields, forgotten, puts, gone, closed, excused])
    events = pack([FORMAT, effects.now_ms, network, effects.facts])
    takes = any(taken > 0 for taken in guard[1::4])
    growing = any(field[:2] not in _RETURNING for field in fields[::2])
    return Sealed(
        seq=seq + 1,
        hash_before=head,
        hash_after=blake2b(head + events, digest_size=16).digest(),
        now_ms=effects.now_ms,
        closed_bucket=effects.hour(),
        changes=changes,
        events=events,
        returning=not (takes or grows or growing),
        drop_bucket=effects.drop_bucket,
        effects=effects,
    )
