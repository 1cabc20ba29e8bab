"""What an owner asks of a store. Refusals are ``StoreRefused``, silence is ``StoreLost``."""

import time
from asyncio import Future
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from engine.effects import Sealed

#: The field of a base that says what it is of.
AT: Final = "at"


@dataclass(frozen=True, slots=True)
class Right:
    """The right to write one shard: whoever holds the newest is the owner."""

    shard: int
    epoch: int
    token: str


@dataclass(frozen=True, slots=True)
class Acquired:
    """Where a shard's history stands at the instant the right was given."""

    seq: int
    head: bytes
    now_ms: int  # Shard time of the last commit.
    store_id: str
    clock_ms: int  # The store's clock.
    #: When that was known here, on the monotonic clock: loading a shard may take seconds.
    answered_at_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Peeked:
    """Some fields, and the state of the history they belong to."""

    epoch: int
    seq: int
    values: list[bytes | None]


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """The events of one commit."""

    seq: int
    events: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseChange:
    """A step of a shard's base, see ``rebuild``: applied where its ``at`` is still ``before``.

    Empty ``before``: there is no finished base yet. Empty ``after``: it is not finished with this.
    """

    before: bytes
    after: bytes
    put: Mapping[str, bytes]
    gone: Sequence[str] = ()
    anew: bool = False  # Drop all that the base had first.


class ShardStore(Protocol):
    """A store as one host uses it. Calls of ``commit`` and ``check`` are answered in order."""

    async def acquire(self, right: Right, term: int, owner: str) -> Acquired:
        """Become the owner; refused with TERM, EPOCH or NOSHARD."""
        ...

    async def release(self, right: Right) -> None:
        """Give a shard up."""
        ...

    def commit(self, right: Right, sealed: Sealed) -> "Future[None]":
        """Apply a batch, all or nothing; done when it is as durable as one server makes it."""
        ...

    def check(self, right: Right, seq: int, head: bytes) -> "Future[None]":
        """Nothing is written; refused unless this owner and this history rule."""
        ...

    async def copies(self) -> bool:
        """Whether all this connection has written is as replicated as the level asks."""
        ...

    async def reconnect(self) -> None:
        """A new connection for commits; whatever was on the old one stays in doubt."""
        ...

    def scan(self, shard: int, name: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """All fields of ``state``, ``free``, ``reservations`` or ``closed:<hour>``, in portions."""
        ...

    async def closed_hours(self, shard: int) -> list[int]:
        """The hours that have ended reservations, oldest first."""
        ...

    async def recall(self, shard: int, fields: Mapping[int, Sequence[str]]) -> dict[str, bytes]:
        """Ended records by hour and field, in one round trip; what is not there is left out."""
        ...

    async def peek(self, shard: int, name: str, fields: Sequence[str]) -> Peeked:
        """Up to 1,000 fields of one hash and the seq they belong to."""
        ...

    async def events(self, shard: int, after: int, most: int) -> list[StreamEntry]:
        """Entries of the event stream behind a seq, oldest first."""
        ...

    async def events_weight(self, shard: int) -> tuple[int, int]:
        """About how many bytes the event stream has, and its first seq; 0 where it is empty."""
        ...

    def trim_events(self, right: Right, below: int) -> None:
        """Have the next commit under this right drop entries of the event stream before a seq.

        Nothing else trims. Whoever asks for it has seen under the same right that the base has
        them: a store that came back behind may have lost that, and then it gives a new right.
        """
        ...

    async def change_base(self, right: Right, change: BaseChange) -> None:
        """Move the base on, all or nothing; refused with FENCED, or SEQ where it is elsewhere.

        ``peek`` and ``scan`` read it, under the name ``base``.
        """
        ...

    async def clock_ms(self) -> int:
        """The store's clock."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...
