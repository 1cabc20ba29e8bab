"""The ledger of one shard: ``decide(command, now) → reply + effects``. No I/O, no clock, no lock.

The same state, commands and times give the same decisions, byte for byte. Effects gather until
``seal`` makes one commit of them; a batch that the store refuses is taken back.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from engine import (
    announcing,
    bids,
    campaigns,
    changes,
    corrections,
    demand_log,
    fulfilment,
    holds,
    moving,
    network,
    pickups,
    pieces,
    promising,
    quotas,
    rebacking,
    shortfalls,
    supplies,
    supply_names,
    totals,
    views,
    waiting,
)
from engine.commands import Command, Op, Reply
from engine.events import Event
from engine.limits import CLOSED_BUCKET_MS, SWEEP_MAX, TAKERS_TIDIED_MAX
from engine.loading import LoadedState
from engine.offering import offer
from engine.outcome import Outcome
from engine.record import SUPERSEDES
from engine.state import PIECE, ShardState
from engine.takers import Takers

Handler: TypeAlias = Callable[[ShardState, Command, int], Reply]

#: One in so many references is forgotten at a time where there are very many: every 30 s makes
#: eleven times as many as there are in the day that each is remembered, so they cannot pile up.
_REFERENCES_SHARE = 256


def _tidy(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.tidy``; a little at a time."""
    most = max(SWEEP_MAX, len(state.references) // _REFERENCES_SHARE)
    corrections.forget_references(state, now_ms, most)
    corrections.forget_movements(state, now_ms, SWEEP_MAX)
    totals.forget(state, now_ms)
    oldest = min(state.closed_hours, default=None)
    last = (now_ms - state.window_ms) // CLOSED_BUCKET_MS - 1
    if oldest is not None and oldest <= last and state.effects.drop_bucket is None:
        _forget_closed(state, oldest)
    _prune_takers(state)
    return [Outcome.OK]


def _prune_takers(state: ShardState) -> None:
    """Drop takers of SKUs whose keys are free again; when an hour has gone, of every SKU once.

    What is dropped though its batch is taken back makes no difference but to keys out of time.
    """
    left = TAKERS_TIDIED_MAX
    while state.untidied and left > 0:
        sku, first = state.untidied.pop()
        takers = state.books[sku].takers if sku in state.books else Takers()
        looked_at = min(left, len(takers) - first)
        first = takers.prune(first, left, lambda field: _is_known(state, field))
        left -= max(1, looked_at)
        if first < len(takers):
            state.untidied.append((sku, first))


def _is_known(state: ShardState, field: str) -> bool:
    """Whether a taker is open or has ended within the window.

    Of pieces only the open ones count: no basket is ever told "sold out" by a hint.
    """
    return field in state.reservations or (field[0] != PIECE and hash(field) in state.closed)


def _forget_closed(state: ShardState, hour: int) -> None:
    known = state.closed_hours.pop(hour)
    gone = {known_as for known_as in known if state.closed.get(known_as) == hour}
    for known_as in gone:
        del state.closed[known_as]

    def restore() -> None:
        state.closed_hours[hour] = known
        state.closed.update(dict.fromkeys(gone, hour))

    state.undo(restore)
    state.effects.drop_bucket = hour
    state.untidied = [(sku, 0) for sku, book in state.books.items() if book.takers]
    state.fact(Event.FORGOTTEN, f"closed:{hour}", None)


_HANDLERS: dict[int, Handler] = {
    Op.RESERVE: holds.reserve,
    Op.CONFIRM: holds.confirm,
    Op.RELEASE: holds.release,
    Op.EXTEND: holds.extend,
    Op.EXPIRE: holds.expire,
    Op.CANCEL: holds.cancel,
    Op.READ: holds.read,
    Op.SETTLE: holds.settle,
    Op.FULFIL: fulfilment.fulfil,
    Op.TAKE: pieces.take,
    Op.SEAL: pieces.seal,
    Op.DROP: pieces.drop,
    Op.ASK: pieces.ask,
    Op.TELL: pieces.tell,
    Op.ADJUST: corrections.adjust,
    Op.REFERENCE: corrections.reference,
    Op.DEFINE_SKU: network.define_sku,
    Op.READ_SKU: network.read_sku,
    Op.DEFINE: network.define,
    Op.DEFINE_LANES: network.define_lanes,
    Op.READ_NETWORK: network.read_network,
    Op.TAKE_NETWORK: network.take_network,
    Op.STOCK: views.stock,
    Op.VIEW: views.view,
    Op.HINT: views.hint,
    Op.CHANGES: changes.changes,
    Op.TIDY: _tidy,
    Op.QUEUED_ELSEWHERE: pickups.told_elsewhere,
    Op.MOVABLE: moving.movable,
    Op.MOVE: moving.move,
    Op.PRICE: bids.price,
    Op.READ_BIDS: bids.read_bids,
    Op.SET_QUOTA: quotas.set_quota,
    Op.READ_QUOTAS: quotas.read_quotas,
    Op.LEND: quotas.lend,
    Op.OPEN_CAMPAIGN: campaigns.open_campaign,
    Op.CLOSE_CAMPAIGN: campaigns.close_campaign,
    Op.READ_CAMPAIGN: campaigns.read_campaign,
    Op.PREVIEW_CAMPAIGN: campaigns.preview_campaign,
    Op.DEFINE_CAMPAIGN: campaigns.define_campaign,
    Op.MOVE_CAMPAIGN: campaigns.move_campaign,
    Op.FIND_CAMPAIGNS: campaigns.find_campaigns,
    Op.OPEN_SUPPLY: supplies.open_supply,
    Op.RECEIVE: supplies.receive,
    Op.ARRIVE: supplies.arrive,
    Op.DELAY: supplies.delay,
    Op.CANCEL_SUPPLY: supplies.cancel_supply,
    Op.READ_SUPPLY: supplies.read_supply,
    Op.FORGET_SUPPLY: supplies.forget_supply,
    Op.ANNOUNCE: announcing.announce,
    Op.COUNT_REFUSED: demand_log.count_refused,
    Op.CANDIDATES: promising.candidates,
    Op.NAME_SUPPLY: supply_names.name_supply,
    Op.UNNAME_SUPPLY: supply_names.unname_supply,
    Op.FIND_SUPPLY: supply_names.find_supply,
    Op.REBACK: rebacking.reback,
    Op.TOLD: rebacking.told,
    Op.SHORTFALLS: shortfalls.shortfalls,
    Op.JOIN_WAITING: waiting.join,
    Op.LEAVE_WAITING: waiting.leave,
    Op.READ_WAITING: waiting.read,
    Op.SERVE_WAITING: waiting.serve,
    Op.ANSWER_WAITING: waiting.answer,
}
#: Commands whose second member is a reservation's key, or the id that a piece belongs to.
_KEYED = frozenset({
    Op.RESERVE, Op.CONFIRM, Op.RELEASE, Op.EXTEND, Op.CANCEL, Op.READ, Op.FULFIL, Op.SEAL, Op.ASK,
    Op.TAKE, Op.TELL,
})  # fmt: skip


class Ledger(LoadedState):
    """A shard's state and its decisions."""

    def decide(self, command: Command, now_ms: int) -> Reply:
        """The answer to one command; what it changes joins the batch being decided."""
        return self.decide_all((command,), now_ms)[0]

    def decide_all(self, commands: Iterable[Command], now_ms: int) -> list[Reply]:
        """The answers to a batch, in order; what one gives back is offered before the next."""
        self.effects.now_ms = now_ms
        handlers, stirred = _HANDLERS, self.waiting.stirred
        if self.waiting.begins:
            self.waiting.begin(self.books, now_ms)
        if stirred:
            offer(self, now_ms)
        replies: list[Reply] = []
        for command in commands:
            replies.append(handlers[command[0]](self, command, now_ms))
            if stirred:
                offer(self, now_ms)
        return replies

    def to_recall(self, commands: Sequence[Command]) -> set[str]:
        """Fields of ended records the store must be asked for before these can be decided."""
        self.closing = {}
        if self.closed_loaded and not self.closed:
            return set()
        fields: set[str] = set()
        for command in commands:
            if command[0] not in _KEYED:
                continue
            key = command[1]
            if command[0] in (Op.TAKE, Op.TELL):
                fields.add(pieces.ended_piece(key, command[2]))
            elif key not in self.reservations:
                fields.add(key)
            if command[0] in (Op.RESERVE, Op.SEAL):
                extra = command[5 if command[0] == Op.RESERVE else 7]
                if extra and SUPERSEDES in extra and extra[SUPERSEDES] not in self.reservations:
                    fields.add(extra[SUPERSEDES])
            if command[0] in (Op.SEAL, Op.ASK):
                fields.add(pieces.attempt(key, command[2]))
        known, hours = self.just_closed, self.closed
        self.closing = {field: known[field] for field in fields if field in known}
        if self.closed_loaded:
            return {field for field in fields if hash(field) in hours and field not in known}
        return {field for field in fields if field not in known}

    def hours_of(self, field: str, now_ms: int) -> Sequence[int]:
        """The buckets an ended record may lie in, newest first."""
        hour = self.closed.get(hash(field))
        if hour is not None:
            return (hour,)
        latest = now_ms // CLOSED_BUCKET_MS
        return range(latest, latest - self.window_ms // CLOSED_BUCKET_MS - 2, -1)

    def pieces_due(self, fields: Iterable[str]) -> list[str]:
        """Those of the due fields that are pieces: home must be asked."""
        return [field for field in fields if field[0] == PIECE and field in self.reservations]
