"""What units on a shelf are worth: margin x chance that the demand of a time reaches them."""

import numpy as np

from solver.errors import ProblemFault
from solver.problem import Floats, Ints

# The chance that one more unit is asked for, below which it counts for nothing.
CHANCE_LEAST = 0.005
# Above this much of variance through mean, counts are taken as negative binomial.
_POISSON = 1.0 + 1e-6
# Standard deviations above the mean, at which no demand is left to speak of.
_TAIL = 8.0
_TAIL_UNITS = 20


def chances(mean: float, scatter: float) -> Floats:
    """P(demand >= unit) for units 1, 2 and so on, down to `CHANCE_LEAST`.

    Demand is Poisson, or negative binomial where its variance is `scatter` > 1 times its mean
    (Johnson, Kemp and Kotz, "Univariate Discrete Distributions", sec. 5.1): p(k) / p(k-1) is
    m / k, or (k - 1 + r) (1 - 1/scatter) / k with r = m / (scatter - 1). Summed up as
    logarithms: p(0) of a large demand is no number any more.
    """
    if mean <= 0:
        return np.zeros(0)
    units = np.arange(1, int(mean + _TAIL * np.sqrt(mean * scatter)) + _TAIL_UNITS)
    if scatter <= _POISSON:
        none, ratio = -mean, np.log(mean / units)
    else:
        size = mean / (scatter - 1)
        none = -size * np.log(scatter)
        ratio = np.log((units - 1 + size) * (1 - 1 / scatter) / units)
    log_of = none + np.concatenate([[0.0], np.cumsum(ratio)])
    at_least = 1 - np.cumsum(np.exp(log_of))[:-1]
    return np.asarray(at_least[at_least >= CHANCE_LEAST])


def worth(mean: Floats, scatter: Floats, margin: Ints, steps: int) -> tuple[Ints, Ints]:
    """(room, worth) of `rebalancing.Stocks`: S x N x `steps`, units and cents a unit.

    `mean` (S x N) is the demand in units until the next delivery, `scatter` (S) its variance
    through mean, `margin` (S) cents earned with a unit sold. A step holds as many units as make
    `steps` of them reach the last unit that counts, and is worth their mean.
    """
    if steps < 1 or (mean < 0).any() or not np.isfinite(mean).all():
        message = f"mean: finite and not negative; steps: {steps} is at least 1"
        raise ProblemFault(message)
    shape = (*mean.shape, steps)
    room, cents = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for sku, node in np.ndindex(*mean.shape):
        chance = chances(float(mean[sku, node]), float(scatter[sku]))
        for step, part in enumerate(np.array_split(chance, min(steps, max(1, len(chance))))):
            if part.size:
                room[sku, node, step] = part.size
                cents[sku, node, step] = int(margin[sku] * part.mean())
    return room, cents
