"""Which units should lie at another node: transfers that earn more than they cost and risk.

What a unit is worth depends on how many there are: `Stocks.worth` says it in steps, each below
the one before, such as margin x chance that the demand reaches that unit. Moving a unit loses its
worth at one node and gains that at the other. Without trucks to fill that is a minimum-cost flow
for each SKU; with them one program over all SKUs.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from ortools.graph.python import min_cost_flow

from solver import mip
from solver.errors import ProblemFault, SolverFault
from solver.problem import Floats, Ints

# A cent more than what must be earned: a tie stays where it is.
TIE = 1
UNITS_MOST = 10_000_000
CENTS_MOST = 10_000_000
_NO_FLOATS = np.zeros(0)


@dataclasses.dataclass(frozen=True, slots=True)
class Stocks:
    """SKUs S at nodes N. Money is cents, volume millilitres, the rest whole units.

    `stock` (S x N) may be moved down to `keep` (S x N): where less is there, nothing is taken.
    `room` and `worth` (S x N x steps): so many units at a node are worth so much each, in all,
    what lies there already included; units beyond the last step are worth nothing. Within a row
    `worth` never rises. `volume` (S) is of a unit.
    """

    skus: tuple[str, ...]
    nodes: tuple[str, ...]
    stock: Ints
    keep: Ints
    room: Ints
    worth: Ints
    volume: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Lanes:
    """Ways from node `origin` to node `target`, one row each, no pair twice.

    `unit` is cents a unit, `truck` cents a truck, `load` millilitres of a truck, `trucks` how
    many there are at most. With `load` 0 the lane has no trucks and takes what comes. `risk` is
    what a unit must earn beyond its costs, in cents: forecasts are off, and trucks late.
    """

    origin: Ints
    target: Ints
    unit: Ints
    truck: Ints
    load: Ints
    trucks: Ints
    risk: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Transfer:
    """`quantity` units of a SKU over a lane; both by their rows."""

    sku: int
    lane: int
    quantity: int


@dataclasses.dataclass(frozen=True, slots=True)
class Moves:
    """Transfers, the trucks of each lane, and what they earn: `gain` in cents, costs taken off.

    `optimal` is false where the time was up before it was proved that nothing is better.
    """

    transfers: tuple[Transfer, ...]
    trucks: Ints
    gain: int
    optimal: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Arcs:
    """What may be moved: SKU and lane of each arc."""

    sku: Ints
    lane: Ints


def validate(stocks: Stocks, lanes: Lanes) -> None:
    """Raises `ProblemFault` that names the field and the row, where something is wrong."""
    skus, nodes = len(stocks.skus), len(stocks.nodes)
    steps = stocks.worth.shape[2] if stocks.worth.ndim == 3 else 1
    wanted: tuple[tuple[str, Any, tuple[int, ...], int], ...] = (
        ("stock", stocks.stock, (skus, nodes), UNITS_MOST),
        ("keep", stocks.keep, (skus, nodes), UNITS_MOST),
        ("room", stocks.room, (skus, nodes, steps), UNITS_MOST),
        ("worth", stocks.worth, (skus, nodes, steps), CENTS_MOST),
        ("volume", stocks.volume, (skus,), UNITS_MOST),
    )
    for field, array, shape, most in wanted:
        _checked(field, array, shape, most, stocks.skus)
    names = tuple(f"lane {row}" for row in range(len(lanes.origin)))
    for lane_field in dataclasses.fields(lanes):
        array = getattr(lanes, lane_field.name)
        most = nodes - 1 if lane_field.name in {"origin", "target"} else CENTS_MOST
        most = UNITS_MOST * 100 if lane_field.name == "load" else most
        _checked(lane_field.name, array, (len(names),), most, names)
    _named(np.diff(stocks.worth, axis=2).max(axis=(1, 2), initial=0) > 0, "worth", stocks.skus,
           "never rises with the number of units")  # fmt: skip
    _named(lanes.origin == lanes.target, "target", names, "another node than the origin")
    pair = lanes.origin * nodes + lanes.target
    _named(np.bincount(pair, minlength=nodes**2)[pair] > 1, "target", names, "one lane a pair")
    _named((lanes.load == 0) & (lanes.truck > 0), "load", names, "above 0 where trucks cost")


def _checked(
    field: str, array: Any, shape: tuple[int, ...], most: int, names: tuple[str, ...]
) -> None:
    if array.shape != shape:
        message = f"{field} has the shape {array.shape}: it must be {shape}"
        raise ProblemFault(message)
    bad = ((array < 0) | (array > most)).reshape(len(array), -1).any(axis=1) if array.size else []
    _named(np.asarray(bad, bool), field, names, f"from 0 to {most}")


def _named(bad: Any, field: str, names: tuple[str, ...], remedy: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        message = f"{field} of {names[rows[0]]} (row {rows[0]}): {remedy}; {rows.size} in all"
        raise ProblemFault(message)


def rebalance(stocks: Stocks, lanes: Lanes, limits: mip.Limits) -> Moves:
    """The transfers that earn most, none of which earns no more than its costs and its risk.

    Nothing goes below a keep level, and what arrives is not sent on. Raises `ProblemFault`, and
    `SolverFault` where no answer was found in time.
    """
    validate(stocks, lanes)
    arcs = _worthwhile(stocks, lanes)
    if (lanes.load[arcs.lane] > 0).any():
        units, optimal = _by_program(stocks, lanes, arcs, limits)
        if not optimal:
            units = _earning(stocks, lanes, arcs, units)
    else:
        units, optimal = _by_flows(stocks, lanes, arcs), True
    trucks = _trucks(stocks, lanes, arcs, units)
    sent = np.flatnonzero(units)
    transfers = tuple(
        Transfer(int(arcs.sku[arc]), int(arcs.lane[arc]), int(units[arc])) for arc in sent
    )
    return Moves(transfers, trucks, _gain(stocks, lanes, arcs, units), optimal)


def _after(stocks: Stocks, lanes: Lanes, arcs: _Arcs, units: Ints) -> Ints:
    after = stocks.stock.copy()
    np.subtract.at(after, (arcs.sku, lanes.origin[arcs.lane]), units)
    np.add.at(after, (arcs.sku, lanes.target[arcs.lane]), units)
    return after


def _worths(stocks: Stocks, stock: Ints) -> int:
    """What `stock` is worth where it lies, in cents."""
    before = np.cumsum(stocks.room, axis=2) - stocks.room
    held = np.clip(stock[:, :, None] - before, 0, stocks.room)
    return int((held * stocks.worth).sum())


def _trucks(stocks: Stocks, lanes: Lanes, arcs: _Arcs, units: Ints) -> Ints:
    """As few trucks for each lane as its units fit into."""
    loads = np.zeros_like(lanes.load)
    np.add.at(loads, arcs.lane, units * stocks.volume[arcs.sku])
    return np.asarray(np.where(lanes.load > 0, -(-loads // np.maximum(lanes.load, 1)), 0))


def _gain(stocks: Stocks, lanes: Lanes, arcs: _Arcs, units: Ints) -> int:
    """Worth gained less units' and trucks' costs, in cents; risk is not taken off."""
    earned = _worths(stocks, _after(stocks, lanes, arcs, units)) - _worths(stocks, stocks.stock)
    trucks = _trucks(stocks, lanes, arcs, units)
    return earned - int((lanes.unit[arcs.lane] * units).sum()) - int((lanes.truck * trucks).sum())


def _earning(stocks: Stocks, lanes: Lanes, arcs: _Arcs, units: Ints) -> Ints:
    """`units` without the lanes and then the transfers that do not earn their costs and risk.

    An optimum has none; what was found when the time was up may.
    """

    def after_risk(some: Ints) -> int:
        risked = int(((lanes.risk[arcs.lane] + TIE) * some).sum())
        return _gain(stocks, lanes, arcs, some) - risked

    kept, before = units, None
    while before is None or (kept != before).any():
        before = kept
        by_lane = [arcs.lane == lane for lane in np.unique(arcs.lane[kept > 0])]
        by_arc = [np.arange(len(units)) == arc for arc in np.flatnonzero(kept)]
        for part in by_lane + by_arc:
            rest = np.where(part, 0, kept)
            if after_risk(rest) >= after_risk(kept):
                kept = rest
    # What only earns together may still lose together.
    return kept if after_risk(kept) > 0 else np.zeros_like(kept)


def _marginal(stocks: Stocks, unit: Ints) -> Ints:
    """What unit number `unit` (S x N, from 0) at each node is worth."""
    end = np.cumsum(stocks.room, axis=2)
    step = (unit[:, :, None] >= end).sum(axis=2)
    padded = np.concatenate([stocks.worth, np.zeros_like(stocks.worth[:, :, :1])], axis=2)
    return np.asarray(np.take_along_axis(padded, step[:, :, None], axis=2)[:, :, 0])


def _worthwhile(stocks: Stocks, lanes: Lanes) -> _Arcs:
    """SKUs and lanes over which a unit can earn more than it costs and risks.

    A node that gives units away can use others better, and one that receives some can do without
    its own: both are taken to have done so as far as can be.
    """
    spare = _spare(stocks)
    gives = np.isin(np.arange(len(stocks.nodes)), lanes.origin)
    receives = np.zeros_like(spare.T)
    np.add.at(receives, lanes.target, spare.T[lanes.origin])
    gained = _marginal(stocks, stocks.stock - np.where(gives, spare, 0))[:, lanes.target]
    lost = _marginal(stocks, np.maximum(stocks.stock - 1, 0) + receives.T)[:, lanes.origin]
    earns = gained - lost - lanes.unit - lanes.risk
    sku, lane = np.nonzero((spare[:, lanes.origin] > 0) & (earns >= TIE))
    return _Arcs(sku.astype(np.int64), lane.astype(np.int64))


def _price(lanes: Lanes, lane: Ints) -> Ints:
    """What a unit over each lane must earn, in cents."""
    return np.asarray(lanes.unit[lane] + lanes.risk[lane] + TIE, np.int64)


def _spare(stocks: Stocks) -> Ints:
    return np.asarray(np.maximum(0, stocks.stock - stocks.keep))


def _by_flows(stocks: Stocks, lanes: Lanes, arcs: _Arcs) -> Ints:
    units = np.zeros(len(arcs.sku), np.int64)
    spare = _spare(stocks)
    for sku in np.unique(arcs.sku):
        own = np.flatnonzero(arcs.sku == sku)
        units[own] = _flow(stocks, lanes, int(sku), spare[sku], arcs.lane[own])
    return units


def _flow(stocks: Stocks, lanes: Lanes, sku: int, spare: Ints, over: Ints) -> Ints:
    """Units over each of the lanes `over`.

    A node stands in the network twice, as what lies there now and as what will: the first sends
    its spare units over lanes or on to itself at no cost; the second earns step by step.
    """
    nodes = len(stocks.nodes)
    flow = min_cost_flow.SimpleMinCostFlow()
    here, sink = np.arange(nodes), 2 * nodes
    stock = stocks.stock[sku]
    lane_arcs = flow.add_arcs_with_capacity_and_unit_cost(
        lanes.origin[over], nodes + lanes.target[over], spare[lanes.origin[over]],
        _price(lanes, over),
    )  # fmt: skip
    flow.add_arcs_with_capacity_and_unit_cost(here, nodes + here, stock, np.zeros_like(stock))
    for step in range(stocks.room.shape[2]):
        flow.add_arcs_with_capacity_and_unit_cost(
            nodes + here, np.full(nodes, sink), stocks.room[sku, :, step],
            -stocks.worth[sku, :, step],
        )  # fmt: skip
    beyond = np.full(nodes, int(stock.sum()))
    flow.add_arcs_with_capacity_and_unit_cost(
        nodes + here, np.full(nodes, sink), beyond, np.zeros_like(beyond)
    )
    # What must stay starts where it will be: only spare units can leave.
    flow.set_nodes_supplies(here, spare)
    flow.set_nodes_supplies(nodes + here, stock - spare)
    flow.set_node_supply(sink, -int(stock.sum()))
    status = flow.solve()
    if status != flow.OPTIMAL:
        message = f"{stocks.skus[sku]}: no minimum-cost flow: {status.name}"
        raise SolverFault(message)
    return np.asarray(flow.flows(lane_arcs), np.int64)


class _Rows:
    """Rows of a program, added one block at a time."""

    def __init__(self) -> None:
        self.lower: list[Floats] = []
        self.upper: list[Floats] = []
        self.entries: list[tuple[Ints, Ints, Floats]] = []
        self.count = 0

    def add(self, lower: Floats, upper: Floats) -> int:
        """The number of the first of the new rows."""
        first = self.count
        self.lower.append(lower)
        self.upper.append(upper)
        self.count += len(lower)
        return first

    def fill(self, row: Ints, column: Ints, value: Floats | float) -> None:
        self.entries.append((row, column, np.broadcast_to(value, row.shape).astype(np.float64)))


def _blocks(*sizes: int) -> Iterator[Ints]:
    """Numbers of columns, block after block."""
    first = 0
    for size in sizes:
        yield np.arange(first, first + size)
        first += size


def _by_program(stocks: Stocks, lanes: Lanes, arcs: _Arcs, limits: mip.Limits) -> tuple[Ints, bool]:
    """(units of each arc, whether it is proved that none are better).

    Columns: units of arcs (whole), trucks of lanes (whole), units held in each step of the places
    that an arc touches. Rows: what a place holds, what it may give, what a lane's trucks take.
    """
    origin, target = lanes.origin[arcs.lane], lanes.target[arcs.lane]
    nodes = len(stocks.nodes)
    ends = np.concatenate([arcs.sku * nodes + origin, arcs.sku * nodes + target])
    places, end = np.unique(ends, return_inverse=True)
    sku, node = np.divmod(places, nodes)
    giver, taker = np.split(end, 2)
    steps = stocks.room.shape[2]
    sent, truck, held = _blocks(len(arcs.sku), len(lanes.unit), len(places) * steps)
    loaded = lanes.load > 0

    rows = _Rows()
    stock = stocks.stock[sku, node].astype(np.float64)
    # Held in steps, less what came, plus what left: at most what was there.
    first = rows.add(np.full(len(places), -np.inf), stock)
    rows.fill(first + np.repeat(np.arange(len(places)), steps), held, 1.0)
    rows.fill(first + giver, sent, 1.0)
    rows.fill(first + taker, sent, -1.0)
    first = rows.add(np.zeros(len(places)), _spare(stocks)[sku, node].astype(np.float64))
    rows.fill(first + giver, sent, 1.0)
    first = rows.add(np.full(len(lanes.unit), -np.inf), np.where(loaded, 0.0, np.inf))
    rows.fill(first + arcs.lane, sent, stocks.volume[arcs.sku].astype(np.float64))
    rows.fill(first + np.arange(len(truck)), truck, -lanes.load.astype(np.float64))
    row, column, value = (np.concatenate(part) for part in zip(*rows.entries, strict=True))
    program = mip.Program(
        cost=np.concatenate([
            _price(lanes, arcs.lane), lanes.truck, -stocks.worth[sku, node].ravel(),
        ]).astype(np.float64),
        lower=np.zeros(len(sent) + len(truck) + len(held)),
        upper=np.concatenate([
            _spare(stocks)[arcs.sku, origin], np.where(loaded, lanes.trucks, 0),
            stocks.room[sku, node].ravel(),
        ]).astype(np.float64),
        integer=np.concatenate([np.ones(len(sent) + len(truck), bool), np.zeros(len(held), bool)]),
        row_lower=np.concatenate(rows.lower), row_upper=np.concatenate(rows.upper),
        entry_row=row, entry_column=column, entry_value=value,
    )  # fmt: skip
    found = mip.solve(program, limits)
    if found is None:
        message = f"no transfers were found within {limits.seconds:g} s; give it more time"
        raise SolverFault(message)
    whole = np.rint(found.values).astype(np.int64)
    return whole[sent], found.optimal
