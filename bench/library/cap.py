"""Files of capacitated warehouse location problems: read, changed, solved, judged.

`m n`, then m lines `capacity fixed_cost`, then for each of n customers its demand and the m costs
of serving all of it. Costs are in the file's own unit, with as many decimals as it gives.
"""

import dataclasses
import math
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import UsageError
from bench.library.published import beside
from bench.library.result import Result
from bench.library.words import Words
from solver.effort import Clock
from solver.errors import ProblemFault
from solver.published.warehouse_location import Opened, Warehouses, solve, validate
from solver.published.watched import Watched

_TABLE: Final = "optima.tsv"
#: What stands where a library's large files leave the capacity to the reader.
_CAPACITY: Final = "capacity"
#: Published values have three decimals of seven digits before them.
TOLERANCE: Final = 1e-6
#: Of a demand or a capacity: what a sum of shares may be off.
_OFF_SHARE: Final = Fraction(1, 10**9)


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """What of a file is replaced: every capacity, every fixed cost above 0; and its name then."""

    capacity: float | None = None
    fixed: float | None = None
    name: str | None = None

    def name_of(self, path: Path) -> str | None:
        """Under what name an optimum may be published; None for a change that was not named."""
        if self.name is not None:
            return self.name
        return path.stem if self.capacity is None and self.fixed is None else None


def read(path: Path, changes: Changes) -> Warehouses:
    """The problem of a file, changed. Raises `UsageError` with file, line and remedy."""
    words = Words(path)
    m, n = words.whole("the number of warehouses", 1), words.whole("the number of customers", 1)
    capacity, fixed = [], []
    for w in range(m):
        capacity.append(_capacity(words, w, changes))
        told = words.number(f"the fixed cost of warehouse {w}")
        fixed.append(told if changes.fixed is None or told == 0 else changes.fixed)
    demand, cost = [], []
    for c in range(n):
        demand.append(words.number(f"the demand of customer {c}"))
        cost.append([words.number(f"the cost of customer {c} from warehouse {w}")
                     for w in range(m)])  # fmt: skip
    words.end()
    try:
        return validate(
            Warehouses(
                np.array(capacity, float),
                np.array(fixed, float),
                np.array(demand, float),
                np.array(cost, float).reshape(n, m).T.copy(),
            )
        )
    except ProblemFault as fault:
        message = f"{path}: {fault}"
        raise UsageError(message) from fault


def _capacity(words: Words, warehouse: int, changes: Changes) -> float:
    word = words.word(f"the capacity of warehouse {warehouse}")
    if word == _CAPACITY and changes.capacity is None:
        message = f"the file leaves the capacity of warehouse {warehouse} open; give --capacity"
        raise words.wrong(message)
    if changes.capacity is not None:
        return changes.capacity
    return words.as_number(word, f"the capacity of warehouse {warehouse}")


def published(path: Path, name: str | None) -> float | None:
    """The optimum that a table beside the file or above tells; None where none does."""
    table = beside(path, _TABLE)
    if table is None or name is None:
        return None
    for line, row in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        match row.split("\t"):
            case [one, lower, upper] if one == name:
                try:
                    return float(upper) if float(lower) == float(upper) else None
                except ValueError:
                    message = f"{table}, line {line}: {row!r} has no numbers; mend it"
                    raise UsageError(message) from None
    return None


def judge(problem: Warehouses, plan: Opened) -> tuple[float, list[str]]:
    """What a plan costs, and what is wrong with it: counted in fractions, without the solver."""
    found = []
    demand = [Fraction(one) for one in problem.demand.tolist()]
    share = [[Fraction(one) for one in row] for row in plan.share.tolist()]
    for customer, parts in enumerate(zip(*share, strict=True)):
        if abs(sum(parts) - 1) > _OFF_SHARE or min(parts) < 0:
            found.append(f"customer {customer} is served by {float(sum(parts)):g} of his demand")
    costs: list[float] = []
    for warehouse, row in enumerate(share):
        load = sum((part * units for part, units in zip(row, demand, strict=True)), Fraction())
        most = Fraction(float(problem.capacity[warehouse]))
        if load > most * (1 + _OFF_SHARE):
            found.append(f"warehouse {warehouse} sends {float(load):g}, it holds {float(most):g}")
        if plan.open[warehouse]:
            costs.append(float(problem.fixed[warehouse]))
        elif any(row):
            found.append(f"warehouse {warehouse} sends goods and is not open")
        prices = problem.cost[warehouse].tolist()
        costs += [price * float(part) for price, part in zip(prices, row, strict=True)]
    return math.fsum(costs), found


def play(
    path: Path, problem: Warehouses, changes: Changes, clock: Clock, solver: Watched
) -> Result:
    """Solve one file's problem and judge what comes of it."""
    best = published(path, changes.name_of(path))
    answer = solve(problem, clock, solver)
    seconds = clock.passed
    cost, found = judge(problem, answer)
    if not math.isclose(cost, answer.cost, rel_tol=TOLERANCE):
        found.append(f"a cost of {answer.cost:.3f} is told, it is {cost:.3f}")
    sizes = f"{problem.cost.shape[0]} × {problem.cost.shape[1]}"
    return Result(
        str(path), changes.name or path.stem, sizes, cost, answer.bound, answer.closed, seconds,
        best, tuple(found), tolerance=TOLERANCE,
    )  # fmt: skip
