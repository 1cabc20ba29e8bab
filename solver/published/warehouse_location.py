"""Which warehouses to open, and who is served from where: the capacitated location problem.

The rows `share ≤ open` for each pair are what makes its linear relaxation tight (Van Roy 1986,
Operations Research 34); our own bound relaxes the demand (Cornuéjols, Sridharan, Thizy 1991,
European Journal of Operational Research 50, relaxation Z_D with the number of warehouses).
"""

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from solver.effort import Clock
from solver.errors import ProblemFault
from solver.mip import Floats, Ints, Limits, Program
from solver.published.ascent import Ascent
from solver.published.watched import Watched

Bools = npt.NDArray[np.bool_]

#: Of the time given, the most that goes into prices before the integer program begins.
_PRICES_SHARE: Final = 0.15
_ROUNDS: Final = 500
#: For the last transport problem, whatever is left: it takes a hundredth of that as a rule.
_TRANSPORT_S: Final = 1.0
#: What is left of demand when it counts as served: sums of floats.
_TINY: Final = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Warehouses:
    """`capacity` and `fixed` (m warehouses), `demand` (n customers), `cost` (m x n).

    `cost` is that of serving *all* of a customer's demand; he may be served from several.
    Capacity and demand are in one unit, costs in another.
    """

    capacity: Floats
    fixed: Floats
    demand: Floats
    cost: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """Which warehouses open (m), the share of each customer's demand from each (m x n), the cost.

    No plan costs less than `bound`, recomputed by ourselves; `closed` where the solver of the
    integer program says that nothing is better.
    """

    open: Bools
    share: Floats
    cost: float
    bound: float
    closed: bool


def validate(problem: Warehouses) -> Warehouses:
    """`problem`, or `ProblemFault` with the array and row that cannot be, and what could."""
    m, n = len(problem.capacity), len(problem.demand)
    if problem.fixed.shape != (m,) or problem.cost.shape != (m, n) or 0 in (m, n):
        message = (
            f"capacity ({m},), fixed {problem.fixed.shape}, demand ({n},) and cost "
            f"{problem.cost.shape} do not fit; give m, m, n and m x n, none of them 0"
        )
        raise ProblemFault(message)
    for name in ("capacity", "fixed", "demand", "cost"):
        table = getattr(problem, name)
        wrong = np.argwhere(~(np.isfinite(table) & (table >= 0)))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            message = f"{name}{list(at)} is {table[at]}; give a number from 0"
            raise ProblemFault(message)
    idle = np.flatnonzero(problem.demand == 0)
    if len(idle):
        message = f"demand[{idle[0]}] is 0; leave out who wants nothing"
        raise ProblemFault(message)
    room, wanted = float(problem.capacity.sum()), float(problem.demand.sum())
    if room < wanted:
        message = f"demand is {wanted:g} and capacity {room:g}; raise a capacity"
        raise ProblemFault(message)
    return problem


def solve(problem: Warehouses, clock: Clock, solver: Watched) -> Opened:
    """The cheapest plan that is found until `clock` ends.

    Raises `ProblemFault` for a problem that makes no sense, `SolverFault` where the solver fails.
    """
    validate(problem)
    search = _Search(problem, clock)
    search.price()
    clock.tell("integer program", search.cost, search.bound)
    limits = Limits(max(0.1, clock.left), seed=clock.effort.seed)
    hint = np.append(search.open.astype(float), search.share.ravel())
    found = solver.solve(program(problem), limits, hint=hint)
    opened = search.open
    if found is not None and found.objective < search.cost:
        opened = found.values[: len(problem.capacity)] > 0.5
    # The best set of warehouses is known: who is served from where is a transport problem.
    clock.tell("transport", search.cost, search.bound)
    limits = Limits(max(_TRANSPORT_S, clock.left), seed=clock.effort.seed)
    served = solver.solve(transport(problem, opened), limits)
    if served is not None:
        search.take(opened, _shares(problem, opened, served.values))
    closed = found is not None and found.optimal and served is not None
    return Opened(search.open, search.share, search.cost, search.bound, closed)


