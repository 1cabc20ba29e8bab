"""Orders of the planner against waiting and against a simple rule, over the weeks that came."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bench.planning.history import History
from solver.planning.demand import Demand
from solver.planning.replay import Effect, Rule, order_nothing, order_up_to, replay
from solver.planning.replenishment import Levels, Positions, levels

#: The simple rule: below so many weeks of mean sales, order up to so many.
MIN_WEEKS: Final = 2.0
MAX_WEEKS: Final = 3.0
#: What lies on every shelf when the replay begins, in weeks of mean sales.
START_WEEKS: Final = 2.0
#: A review every evening, so an order is a day older than its lead time when it is wanted.
REVIEW_DAYS: Final = 1
_HALVINGS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How goods come and how often there may be too few of them."""

    lead_days: int = 7
    cover_days: int = 7
    service: float = 0.95


def positions_of(demand: Demand, history: History, terms: Terms) -> Positions:
    """A position for each SKU at each node, in the order of the history; each is alone."""
    daily, deviation = in_order(demand, history, demand.daily, demand.deviation)
    count = daily.size
    names = tuple(f"{sku} at {node}" for sku in history.skus for node in history.nodes)
    none = np.zeros(count, np.int64)
    return Positions(
        names=names,
        pool=np.arange(count),
        daily=daily.ravel(),
        deviation=deviation.ravel(),
        lead=np.full(count, float(terms.lead_days + REVIEW_DAYS)),
        lead_deviation=np.zeros(count),
        cover=np.full(count, float(terms.cover_days)),
        service=np.full(count, terms.service),
        on_hand=none,
        on_order=none,
        promised=none,
        pack=np.ones(count, np.int64),
        minimum=none,
        cost=np.repeat(history.price, len(history.nodes)),
    )


def in_order(demand: Demand, history: History, *tables: Any) -> list[Any]:
    """Tables by SKU and node in the order of the history; there is one channel."""
    sku = [demand.sales.skus.index(name) for name in history.skus]
    node = [demand.sales.regions.index(name) for name in history.nodes]
    return [table[np.ix_(sku, node)] for table in tables]


def weekly_mean(history: History) -> Any:
    """What each position sold a week, by the known weeks and nothing else: SKUs x nodes."""
    sku = {name: row for row, name in enumerate(history.skus)}
    node = {name: row for row, name in enumerate(history.nodes)}
    mean = np.zeros((len(sku), len(node)))
    for sale in history.known:
        mean[sku[sale.sku], node[sale.region]] += sale.units
    return mean / (history.known_days / 7)


def min_max(mean: Any, factor: float = 1.0) -> Rule:
    """The simple rule, its levels times a factor."""
    low = np.ceil(MIN_WEEKS * factor * mean).astype(np.int64)
    return order_up_to(low, np.ceil(MAX_WEEKS * factor * mean).astype(np.int64))


def play(history: History, demand: Demand, terms: Terms) -> dict[str, Effect]:
    """The rest of the year by waiting, by the simple rule, and by ours."""
    mean = weekly_mean(history).ravel()
    stock = np.ceil(START_WEEKS * mean).astype(np.int64)
    later = history.later.reshape(len(history.later), -1)
    lead = np.full(len(stock), terms.lead_days)

    def of(rule: Rule) -> Effect:
        return replay(stock, later, rule=rule, lead=lead)

    goal: Levels = levels(positions_of(demand, history, terms))
    ours = of(order_up_to(goal.reorder, goal.up_to))
    return {
        "order nothing": of(order_nothing),
        f"min/max of {MIN_WEEKS:g}/{MAX_WEEKS:g} weeks": of(min_max(mean)),
        "min/max with as much stock as ours": _with_as_much(of, mean, ours.stock_days),
        "ours": ours,
    }


def _with_as_much(of: Any, mean: Any, stock_days: int) -> Effect:
    """The simple rule with the factor that puts as much on the shelves: found by halving."""
    low, high = 0.1, 10.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if of(min_max(mean, middle)).stock_days < stock_days:
            low = middle
        else:
            high = middle
    effect: Effect = of(min_max(mean, high))
    return effect
