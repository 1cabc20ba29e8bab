"""A folder of tables read back: names become numbers, and what does not fit is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from gateway.importing.rows import Unreadable
from gateway.planning.files import read
from gateway.waves import columns
from gateway.waves.columns import TABLES
from gateway.waves.tables import line_numbers, parquet
from solver import plan as plans
from solver.case import Case
from solver.plan import Plan
from solver.problem import (
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
    validate,
)

#: An order without a date is never late.
_NEVER_H: Final = 1e6
#: Tables that a folder may do without, as if they had no rows.
_OPTIONAL: Final = frozenset({"steps"})
RowT = TypeVar("RowT", bound=columns.Row)


@dataclass(frozen=True, slots=True)
class Written:
    """A folder's problem, and its plan where it has one, with the seconds it was searched for."""

    problem: Problem
    origin: Ints
    latitude: Floats
    longitude: Floats
    plan: Plan | None
    seconds: float | None

    @property
    def case(self) -> Case | None:
        """As a wave that has been planned; None without a plan."""
        if self.plan is None:
            return None
        return Case(self.problem, self.plan, self.origin, self.latitude, self.longitude)


class _Table:
    """One table's rows, and the numbers of those that others name."""

    def __init__(self, folder: Path, name: str, kind: type[RowT]) -> None:
        self.path = folder / f"{name}.parquet"
        there = name not in _OPTIONAL or self.path.exists()
        self.rows: list[Any] = list(read(self.path, kind)) if there else []

    def ids(self, column: str) -> dict[str, int]:
        """The number of each row by its name, which it has alone."""
        found: dict[str, int] = {}
        for at, row in enumerate(self.rows):
            name = getattr(row, column)
            if name in found:
                raise self.wrong(at, column, f"{name} has a row before; leave one of them out")
            found[name] = at
        return found

    def numbers(self, column: str, ids: Mapping[str, int], of: str) -> Ints:
        """What each row names in ``column``; -1 where it names nothing."""
        numbers = np.full(len(self.rows), NOWHERE, np.int64)
        for at, row in enumerate(self.rows):
            name = getattr(row, column)
            if name is not None:
                if name not in ids:
                    raise self.wrong(at, column, f"{name} is not in {of}; add it there")
                numbers[at] = ids[name]
        return numbers

    def values(self, column: str, kind: Any = np.int64, without: Any = None) -> Any:
        """The column as an array; ``without`` where a row has no value."""
        found = [getattr(row, column) for row in self.rows]
        return np.array([without if one is None else one for one in found], kind)

    def wrong(self, at: int, column: str, what: str) -> Unreadable:
        """What is wrong with a row, which counts from 1."""
        return Unreadable(f"{self.path}, line {at + 1}: {what} - at `$.{column}`")


def read_folder(folder: Path) -> Written:
    """Problem, and plan if there is one.

    Raises `Unreadable` that names table, row and column, and `ProblemFault`.
    """
    parquet()
    tables = {
        name: _Table(folder, name, table.row)
        for name, table in TABLES.items()
        if name not in ("plan", "result")
    }
    nodes, skus = tables["nodes"].ids("node"), tables["skus"].ids("sku")
    ids, lines = tables["orders"].ids("order"), tables["lines"]
    named = sorted({row.zone for name in ("orders", "lanes") for row in tables[name].rows})
    zones = {zone: at for at, zone in enumerate(named)}
    of_order = lines.numbers("order", ids, "orders.parquet")
    _consecutive(lines, of_order)
    problem = validate(
        Problem(
            network=_network(tables, nodes, zones),
            skus=tuple(skus),
            unit_grams=tables["skus"].values("unit_grams"),
            stock=_stock(tables["stock"], skus, nodes),
            orders=_orders(tables["orders"], lines, of_order, zones, skus, nodes),
            weights=_weights(tables["weights"]),
            standing=lines.numbers("standing", nodes, "nodes.parquet"),
        )
    )
    plan, seconds = _plan(folder, problem, nodes)
    return Written(
        problem=problem,
        origin=lines.numbers("origin", nodes, "nodes.parquet"),
        latitude=tables["nodes"].values("latitude", np.float64, np.nan),
        longitude=tables["nodes"].values("longitude", np.float64, np.nan),
        plan=plan,
        seconds=seconds,
    )


def _consecutive(lines: _Table, of_order: Ints) -> None:
    """Lines stand in the order of their orders and count from 1."""
    before, count = NOWHERE, 0
    for at, order in enumerate(of_order.tolist()):
        if order < before:
            what = "its order stands before that of the row above; sort them as in orders.parquet"
            raise lines.wrong(at, "order", what)
        count = count + 1 if order == before else 1
        before = order
        if lines.rows[at].line != count:
            what = f"lines of an order count 1, 2, 3; give {count}"
            raise lines.wrong(at, "line", what)


