"""The solver's problem of a wave, and the moves that a plan of it comes to."""

import dataclasses
from collections import Counter
from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.waves.gathering import Gathered
from actors.waves.merging import heads, parties
from actors.waves.reach import Reach
from actors.waves.touching import Order
from actors.waves.waiting import Wait, waits
from engine.backings import units_left
from engine.commands import moving as commands
from engine.ids import shard_of
from engine.lanes import DAY_MS, open_within_a_day, ready_at
from engine.limits import LATE_CENTS_PER_HOUR, MOVES_MAX, SPLIT_CENTS
from engine.moving import revision
from engine.record import DELIVER_BY, SHIPPED, ZONE
from engine.stock import ON_ITS_WAY, Node
from solver.plan import Plan
from solver.problem import (
    MOST_PARCELS,
    NO_GROUP,
    NO_STEP,
    NOWHERE,
    UNBOUNDED,
    Bools,
    Floats,
    Ints,
    Network,
    Orders,
    Problem,
    Weights,
)

_HOUR_MS: Final = 3_600_000
#: SKU, slot, units and order number of what may move.
Row = tuple[str, str, int, int]
#: An order without a date is never late.
_NEVER_H: Final = 1e6
#: What a move must save at least, in cents an order: it costs paper and patience.
CHANGE_CENTS: Final = 20
#: What leaving a line costs that stands well: it would stay, and so would its units. More than
#: three other lines can gain by them.
DISPLACED_CENTS: Final = 20_000
#: As the choice at reservation weighs it.
WEIGHTS: Final = Weights(
    lateness_day=24 * LATE_CENTS_PER_HOUR,
    split=SPLIT_CENTS,
    displaced_line=DISPLACED_CENTS,
    change=CHANGE_CENTS,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """A problem and whose its lines are; to it each party of orders is one.

    ``party``: that of each order; ``line_orders``: the order of each line (L); ``lines``: SKU and
    slot of each as it stands; ``stood``: the docks of these nodes (L), closed ones too, -1 for what
    is on its way; ``hit``: whether each order is touched; ``waits``: by line, what it costs to
    leave it on a supply that is late; ``shards``: how many there are.
    """

    problem: Problem
    orders: list[Order]
    party: Ints
    line_orders: Ints
    lines: list[tuple[str, str]]
    stood: Ints
    hit: Bools
    waits: dict[int, Wait]
    shards: int

    @property
    def touched(self) -> Bools:
        """Parties of which an order is hit, or cannot stay as it stands."""
        orders = self.problem.orders
        found = np.zeros(len(orders.ids), bool)
        found[self.party[self.hit]] = True
        found[orders.line_order[self.problem.standing == NOWHERE]] = True
        return found

    def shard_of(self, line: int) -> int:
        """Where a line's units lie."""
        return shard_of(self.lines[line][0], self.shards)


def build(
    gathered: Gathered, now_ms: int, closed: Collection[str] = (), *, merge: bool = False
) -> Wave:
    """The problem of ``gathered`` as of ``now_ms``; nothing leaves from the nodes ``closed``.

    Nor from a node that sends nothing in an hour. Units that are short are not there. A line that
    stands on several nodes is as many lines, and so is one that no node has whole. Lines that wish
    for a node or stand on units that are on their way, and in time, stay as they are and are left
    out. With ``merge`` the orders of one customer are one to the solver, see ``merging``.
    """
    names = sorted(gathered.nodes)
    node_of = {name: at for at, name in enumerate(names)}
    zones = sorted(gathered.lanes)
    zone_of = {name: at for at, name in enumerate(zones)}
    reach = Reach(gathered)
    shut = {name for name in names if name in closed or _is_shut(gathered.nodes[name])}
    orders, rows = _rows(gathered, zone_of, reach, shut)
    party = parties(orders, merge=merge)
    rows.sort(key=lambda row: party[row[3]])
    skus = sorted({sku for sku, _, _, _ in rows})
    sku_of = {sku: at for at, sku in enumerate(skus)}
    stock = _stock(gathered, rows, sku_of, node_of)
    emptied = [node_of[name] for name in shut]
    stock[:, emptied] = 0
    rows = [part for row in rows for part in _parts(row, stock[sku_of[row[0]]])]
    stood = np.array([node_of.get(slot, NOWHERE) for _, slot, _, _ in rows], np.int64)
    standing = np.where(np.isin(stood, emptied), NOWHERE, stood)
    standing[_short_lines(gathered, rows)] = NOWHERE
    line_orders = np.array([order for _, _, _, order in rows], np.int64)
    first = heads(party)
    many = len(first)
    made = Problem(
        network=_network(gathered, names, zones, reach, now_ms, _parcels(rows, node_of)),
        skus=tuple(skus),
        unit_grams=np.array([gathered.grams[sku] for sku in skus], np.int64),
        stock=stock,
        orders=Orders(
            ids=tuple(orders[at].key for at in first),
            zone=np.array([zone_of[orders[at].reservation.extra[ZONE]] for at in first], np.int64),
            due=_due_h(orders, party, now_ms),
            priority=np.ones(many, np.int64),
            most_parcels=np.full(many, MOST_PARCELS),
            complete=np.zeros(many, bool),
            kinds=np.array([reach.kinds(orders[at]) for at in first], np.int64),
            pickup=np.full(many, NOWHERE),
            line_order=party[line_orders],
            line_sku=np.array([sku_of[sku] for sku, _, _, _ in rows], np.int64),
            quantity=np.array([units for _, _, units, _ in rows], np.int64),
            together=np.full(len(rows), NO_GROUP),
            only=np.full(len(rows), NOWHERE),
        ),
        weights=WEIGHTS,
        standing=standing,
    )
    hit = np.array([order.id in gathered.hit for order in orders], bool)
    lines = [(sku, slot) for sku, slot, _, _ in rows]
    late = waits(gathered, made, lines, now_ms)
    return Wave(made, orders, party, line_orders, lines, stood, hit, late, gathered.shards)


def _stock(
    gathered: Gathered, rows: list[Row], sku_of: dict[str, int], node_of: dict[str, int]
) -> npt.NDArray[np.int32]:
    """(S x N) units that the rows may stand on: theirs and free ones, those that are short off."""
    stock = np.zeros((len(sku_of), len(node_of)), np.int32)
    for sku, at in sku_of.items():
        for node, units in gathered.free[sku].items():
            stock[at, node_of[node]] = min(units, UNBOUNDED // 2)
    for sku, slot, units, _ in rows:
        if slot in node_of:
            stock[sku_of[sku], node_of[slot]] += units
    for (sku, node), units in gathered.short.items():
        if sku in sku_of:
            place = sku_of[sku], node_of[node]
            stock[place] = max(0, stock[place] - units)
    return stock


def _rows(
    gathered: Gathered, zone_of: dict[str, int], reach: Reach, shut: Collection[str]
) -> tuple[list[Order], list[Row]]:
    """The orders with anything to move, and what of them may move."""
    orders: list[Order] = []
    rows: list[Row] = []
    for order in gathered.orders:
        extra = order.reservation.extra
        if extra.get(ZONE) not in zone_of or extra.get(SHIPPED):
            continue
        wished = {line[0] for line in order.reservation.lines if line[1] is not None}
        mine = [
            (sku, slot, units, len(orders))
            for record in (order, *order.pieces.values())
            for (sku, slot), units in sorted(units_left(record.reservation).items())
            if sku in gathered.free
            and shard_of(sku, gathered.shards) == record.shard
            and sku not in wished
            and _may_leave(gathered, record, sku, slot, extra[ZONE])
            and (ON_ITS_WAY in slot or slot in shut or reach.has(order, slot))
        ]
        if mine:
            orders.append(order)
            rows += mine
    return orders, rows


def _parts(row: Row, there: Ints) -> list[Row]:
    """A line as it is if some node has all of it, else in parts that nodes have (units: N).

    The fullest nodes first, so that it leaves in few parcels.
    """
    sku, slot, units, order = row
    if there.max(initial=0) >= units:
        return [row]
    parts: list[Row] = []
    for some in sorted(there.tolist(), reverse=True):
        part = min(some, units)
        if part:
            parts.append((sku, slot, part, order))
            units -= part
    return [*parts, (sku, slot, units, order)] if units else parts


def _short_lines(gathered: Gathered, rows: list[Row]) -> list[int]:
    """Lines that stand on units which are not there: of each place the last, as many as it lacks.

    Another line of the place may be the one that moves: then these have its units.
    """
    lacking = dict(gathered.short)
    found = []
    for line in reversed(range(len(rows))):
        sku, slot, units, _ = rows[line]
        if lacking.get((sku, slot), 0) > 0:
            lacking[sku, slot] -= units
            found.append(line)
    return found


def _may_leave(gathered: Gathered, record: Order, sku: str, slot: str, zone: str) -> bool:
    """Whether units are at a node that its parcels are priced from, or come late or never."""
    if ON_ITS_WAY in slot:
        broken = gathered.broken.get((sku, slot))
        return broken is not None and record.key in broken.keys
    return slot in gathered.nodes and slot in gathered.lanes[zone]


def _due_h(orders: list[Order], party: Ints, now_ms: int) -> Floats:
    """When each party wants the first of its orders."""
    due = np.full(len(np.unique(party)), _NEVER_H)
    for at, order in zip(party.tolist(), orders, strict=True):
        by_ms = order.reservation.extra.get(DELIVER_BY)
        if by_ms is not None:
            due[at] = min(due[at], (by_ms - now_ms) / _HOUR_MS)
    return due


def _is_shut(node: Node) -> bool:
    return node.members.get("capacity_per_hour") == 0


def _network(
    gathered: Gathered,
    names: list[str],
    zones: list[str],
    reach: Reach,
    now_ms: int,
    standing: Counter[int],
) -> Network:
    """One dock a node: what it can send within an open day, or what it has to send as it is.

    What stays as it is takes its room first.
    """
    staying = Counter(
        node for order in gathered.rest for node in {at for _, at in units_left(order.reservation)}
    )
    size = (len(names), len(zones))
    fixed, per_kg = np.full(size, NOWHERE, np.int64), np.zeros(size, np.int64)
    most = max(
        (len(way.steps) for lanes in gathered.lanes.values() for way in lanes.values()), default=0
    )
    steps = np.full((*size, most, 2), (NO_STEP, 0), np.int64)
    transit = np.zeros(size)
    ready = [ready_at(gathered.nodes[name], now_ms) for name in names]
    for zone, table in enumerate(gathered.lanes[name] for name in zones):
        for node, name in enumerate(names):
            lane = table.get(name)
            if lane is not None:
                fixed[node, zone], per_kg[node, zone] = lane.fixed_cents, lane.per_kg_cents
                if lane.steps:
                    steps[node, zone, : len(lane.steps)] = lane.steps
                transit[node, zone] = (lane.arrival(ready[node]) - ready[node]) / _HOUR_MS
    return Network(
        nodes=tuple(names),
        zones=tuple(zones),
        kind=np.array([reach.kind(name) for name in names], np.int64),
        handling=np.array([gathered.nodes[name].settlement_cents for name in names], np.int64),
        lane_fixed=fixed,
        lane_kg=per_kg,
        lane_steps=steps,
        transit=transit,
        dock_node=np.arange(len(names)),
        departure=np.array([(at - now_ms) / _HOUR_MS for at in ready]),
        capacity=np.array(
            [
                max(_parcels_a_day(gathered.nodes[name], now_ms) - staying[name], standing[at])
                for at, name in enumerate(names)
            ]
        ),
    )


def _parcels(rows: list[Row], node_of: dict[str, int]) -> Counter[int]:
    """How many orders stand on each node."""
    there = {(slot, order) for _, slot, _, order in rows if slot in node_of}
    return Counter(node_of[slot] for slot, _ in there)


def _parcels_a_day(node: Node, now_ms: int) -> int:
    """What it can send in the hours it is open; of a place that never is, all hours count."""
    per_hour: int | None = node.members.get("capacity_per_hour")
    if per_hour is None:
        return UNBOUNDED
    return per_hour * (open_within_a_day(node, now_ms) or DAY_MS) // _HOUR_MS


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """What an order's backings on one shard are to become, see ``commands.moving.move``."""

    order: int
    shard: int
    asked: commands.Asked

    @property
    def part(self) -> tuple[int, int]:
        """What of the wave this is: an order, on a shard."""
        return self.order, self.shard


def moves(wave: Wave, plan: Plan) -> list[Move]:
    """Moves of the orders that the plan has elsewhere, one for each of their shards.

    Lines that the plan leaves stay where they are.
    """
    problem = wave.problem
    nodes = problem.network.nodes
    changed: dict[tuple[int, int], list[commands.Row]] = {}
    for line, dock in enumerate(plan.line_dock.tolist()):
        sku, origin = wave.lines[line]
        if dock == NOWHERE or nodes[dock] == origin:
            continue
        row = sku, origin, nodes[dock], int(problem.orders.quantity[line])
        order = int(wave.line_orders[line])
        changed.setdefault((order, wave.shard_of(line)), []).append(row)
    return [
        Move(at, shard, _asked(wave.orders[at], shard, rows))
        for (at, shard), rows in changed.items()
    ]


def _asked(order: Order, shard: int, rows: list[commands.Row]) -> commands.Asked:
    record = order.at(shard)
    assert record is not None
    seen = revision(record.record)
    if record is order:
        return record.key, seen, rows
    return record.key, seen, rows, order.reservation.extra[ZONE]


def grouped(moves: list[Move]) -> list[list[Move]]:
    """Moves in commands of one shard each, those of the same SKUs together.

    In one command units may change places; a command's size is what a shard can decide without
    keeping buyers waiting.
    """
    by_sku: dict[tuple[int, str], list[Move]] = {}
    for move in moves:
        for sku in {row[0] for row in move.asked[2]}:
            by_sku.setdefault((move.shard, sku), []).append(move)
    groups: dict[int, list[list[Move]]] = {}
    seen: set[tuple[int, int]] = set()
    for first in moves:
        if first.part in seen:
            continue
        # All that is reached over shared SKUs, breadth first: neighbours lie near each other.
        seen.add(first.part)
        component, at = [first], 0
        while at < len(component):
            for sku in sorted({row[0] for row in component[at].asked[2]}):
                for other in by_sku.pop((first.shard, sku), ()):
                    if other.part not in seen:
                        seen.add(other.part)
                        component.append(other)
            at += 1
        made = groups.setdefault(first.shard, [[]])
        for move in component:
            if len(made[-1]) == MOVES_MAX:
                made.append([])
            made[-1].append(move)
    return [group for made in groups.values() for group in made if group]
