"""Which nodes an order may draw on: kinds of nodes, told apart by whom they serve.

A node serves the channels it names, or all, and a channel with a pool is served by the pool's
nodes only. Nodes that serve the same channels are of one kind.
"""

from collections import Counter
from typing import Final

from actors.waves.gathering import Gathered
from actors.waves.touching import Order
from engine.record import CHANNEL

#: Kinds that a wave tells apart; the nodes of rarer ones get no order of it.
_KINDS_MAX: Final = 60
#: The kind that serves nobody.
_NOBODY: Final = 61

#: Channels a node names, none for all, and which channels' pools it is in.
_Serves = tuple[frozenset[str], frozenset[str]]


class Reach:
    """The kind of each node, and the kinds that each order may use."""

    def __init__(self, gathered: Gathered) -> None:
        self._pools = gathered.pools
        self._serves: dict[str, _Serves] = {
            name: (
                node.channels,
                frozenset(channel for channel, pool in self._pools.items() if name in pool),
            )
            for name, node in sorted(gathered.nodes.items())
        }
        common = Counter(self._serves.values()).most_common(_KINDS_MAX)
        self._kinds = {serves: number for number, (serves, _) in enumerate(common)}
        self._of_channel: dict[str | None, int] = {}

    def kind(self, node: str) -> int:
        """The number of a node's kind."""
        return self._kinds.get(self._serves[node], _NOBODY)

    def kinds(self, order: Order) -> int:
        """A bit for each kind that may serve an order."""
        channel = order.reservation.extra.get(CHANNEL)
        if channel not in self._of_channel:  # Of a hundred thousand orders few differ in it.
            self._of_channel[channel] = sum(
                1 << number
                for serves, number in self._kinds.items()
                if self._reaches(channel, serves)
            )
        return self._of_channel[channel]

    def has(self, order: Order, node: str) -> bool:
        """Whether a node may serve an order."""
        return bool(self.kinds(order) >> self.kind(node) & 1)

    def _reaches(self, channel: str | None, serves: _Serves) -> bool:
        named, pooled = serves
        return (not named or channel in named) and (channel not in self._pools or channel in pooled)
