"""Prices of stock and capacity: the Lagrangian relaxation of both, by a subgradient method.

Relaxing the stock rows by `mu >= 0` and the capacity rows by `nu >= 0` leaves a choice per order.
`sum of the orders' cheapest patterns - mu * stock - nu * capacity` bounds every plan from below
(Fisher 1981, Management Science 27(1)); steps follow Polyak (1969) with a momentum of 0.7.
"""

import dataclasses
from typing import Protocol

import numpy as np

from solver.choices import Choices
from solver.pricing import price, usage
from solver.problem import Floats

MOMENTUM = 0.7
SHRINK = 0.6
PATIENCE = 3
# Polyak's step wants the optimum. A greedy plan may lie far above it: nobody expects more than this
# share above the best bound so far.
HOPE = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """Cents a unit of each cell (`mu`), a parcel of each dock (`nu`), and the bound they give.

    The bound holds for plans within the choices it was computed on.
    """

    mu: Floats
    nu: Floats
    bound: float


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """What all orders together want at some prices: units a cell, parcels a dock.

    `bound` is the Lagrangian bound there, in cents.
    """

    bound: float
    units: Floats
    parcels: Floats


class Market(Protocol):
    """Whoever answers prices with demand: `stock` units a cell, `capacity` parcels a dock."""

    @property
    def stock(self) -> Floats:
        """Units of each cell."""

    @property
    def capacity(self) -> Floats:
        """Parcels of each dock."""

    def at(self, mu: Floats, nu: Floats) -> Demand:
        """What is wanted at `mu` (a cell) and `nu` (a dock)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Among:
    """Orders that each choose among some candidate docks; `split` in cents."""

    choices: Choices
    split: float

    @property
    def stock(self) -> Floats:
        """Units of each cell of the choices."""
        return self.choices.stock

    @property
    def capacity(self) -> Floats:
        """Parcels of each dock."""
        return self.choices.capacity

    def at(self, mu: Floats, nu: Floats) -> Demand:
        """What is wanted at `mu` (a cell of the choices) and `nu` (a dock)."""
        total = -float(mu @ self.stock) - float(nu @ self.capacity)
        chosen = []
        for group in self.choices.groups:
            priced = price(group, mu, nu, self.split)
            total += float(priced.value.sum())
            chosen.append(priced.place)
        return Demand(total, *usage(self.choices, chosen))


def find(market: Market, *, upper: float, rounds: int = 120, start: Prices | None = None) -> Prices:
    """Prices in `market` after at most `rounds` steps from `start` (zero where None).

    `upper` is the cost of some plan, which limits the length of a step.
    """
    mu = start.mu.copy() if start else np.zeros(len(market.stock))
    nu = start.nu.copy() if start else np.zeros(len(market.capacity))
    best = Prices(mu, nu, -np.inf)
    way_mu, way_nu = np.zeros_like(mu), np.zeros_like(nu)
    factor, misses = 1.0, 0
    for _ in range(rounds):
        wanted = market.at(mu, nu)
        bound = wanted.bound
        if bound > best.bound:
            best, misses = Prices(mu.copy(), nu.copy(), bound), 0
        else:
            misses += 1
            if misses >= PATIENCE:
                factor, misses = factor * SHRINK, 0
        over_mu = wanted.units - market.stock
        over_nu = wanted.parcels - market.capacity
        # What is free of charge and left over pulls at nothing.
        over_mu[(mu <= 0) & (over_mu < 0)] = 0.0
        over_nu[(nu <= 0) & (over_nu < 0)] = 0.0
        way_mu = MOMENTUM * way_mu + over_mu
        way_nu = MOMENTUM * way_nu + over_nu
        length = float(way_mu @ way_mu + way_nu @ way_nu)
        if length <= 0 or upper - bound <= 1e-9 * abs(upper):
            break
        aim = min(upper, best.bound + HOPE * abs(best.bound))
        stride = factor * (aim - bound) / length
        mu = np.maximum(0.0, mu + stride * way_mu)
        nu = np.maximum(0.0, nu + stride * way_nu)
    return best
