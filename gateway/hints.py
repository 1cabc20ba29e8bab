"""Sold out, said without asking the owner: for how long, to whom, and when not any more.

A hint begins when an owner has refused a single-line request because nothing was left. While it
is asked for it is renewed from the owner, and it says nothing once its last renewal was sent
``HINT_MS`` ago. It speaks only for wishes (node, channel) that the owner itself has called sold
out, and never to a key that has taken this SKU: those are in the filter that comes with it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from engine import commands
from engine.commands import Reply
from engine.filter import Filter
from engine.ids import shard_of
from engine.limits import HINT_MS
from engine.outcome import Outcome
from engine.record import CHANNEL, OWNER_LOOKS
from engine.requests import Reserve
from gateway.ports import Owners

#: A hint is renewed this long after its last renewal was sent; the answer has as long again.
RENEW_AFTER_S: Final = HINT_MS / 2000
VALID_S: Final = HINT_MS / 1000
#: SKUs with a hint at a time; beyond, the owner answers.
HINTS_MAX: Final = 1_000


class Hint:
    """What is known of one SKU that was sold out."""

    __slots__ = ("asking", "at", "filter", "used", "valid_until", "version", "wishes")

    def __init__(self) -> None:
        self.wishes: set[tuple[str | None, str | None]] = set()
        self.at = (0, -1)  # (epoch, seq) of what is known.
        self.version = -1
        self.filter: Filter | None = None
        self.valid_until = 0.0
        self.asking = False
        self.used = False


class Hints:
    """The hints of one worker."""

    def __init__(self, client: Owners, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self.by_sku: dict[str, Hint] = {}

    def says_sold_out(self, asked: Reserve) -> bool:
        """Whether ``asked`` may be refused without asking its owner."""
        line = asked.lines[0]
        hint = self.by_sku.get(line[0])
        if hint is None or len(asked.lines) > 1 or not _can_be_hinted(asked):
            return False
        hint.used = True
        if hint.filter is None or self._loop.time() >= hint.valid_until:
            return False
        return _wish(asked) in hint.wishes and asked.key not in hint.filter

    def sold_out(self, asked: Reserve) -> None:
        """The owner has refused ``asked``, one line, with nothing left."""
        if not _can_be_hinted(asked):
            return
        sku = asked.lines[0][0]
        hint = self.by_sku.get(sku)
        if hint is None:
            if len(self.by_sku) >= HINTS_MAX:
                return
            hint = self.by_sku[sku] = Hint()
        if _wish(asked) not in hint.wishes:
            hint.wishes.add(_wish(asked))
            hint.valid_until = 0.0  # What is known is older than this wish's refusal.
        self._ask(sku, hint)

    def units_moved(self, sku: str) -> None:
        """Units of ``sku`` were seen to return, or to be sold: what was known is void."""
        self.by_sku.pop(sku, None)

    def forget_all(self) -> None:
        """Nodes have changed: who may be served by what must be asked anew."""
        self.by_sku.clear()

    def _ask(self, sku: str, hint: Hint) -> None:
        if hint.asking:
            return
        hint.asking = True
        hint.used = False
        sent_at = self._loop.time()

        def told(reply: Reply) -> None:
            hint.asking = False
            if self.by_sku.get(sku) is hint:  # Else it was made void while we asked.
                self._learn(sku, hint, reply, sent_at)

        shard = shard_of(sku, self._client.shards)
        command = commands.hint(sku, hint.at[0], hint.version)
        self._client.submit(shard, command, sent_at + VALID_S, told)

    def _learn(self, sku: str, hint: Hint, reply: Reply, sent_at: float) -> None:
        if reply[0] != Outcome.OK:
            del self.by_sku[sku]
            return
        _ok, epoch, seq, version, data = reply
        as_known = hint.filter is not None and (epoch, version) == (hint.at[0], hint.version)
        if (epoch, seq) < hint.at or (data is None and not as_known):
            del self.by_sku[sku]
            return
        hint.at = (epoch, seq)
        hint.version = version
        if data is not None:
            hint.filter = Filter.from_bytes(data)
        hint.valid_until = sent_at + VALID_S
        self._loop.call_at(sent_at + RENEW_AFTER_S, self._renew, sku, hint)

    def _renew(self, sku: str, hint: Hint) -> None:
        if self.by_sku.get(sku) is not hint:
            return
        if hint.used:
            self._ask(sku, hint)
        else:
            del self.by_sku[sku]


def _can_be_hinted(asked: Reserve) -> bool:
    return asked.extra is None or OWNER_LOOKS.isdisjoint(asked.extra)


def _wish(asked: Reserve) -> tuple[str | None, str | None]:
    channel = None if asked.extra is None else asked.extra.get(CHANNEL)
    return asked.lines[0][1], channel
