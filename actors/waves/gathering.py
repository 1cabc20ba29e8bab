"""What a wave is about, read from the shards: orders, stock, the network."""

import asyncio
import dataclasses
from typing import Any, Final, Protocol

from actors.waves.touching import Order, Touching, chosen
from engine import commands
from engine.commands import Command, Reply, moving, supplies
from engine.ids import shard_of
from engine.lanes import Lane, table_of
from engine.outcome import Outcome, but_for_copies
from engine.record import NONCE
from engine.shortfalls import LATE
from engine.state import PIECE
from engine.stock import Node, slot_of
from engine.supplies import SUPPLY_MEMBERS

#: Orders of one answer of a shard, and SKUs of one question.
_PAGE: Final = 500
_SKUS: Final = 500
_CALL_S: Final = 5.0
#: Records of a shard that are looked at for each order: most are orders, some pieces of others.
_RECORDS_MAX: Final = 4
_ANSWERS: Final = (Outcome.OK, Outcome.UNKNOWN_SKU, Outcome.UNKNOWN_SUPPLY)
#: A version of views that nothing is newer than: only the SKUs named are told.
_NOTHING_NEWER: Final = 2**62


class Shards(Protocol):
    """The way to the shards, and how many there are."""

    shards: int
    net: int

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """One command to a shard."""
        ...


class CannotGather(Exception):
    """A shard did not answer: the wave is given up, nothing has changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """Promises on a supply that comes at ``at_ms``, too late for them, or None: not at all.

    ``keys`` are those of their orders.
    """

    node: str
    at_ms: int | None
    keys: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """All that a problem is made of.

    ``free``: sellable units by SKU and node; ``short``: units promised there and not there;
    ``broken``: what is wrong with supplies, by SKU and slot; ``shards``: how many there are. Of a
    narrowed wave ``hit`` are the ids of the touched among ``orders``, and ``rest`` those that stay
    as they are. ``pools``: the nodes of each channel that draws on a pool.
    """

    shards: int
    orders: list[Order]
    rest: list[Order]
    hit: frozenset[str]
    grams: dict[str, int]
    free: dict[str, dict[str, int]]
    short: dict[tuple[str, str], int]
    broken: dict[tuple[str, str], Broken]
    nodes: dict[str, Node]
    lanes: dict[str, dict[str, Lane]]
    pools: dict[str, frozenset[str]]


async def _call(client: Shards, shard: int, command: Command) -> Reply:
    deadline_at = asyncio.get_running_loop().time() + _CALL_S
    reply = but_for_copies(await client.call(shard, command, deadline_at))
    if reply[0] not in _ANSWERS:
        raise CannotGather(f"shard {shard}: {Outcome(reply[0]).name.lower()}")
    return reply


async def gather(
    client: Shards, *, held: bool, most: int, touching: Touching | None = None
) -> Gathered:
    """At most ``most`` orders and what concerns them; of these only what is touched, if asked.

    Raises ``CannotGather``.
    """
    network = await _network(client)
    of_shards = await asyncio.gather(
        *(_orders(client, shard, held=held, most=most) for shard in range(client.shards))
    )
    orders = _joined([order for orders in of_shards for order in orders], most)
    rest: list[Order] = []
    hit: frozenset[str] = frozenset()
    if touching is not None:
        # Beside the loop that decides for buyers: there may be many orders.
        orders, rest, hit = await asyncio.to_thread(chosen, orders, touching)
    skus = sorted({line[0] for order in orders for line in order.reservation.lines})
    grams, free = await _stock(client, skus)
    short, broken = await _shortfalls(client, {shard_of(sku, client.shards) for sku in skus})
    nodes = {
        name[2:]: Node(name[2:], members) for name, members in network.items() if name[0] == "n"
    }
    lanes = {name[2:]: table_of(packed) for name, packed in network.items() if name[0] == "l"}
    pools = {
        name[2:]: frozenset(network[f"p|{members['pool']}"])
        for name, members in network.items()
        if name[0] == "h" and f"p|{members['pool']}" in network
    }
    return Gathered(
        client.shards, orders, rest, hit, grams, free, short, broken, nodes, lanes, pools
    )


async def _network(client: Shards) -> dict[str, Any]:
    elements: dict[str, Any] = {}
    version = 0
    while True:
        reply = await _call(client, client.net, commands.read_network(version, "nlhp"))
        elements.update(reply[2])
        if reply[1] >= reply[3]:
            return elements
        version = reply[1]


async def _orders(client: Shards, shard: int, *, held: bool, most: int) -> list[Order]:
    place: int | None = 0
    found: dict[str, Order] = {}
    while place is not None and len(found) < most * _RECORDS_MAX:
        _, place, *rows = await _call(client, shard, moving.movable(place, _PAGE, held=held))
        for key, record in rows:
            data = record if isinstance(record, bytes) else record.encode("utf-8")
            found[key] = Order.read(shard, key, data)
    return list(found.values())


def _joined(records: list[Order], most: int) -> list[Order]:
    """Orders with their pieces, but for pieces of an earlier attempt."""
    orders = [record for record in records if record.key[0] != PIECE][:most]
    by_id = {order.id: order for order in orders}
    for piece in records:
        order = by_id.get(piece.key[1:]) if piece.key[0] == PIECE else None
        nonce = piece.reservation.digest.hex()
        if order is not None and order.reservation.extra.get(NONCE) == nonce:
            order.pieces[piece.shard] = piece
    return orders


async def _stock(
    client: Shards, skus: list[str]
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Grams of a unit, and sellable units by node, of each SKU."""
    of_shards: dict[int, list[str]] = {}
    for sku in skus:
        of_shards.setdefault(shard_of(sku, client.shards), []).append(sku)
    grams: dict[str, int] = {}
    free: dict[str, dict[str, int]] = {}
    for shard, mine in of_shards.items():
        for start in range(0, len(mine), _SKUS):
            some = mine[start : start + _SKUS]
            seen = await _call(client, shard, commands.view(some, _NOTHING_NEWER))
            members = await asyncio.gather(
                *(_call(client, shard, commands.read_sku(sku)) for sku in some)
            )
            for sku, reply in zip(some, members, strict=True):
                if reply[0] == Outcome.OK and seen[4].get(sku):
                    grams[sku] = reply[1][1]
                    free[sku] = {node: units for node, units, _ in seen[4][sku][0]}
    return grams, free


async def _shortfalls(
    client: Shards, shards: set[int]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], Broken]]:
    """Units that are promised and not there, and supplies that break promises, of some shards."""
    short: dict[tuple[str, str], int] = {}
    broken: dict[tuple[str, str], Broken] = {}
    for shard in sorted(shards):
        after = ""
        while True:
            _, *rows = await _call(client, shard, supplies.shortfalls(after, _PAGE))
            for sku, node, supply, _, units, reason, _, _, keys, _ in rows:
                if supply is None:
                    short[sku, node] = units
                    continue
                at_ms = await _available_at(client, shard, sku, supply) if reason == LATE else None
                broken[sku, slot_of(node, supply)] = Broken(node, at_ms, frozenset(keys))
            if len(rows) < _PAGE:
                break
            after = rows[-1][3]
    return short, broken


async def _available_at(client: Shards, shard: int, sku: str, supply: str) -> int | None:
    """When a supply is expected, ms; None: it has gone meanwhile."""
    reply = await _call(client, shard, supplies.read_supply(sku, supply))
    if reply[0] != Outcome.OK:
        return None
    told: int = dict(zip(SUPPLY_MEMBERS, reply[1], strict=True))["available_at"]
    return told
