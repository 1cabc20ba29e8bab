"""Prices of stock and capacity: the Lagrangian relaxation of both, by a subgradient method.

Relaxing the stock rows by `mu >= 0` and the capacity rows by `nu >= 0` leaves a choice per order.
`sum of the orders' cheapest patterns - mu * stock - nu * capacity` bounds every plan from below
(Fisher 1981, Management Science 27(1)). Each price steps by its own measure, its mean excess
demand through the usual size of that (Kingma and Ba 2015, Adam, ICLR): a dock lacks thousands of
parcels where a cell lacks one unit, and one length for all moves either docks or cells.
"""

import dataclasses
from typing import Protocol

import numpy as np

from solver.choices import Choices
from solver.pricing import price, usage
from solver.problem import Floats

# How much of the excess so far, and of its square, each step remembers.
MOMENTUM, MEMORY = 0.7, 0.9
# The last step as a share of the first.
LAST_STRIDE = 0.05
# Units or parcels: no price moves fast for less than this.
FEW = 1e-6


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


def find(market: Market, *, stride: float, rounds: int, start: Prices | None = None) -> Prices:
    """The best prices met in `rounds` steps in `market` from `start` (zero where None).

    A price moves by about `stride` cents in the first step, a twentieth of that in the last.
    """
    cells = len(market.stock)
    have = np.concatenate([market.stock, market.capacity])
    at = np.concatenate([start.mu, start.nu]) if start else np.zeros(len(have))
    best = Prices(at[:cells], at[cells:], -np.inf)
    way, size = np.zeros(len(have)), np.zeros(len(have))
    for step in range(rounds):
        wanted = market.at(at[:cells], at[cells:])
        if wanted.bound > best.bound:
            best = Prices(at[:cells], at[cells:], wanted.bound)
        over = np.concatenate([wanted.units, wanted.parcels]) - have
        # What is free of charge and left over pulls at nothing.
        over[(at <= 0) & (over < 0)] = 0.0
        if not over.any():
            break
        way = MOMENTUM * way + (1.0 - MOMENTUM) * over
        size = MEMORY * size + (1.0 - MEMORY) * over**2
        # Both means begin at nothing, and count as if they had not.
        mean = way / (1.0 - MOMENTUM ** (step + 1))
        usual = np.sqrt(size / (1.0 - MEMORY ** (step + 1)))
        at = np.maximum(0.0, at + stride * LAST_STRIDE ** (step / rounds) * mean / (usual + FEW))
    return best
