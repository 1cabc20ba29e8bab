"""What stores are to prepare for collection, told from shard to shard, see ``engine.pickups``.

Each host tells the supervisor, once a second, what has joined and left stores' queues on its
shards, and hears what is new on all shards; its own take in what others have promised.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from actors.lane import LineLost
from engine.commands import Reply, network
from engine.outcome import Outcome, but_for_copies

if TYPE_CHECKING:
    from actors.host import HostCore
    from actors.owner import ShardOwner

#: ``[node, shard, joined, left]``, both since ever.
Row: TypeAlias = list[Any]
#: Joined and left, by shard, by node.
_Known: TypeAlias = dict[str, dict[int, tuple[int, int]]]


class Board:
    """What each shard has told last: the supervisor's."""

    def __init__(self) -> None:
        self._known: _Known = {}
        self._changed: dict[str, int] = {}  # The version that has each node's last change.
        self._version = 0

    def take(self, told: list[Row], since: int) -> tuple[int, list[Row]]:
        """Take what some shards tell; the version now, and all rows of nodes changed ``since``."""
        for node, shard, joined, left in told:
            of_node = self._known.setdefault(node, {})
            if of_node.get(shard) != (joined, left):
                self._version += 1
                of_node[shard] = (joined, left)
                self._changed[node] = self._version
        news = [node for node, version in self._changed.items() if version > since]
        rows = [[node, shard, *at] for node in news for shard, at in self._known[node].items()]
        return self._version, rows


class Exchange:
    """One host's side of it."""

    def __init__(self, host: "HostCore") -> None:
        self._host = host
        self._known: _Known = {}
        self._version = 0
        self._met: set[tuple[int, int]] = set()  # Owners that have heard of everything once.

    async def round(
        self, tell: Callable[[list[Row], int], Coroutine[Any, Any, tuple[int, list[Row]]]]
    ) -> None:
        """Tell and hear; what the supervisor does not hear now is told the next time."""
        owners = [owner for shard, owner in self._host.owners.items() if shard != self._host.shards]
        news = [(owner, owner.ledger.queues.news()) for owner in owners]
        told = [
            [node, owner.right.shard, *counts]
            for owner, told in news
            for node, counts in told.items()
        ]
        try:
            self._version, rows = await tell(told, self._version)
        except LineLost:
            for owner, untold in news:
                owner.ledger.queues.tell_again(untold)
            return
        for node, shard, joined, left in rows:
            self._known.setdefault(node, {})[shard] = (joined, left)
        changed = {row[0] for row in rows}
        for owner in owners:
            met = (owner.right.shard, owner.right.epoch)
            self._bring(owner, changed if met in self._met else set(self._known), met)
            self._met.add(met)

    def _bring(self, owner: "ShardOwner", nodes: set[str], met: tuple[int, int]) -> None:
        rows = []
        for node in sorted(nodes):
            others = [at for shard, at in self._known[node].items() if shard != owner.right.shard]
            joined, left = (
                (sum(counts) for counts in zip(*others, strict=True)) if others else (0, 0)
            )
            queue = owner.ledger.queues.of(node)
            if (joined, left) != (queue.others_joined, queue.others_left):
                rows.append([node, joined, left])
        if rows:
            asked = self._host.ask(owner.right.shard, network.queued_elsewhere(rows))
            asked.add_done_callback(lambda done: self._brought(met, done.result()))

    def _brought(self, met: tuple[int, int], reply: Reply) -> None:
        """Whoever could not take it in hears of everything again."""
        if but_for_copies(reply)[0] != Outcome.OK:
            self._met.discard(met)
