"""Units sent to a store for whoever collects them there, where the store has none itself.

The units leave another node by a transfer of their own, made in the commit that promises them:
they are counted at one place at any time, and arrive with the promise that stands on them. A hold
that ends unpaid calls its transfer back; one that was paid for goes on, and what nobody collects
is on sale where it has arrived.
"""

import re
from typing import Final

from engine.costed import whole
from engine.demand import Demand
from engine.lanes import Lane, ready_at
from engine.shares import share_of
from engine.state import ShardState
from engine.stock import Book, Position, SupplyMembers
from engine.supplies import call_back, send
from engine.supply_names import name_here

#: How ids of these transfers begin: nobody else may give such ones.
PREFIX: Final = "pickup:"
_ID: Final = re.compile(rf"^{PREFIX}([0-9a-f]{{3}}):\d+:\d+\Z")


def shard_named_in(supply: str) -> int | None:
    """The shard that such an id was made by; None: it is another supply's."""
    found = _ID.match(supply)
    return int(found[1], 16) if found is not None else None


def sender(
    state: ShardState, book: Book, store: str, units: int, demand: Demand
) -> Position | None:
    """The position that sends so many units to a store for least, in time; None: nobody can."""
    lanes, share = _lanes_to(state, store), share_of(book, demand)
    # What is set aside lies where it is.
    declared = share is not None and (share.is_campaign or bool(share.aside))
    if not lanes or declared or demand.partial or book.stopped:
        return None
    others = {node: lane for node, lane in lanes.items() if node != store}
    zone = f"{state.nodes[store].members['zone']}>{store}"  # Without the store: an order apart.
    to_store = demand._replace(zone=zone, lanes=others, pickup=False)
    found = whole(book, units, to_store)
    if found is None or found.free - found.aside < units:
        return None
    by_ms = demand.deliver_by_ms
    if by_ms is not None and ready_at(state.nodes[store], _there(state, found, lanes)) > by_ms:
        return None
    return found


def send_over(state: ShardState, origin: Position, store: str, units: int) -> Position:
    """Let units that are free leave for a store; the transfer's position there, nothing held."""
    number = 0
    while (name := f"{PREFIX}{state.shard:03x}:{state.seq + 1}:{number}") in state.supply_names:
        number += 1
    book = origin.book
    at_ms = _there(state, origin, _lanes_to(state, store))
    name_here(state, name, book.sku)
    members = SupplyMembers("transfer", units, at_ms, "", origin.node)
    sent = send(state, book, store, name, members)
    assert isinstance(sent, Position), sent  # They were found to be free.
    return sent


def call_back_unpaid(state: ShardState, position: Position) -> None:
    """Let a transfer that nobody waits for any more, and that has not arrived, come back."""
    supply = position.supply
    if supply is None or shard_named_in(supply.supply) is None:
        return
    if supply.members.state == "open" and not (position.reserved or position.committed):
        call_back(state, position)


def _lanes_to(state: ShardState, store: str) -> dict[str, Lane]:
    zone = state.nodes[store].members.get("zone")
    return state.lanes.get(zone, {}) if zone is not None else {}


def _there(state: ShardState, origin: Position, lanes: dict[str, Lane]) -> int:
    """When units that leave now are at the store, ms."""
    return lanes[origin.node].arrival(ready_at(origin.place, state.effects.now_ms))
