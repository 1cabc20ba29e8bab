"""Transfers of the planner against none and against levelling, over the weeks that came.

Stock was pushed out by the size of the stores, as if every SKU sold everywhere alike: the usual
reason why something lies where nobody wants it. Nothing else comes in until the horizon ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Final

import numpy as np

from bench.planning.history import History
from bench.planning.replenish import in_order, weekly_mean
from solver.mip import Limits
from solver.planning.demand import Demand
from solver.planning.rebalancing import Lanes, Moves, Stocks, Transfer, rebalance
from solver.planning.rebalancing_check import costs, earned, findings
from solver.planning.replay import Difference, effect_of
from solver.planning.worth import worth

#: Steps in which the worth of units falls.
_STEPS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a transfer costs and what there is to move; money in cents."""

    horizon_days: int = 28
    margin_share: float = 0.3  # Of the price; a unit that is not sold is sold later, so no more.
    unit_cents: int = 10
    truck_cents: int = 150  # A stop on a run that goes anyway.
    truck_millilitres: int = 60_000  # What such a run has room for.
    risk_cents: int = 5
    transit_days: int = 2


def stocks_of(history: History, demand: Demand, terms: Terms) -> Stocks:
    """The stock as it was pushed out, and what the forecast says that it is worth."""
    daily, = in_order(demand, history, demand.daily)  # fmt: skip
    place = [demand.sales.skus.index(name) for name in history.skus]
    margin = np.maximum(1, (history.price * terms.margin_share).astype(np.int64))
    # What travels is not sold meanwhile, so the days on the way are no days to earn on.
    days = terms.horizon_days - terms.transit_days
    room, cents = worth(daily * days, demand.scatter[place], margin, _STEPS)
    pushed = _pushed(history, terms)
    return Stocks(
        skus=history.skus,
        nodes=history.nodes,
        stock=pushed,
        keep=np.zeros_like(pushed),
        room=room,
        worth=cents,
        volume=history.volume,
    )


def _pushed(history: History, terms: Terms) -> Any:
    """A horizon's mean sales of each SKU, spread by what the stores sell in all."""
    mean = weekly_mean(history)
    total = np.ceil(mean.sum(axis=1) * terms.horizon_days / 7)
    size = mean.sum(axis=0) / mean.sum()
    return np.rint(total[:, None] * size).astype(np.int64)


def lanes_of(history: History, terms: Terms) -> Lanes:
    """A lane from each node to each other one."""
    pairs = np.array(list(permutations(range(len(history.nodes)), 2)), np.int64)
    each = np.ones(len(pairs), np.int64)
    return Lanes(
        origin=pairs[:, 0],
        target=pairs[:, 1],
        unit=terms.unit_cents * each,
        truck=terms.truck_cents * each,
        load=(terms.truck_millilitres if terms.truck_cents else 0) * each,
        trucks=5 * each,
        risk=terms.risk_cents * each,
    )


def levelling(history: History, stocks: Stocks, lanes: Lanes) -> Moves:
    """The simple rule: every node gets the part of a SKU's stock that it has of its mean sales."""
    mean = weekly_mean(history)
    share = mean / np.maximum(mean.sum(axis=1, keepdims=True), 1e-9)
    goal = np.floor(share * stocks.stock.sum(axis=1, keepdims=True)).astype(np.int64)
    ends = zip(lanes.origin.tolist(), lanes.target.tolist(), strict=True)
    lane_of = {pair: row for row, pair in enumerate(ends)}
    transfers = tuple(
        Transfer(sku, lane_of[origin, target], units)
        for sku in range(len(stocks.skus))
        for origin, target, units in _pairs(stocks.stock[sku] - goal[sku])
    )
    trucks = np.zeros_like(lanes.truck)
    for one in transfers:
        trucks[one.lane] += one.quantity * int(stocks.volume[one.sku])
    trucks = np.where(lanes.load > 0, -(-trucks // np.maximum(lanes.load, 1)), 0)
    gain = earned(stocks, lanes, transfers) - costs(lanes, transfers, trucks.tolist())
    return Moves(transfers, trucks, gain, optimal=False)


def _pairs(surplus: Any) -> Iterator[tuple[int, int, int]]:
    """(from, to, units) that take what is too much to where it lacks, the most first."""
    left = surplus.copy()
    while left.min() < 0 < left.max():
        origin, target = int(left.argmax()), int(left.argmin())
        units = int(min(left[origin], -left[target]))
        left[origin] -= units
        left[target] += units
        yield origin, target, units


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a rule expected of its transfers, in cents, and what became of them."""

    expected_cents: int
    optimal: bool
    broken: tuple[str, ...]
    lanes_used: int
    trucks: int
    difference: Difference


def play(history: History, demand: Demand, terms: Terms, seconds: float) -> dict[str, Result]:
    """The horizon with the transfers of the simple rule and with ours, each against none."""
    stocks, lanes = stocks_of(history, demand, terms), lanes_of(history, terms)
    ours = rebalance(stocks, lanes, Limits(seconds, relative_gap=1e-3))
    level = levelling(history, stocks, lanes)
    return {
        "levelling": _result(history, stocks, lanes, terms, level, ()),
        "ours": _result(history, stocks, lanes, terms, ours,
                        tuple(findings(stocks, lanes, ours))),
    }  # fmt: skip


def _result(
    history: History, stocks: Stocks, lanes: Lanes, terms: Terms, moves: Moves,
    broken: tuple[str, ...],
) -> Result:  # fmt: skip
    margin = np.maximum(1, (history.price * terms.margin_share).astype(np.int64))
    difference = effect_of(
        stocks, lanes, moves,
        demand=history.later[: terms.horizon_days],
        transit=np.full(len(lanes.unit), terms.transit_days),
        margin=margin,
    )  # fmt: skip
    return Result(
        expected_cents=moves.gain,
        optimal=moves.optimal,
        broken=broken,
        lanes_used=len({one.lane for one in moves.transfers}),
        trucks=int(moves.trucks.sum()),
        difference=difference,
    )