def program(problem: Warehouses) -> Program:
    """The integer program: a column for each warehouse, then one for each pair, row by row."""
    m, n = problem.cost.shape
    pair = m + np.arange(m * n)
    warehouse, customer = np.divmod(pair - m, n)
    rows = n + m + m * n + 2
    # Rows: demand (n), capacity (m), a pair only from an open warehouse (m x n), enough open (2).
    most = np.minimum(1.0, problem.capacity[:, None] / problem.demand).ravel()
    all_open = np.arange(m)
    entries = (
        (customer, pair, np.ones(m * n)),
        (n + warehouse, pair, problem.demand[customer]),
        (n + all_open, all_open, -problem.capacity),
        (n + pair, pair, np.ones(m * n)),
        (n + pair, warehouse, -most),
        (np.full(m, rows - 2), all_open, problem.capacity),
        (np.full(m, rows - 1), all_open, np.ones(m)),
    )
    lower, upper = np.full(rows, -np.inf), np.zeros(rows)
    lower[:n] = upper[:n] = 1.0
    lower[-2:] = float(problem.demand.sum()), least_open(problem)
    upper[-2:] = np.inf
    return Program(
        cost=np.append(problem.fixed, problem.cost.ravel()),
        lower=np.zeros(m + m * n),
        upper=np.ones(m + m * n),
        integer=np.arange(m + m * n) < m,
        row_lower=lower,
        row_upper=upper,
        entry_row=np.concatenate([row for row, _, _ in entries]),
        entry_column=np.concatenate([column for _, column, _ in entries]),
        entry_value=np.concatenate([value for _, _, value in entries]),
    )


def transport(problem: Warehouses, opened: Bools) -> Program:
    """The linear program that is left when it is known who opens: shares, row by row."""
    capacity, cost = problem.capacity[opened], problem.cost[opened]
    m, n = cost.shape
    pair = np.arange(m * n)
    warehouse, customer = np.divmod(pair, n)
    return Program(
        cost=cost.ravel(),
        lower=np.zeros(m * n),
        upper=np.ones(m * n),
        integer=np.zeros(m * n, bool),
        row_lower=np.append(np.ones(n), np.full(m, -np.inf)),
        row_upper=np.append(np.ones(n), capacity),
        entry_row=np.append(customer, n + warehouse),
        entry_column=np.append(pair, pair),
        entry_value=np.append(np.ones(m * n), problem.demand[customer]),
    )


def least_open(problem: Warehouses) -> int:
    """How many warehouses have to open at least, the largest first."""
    held = np.cumsum(np.sort(problem.capacity)[::-1])
    wanted = float(problem.demand.sum()) * (1 - _TINY)
    return int(np.searchsorted(held, wanted)) + 1


def bound(problem: Warehouses, price: Floats, fewest: int) -> tuple[float, Bools, Floats]:
    """What no plan costs less than, for any `price` (n) of a customer; who opens; shares (m x n).

    Customers may be served too much or too little, at their price: what is left is for each
    warehouse a knapsack whose things can be cut, and `fewest` of them that open.
    """
    gain = price - problem.cost
    per_unit = gain / problem.demand
    order = np.argsort(-per_unit, axis=1, kind="stable")
    wanted = problem.demand[order]
    before = np.cumsum(wanted, axis=1) - wanted
    room = problem.capacity[:, None] - before
    part = np.clip(room / wanted, 0.0, 1.0)
    sorted_gain = np.take_along_axis(gain, order, axis=1)
    part[sorted_gain <= 0] = 0.0
    share = np.zeros_like(part)
    np.put_along_axis(share, order, part, axis=1)
    reduced = problem.fixed - (part * sorted_gain).sum(axis=1)
    opened = reduced < 0
    opened[np.argsort(reduced, kind="stable")[:fewest]] = True
    share[~opened] = 0.0
    return float(price.sum() + reduced[opened].sum()), opened, share


