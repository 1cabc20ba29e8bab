"""A shop whose waves can be looked at step by step: bare ledgers as waves see shards."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from actors.waves.gathering import Gathered, gather
from actors.waves.touching import Touching
from engine import commands
from engine.commands import Command, Reply, network, supplies
from engine.ids import reservation_id
from engine.outcome import Outcome
from engine.record import Reservation
from engine.stock import SupplyMembers
from tests.builders import Stock, adjust, empty_ledger, reserve

ORDERS_MAX = 10_000
#: Cents of a parcel by node and zone.
Lanes = Mapping[str, Mapping[str, int]]


class Shop:
    """One shard and ``net``; nodes are those of the lanes, a parcel takes a day from each."""

    def __init__(
        self,
        stock: Stock,
        lanes: Lanes,
        members: Mapping[str, dict[str, Any]] | None = None,
        steps: Mapping[str, list[tuple[int, int]]] | None = None,
    ) -> None:
        """``steps``: of all lanes from a node, from so many grams so many cents a kilogram."""
        self.shards = self.net = 1
        self.ledgers = [empty_ledger(0, 1), empty_ledger(1, 1)]
        for node in lanes:
            self.put_node(node, **(members or {}).get(node, {}))
        rows: list[list[Any]] = [
            [node, zone, cents, 0, 86_400_000, None, (steps or {}).get(node, [])]
            for node, zones in lanes.items()
            for zone, cents in zones.items()
        ]
        self.told(self.net, network.define_lanes(rows))
        for sku, by_node in stock.items():
            self.told(0, commands.define_sku(sku, [sku, 500, None]))
            self.follow_network()
            self.told(0, adjust(*((sku, node, units) for node, units in by_node.items())))

    def told(self, shard: int, command: Command) -> Reply:
        """What a shard replies: never a refusal."""
        reply = self.ledgers[shard].decide(command, time.time_ns() // 1_000_000)
        assert reply[0] == Outcome.OK, reply
        return reply

    def put_node(self, node: str, **members: Any) -> None:
        """Let a node have these members."""
        self.told(self.net, network.define({f"n|{node}": {"kind": "warehouse", **members}}))
        self.follow_network()

    def follow_network(self) -> None:
        """Let the shard know what ``net`` knows."""
        known = self.ledgers[0].network
        _, version, elements, _ = self.told(self.net, commands.read_network(known))
        if version > known:
            self.told(0, commands.take_network(known, version, elements))

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """See ``actors.waves.gathering.Shards``."""
        return self.ledgers[shard].decide(command, time.time_ns() // 1_000_000)

    def order(self, key: str, zone: str, *wanted: Any, **extra: Any) -> str:
        """A confirmed order of ``(sku, units)`` to a zone; its id."""
        self.told(0, reserve(key, *wanted, **{"z": zone, **extra}))
        self.told(0, commands.confirm(key))
        return reservation_id(0, key)

    def coming(self, sku: str, node: str, supply: str, units: int, at_ms: int) -> None:
        """Units on their way to a node."""
        members = SupplyMembers("purchase_order", units, at_ms, supply.encode().hex())
        self.told(0, supplies.open_supply(sku, node, supply, list(members)))

    def places(self, key: str) -> dict[tuple[str, str], int]:
        """Units of an order by SKU and node."""
        backings = Reservation(self.ledgers[0].reservations[key]).backings()
        return {(sku, node): units for sku, node, units in backings}

    def gathered(self, touching: Touching | None = None) -> Gathered:
        """What a wave of confirmed orders would be about."""
        return asyncio.run(gather(self, held=False, most=ORDERS_MAX, touching=touching))
