"""What the hot path needs of the shards' client: two calls, so that tests can stand in for it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from engine.commands import Command, Reply
from engine.record import Line
from engine.requests import Reserve


class Owners(Protocol):
    """The owners of all shards, as reached from this process; see ``actors.client.Client``."""

    shards: int
    net: int

    def submit(
        self, shard: int, command: Command, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        """``done`` is called exactly once, on this loop, at the latest at ``deadline_at``."""
        ...

    def submit_packed(
        self, shard: int, packed: bytes, deadline_at: float, done: Callable[[Reply], None]
    ) -> None:
        """``submit`` for a command that begins something and is packed already."""
        ...

    async def reserve_over_shards(self, request: Reserve, deadline_at: float) -> Reply:
        """Hold units whose lines lie on several shards."""
        ...

    async def explain_campaign(self, campaign: str, lines: list[Line]) -> Reply:
        """What to say to one who named a campaign that a shard does not sell for."""
        ...

    async def confirm_late(self, home: int, key: str, record: bytes, deadline_at: float) -> Reply:
        """Confirm after expiry where the lines lie on several shards."""
        ...

    async def fulfil_over_shards(
        self,
        home: int,
        key: str,
        reference: str,
        digest: bytes,
        lines: Sequence[Sequence[Any]] | None,
        record: bytes,
        deadline_at: float,
    ) -> Reply:
        """Fulfil where the lines lie on several shards."""
        ...
