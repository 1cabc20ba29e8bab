"""Batches that make themselves: while some are on their way to an owner, the next gathers."""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import msgpack

from actors.lane import Line
from engine.commands import FINISHING, Command, Reply
from engine.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    BATCHES_IN_FLIGHT,
    QUEUE_COMMANDS_MAX,
)
from engine.outcome import Outcome

_packer: Final = msgpack.Packer(use_bin_type=True)
_LOST: Final = 200  # ms to wait before a repeat


#: Answers of the way to the owner which say that there was no effect.
_NOTHING_DONE: Final = (Outcome.OVERLOADED, Outcome.UNAVAILABLE)


class Entry:
    """A command on its way."""

    __slots__ = (
        "command",
        "deadline_at",
        "done",
        "first_parked_at",
        "in_doubt",
        "map_version",
        "running_at",
        "shard",
        "tries",
    )

    def __init__(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        self.shard = shard
        self.command = command
        self.deadline_at = deadline_at
        self.done: Callable[[Reply], None] | None = done
        self.tries = 0
        self.in_doubt = False
        self.first_parked_at = 0.0
        self.map_version = -1
        #: The host that may still be deciding an earlier sending: it gets no second one.
        self.running_at: str | None = None

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
        self._flushing = False
        self._earliest = float("inf")

    def attach(self, line: Line) -> None:
        """The line is open."""
        self.line = line
        self._flush()

    def add(self, entry: Entry) -> bool:
        """Queue an entry; False if the queue is full."""
        if entry.command[0] in FINISHING:
            self._first.append(entry)
        elif len(self._then) >= QUEUE_COMMANDS_MAX:
            return False
        else:
            self._then.append(entry)
        if entry.deadline_at < self._earliest:
            self._earliest = entry.deadline_at
        if not self._flushing and len(self._in_flight) < BATCHES_IN_FLIGHT:
            # All that this turn of the loop reads from its sockets joins one batch.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)
        return True

    def _flush(self) -> None:
        self._flushing = False
        while (
            self.line is not None
            and len(self._in_flight) < BATCHES_IN_FLIGHT
            and (self._first or self._then)
        ):
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
                    entry.answer([Outcome.UNAVAILABLE, _LOST])
                else:
                    batch.append(entry)
        return batch

    def _send(self, batch: list[Entry], line: Line) -> None:
        pack = _packer.pack
        parts: list[bytes] = []
        size = 0
        for at, entry in enumerate(batch):
            part = pack(entry.shard) + pack(entry.command)
            size += len(part)
            if size > BATCH_BYTES_MAX and at:
                self._then.extendleft(reversed(batch[at:]))
                batch = batch[:at]
                break
            parts.append(part)
        if not batch:
            return
        self._in_flight.append(batch)
        header = b"\xdd" + (2 * len(parts)).to_bytes(4, "big")  # MessagePack array 32
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
        for entry, reply in zip(batch, replies, strict=True):
            if entry.done is not None:
                self._answered(entry, reply)
        self._flush()

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
        for sent in (True, False):
            groups = self._in_flight if sent else [list(self._first), list(self._then)]
            for entry in (entry for group in groups for entry in group):
                if entry.done is None:
                    continue
                if entry.deadline_at <= now:
                    entry.answer([Outcome.LOST if sent else Outcome.UNAVAILABLE, _LOST])
                elif entry.deadline_at < earliest:
                    earliest = entry.deadline_at
        self._earliest = earliest

    def close(self) -> None:
        """End the line; what waits is routed anew."""
        self.closed = True
        if self.line is not None:
            self.line.close()
        self.line_lost()
