"""A wave as a folder of Parquet tables: written here, read by ``reading``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from gateway.importing.rows import Unreadable
from gateway.waves.columns import TABLES
from solver.case import Case
from solver.errors import ProblemFault
from solver.plan import Plan
from solver.problem import NO_GROUP, NO_STEP, UNBOUNDED, Floats, Ints, Problem, first_lines

_KINDS: Final = {str: "string", int: "int64", float: "float64", bool: "bool"}


def parquet() -> Any:
    """The library. Raises `Unreadable` that names the extra where it is missing."""
    try:
        import pyarrow.parquet

        return pyarrow
    except ImportError as missing:
        message = "tables need pyarrow: `pip install 'tidegate[parquet]'`, then the same again"
        raise Unreadable(message) from missing


def write_case(folder: Path, case: Case, seconds: float) -> None:
    """Write problem and plan, which was searched for `seconds`, as the tables of ``columns``.

    Raises `Unreadable` where the folder cannot be written to, and `ProblemFault` for a problem
    with several departures of a node, which the tables cannot tell apart.
    """
    problem = case.problem
    net, orders = problem.network, problem.orders
    nodes = np.array([*net.nodes, None], object)  # The last is where NOWHERE points.
    if not np.array_equal(net.dock_node, np.arange(len(net.nodes))):
        raise ProblemFault("dock_node: tables have one departure for each node; give one")
    _write(folder, "orders", {
        "order": orders.ids,
        "zone": _named(net.zones, orders.zone),
        "due_hours": orders.due,
        "priority": orders.priority,
        "most_parcels": orders.most_parcels,
        "complete": orders.complete,
        "kinds": orders.kinds,
        "pickup": nodes[orders.pickup],
    })  # fmt: skip
    _write(folder, "lines", {
        "order": _named(orders.ids, orders.line_order),
        "line": line_numbers(problem),
        "sku": _named(problem.skus, orders.line_sku),
        "quantity": orders.quantity,
        "together": [None if one == NO_GROUP else one for one in orders.together.tolist()],
        "only": nodes[orders.only],
        "origin": nodes[case.origin],
        "standing": nodes[problem.standing],
    })  # fmt: skip
    _write(folder, "skus", {"sku": problem.skus, "unit_grams": problem.unit_grams})
    _write_network(folder, case, nodes)
    sku, node = np.nonzero(problem.stock)
    units = problem.stock[sku, node]
    _write(folder, "stock", {
        "sku": _named(problem.skus, sku), "node": nodes[node], "units": units.tolist(),
    })  # fmt: skip
    weights = problem.weights
    _write(folder, "weights", {
        "lateness_day_cents": [weights.lateness_day],
        "split_cents": [weights.split],
        "unserved_line_cents": [weights.unserved_line],
        "change_cents": [weights.change],
        "displaced_line_cents": [weights.displaced_line],
    })  # fmt: skip
    write_plan(folder, problem, case.plan, seconds)


def _write_network(folder: Path, case: Case, nodes: Any) -> None:
    net = case.problem.network
    capacity = [None if one >= UNBOUNDED else one for one in net.capacity.tolist()]
    _write(folder, "nodes", {
        "node": net.nodes,
        "kind": net.kind,
        "handling_cents": net.handling,
        "departure_hours": net.departure,
        "capacity_parcels": capacity,
        "latitude": _degrees(case.latitude),
        "longitude": _degrees(case.longitude),
    })  # fmt: skip
    node, zone = np.nonzero(net.lane_fixed >= 0)
    _write(folder, "lanes", {
        "node": nodes[node],
        "zone": _named(net.zones, zone),
        "fixed_cents": net.lane_fixed[node, zone],
        "per_kg_cents": net.lane_kg[node, zone],
        "transit_hours": net.transit[node, zone],
    })  # fmt: skip
    begins = net.lane_steps[..., 0]
    node, zone, step = np.nonzero((begins < NO_STEP) & (net.lane_fixed >= 0)[..., None])
    _write(folder, "steps", {
        "node": nodes[node],
        "zone": _named(net.zones, zone),
        "from_grams": begins[node, zone, step],
        "per_kg_cents": net.lane_steps[node, zone, step, 1],
    })  # fmt: skip


def write_plan(folder: Path, problem: Problem, plan: Plan, seconds: float) -> None:
    """Write the tables ``plan`` and ``result`` of a problem with one departure a node."""
    nodes = np.array([*problem.network.nodes, None], object)
    _write(folder, "plan", {
        "order": _named(problem.orders.ids, problem.orders.line_order),
        "line": line_numbers(problem),
        "node": nodes[plan.line_dock],
    })  # fmt: skip
    _write(folder, "result", {
        "total_cents": [plan.cost.total],
        "bound_cents": [plan.bound],
        "parcels": [plan.parcels],
        "unserved_lines": [plan.unserved_lines],
        "seed": [plan.seed],
        "version": [plan.version],
        "seconds": [float(seconds)],
    })  # fmt: skip


def line_numbers(problem: Problem) -> Ints:
    """The number of each line within its order, from 1: (L)."""
    starts = first_lines(problem)[problem.orders.line_order]
    return np.arange(len(problem.orders.line_order)) - starts + 1


def _named(names: Sequence[str], at: Ints) -> list[str]:
    return [names[one] for one in at.tolist()]


def _degrees(degrees: Floats) -> list[float | None]:
    return [None if np.isnan(one) else one for one in degrees.tolist()]


def _write(folder: Path, name: str, columns: Mapping[str, Any]) -> None:
    """Write one table; what a column means goes with it."""
    arrow, table = parquet(), TABLES[name]
    fields = [
        arrow.field(
            field.name,
            arrow.type_for_alias(_KINDS[_kind(field.type)]),
            metadata={"meaning": table.columns[field.name]},
        )
        for field in msgspec.structs.fields(table.row)
    ]
    made = arrow.table([columns[field.name] for field in fields], schema=arrow.schema(fields))
    path = folder / f"{name}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        arrow.parquet.write_table(made, path)
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror or error}") from error


def _kind(annotation: Any) -> type:
    """The plain type in an annotation with bounds, optional or not."""
    match msgspec.inspect.type_info(annotation):
        case msgspec.inspect.UnionType(types=types):
            found = next(one for one in types if not isinstance(one, msgspec.inspect.NoneType))
        case found:
            pass
    return {
        msgspec.inspect.StrType: str,
        msgspec.inspect.IntType: int,
        msgspec.inspect.FloatType: float,
        msgspec.inspect.BoolType: bool,
    }[type(found)]
