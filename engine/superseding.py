"""A new version of a cart takes over its own hold: nobody is blocked by himself.

In one commit the old hold ends and the new one stands on its units; where the new one cannot be
had, the old one stays untouched. Units of the old hold that lie on other shards come back when
their pieces hear that it has ended.
"""

from collections.abc import Callable

from engine.accounts import account_of
from engine.commands import Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import ENDED_AT, SUPERSEDED_BY, Reservation, Status
from engine.shortfalls import late_ended, review
from engine.state import PIECE, ShardState
from engine.stock import Book

#: Frees units of a reservation, tells its pieces, stores it: the moves of ``holds``.
GiveBack = Callable[..., None]
Change = Callable[[ShardState, str, Reservation, Event], None]


def take_over(
    state: ShardState,
    old_key: str,
    new_key: str,
    attempt: Callable[[], Reply],
    moves: tuple[GiveBack, Callable[..., None], Change],
    *,
    dry: bool = False,
) -> Reply:
    """What ``attempt`` answers with the old hold's units free; the old hold ends if it succeeds."""
    give_back, owe, change = moves
    now_ms = state.effects.now_ms
    record = state.known(old_key)
    if record is None or old_key[0] == PIECE:
        return [Outcome.UNKNOWN_RESERVATION, [f"{state.shard:03x}.{old_key}"]]
    old = Reservation(record)
    if old.status is Status.HELD and now_ms >= old.expires_at_ms:
        return [Outcome.NOT_HELD, Status.EXPIRED, []]
    if old.status is not Status.HELD:
        return [Outcome.NOT_HELD, old.status, []]
    shares = [share for book in _books(state, old) for share in book.shares.values()]
    before = [(share, share.counts()) for share in shares]
    give_back(state, old, confirmed=False)
    reply = attempt()
    if reply[0] != Outcome.OK or dry:
        for share, _ in before:  # Some may have been forgotten: they had nothing else.
            share.book.shares[share.name] = share
        _hold_again(state, old)
        for share, counts in before:
            share.restore(counts)
        return reply
    old.status = Status.RELEASED
    old.extra[ENDED_AT] = now_ms
    old.extra[SUPERSEDED_BY] = new_key
    owe(state, old_key, old)
    change(state, old_key, old, Event.RELEASED)
    return reply


def _hold_again(state: ShardState, old: Reservation) -> None:
    for sku, slot, units in old.backings():
        book = state.books.get(sku)
        if book is None:
            continue  # Another shard's line.
        position = book.positions[slot]
        state.hold(position, units)
        counted = account_of(book, old.extra)
        if counted is not None:
            counted.count(state, units)
        review(state, position)
        late_ended(state, position, old, -units)


def _books(state: ShardState, old: Reservation) -> list[Book]:
    found = {line[0]: state.books[line[0]] for line in old.lines if line[0] in state.books}
    return list(found.values())