def _served(problem: Warehouses, opened: Bools) -> Floats:
    """Shares (m x n) from open warehouses: whoever would lose most by his second choice first."""
    left = np.where(opened, problem.capacity, 0.0)
    wanted = problem.demand.copy()
    share = np.zeros(problem.cost.shape)
    full = left <= _TINY
    while wanted.any() and not full.all():
        near = np.where(full[:, None], np.inf, problem.cost)
        for customer in _by_regret(near, wanted).tolist():
            warehouse = int(near[:, customer].argmin())
            taken = min(float(left[warehouse]), float(wanted[customer]))
            share[warehouse, customer] += taken / problem.demand[customer]
            left[warehouse] -= taken
            wanted[customer] -= taken
            full[warehouse] = left[warehouse] <= _TINY
            if full[warehouse]:
                # Some now have another first choice.
                break
    return share


def _by_regret(near: Floats, wanted: Floats) -> Ints:
    """Customers who still want something, who loses most without his first choice first."""
    waiting = np.flatnonzero(wanted)
    ranked = np.sort(near[:, waiting], axis=0)
    second = ranked[min(1, len(ranked) - 1)]
    regret = np.where(np.isfinite(second), second - ranked[0], 0.0)
    return waiting[np.argsort(-regret, kind="stable")]


def _shares(problem: Warehouses, opened: Bools, values: Floats) -> Floats:
    """Shares (m x n) of a transport solution, in whole units where everything is in whole units.

    The corners of a transport problem with whole numbers are whole (Dantzig 1951): what is not is
    the solver's tolerance.
    """
    share = np.zeros(problem.cost.shape)
    share[opened] = np.clip(values.reshape(-1, len(problem.demand)), 0.0, 1.0)
    tables = (problem.demand, problem.capacity)
    if all((one == np.rint(one)).all() for one in tables):
        share = np.rint(share * problem.demand) / problem.demand
    cleaned: Floats = share / share.sum(axis=0)
    return cleaned


class _Search:
    """The best plan and the best bound so far."""

    def __init__(self, problem: Warehouses, clock: Clock) -> None:
        self.problem = problem
        self.clock = clock
        self.bound = -math.inf
        self.cost = math.inf
        self.open = np.ones(len(problem.capacity), bool)
        self.share = np.zeros(problem.cost.shape)
        self.keep(self.open)

    def take(self, opened: Bools, share: Floats) -> None:
        """Keep a plan that is cheaper than the best; who serves nobody does not open."""
        opened = opened & (share.sum(axis=1) > 0)
        cost = float(self.problem.fixed[opened].sum() + (self.problem.cost * share).sum())
        if cost < self.cost:
            self.open, self.share, self.cost = opened, share, cost

    def keep(self, opened: Bools) -> None:
        """Make a plan of who opens, and more of them where that is not enough."""
        opened = opened.copy()
        for more in np.argsort(self.problem.fixed - self.problem.capacity, kind="stable"):
            if self.problem.capacity[opened].sum() >= self.problem.demand.sum():
                break
            opened[more] = True
        self.take(opened, _served(self.problem, opened))

    def price(self) -> None:
        """Prices that lift the bound, and plans made of who opens at them."""
        problem, clock = self.problem, self.clock
        end = clock.passed + _PRICES_SHARE * clock.left
        fewest = least_open(problem)
        ascent = Ascent(problem.cost.min(axis=0))
        seen: set[bytes] = set()
        for _ in range(_ROUNDS):
            low, opened, share = bound(problem, ascent.price, fewest)
            if low > self.bound:
                self.bound = low
                clock.tell("prices", self.cost, self.bound)
            if opened.tobytes() not in seen:
                seen.add(opened.tobytes())
                self.keep(opened)
            moved = ascent.move(low, 1.0 - share.sum(axis=0), self.cost)
            if not moved or clock.passed > end:
                return
