"""A wave as arrays: orders and their lines, docks with stock and capacity, lanes, weights.

Money is whole cents, weight grams, time hours from the moment the wave is solved. Stock and
capacity are net of everything that the wave may not move. A *dock* is one way a node ships: the
node at one of its departures, with room for so many parcels; a node without hour buckets has one
dock, and all docks of a node share its stock.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from solver.errors import ProblemFault

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NOWHERE = -1
UNBOUNDED = np.iinfo(np.int32).max
# Of one pattern. Three already leaves triples of nodes to enumerate, and no shop wants four.
MOST_PARCELS = 3
NO_GROUP = -1
# Grams that no line weighs: where a lane has no further step.
NO_STEP = 2**53


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """What is paid beside carriage, in cents.

    `lateness_day` per day a parcel comes after the promise, times the order's priority; `split`
    per parcel beyond an order's first; `unserved_line` per line left for a later wave, times the
    priority, and `displaced_line` on top if the line stands somewhere: who leaves it keeps its
    units from others; `change` per order whose standing plan is left.
    """

    lateness_day: int = 200
    split: int = 150
    unserved_line: int = 6_000
    displaced_line: int = 0
    change: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """Nodes N, docks D, zones Z and the lanes between them.

    `lane_fixed` (N x Z, cents a parcel, negative where there is no lane), `lane_kg` (N x Z, cents
    a kilogram), `lane_steps` (N x Z x K x 2, for lanes whose rate depends on a line's weight: from
    so many grams on a kilogram costs so many cents instead, the lightest first, `NO_STEP` grams
    where a lane has fewer; K is 0 where none has any), `transit` (N x Z, hours); `handling` (N,
    cents a unit: picking, and what a dealer is paid); `kind` (N, bit number of the node's kind);
    `dock_node` (D), `departure` (D, hours from now), `capacity` (D, parcels).
    """

    nodes: tuple[str, ...]
    zones: tuple[str, ...]
    kind: Ints
    handling: Ints
    lane_fixed: Ints
    lane_kg: Ints
    lane_steps: Ints
    transit: Floats
    dock_node: Ints
    departure: Floats
    capacity: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Orders:
    """Orders O and their lines L, the lines of an order together and in the order of `ids`.

    `zone` (O), `due` (O, hours from now), `priority` (O, weight), `most_parcels` (O, 1 to 3),
    `complete` (O: all lines or none), `kinds` (O, bits of the node kinds allowed), `pickup` (O, a
    node or -1: handed over there, so nothing is carried); `line_order`, `line_sku`, `quantity`
    (L), `together` (L: lines of an order with one number >= 0 leave from one node), `only` (L:
    the one node that may serve the line, or -1).
    """

    ids: tuple[str, ...]
    zone: Ints
    due: Floats
    priority: Ints
    most_parcels: Ints
    complete: Bools
    kinds: Ints
    pickup: Ints
    line_order: Ints
    line_sku: Ints
    quantity: Ints
    together: Ints
    only: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One wave.

    `stock` is (S x N) units, `unit_grams` (S); `standing` (L) the dock of each line in the plan
    that holds now, -1 where there is none: what `weights.change` is paid for leaving.
    """

    network: Network
    skus: tuple[str, ...]
    unit_grams: Ints
    stock: npt.NDArray[np.int32]
    orders: Orders
    weights: Weights
    standing: Ints

    @property
    def sizes(self) -> str:
        """How large the wave is, for a log or a heading."""
        return (
            f"{len(self.orders.ids):,} orders, {len(self.orders.line_sku):,} lines, "
            f"{len(self.network.nodes):,} nodes, {len(self.skus):,} SKUs"
        )


def no_steps(nodes: int, zones: int) -> Ints:
    """`Network.lane_steps` where a kilogram costs the same whatever a line weighs."""
    return np.zeros((nodes, zones, 0, 2), np.int64)


def sums(index: npt.NDArray[Any], amount: npt.NDArray[Any], length: int) -> Floats:
    """(length): the sum of `amount` by `index`; zeros where nothing is added up at all."""
    return np.bincount(index, amount, minlength=length).astype(np.float64)


def first_lines(problem: Problem) -> Ints:
    """Where each order's lines begin, and one past the last: (O + 1)."""
    counts = np.bincount(problem.orders.line_order, minlength=len(problem.orders.ids))
    return np.concatenate([[0], np.cumsum(counts)])


def _refuse(bad: Bools, field: str, names: Sequence[str], remedy: str) -> None:
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1)) if bad.size else bad
    if rows.size:
        name = names[rows[0]] if len(names) > rows[0] else str(rows[0])
        message = f"{field} of {name} (row {rows[0]}): {remedy}; {len(rows)} rows in all"
        raise ProblemFault(message)


