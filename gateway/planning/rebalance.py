"""Transfers from files: stock, lanes and expected demand in, steps out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from gateway.planning.expected import Expected
from gateway.planning.files import LaneRow, MovedRow
from gateway.planning.step import Step, after, id_of
from solver.errors import ProblemFault
from solver.mip import Limits
from solver.planning.rebalancing import Lanes, Moves, Stocks, rebalance
from solver.planning.replenishment import Approval
from solver.planning.worth import worth

#: Steps in which the worth of a node's units falls.
_STEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`days` until the next delivery, `risk` cents that a unit must earn beyond its costs."""

    days: float = 28.0
    risk: int = 0
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Transfers and what they are expected to earn, costs taken off, in cents."""

    steps: list[Step]
    gain: int
    optimal: bool


def plan(
    rows: Sequence[MovedRow],
    ways: Sequence[LaneRow],
    demand: Expected,
    terms: Terms,
    approval: Approval,
    on: date,
) -> Plan:
    """What to move. Raises `ProblemFault` and `SolverFault`."""
    stocks = _stocks(rows, demand, terms)
    lanes = _lanes(ways, stocks.nodes, terms)
    moves = rebalance(stocks, lanes, Limits(terms.seconds, relative_gap=1e-3))
    return Plan(
        steps=_steps(stocks, ways, lanes, moves, approval, on),
        gain=moves.gain,
        optimal=moves.optimal,
    )


def _stocks(rows: Sequence[MovedRow], demand: Expected, terms: Terms) -> Stocks:
    skus = tuple(dict.fromkeys(row.sku for row in rows))
    nodes = tuple(dict.fromkeys(row.node for row in rows))
    sku_of = {name: place for place, name in enumerate(skus)}
    node_of = {name: place for place, name in enumerate(nodes)}
    stock = np.zeros((len(skus), len(nodes)), np.int64)
    keep = np.zeros_like(stock)
    mean = np.zeros(stock.shape)
    margin, volume = np.zeros(len(skus), np.int64), np.zeros(len(skus), np.int64)
    seen = set()
    for row in rows:
        at = sku_of[row.sku], node_of[row.node]
        if at in seen:
            message = f"{row.sku} at {row.node} stands twice; one row for each SKU at a node"
            raise ProblemFault(message)
        seen.add(at)
        stock[at], keep[at] = row.on_hand, row.keep
        mean[at] = demand.of(row.sku, row.node)[0] * terms.days
        margin[at[0]], volume[at[0]] = row.margin_cents, row.volume_ml
    scatter = np.array([demand.scatter_of(sku) for sku in skus], float)
    room, cents = worth(mean, scatter, margin, _STEPS)
    return Stocks(skus, nodes, stock, keep, room, cents, volume)


def _lanes(ways: Sequence[LaneRow], nodes: tuple[str, ...], terms: Terms) -> Lanes:
    place = {name: number for number, name in enumerate(nodes)}
    for row, way in enumerate(ways, 1):
        for field in ("from_node", "to_node"):
            if getattr(way, field) not in place:
                message = f"{field} of lane {row}: {getattr(way, field)} has no stock in the plan"
                raise ProblemFault(message)

    def each(values: list[int]) -> Any:
        return np.array(values, np.int64)

    return Lanes(
        origin=each([place[way.from_node] for way in ways]),
        target=each([place[way.to_node] for way in ways]),
        unit=each([way.unit_cents for way in ways]),
        truck=each([way.truck_cents for way in ways]),
        load=each([way.truck_ml for way in ways]),
        trucks=each([way.trucks for way in ways]),
        risk=each([terms.risk if way.risk_cents is None else way.risk_cents for way in ways]),
    )


def _steps(
    stocks: Stocks,
    ways: Sequence[LaneRow],
    lanes: Lanes,
    moves: Moves,
    approval: Approval,
    on: date,
) -> list[Step]:
    """A step for each transfer. A lane is one decision: its trucks are paid by all of it."""
    made, placed = [], 0
    for lane in sorted({one.lane for one in moves.transfers}):
        own = [one for one in moves.transfers if one.lane == lane]
        way = ways[lane]
        trucks = int(moves.trucks[lane]) * way.truck_cents
        cents = trucks + sum(one.quantity for one in own) * way.unit_cents
        alone = cents <= approval.order and placed + cents <= approval.total
        placed += cents if alone else 0
        parts = _shares(trucks, [one.quantity * int(stocks.volume[one.sku]) for one in own])
        for one, part in zip(own, parts, strict=True):
            sku = stocks.skus[one.sku]
            made.append(
                Step(
                    id=id_of(on, "transfer", sku, way.from_node, way.to_node),
                    kind="transfer",
                    sku=sku,
                    from_node=way.from_node,
                    node=way.to_node,
                    quantity=one.quantity,
                    cents=one.quantity * way.unit_cents + part,
                    available_on=after(on, way.transit_days),
                    needs_approval=not alone,
                    why={
                        "there": int(stocks.stock[one.sku, lanes.target[lane]]),
                        "here": int(stocks.stock[one.sku, lanes.origin[lane]]),
                        "trucks": int(moves.trucks[lane]),
                    },
                )
            )
    return made


def _shares(cents: int, volumes: list[int]) -> list[int]:
    """Cents by volume, to the cent: what is lost by rounding is on the last."""
    whole = sum(volumes)
    parts = [cents * volume // whole if whole else 0 for volume in volumes]
    return [*parts[:-1], parts[-1] + cents - sum(parts)] if parts else parts