def _network(
    tables: Mapping[str, _Table], nodes: Mapping[str, int], zones: Mapping[str, int]
) -> Network:
    table, lanes = tables["nodes"], tables["lanes"]
    node = lanes.numbers("node", nodes, "nodes.parquet")
    zone = lanes.numbers("zone", zones, "")
    _once(lanes, "zone", node * max(1, len(zones)) + zone)
    size = len(nodes), len(zones)
    fixed, per_kg = np.full(size, NOWHERE, np.int64), np.zeros(size, np.int64)
    transit = np.zeros(size)
    fixed[node, zone] = lanes.values("fixed_cents")
    per_kg[node, zone] = lanes.values("per_kg_cents")
    transit[node, zone] = lanes.values("transit_hours", np.float64)
    return Network(
        nodes=tuple(nodes),
        zones=tuple(zones),
        kind=table.values("kind"),
        handling=table.values("handling_cents"),
        lane_fixed=fixed,
        lane_kg=per_kg,
        lane_steps=_steps(tables["steps"], nodes, zones, fixed != NOWHERE),
        transit=transit,
        dock_node=np.arange(len(nodes)),
        departure=table.values("departure_hours", np.float64),
        capacity=table.values("capacity_parcels", without=UNBOUNDED),
    )


def _steps(table: _Table, nodes: Mapping[str, int], zones: Mapping[str, int], lane: Bools) -> Ints:
    """`Network.lane_steps`, the lightest of each ``lane`` (N x Z) first."""
    node = table.numbers("node", nodes, "nodes.parquet")
    zone = table.numbers("zone", zones, "lanes.parquet")
    begins, cents = table.values("from_grams"), table.values("per_kg_cents")
    for at in np.flatnonzero(~lane[node, zone])[:1].tolist():
        raise table.wrong(at, "zone", "this pair has no lane; add it to lanes.parquet")
    way = node * max(1, len(zones)) + zone
    _once(table, "from_grams", way * (begins.max(initial=0) + 1) + begins)
    order = np.lexsort((begins, way))
    count = np.bincount(way, minlength=lane.size)
    place = np.arange(len(way)) - (np.cumsum(count) - count)[way[order]]
    steps = np.full((*lane.shape, count.max(initial=0), 2), (NO_STEP, 0), np.int64)
    steps[node[order], zone[order], place, 0] = begins[order]
    steps[node[order], zone[order], place, 1] = cents[order]
    return steps


def _once(table: _Table, column: str, keys: Ints) -> None:
    """No pair has two rows."""
    _, first = np.unique(keys, return_index=True)
    again: Bools = np.ones(len(keys), bool)
    again[first] = False
    if again.any():
        what = "this pair has a row before; leave one of them out"
        raise table.wrong(int(np.flatnonzero(again)[0]), column, what)


def _stock(table: _Table, skus: Mapping[str, int], nodes: Mapping[str, int]) -> Any:
    sku = table.numbers("sku", skus, "skus.parquet")
    node = table.numbers("node", nodes, "nodes.parquet")
    _once(table, "node", sku * max(1, len(nodes)) + node)
    stock = np.zeros((len(skus), len(nodes)), np.int32)
    stock[sku, node] = table.values("units")
    return stock


def _orders(
    table: _Table,
    lines: _Table,
    of_order: Ints,
    zones: Mapping[str, int],
    skus: Mapping[str, int],
    nodes: Mapping[str, int],
) -> Orders:
    return Orders(
        ids=tuple(row.order for row in table.rows),
        zone=table.numbers("zone", zones, ""),
        due=table.values("due_hours", np.float64, _NEVER_H),
        priority=table.values("priority"),
        most_parcels=table.values("most_parcels"),
        complete=table.values("complete", np.bool_),
        kinds=table.values("kinds"),
        pickup=table.numbers("pickup", nodes, "nodes.parquet"),
        line_order=of_order,
        line_sku=lines.numbers("sku", skus, "skus.parquet"),
        quantity=lines.values("quantity"),
        together=lines.values("together", without=NO_GROUP),
        only=lines.numbers("only", nodes, "nodes.parquet"),
    )


def _only(table: _Table) -> Any:
    if len(table.rows) != 1:
        raise Unreadable(f"{table.path} has {len(table.rows)} rows; give one")
    return table.rows[0]


def _weights(table: _Table) -> Weights:
    row = _only(table)
    return Weights(
        lateness_day=row.lateness_day_cents,
        split=row.split_cents,
        unserved_line=row.unserved_line_cents,
        displaced_line=row.displaced_line_cents,
        change=row.change_cents,
    )


def _plan(
    folder: Path, problem: Problem, nodes: Mapping[str, int]
) -> tuple[Plan | None, float | None]:
    """The plan, and for how long it was searched; (None, None) where there is none."""
    if not (folder / "plan.parquet").exists():
        return None, None
    table = _Table(folder, "plan", columns.PlanRow)
    keys: Sequence[tuple[str, int]] = [
        (problem.orders.ids[order], line)
        for order, line in zip(
            problem.orders.line_order.tolist(), line_numbers(problem).tolist(), strict=True
        )
    ]
    for at, (row, key) in enumerate(zip(table.rows, keys, strict=False)):
        if (row.order, row.line) != key:
            what = f"line {key[1]} of {key[0]} belongs here; keep the rows as in lines.parquet"
            raise table.wrong(at, "order", what)
    if len(table.rows) != len(keys):
        message = f"{table.path} has {len(table.rows)} rows; give one for each of {len(keys)} lines"
        raise Unreadable(message)
    result = _only(_Table(folder, "result", columns.ResultRow))
    line_dock = table.numbers("node", nodes, "nodes.parquet")
    plan = plans.make(problem, line_dock, result.bound_cents, result.seed, result.version)
    return plan, result.seconds