def _shapes(problem: Problem) -> None:
    net, orders = problem.network, problem.orders
    nodes, zones, docks = len(net.nodes), len(net.zones), len(net.dock_node)
    lines, many, skus = len(orders.line_sku), len(orders.ids), len(problem.skus)
    wanted: tuple[tuple[str, npt.NDArray[Any], tuple[int, ...]], ...] = (
        ("kind", net.kind, (nodes,)), ("handling", net.handling, (nodes,)),
        ("lane_fixed", net.lane_fixed, (nodes, zones)), ("lane_kg", net.lane_kg, (nodes, zones)),
        ("lane_steps", net.lane_steps, (nodes, zones, sum(net.lane_steps.shape[2:3]), 2)),
        ("transit", net.transit, (nodes, zones)), ("departure", net.departure, (docks,)),
        ("capacity", net.capacity, (docks,)), ("zone", orders.zone, (many,)),
        ("due", orders.due, (many,)), ("priority", orders.priority, (many,)),
        ("most_parcels", orders.most_parcels, (many,)), ("complete", orders.complete, (many,)),
        ("kinds", orders.kinds, (many,)), ("pickup", orders.pickup, (many,)),
        ("line_order", orders.line_order, (lines,)), ("quantity", orders.quantity, (lines,)),
        ("together", orders.together, (lines,)), ("only", orders.only, (lines,)),
        ("unit_grams", problem.unit_grams, (skus,)),
        ("stock", problem.stock, (skus, nodes)), ("standing", problem.standing, (lines,)),
    )  # fmt: skip
    for field, array, shape in wanted:
        if array.shape != shape:
            message = f"{field} has the shape {array.shape}: it must be {shape}"
            raise ProblemFault(message)


def _outside(index: Ints, size: int, lowest: int = 0) -> Bools:
    return (index < lowest) | (index >= size)


def validate(problem: Problem) -> Problem:
    """`problem` itself, once nothing in it is wrong; else `ProblemFault` names field and row."""
    _shapes(problem)
    net, orders = problem.network, problem.orders
    nodes, docks = net.nodes, [net.nodes[n] if 0 <= n < len(net.nodes) else str(n)
                               for n in net.dock_node.tolist()]  # fmt: skip
    lines = [orders.ids[o] if 0 <= o < len(orders.ids) else str(o)
             for o in orders.line_order.tolist()]  # fmt: skip
    count = len(nodes)
    _refuse(_outside(net.kind, 62), "kind", nodes, "a bit number from 0 to 61")
    _refuse(net.handling < 0, "handling", nodes, "cents, not negative")
    _refuse(net.lane_kg < 0, "lane_kg", nodes, "cents a kilogram, not negative")
    _refuse(net.lane_steps < 0, "lane_steps", nodes, "grams and cents a kilogram, not negative")
    begins = net.lane_steps[..., 0]
    mixed = (np.diff(begins, axis=2) <= 0) & (begins[..., 1:] < NO_STEP)
    _refuse(mixed, "lane_steps", nodes, "each begins at more grams than the one before it")
    _refuse(~(net.transit >= 0), "transit", nodes, "hours, not negative")
    _refuse(_outside(net.dock_node, count), "dock_node", docks, f"a node below {count}")
    _refuse(~np.isfinite(net.departure), "departure", docks, "hours from now")
    _refuse(net.capacity < 0, "capacity", docks, "parcels, not negative")
    _refuse(problem.unit_grams < 0, "unit_grams", problem.skus, "grams, not negative")
    _refuse(problem.stock < 0, "stock", problem.skus, "units net of what is locked, not negative")
    ids = orders.ids
    _refuse(_outside(orders.zone, len(net.zones)), "zone", ids, f"a zone below {len(net.zones)}")
    _refuse(~np.isfinite(orders.due), "due", ids, "hours from now")
    _refuse(orders.priority < 1, "priority", ids, "a weight of at least 1")
    _refuse(
        _outside(orders.most_parcels, MOST_PARCELS + 1, 1),
        "most_parcels", ids, f"1 to {MOST_PARCELS} parcels",
    )  # fmt: skip
    _refuse(_outside(orders.pickup, count, NOWHERE), "pickup", ids, "a node, or -1 for a delivery")
    _refuse(_outside(orders.line_order, len(ids)), "line_order", lines, "an order of this wave")
    backwards = np.diff(orders.line_order, prepend=0) < 0
    _refuse(backwards, "line_order", lines, "lines stand in the order of their orders")
    _refuse(
        _outside(orders.line_sku, len(problem.skus)),
        "line_sku", lines, f"a SKU below {len(problem.skus)}",
    )  # fmt: skip
    _refuse(_outside(orders.only, count, NOWHERE), "only", lines, "a node, or -1 for any")
    _refuse(orders.quantity < 1, "quantity", lines, "at least one unit")
    _refuse(
        _outside(problem.standing, len(net.dock_node), NOWHERE),
        "standing", lines, "a dock, or -1 where nothing is planned",
    )  # fmt: skip
    for name, value in dataclasses.asdict(problem.weights).items():
        if value < 0:
            message = f"weights.{name} is {value}: cents, not negative"
            raise ProblemFault(message)
    return problem
