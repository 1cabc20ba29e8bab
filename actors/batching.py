"""Batches that make themselves: while one is on its way to an owner, the next gathers.

A batch costs its owner and the store a fixed price, so it pays to let one grow. Whoever waits
for an answer comes back soon after it: when a batch has been answered, the next is sent once
most of its callers are there again, or when no more come. A caller who is alone never waits.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import msgpack

from actors.lane import Line
from engine.commands import Reply, pack_command
from engine.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    BATCHES_IN_FLIGHT,
    GATHER_MAX,
    GATHER_MIN,
    GATHER_QUIET_TURNS,
    GATHER_SHARE,
    GATHER_TURNS_MAX,
    QUEUE_COMMANDS_MAX,
    SECOND_BATCH_MIN,
    SHARDS_MAX,
)
from engine.outcome import Outcome

_RETRY_MS: Final = 200


_REPEATED: Final = int(Outcome.REPEATED)  # This and OK need no second look.
#: Answers of the way to the owner which say that there was no effect.
_NOTHING_DONE: Final = (Outcome.OVERLOADED, Outcome.UNAVAILABLE)


#: Shards as they travel.
_SHARDS: Final = [pack_command(shard) for shard in range(SHARDS_MAX + 1)]


class Entry:
    """A command on its way, packed; ``finishes`` what was begun or begins something."""

    # What most commands never change; it costs nothing to begin with.
    tries = 0
    in_doubt = False
    first_parked_at = 0.0
    map_version = -1
    #: The host that may still be deciding an earlier sending: it gets no second one.
    running_at: str | None = None

    def __init__(
        self,
        shard: int,
        packed: bytes,
        finishes: bool,
        deadline_at: float,
        done: Callable[[Reply], None],
    ) -> None:
        self.shard = shard
        self.packed = packed
        self.finishes = finishes
        self.deadline_at = deadline_at
        self.done: Callable[[Reply], None] | None = done

    def answer(self, reply: Reply) -> None:
        """Tell the caller, once. Nobody who may have been served hears that nothing was done."""
        if self.in_doubt and reply[0] in _NOTHING_DONE:
            reply = [Outcome.LOST, *reply[1:]]
        done, self.done = self.done, None
        if done is not None:
            done(reply)


class HostQueue:
    """What waits for, and is on its way to, one host."""

    def __init__(
        self,
        name: str,
        answered: Callable[[Entry, Reply], None],
        undelivered: Callable[[Entry], None],
    ) -> None:
        self.name = name
        self.line: Line | None = None
        self.closed = False
        self._answered = answered
        self._undelivered = undelivered
        self._first: deque[Entry] = deque()  # Finishes what was begun.
        self._then: deque[Entry] = deque()
        self._in_flight: list[list[Entry]] = []
        self._flushing: asyncio.Handle | None = None
        self._goal = 1  # Commands that the next batch waits for.
        self._waited = self._turns = self._quiet_turns = 0  # While it waits.
        self._earliest = float("inf")

    def attach(self, line: Line) -> None:
        """The line is open."""
        self.line = line
        self._flush()

    def add(self, entry: Entry) -> bool:
        """Queue an entry; False if the queue is full."""
        if entry.finishes:
            self._first.append(entry)
        elif len(self._then) >= QUEUE_COMMANDS_MAX:
            return False
        else:
            self._then.append(entry)
        if entry.deadline_at < self._earliest:
            self._earliest = entry.deadline_at
        in_flight = len(self._in_flight)
        if not in_flight or (len(self._then) >= SECOND_BATCH_MIN and in_flight < BATCHES_IN_FLIGHT):
            self._gather()
        return True

    def _gather(self) -> None:
        """Send what waits now, at the end of this turn of the loop, or when more has come."""
        if self._in_flight or len(self._first) + len(self._then) >= self._goal > 1:
            self._flush()
        elif self._flushing is None:
            loop = asyncio.get_running_loop()
            if self._goal > 1:
                self._waited = self._turns = self._quiet_turns = 0
                self._flushing = loop.call_soon(self._turn)
            else:
                # All that this turn of the loop reads from its sockets joins one batch.
                self._flushing = loop.call_soon(self._flush)

    def _turn(self) -> None:
        """Wait one more turn of the loop, unless the last few have brought nobody."""
        waiting = len(self._first) + len(self._then)
        self._quiet_turns = self._quiet_turns + 1 if waiting == self._waited else 0
        self._waited = waiting
        self._turns += 1
        if self._quiet_turns >= GATHER_QUIET_TURNS or self._turns >= GATHER_TURNS_MAX:
            self._flush()
        else:
            self._flushing = asyncio.get_running_loop().call_soon(self._turn)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self.line is not None and (self._first or self._then):
            self._send(self._take(), self.line)

    def _take(self) -> list[Entry]:
        """The next batch; late entries are answered instead: nothing was done for them."""
        now = asyncio.get_running_loop().time()
        batch: list[Entry] = []
        for queue in (self._first, self._then):
            while queue and len(batch) < BATCH_COMMANDS_MAX:
                entry = queue.popleft()
                if entry.done is None:
                    continue
                if entry.deadline_at <= now:
                    entry.answer([Outcome.UNAVAILABLE, _RETRY_MS])
                else:
                    batch.append(entry)
        return batch

    def _send(self, batch: list[Entry], line: Line) -> None:
        parts: list[bytes] = []
        size = 0
        for at, entry in enumerate(batch):
            size += len(entry.packed)
            if size > BATCH_BYTES_MAX and at:
                self._then.extendleft(reversed(batch[at:]))
                batch = batch[:at]
                break
            parts += (_SHARDS[entry.shard], entry.packed)
        if not batch:
            return
        self._in_flight.append(batch)
        header = b"\xdd" + len(parts).to_bytes(4, "big")  # MessagePack array 32
        line.call(header + b"".join(parts)).add_done_callback(partial(self._came, batch))

    def _came(self, batch: list[Entry], future: "Future[bytes]") -> None:
        if batch not in self._in_flight:
            return
        self._in_flight.remove(batch)
        if future.cancelled() or future.exception() is not None:
            for entry in batch:
                entry.in_doubt = True
                entry.running_at = self.name
                self._undelivered(entry)
            return
        replies = msgpack.unpackb(future.result(), strict_map_key=False)
        now = asyncio.get_running_loop().time()
        for entry, reply in zip(batch, replies, strict=True):
            if entry.done is None:
                continue
            if entry.deadline_at < now:  # The loop was held up: never a late success.
                entry.answer([Outcome.LOST, _RETRY_MS])
            elif reply[0] <= _REPEATED:
                done, entry.done = entry.done, None
                done(reply)
            else:
                self._answered(entry, reply)
        callers = len(batch) + len(self._first) + len(self._then)
        goal = min(GATHER_MAX, int(callers * GATHER_SHARE))
        self._goal = goal if goal >= GATHER_MIN else 1
        waiting = len(self._first) + len(self._then)
        if waiting and (not self._in_flight or waiting >= SECOND_BATCH_MIN):
            self._gather()

    def line_lost(self) -> None:
        """The line broke; what waits is routed anew. Batches on their way are told by theirs."""
        self.line = None
        self._route_anew()

    def _route_anew(self) -> None:
        waiting = [*self._first, *self._then]
        self._first.clear()
        self._then.clear()
        for entry in waiting:
            entry.tries -= 1  # It never was on its way.
            self._undelivered(entry)

    def drop_late(self, now: float) -> None:
        """Answer entries whose deadline has passed: never a late success."""
        if now < self._earliest:
            return
        earliest = float("inf")
        groups = [(Outcome.LOST, batch) for batch in self._in_flight]
        groups += [(Outcome.UNAVAILABLE, list(queue)) for queue in (self._first, self._then)]
        for outcome, entries in groups:
            for entry in entries:
                if entry.deadline_at <= now:
                    entry.answer([outcome, _RETRY_MS])
                elif entry.deadline_at < earliest:
                    earliest = entry.deadline_at
        self._earliest = earliest
        self._first = deque(entry for entry in self._first if entry.done is not None)
        self._then = deque(entry for entry in self._then if entry.done is not None)

    def close(self) -> None:
        """End the line; what waits is routed anew."""
        self.closed = True
        if self.line is not None:
            self.line.close()
        self.line_lost()
