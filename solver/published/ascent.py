"""Prices that lift a bound: a subgradient method with Polyak's step (Held, Wolfe, Crowder 1974)."""

import math
from typing import Final

from solver.mip import Floats

#: Rounds without a better bound until the step is halved, from the best prices on.
_PATIENCE: Final = 15
#: How far above the best bound the optimum is thought to be, where no answer is nearer.
_HOPE_SHARE: Final = 0.1


class Ascent:
    """`price` to make the next bound with; `best` the highest bound so far, of `best_price`."""

    def __init__(self, price: Floats) -> None:
        self.price = self.best_price = price
        self.best = -math.inf
        self._step, self._waited = 1.0, 0

    def move(self, low: float, away: Floats, cost: float) -> bool:
        """Go on from the bound `low` of `price`; whether there is anywhere to go.

        `away` is a subgradient: how much of each priced thing is lacking. Where nothing is, the
        bound cannot become better. `cost` is that of the best answer known.
        """
        self._waited += 1
        if low > self.best:
            self.best, self.best_price, self._waited = low, self.price, 0
        far = float((away * away).sum())
        if far == 0:
            return False
        if self._waited == _PATIENCE:
            self.price, self._waited = self.best_price, 0
            self._step /= 2
        target = min(cost, self.best + _HOPE_SHARE * abs(self.best) + 1)
        self.price = self.price + self._step * (target - low) * away / far
        return True
