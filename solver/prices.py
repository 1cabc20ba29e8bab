"""Prices of stock and capacity: the Lagrangian relaxation of both, by a subgradient method.

Relaxing the stock rows by `mu >= 0` and the capacity rows by `nu >= 0` leaves a choice per order.
`sum of the orders' cheapest patterns - mu * stock - nu * capacity` bounds every plan from below
(Fisher 1981, Management Science 27(1)); steps follow Polyak (1969) with a momentum of 0.7.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from solver.choices import Choices
from solver.pricing import price, usage
from solver.problem import Floats, Ints

MOMENTUM = 0.7
SHRINK = 0.6
PATIENCE = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """Cents a unit of each cell (`mu`), a parcel of each dock (`nu`), and the bound they give.

    The bound holds for plans within the choices it was computed on.
    """

    mu: Floats
    nu: Floats
    bound: float


def bound_at(choices: Choices, mu: Floats, nu: Floats, split: float) -> tuple[float, list[Ints]]:
    """The Lagrangian bound at given prices, and what each group chose."""
    total = -float(mu @ choices.stock) - float(nu @ choices.capacity)
    chosen = []
    for group in choices.groups:
        priced = price(group, mu, nu, split)
        total += float(priced.value.sum())
        chosen.append(priced.place)
    return total, chosen


def find(
    choices: Choices,
    split: float,
    *,
    upper: float,
    rounds: int = 120,
    start: Prices | None = None,
    improve: Callable[[Floats, Floats], float] | None = None,
) -> Prices:
    """Prices for `choices` after at most `rounds` steps from `start` (zero where None).

    `upper` is the cost of some plan, which sets the length of a step; `improve` is asked now and
    then for the cost of a plan made with the prices so far.
    """
    mu = start.mu.copy() if start else np.zeros(len(choices.cells))
    nu = start.nu.copy() if start else np.zeros(len(choices.capacity))
    best = Prices(mu, nu, -np.inf)
    way_mu, way_nu = np.zeros_like(mu), np.zeros_like(nu)
    factor, misses = 1.0, 0
    for step in range(rounds):
        bound, chosen = bound_at(choices, mu, nu, split)
        if bound > best.bound:
            best, misses = Prices(mu.copy(), nu.copy(), bound), 0
        else:
            misses += 1
            if misses >= PATIENCE:
                factor, misses = factor * SHRINK, 0
        if improve is not None and step in {rounds // 4, rounds // 2}:
            upper = min(upper, improve(best.mu, best.nu))
        units, parcels = usage(choices, chosen)
        over_mu = units - choices.stock
        over_nu = parcels - choices.capacity
        # What is free of charge and left over pulls at nothing.
        over_mu[(mu <= 0) & (over_mu < 0)] = 0.0
        over_nu[(nu <= 0) & (over_nu < 0)] = 0.0
        way_mu = MOMENTUM * way_mu + over_mu
        way_nu = MOMENTUM * way_nu + over_nu
        length = float(way_mu @ way_mu + way_nu @ way_nu)
        if length <= 0 or upper - bound <= 1e-9 * abs(upper):
            break
        stride = factor * (upper - bound) / length
        mu = np.maximum(0.0, mu + stride * way_mu)
        nu = np.maximum(0.0, nu + stride * way_nu)
    return best
