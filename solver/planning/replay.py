"""What a proposal was worth: later demand played against stock, with it and without it.

A day goes: what is due comes in, customers buy what is there, what is missing is lost, then
orders and transfers are decided. Demand is what came later, whatever the plan had expected, so
a replay says how good a plan was; that customers would have come to the shelf is assumed.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from solver.errors import ProblemFault
from solver.planning.rebalancing import Lanes, Moves, Stocks
from solver.problem import Ints

# (day, units on hand, units on order) -> units to order now, all by position
Rule = Callable[[int, Ints, Ints], Ints]


@dataclasses.dataclass(frozen=True, slots=True)
class Shipment:
    """Units that leave a position before the first day and come to another on a day."""

    origin: int
    target: int
    quantity: int
    day: int


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """What became of demand over the days of a replay, in units; `sold` and `lost` by position.

    `orders` counts orders and `ordered` their units; `transferred` are units and `stock_days`
    units on the shelf after closing, summed over days. `left` is on the shelf or on its way at
    the end: a rule that has more of it has not necessarily sold worse.
    """

    sold: Ints
    lost: Ints
    orders: int
    ordered: int
    transferred: int
    stock_days: int
    left: int
    days: int

    @property
    def fill(self) -> float:
        """Share of the units wanted that were sold; 1 where nothing was wanted."""
        wanted = int(self.sold.sum() + self.lost.sum())
        return int(self.sold.sum()) / wanted if wanted else 1.0


def order_nothing(_day: int, on_hand: Ints, _on_order: Ints) -> Ints:
    """The rule that waits and sees."""
    return np.zeros_like(on_hand)


def order_up_to(reorder: Ints, up_to: Ints) -> Rule:
    """The rule that fills a position up when it is at its reorder point or below."""

    def rule(_day: int, on_hand: Ints, on_order: Ints) -> Ints:
        stock = on_hand + on_order
        return np.where(stock <= reorder, np.maximum(0, up_to - stock), 0)

    return rule


def replay(
    stock: Ints,
    demand: Ints,
    *,
    rule: Rule = order_nothing,
    lead: Ints | None = None,
    shipments: Iterable[Shipment] = (),
) -> Effect:
    """Play `demand` (days x positions, whole units) against `stock` (positions).

    An order of `rule` comes `lead` days after the evening it was placed on, at least 1; without
    `lead` it is there in the morning. Raises `ProblemFault`.
    """
    sent = tuple(shipments)
    on_hand = _after_leaving(stock, demand, sent)
    lead = np.ones_like(stock) if lead is None else np.maximum(1, lead)
    days, count = demand.shape
    due = np.zeros((days + int(lead.max(initial=1)) + 1, count), np.int64)
    late = _arrivals(due, sent)
    sold, stock_days, orders, ordered = np.zeros(count, np.int64), 0, 0, 0
    for day in range(days):
        on_hand += due[day]
        bought = np.minimum(on_hand, demand[day])
        on_hand -= bought
        sold += bought
        stock_days += int(on_hand.sum())
        wanted = rule(day, on_hand, due[day + 1 :].sum(axis=0) + late)
        np.add.at(due, (day + lead, np.arange(count)), wanted)
        orders += int(np.count_nonzero(wanted))
        ordered += int(wanted.sum())
    return Effect(
        sold=sold,
        lost=demand.sum(axis=0) - sold,
        orders=orders,
        ordered=ordered,
        transferred=sum(one.quantity for one in sent),
        stock_days=stock_days,
        left=int(on_hand.sum() + due[days:].sum() + late.sum()),
        days=days,
    )


def _after_leaving(stock: Ints, demand: Ints, sent: tuple[Shipment, ...]) -> Ints:
    """What lies where, once the shipments have left. Raises `ProblemFault`."""
    if demand.ndim != 2 or demand.shape[1:] != stock.shape:
        message = f"demand has the shape {demand.shape}: it must be days x {len(stock)} positions"
        raise ProblemFault(message)
    if (stock < 0).any() or (demand < 0).any():
        message = "stock and demand: whole units, not negative"
        raise ProblemFault(message)
    on_hand = stock.copy()
    for one in sent:
        on_hand[one.origin] -= one.quantity
        if one.quantity < 0 or one.day < 0 or on_hand[one.origin] < 0:
            message = f"{one}: more than is there, or before the first day"
            raise ProblemFault(message)
    return on_hand


def _arrivals(due: Ints, sent: tuple[Shipment, ...]) -> Ints:
    """Books the shipments in `due`; → units by position that come after all of its days."""
    late = np.zeros(due.shape[1], np.int64)
    for one in sent:
        row = due[one.day] if one.day < len(due) else late
        row[one.target] += one.quantity
    return late


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A replay with transfers and the same one without them; money in cents."""

    with_them: Effect
    without: Effect
    transfer_cents: int
    margin_cents: int  # Of the units sold more, less that of the units sold less.

    @property
    def net_cents(self) -> int:
        """What the transfers brought in the end; it may be below 0."""
        return self.margin_cents - self.transfer_cents

    def report(self) -> dict[str, Any]:
        """The figures as one flat document."""
        return {
            "sold_units": int(self.with_them.sold.sum()),
            "sold_units_without": int(self.without.sold.sum()),
            "lost_units": int(self.with_them.lost.sum()),
            "lost_units_without": int(self.without.lost.sum()),
            "fill": self.with_them.fill,
            "fill_without": self.without.fill,
            "transferred_units": self.with_them.transferred,
            "transfer_cents": self.transfer_cents,
            "margin_cents": self.margin_cents,
            "net_cents": self.net_cents,
        }


def effect_of(
    stocks: Stocks, lanes: Lanes, moves: Moves, *, demand: Ints, transit: Ints, margin: Ints
) -> Difference:
    """What `moves` did to the sales of the days after them.

    `demand` is days x SKUs x nodes in units, `transit` days of each lane, `margin` (SKUs) cents
    earned with a unit sold.
    """
    nodes = len(stocks.nodes)
    stock = stocks.stock.ravel()
    wanted = demand.reshape(len(demand), -1)
    shipments: list[Shipment] = []
    cents = int((moves.trucks * lanes.truck).sum())
    for one in moves.transfers:
        origin, target = int(lanes.origin[one.lane]), int(lanes.target[one.lane])
        first = one.sku * nodes
        shipments.append(
            Shipment(first + origin, first + target, one.quantity, int(transit[one.lane]))
        )
        cents += one.quantity * int(lanes.unit[one.lane])
    with_them = replay(stock, wanted, shipments=shipments)
    without = replay(stock, wanted)
    more = (with_them.sold - without.sold).reshape(-1, nodes).sum(axis=1)
    return Difference(with_them, without, cents, int((more * margin).sum()))


def totals(effects: dict[str, Effect]) -> list[dict[str, Any]]:
    """A row of figures for each named effect, in the order given: what a table shows."""
    return [
        {
            "rule": name,
            "wanted_units": int(effect.sold.sum() + effect.lost.sum()),
            "sold_units": int(effect.sold.sum()),
            "lost_units": int(effect.lost.sum()),
            "fill": effect.fill,
            "orders": effect.orders,
            "ordered_units": effect.ordered,
            "mean_stock_units": effect.stock_days / effect.days if effect.days else 0.0,
            "left_units": effect.left,
        }
        for name, effect in effects.items()
    ]
