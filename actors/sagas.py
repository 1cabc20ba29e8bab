"""Reservations over several shards, as the coordinator runs them: the gateway's half.

Every other shard takes its piece first; home is asked last and seals: its commit is the only
commit point. A coordinator that stops at any step leaks nothing: pieces ask home by themselves.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from typing import Any, Final, Protocol

from engine import commands, totals
from engine.backings import units_left
from engine.commands import Command, Reply
from engine.fulfilment import added
from engine.ids import home_of, reservation_id, shard_of
from engine.late_payments import short_again, wanted_again
from engine.limits import IN_PROGRESS_RETRY_MS, RETRY_AFTER_MS
from engine.outcome import Outcome, but_for_copies, precedence
from engine.record import ASKED_BY, COSTS, COUNTED, NONCE, Extra, Line, Reservation, Status
from engine.requests import Reserve
from engine.stock import ON_ITS_WAY
from engine.totals import Counted

_NONCE_BYTES: Final = 8
_TRIES: Final = 3
_JITTER_S: Final = 0.02
#: Pieces that are not reached now ask home within seconds; nobody waits for them.
_SEND_S: Final = 2.0
_UNKNOWN: Final = (Outcome.UNKNOWN_SKU, Outcome.UNKNOWN_NODE)
_SHORT: Final = (Outcome.SHORT, Outcome.CONTENDED)
#: After these a piece may be there.
_TAKEN: Final = (Outcome.OK, Outcome.LOST, Outcome.UNAVAILABLE, Outcome.WEAKER)
_sent: set["asyncio.Task[Any]"] = set()


class Caller(Protocol):
    """The way to the shards."""

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


class _Attempt:
    """One try to hold all lines: its pieces, and what came of them."""

    def __init__(
        self, caller: Caller, shards: int, home: int, key: str, extra: Extra | None
    ) -> None:
        self.caller = caller
        self.shards = shards
        self.home = home
        self.key = key
        self.name = reservation_id(home, key)
        self.nonce = os.urandom(_NONCE_BYTES)
        self.extra = extra
        self.took: dict[int, Reply] = {}
        self.weaker = False  # Some piece has fewer copies than the level asks for.

    def others(self, lines: Sequence[Line], counted: Counted | None) -> dict[int, list[Line]]:
        """The lines of each shard but home, by shard in ascending order; none where it counts."""
        by_shard: dict[int, list[Line]] = {}
        if counted is not None and shard_of(counted[0], self.shards) != self.home:
            by_shard[shard_of(counted[0], self.shards)] = []
        for line in lines:
            shard = shard_of(line[0], self.shards)
            if shard != self.home:
                by_shard.setdefault(shard, []).append(line)
        return dict(sorted(by_shard.items()))

    async def take(
        self, lines: Sequence[Line], deadline_at: float, *, in_order: bool, ends: bytes | None
    ) -> bool:
        """Take all pieces; whether every shard gave its own. ``in_order``: one after another."""
        counted = totals.asked(self.extra, lines, late=ends is not None)
        extra = self.extra if counted is None else {**(self.extra or {}), COUNTED: counted}
        takes = {
            shard: commands.take(self.name, self.nonce, self.home, part, extra, ends)
            for shard, part in self.others(lines, counted).items()
        }
        if in_order:
            for shard, take in takes.items():
                self._taken(shard, await self.caller.call(shard, take, deadline_at))
        else:
            calls = [self.caller.call(shard, take, deadline_at) for shard, take in takes.items()]
            for shard, reply in zip(takes, await asyncio.gather(*calls), strict=True):
                self._taken(shard, reply)
        return all(reply[0] == Outcome.OK for reply in self.took.values())

    def _taken(self, shard: int, reply: Reply) -> None:
        """A piece without its copies is a piece; only what is told in the end is weaker."""
        self.took[shard] = but_for_copies(reply)
        self.weaker = self.weaker or reply[0] == Outcome.WEAKER

    def sealed(self, reply: Reply) -> Reply:
        """The answer to a seal, weaker if any piece is. The pieces are told that they are held."""
        at_home = but_for_copies(reply)
        if at_home[0] == Outcome.OK:
            self._tell_held(at_home[1])
        weaker = self.weaker and reply[0] == Outcome.OK
        return [Outcome.WEAKER, RETRY_AFTER_MS, reply] if weaker else reply

    def backed(self, lines: Sequence[Line]) -> list[Line]:
        """The lines in answer order; those of other shards with the backings they took."""
        taken = {
            (line[0], line[1]): line
            for reply in self.took.values()
            for line in Reservation(reply[1]).lines
        }
        return [taken.get((line[0], line[1]), list(line)) for line in lines]

    def costed(self) -> Extra | None:
        """The request's members, with what the pieces have told of their backings' costs."""
        costs: dict[str, Any] = {}
        for reply in self.took.values():
            costs.update(Reservation(reply[1]).extra.get(COSTS, {}))
        return {**(self.extra or {}), COSTS: costs} if costs else self.extra

    def drop(self) -> None:
        """Give every piece back that may have been taken."""
        for shard, reply in self.took.items():
            if reply[0] in _TAKEN:
                self._send(shard, commands.drop(self.name, self.nonce))

    def _tell_held(self, record: bytes) -> None:
        """Let every piece know that it is held, and until when: it need not ask home then.

        Until it knows, its units count as undecided, and a SKU without others as contended.
        """
        held = Reservation(record)
        if held.status is Status.HELD:
            tell = commands.tell(
                self.name, self.nonce, held.status, held.expires_at_ms, None, totals.due(held)
            )
            for shard in self.took:
                self._send(shard, tell)

    def _send(self, shard: int, command: Command) -> None:
        """For its effect: nobody waits for the answer."""
        deadline_at = asyncio.get_running_loop().time() + _SEND_S
        task = asyncio.ensure_future(self.caller.call(shard, command, deadline_at))
        _sent.add(task)
        task.add_done_callback(_sent.discard)


async def reserve(caller: Caller, shards: int, request: Reserve, deadline_at: float) -> Reply:
    """Hold the units of a request whose lines lie on several shards, all or nothing.

    → OK or REPEATED with the record; LOST where the answer to the seal was lost; WEAKER where it
    is sealed and some of it has fewer copies than the level asks for.
    """
    home = request.home
    if home is None:
        home = home_of((line[0] for line in request.lines), shards)
    reply: Reply = [Outcome.UNAVAILABLE, RETRY_AFTER_MS]
    for tried in range(_TRIES):
        if tried:
            await asyncio.sleep(random.uniform(0, _JITTER_S * tried))
        reply = await _try(caller, shards, home, request, deadline_at, in_order=tried > 0)
        while reply[0] == Outcome.ELSEWHERE:  # Once for each limit at most: it is named then.
            request = request.under(reply[1])
            reply = await _try(caller, shards, home, request, deadline_at, in_order=tried > 0)
        if reply[0] != Outcome.CONTENDED:
            return reply
    return [*reply, IN_PROGRESS_RETRY_MS]


async def _try(
    caller: Caller, shards: int, home: int, request: Reserve, deadline_at: float, *, in_order: bool
) -> Reply:
    attempt = _Attempt(caller, shards, home, request.key, request.extra)
    if not await attempt.take(request.lines, deadline_at, in_order=in_order, ends=None):
        attempt.drop()
        return await _refusal(attempt, request, deadline_at)
    seal = commands.seal(
        request.key, attempt.nonce, request.digest, attempt.backed(request.lines),
        list(attempt.took), request.hold_ms, attempt.costed(),
    )  # fmt: skip
    reply = await caller.call(home, seal, deadline_at)
    match but_for_copies(reply)[0]:
        case Outcome.OK | Outcome.LOST | Outcome.WEAKER:
            return attempt.sealed(reply)  # After a sent seal nothing is dropped: it may be held.
        case Outcome.ABORTED:
            attempt.drop()
            return [Outcome.IN_PROGRESS, IN_PROGRESS_RETRY_MS]
        case Outcome.SHORT | Outcome.CONTENDED:
            attempt.drop()
            return [reply[0], _in_order(request, reply[1]), False]
    attempt.drop()
    return reply


async def _refusal(attempt: _Attempt, request: Reserve, deadline_at: float) -> Reply:
    """What to say when not every shard gave its piece."""
    dry = commands.seal(
        request.key, attempt.nonce, request.digest, request.lines, [], request.hold_ms,
        request.extra, dry=True,
    )  # fmt: skip
    told = await attempt.caller.call(attempt.home, dry, deadline_at)
    at_home = but_for_copies(told)
    if at_home[0] in (Outcome.REPEATED, Outcome.KEY_REUSED):
        return told  # Decided before: a repeat, which waits for its copies.
    replies = list(attempt.took.values())
    if any(reply[0] == Outcome.IN_PROGRESS for reply in replies):
        return [Outcome.IN_PROGRESS, IN_PROGRESS_RETRY_MS]  # A piece is held by another attempt.
    if at_home[0] == Outcome.INVALID:
        return at_home
    replies.append(at_home)
    limits = [reply[1] for reply in replies if reply[0] == Outcome.ELSEWHERE]
    if limits:
        return [Outcome.ELSEWHERE, {name: at[name] for at in limits for name in at}]
    refused = [reply for reply in replies if reply[0] != Outcome.OK]
    worst = min((Outcome(reply[0]) for reply in refused), key=precedence)
    if worst in _UNKNOWN:
        return [worst, sorted({u for reply in refused if reply[0] == worst for u in reply[1]})]
    if worst in (Outcome.OVER_LIMIT, Outcome.OVER_QUOTA):
        rows = [row for reply in refused if reply[0] == worst for row in reply[1]]
        return [worst, rows if worst == Outcome.OVER_LIMIT else _in_order(request, rows)]
    if worst not in _SHORT:
        # Nothing was sealed, so nothing was done, even where an answer was lost.
        lost = worst in (Outcome.LOST, Outcome.IN_DOUBT, Outcome.WEAKER)
        known = Outcome.UNAVAILABLE if lost else worst
        return [known, *next(reply[1:] for reply in refused if reply[0] == worst)]
    short = [line for reply in refused if reply[0] in _SHORT for line in reply[1]]
    contended = any(reply[0] == Outcome.CONTENDED for reply in refused)
    return [Outcome.CONTENDED if contended else worst, _in_order(request, short), False]


def _in_order(request: Reserve, short: list[list[Any]]) -> list[list[Any]]:
    """Short lines as the caller wrote them."""
    by_place = {(line[0], line[1]): line for line in short}
    named = [(line[0], line[1]) for line in request.lines]
    return [by_place[place] for place in named if place in by_place]


async def confirm_late(
    caller: Caller, shards: int, home: int, key: str, record: bytes, deadline_at: float
) -> Reply:
    """A payment after expiry: take the same units anew, and seal the reservation as confirmed."""
    reservation = Reservation(record)
    wanted = wanted_again(reservation)
    extra = {k: v for k, v in reservation.extra.items() if k in ASKED_BY} or None
    attempt = _Attempt(caller, shards, home, key, extra)
    ends = bytes.fromhex(reservation.extra[NONCE])
    gave = await attempt.take(wanted, deadline_at, in_order=False, ends=ends)
    lines = [line[:3] for line in wanted]
    short = [line for reply in attempt.took.values() for line in short_again(lines, reply)]
    if not gave and not short:
        attempt.drop()
        return [Outcome.UNAVAILABLE, RETRY_AFTER_MS]
    seal = commands.seal(
        key, attempt.nonce, reservation.digest, attempt.backed(wanted) if gave else wanted,
        list(attempt.took), 0, attempt.costed() if gave else extra, late=True, dry=not gave,
    )  # fmt: skip
    reply = await caller.call(home, seal, deadline_at)
    at_home = but_for_copies(reply)
    if at_home[0] in (Outcome.OK, Outcome.LOST, Outcome.WEAKER) and gave:
        return attempt.sealed(reply)
    attempt.drop()
    at_home_too = short_again(lines, at_home)
    if at_home_too:
        short += at_home_too
    elif at_home[0] != Outcome.OK:
        return reply
    return [Outcome.NOT_HELD, Status.EXPIRED, short]


async def fulfil(
    caller: Caller,
    shards: int,
    home: int,
    parcel: commands.Command,
    record: bytes,
    deadline_at: float,
) -> Reply:
    """Ship lines that lie on several shards; ``parcel`` is the fulfil command home sent on.

    Home decides once the other shards were seen to have their units on hand; they learn of it
    as of any other news.
    """
    reservation = Reservation(record)
    _, key, reference, digest, wanted, _ = parcel
    left = units_left(reservation)
    lines: list[Any] = wanted if wanted is not None else [[*at, n] for at, n in left.items()]
    missing: list[list[Any]] = []
    for (sku, node), units in added(lines).items():
        shard = shard_of(sku, shards)
        if shard == home:
            continue
        reply = await caller.call(shard, commands.stock(sku), deadline_at)
        if reply[0] != Outcome.OK:
            return [Outcome.UNAVAILABLE, RETRY_AFTER_MS]
        on_hand = next((row[2] for row in reply[2] if row[1] == node), 0)
        if on_hand < units:
            missing.append([sku, node.partition(ON_ITS_WAY)[0], units, on_hand])
    if missing:
        return [Outcome.SHORT, missing, False]
    decided = commands.fulfil(key, reference, digest, wanted, over_shards=True)
    return await caller.call(home, decided, deadline_at)
