"""What channels may sell, as events: for channels that were declared to be told of.

Nothing is looked at when units are taken: once a second the owner looks at the SKUs that changed
since, and notes what is other than it was told last. What was told last is kept with the shard, so
that the changes of a channel and SKU add up to its figure, whoever owns the shard in between.
"""

from typing import TYPE_CHECKING, Final

from engine.allowances import most
from engine.changes import portion
from engine.commands import Command, Reply
from engine.costed import sellable_for
from engine.demand import demand_of
from engine.events import Event
from engine.outcome import Outcome
from engine.record import CHANNEL, pack
from engine.sourcing import usable

if TYPE_CHECKING:
    from engine.state import ShardState
    from engine.stock import Book

#: The member of a channel that declares it.
ANNOUNCED: Final = "availability_events"
#: How fields of ``state`` begin that keep what was told last, by channel.
TOLD: Final = "A"


def channels_of(state: "ShardState") -> list[str]:
    """The channels that are told of, by id."""
    return sorted(name for name, members in state.channels.items() if members.get(ANNOUNCED))


def announce(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.shares.announce``."""
    _, place, count = command
    found = portion(state, place, count)
    if found is None:
        return [Outcome.GAP, state.seq]
    channels = channels_of(state)
    for _, sku in found.named[:count]:
        _tell(state, state.books[sku], channels, now_ms)
    return [Outcome.OK, found.behind(state, min(count, len(found.named)))]


def _tell(state: "ShardState", book: "Book", channels: list[str], now_ms: int) -> None:
    before = book.announced
    figures = {name: _figure(state, book, name, now_ms) for name in channels}
    changed = {
        name: [before.get(name, 0), units]
        for name, units in figures.items()
        if units != before.get(name, 0)
    }
    if not changed:
        return

    def restore() -> None:
        book.announced = before

    state.undo(restore)
    book.announced = {**before, **figures}
    state.field(f"{TOLD}|{book.sku}", pack(book.announced))
    state.fact(Event.AVAILABILITY, book.sku, changed)


def _figure(state: "ShardState", book: "Book", channel: str, now_ms: int) -> int:
    """Units of what is there that a request through the channel may have."""
    if book.stopped:
        return 0
    demand = demand_of(state, {CHANNEL: channel}, now_ms)
    there = sum(sellable_for(position, demand) for position in usable(book, demand))
    return min(there, most(book, demand))
