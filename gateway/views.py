"""What may be sold of a SKU, kept close: asked for while it is in use, never older than it says.

A shard's view is polled every ``VIEW_POLL_MS`` from its first use until a second after its last.
A poll brings all that changed, so everything in the view is as old as the last poll, counted
from when it was sent. Older than ``FRESH_S``, or not in the view: the answer waits for a poll
that was sent after the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any, Final, TypeAlias

from engine import commands
from engine.commands import Reply
from engine.ids import shard_of
from engine.limits import VIEW_AGE_MS_MAX, VIEW_POLL_MS
from engine.outcome import Outcome
from gateway.ports import Owners

FRESH_S: Final = 0.1
POLL_S: Final = VIEW_POLL_MS / 1000
#: Polling goes on this long after the last question.
IN_USE_S: Final = 1.0
#: SKUs kept of one shard; beyond it the view begins anew.
SKUS_MAX: Final = 20_000

_OK: Final = int(Outcome.OK)

#: [node, sellable, channels that the node serves]
Row: TypeAlias = list[Any]
#: By channel: units it may have at most, and what is set aside for it, by slot.
Quotas: TypeAlias = dict[str, tuple[int, dict[str, int]]]
#: Rows, quotas, and what is on its way: [node, sellable, channels, available_at_ms].
Sku: TypeAlias = tuple[list[Row], Quotas, list[Row]]
#: Called with a refusing reply, or None: all that was asked for is in the view.
Seen: TypeAlias = Callable[[Reply | None], None]


class _Question:
    """Somebody waits for SKUs that the view does not have, or has only too old."""

    __slots__ = ("done", "skus", "timer")

    def __init__(self, skus: Sequence[str], done: Seen) -> None:
        self.skus = skus
        self.done = done
        self.timer: asyncio.TimerHandle | None = None


class ShardView:
    """What one shard's owner has said of the SKUs in use."""

    def __init__(self, client: Owners, shard: int, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._shard = shard
        self._loop = loop
        self._seen: dict[str, Sku | None] = {}
        self._version = -1
        self._epoch = -1  # Versions are of one owner: the store of the next may be behind.
        self._read_at = -1.0  # When the poll was sent that the view stands on.
        self._used_at = 0.0
        self._polling = False
        self._questions: list[_Question] = []  # Not asked yet.
        self._asked: list[_Question] = []  # By the poll on its way.
        self._timer: asyncio.TimerHandle | None = None
        self.seq = 0

    def of(self, sku: str) -> Sku | None:
        """What is sellable where, and to whom; None if there is no such SKU.

        Only after ``see`` has said so.
        """
        return self._seen.get(sku)

    @property
    def read_at(self) -> float:
        """When the owner was asked for what the view says, on the loop's clock."""
        return self._read_at

    def see(self, skus: Sequence[str], deadline_at: float, done: Seen) -> None:
        """Have ``skus`` in the view, fresh; ``done`` is called once, perhaps at once."""
        now = self._used_at = self._loop.time()
        if now - self._read_at <= FRESH_S and all(self._seen.get(sku) is not None for sku in skus):
            done(None)
            return
        question = _Question(skus, done)
        self._questions.append(question)
        question.timer = self._loop.call_at(deadline_at, self._too_late, question)
        if not self._polling:
            self._poll()

    def _too_late(self, question: _Question) -> None:
        for questions in (self._questions, self._asked):
            if question in questions:
                questions.remove(question)
        question.done([Outcome.UNAVAILABLE, VIEW_POLL_MS])

    def _poll(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._polling = True
        self._asked, self._questions = self._questions, []
        named = dict.fromkeys(sku for question in self._asked for sku in question.skus)
        sent_at = self._loop.time()
        self._client.submit(
            self._shard,
            commands.view(list(named), self._version),
            sent_at + VIEW_AGE_MS_MAX / 1000,
            lambda reply: self._answered(reply, sent_at),
        )

    def _answered(self, reply: Reply, sent_at: float) -> None:
        self._polling = False
        asked, self._asked = self._asked, []
        if reply[0] != _OK:
            self._questions = asked + self._questions  # Each until its own deadline.
            if self._questions:
                self._poll_later(POLL_S)
            return
        self._take(reply, sent_at, {sku for question in asked for sku in question.skus})
        for question in asked:
            assert question.timer is not None
            question.timer.cancel()
            question.done(None)
        if self._questions:
            self._poll()
        elif self._loop.time() - self._used_at < IN_USE_S:
            self._poll_later(max(0.0, sent_at + POLL_S - self._loop.time()))

    def _poll_later(self, after_s: float) -> None:
        if not self._polling and self._timer is None:
            self._timer = self._loop.call_later(after_s, self._poll)

    def _take(self, reply: Reply, sent_at: float, asked: set[str]) -> None:
        _ok, epoch, self.seq, version, seen = reply
        same_owner, self._epoch = epoch == self._epoch, epoch
        if version < 0 or self._version < 0 or not same_owner or len(self._seen) > SKUS_MAX:
            self._seen.clear()  # Nobody knows what else has changed.
        for sku, of_it in seen.items():
            if sku in self._seen or sku in asked:
                self._seen[sku] = of_it
        self._version = version
        self._read_at = sent_at


class Views:
    """The views of all shards, each begun when first asked for."""

    def __init__(self, client: Owners, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self.shards = client.shards
        self._views: dict[int, ShardView] = {}

    def of(self, shard: int) -> ShardView:
        """The view of one shard."""
        view = self._views.get(shard)
        if view is None:
            view = self._views[shard] = ShardView(self._client, shard, self._loop)
        return view

    def age_ms(self, skus: Iterable[str]) -> int:
        """How long ago the owners were asked for what is said of these SKUs, at most."""
        read_at = min(self.of(shard_of(sku, self.shards)).read_at for sku in skus)
        return ceil((self._loop.time() - read_at) * 1000)

    def see(
        self, by_shard: Iterable[tuple[int, Sequence[str]]], deadline_at: float, done: Seen
    ) -> None:
        """Have the SKUs of several shards in view; ``done`` is called once."""
        waiting = list(by_shard)
        left = len(waiting)
        refusals: list[Reply] = []

        def seen(refusal: Reply | None) -> None:
            nonlocal left
            left -= 1
            if refusal is not None:
                refusals.append(refusal)
            if not left:
                done(refusals[0] if refusals else None)

        for shard, skus in waiting:
            self.of(shard).see(skus, deadline_at, seen)
