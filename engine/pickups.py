"""What stores have to prepare for those who collect: when the next order's turn comes.

A store with a capacity of so many parcels an hour prepares one after the other, while it is open:
a queue of one server with a fixed time each, of which only its end has to be known. Whoever joins
is served behind all others; an order that ends before its turn makes the queue that much shorter.
Orders of one store lie on many shards. Each counts those that have joined and left here, is told
the same of all others a second later, and lengthens or shortens its own queue by what is new.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.commands import Command, Reply
from engine.lanes import HOUR_MS, open_until
from engine.outcome import Outcome
from engine.record import COSTS, PICKUP, Reservation, pack

if TYPE_CHECKING:
    from engine.state import ShardState
    from engine.stock import Node

#: A field of the state: the queue of a node.
QUEUE: Final = "P"


class Queue(NamedTuple):
    """What a store is to prepare, as one shard knows it."""

    until_ms: int = 0  # All who have joined are served by then.
    joined: int = 0  # Orders of this shard, since ever.
    left: int = 0  # Of these, how many ended before their turn.
    others_joined: int = 0
    others_left: int = 0


_NOBODY: Final = Queue()


class Queues:
    """The queues that one shard knows of, by node."""

    def __init__(self) -> None:
        self._by_node: dict[str, Queue] = {}
        self._untold: set[str] = set()  # What others have not heard of.

    def of(self, node: str) -> Queue:
        """The queue of a node."""
        return self._by_node.get(node, _NOBODY)

    def put(self, node: str, queue: Queue) -> None:
        """It is another one now."""
        before = self.of(node)
        self._by_node[node] = queue
        if (queue.joined, queue.left) != (before.joined, before.left):
            self._untold.add(node)

    def news(self) -> dict[str, list[int]]:
        """By node: orders of this shard that have joined, and left early; each change once."""
        told = {node: [self.of(node).joined, self.of(node).left] for node in self._untold}
        self._untold = set()
        return told

    def tell_again(self, nodes: Iterable[str]) -> None:
        """Nobody has heard of these."""
        self._untold.update(nodes)


def join(state: "ShardState", place: "Node", now_ms: int) -> int:
    """One order more for a store; when its turn comes, ms."""
    each = _each_ms(place)
    if not each:
        return now_ms
    queue = state.queues.of(place.node)
    turn_ms = max(now_ms, queue.until_ms)
    until_ms = open_until(place, turn_ms, each)
    _put(state, place.node, queue._replace(until_ms=until_ms, joined=queue.joined + 1))
    return turn_ms


def leave(state: "ShardState", reservation: Reservation) -> None:
    """What of a pickup was to be prepared here and is not yet need not be any more."""
    if PICKUP not in reservation.extra:
        return
    now_ms, costs = state.effects.now_ms, reservation.extra.get(COSTS, {})
    ready: dict[str, int] = {}
    for sku, slot, _ in reservation.backings():
        if sku in state.books and (told := costs.get(f"{sku}|{slot}")) is not None:
            node = state.books[sku].positions[slot].node
            ready[node] = max(ready.get(node, 0), told[0])
    for node, ready_ms in ready.items():
        queue, each = state.queues.of(node), _each_ms(state.nodes[node])
        if queue.joined > queue.left and ready_ms > now_ms:
            until_ms = queue.until_ms - each
            _put(state, node, queue._replace(until_ms=until_ms, left=queue.left + 1))


def told_elsewhere(state: "ShardState", command: Command, now_ms: int) -> Reply:
    """See ``commands.network.queued_elsewhere``."""
    for node, joined, left in command[1]:
        place, before = state.nodes.get(node), state.queues.of(node)
        if place is None:
            continue  # Its version of the network is on its way.
        if joined < before.others_joined or left < before.others_left:
            continue  # Sums since ever: whoever told has not heard of all others yet.
        each = _each_ms(place)
        more = (joined - before.others_joined) - (left - before.others_left)
        until_ms = before.until_ms
        if more > 0:
            until_ms = open_until(place, max(now_ms, until_ms), more * each)
        else:
            until_ms += more * each
        queue = before._replace(until_ms=until_ms, others_joined=joined, others_left=left)
        if queue != before:
            _put(state, node, queue)
    return [Outcome.OK]


def _each_ms(place: "Node") -> int:
    """How long a store works on one order; 0: nobody has said."""
    per_hour: int | None = place.members.get("capacity_per_hour")
    return HOUR_MS // per_hour if per_hour else 0


def _put(state: "ShardState", node: str, queue: Queue) -> None:
    before = state.queues.of(node)
    state.undo(lambda: state.queues.put(node, before))
    state.queues.put(node, queue)
    state.field(f"{QUEUE}|{node}", pack(list(queue)))
