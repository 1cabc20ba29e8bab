"""The generalised assignment problem: every item to one agent, agents within their capacities.

It is a wave of single-line orders without its stock: the same relaxation by prices (Fisher 1981,
Management Science 27, section 4), the same integer program, with published optima to be held to.
"""

import dataclasses
import math
from typing import Final

import numpy as np

from solver.effort import Clock
from solver.errors import ProblemFault
from solver.mip import Floats, Ints, Limits, Program
from solver.published.ascent import Ascent
from solver.published.knapsack import Bools, near_best, pack
from solver.published.watched import Watched

#: An item that no agent has yet.
NOBODY: Final = -1
#: Sums of costs up to here are exact in a float, with room for the grid of the prices.
COST_MOST: Final = 10**9
#: Prices lie on multiples of this, so that a bound made of them is exact.
_GRID: Final = 1 / 1024
#: Of the time given, the most that goes into prices before the integer program begins.
_PRICES_SHARE: Final = 0.25
_ROUNDS: Final = 400
#: Of the time left, the most that goes into programs over patterns.
_PATTERNS_SHARE: Final = 0.4
#: With more of them the solver takes longer than for the whole problem agent by item.
_PATTERNS_MOST: Final = 1_000
#: Times that a slack is tried between none and one with too many patterns.
_HALVINGS: Final = 8
#: Rounds between assignments made of what the knapsacks hold: they take longer than a round.
_TRIED_EVERY: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Agents:
    """`cost` and `weight` (m agents x n items) and `capacity` (m), all whole numbers from 0.

    An item weighs what it weighs with its agent, and costs what it costs there.
    """

    cost: Ints
    weight: Ints
    capacity: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Assigned:
    """The agent of each item (n), what that costs, and what no assignment costs less than.

    `bound` is recomputed by ourselves; `closed` where the solver of the integer program says as
    well that nothing is better.
    """

    agent: Ints
    cost: int
    bound: int
    closed: bool


def validate(problem: Agents) -> Agents:
    """`problem`, or `ProblemFault` with the array and row that cannot be, and what could."""
    shape = problem.cost.shape
    if problem.weight.shape != shape or problem.capacity.shape != shape[:1] or 0 in shape:
        message = (
            f"cost {shape}, weight {problem.weight.shape} and capacity "
            f"{problem.capacity.shape} do not fit; give m x n, m x n and m, none of them 0"
        )
        raise ProblemFault(message)
    for name in ("cost", "weight", "capacity"):
        table = getattr(problem, name)
        wrong = np.argwhere((table < 0) | (table > COST_MOST))
        if len(wrong):
            at = tuple(wrong[0].tolist())
            message = f"{name}{list(at)} is {table[at]}; give 0 to {COST_MOST}"
            raise ProblemFault(message)
    homeless = np.flatnonzero((problem.weight > problem.capacity[:, None]).all(axis=0))
    if len(homeless):
        message = f"item {homeless[0]} is too heavy for every agent; raise a capacity"
        raise ProblemFault(message)
    return problem


def solve(problem: Agents, clock: Clock, solver: Watched) -> Assigned | None:
    """The cheapest assignment that is found until `clock` ends; None where none is.

    Raises `ProblemFault` for a problem that makes no sense and `SolverFault` where it is proved
    that no assignment keeps the capacities.
    """
    validate(problem)
    search = _Search(problem, clock)
    search.price()
    search.combine(solver)
    if not search.closed:
        clock.tell("integer program", search.cost, search.bound)
        search.ask(solver, program(problem), Limits(max(0.1, clock.left), seed=clock.effort.seed))
    if search.best is None:
        return None
    return Assigned(search.best, search.cost, search.bound, search.closed)


def program(problem: Agents) -> Program:
    """The integer program: a column for each agent and item, row by row."""
    agents, items = problem.cost.shape
    column = np.arange(agents * items)
    agent, item = np.divmod(column, items)
    return Program(
        cost=problem.cost.ravel().astype(np.float64),
        lower=np.zeros(len(column)),
        upper=(problem.weight <= problem.capacity[:, None]).ravel().astype(np.float64),
        integer=np.ones(len(column), bool),
        row_lower=np.append(np.ones(items), np.full(agents, -np.inf)),
        row_upper=np.append(np.ones(items), problem.capacity.astype(np.float64)),
        entry_row=np.append(item, items + agent),
        entry_column=np.append(column, column),
        entry_value=np.append(np.ones(len(column)), problem.weight.ravel()),
    )


def bound(problem: Agents, price: Floats) -> tuple[float, Bools]:
    """What no assignment costs less than, for any `price` (n) an item; and who takes what (m x n).

    Every item may be had by nobody or by several, at its price: what is left is a knapsack for
    each agent. Exact where prices are on the grid of `_GRID`.
    """
    taken = np.zeros(problem.cost.shape, bool)
    total = float(price.sum())
    for agent, gain in enumerate(price - problem.cost):
        taken[agent] = pack(gain, problem.weight[agent], int(problem.capacity[agent]))
        total -= float(gain[taken[agent]].sum())
    return total, taken


def _on_grid(price: Floats) -> Floats:
    """Prices with which sums are exact."""
    rounded: Floats = np.rint(price / _GRID) * _GRID
    return rounded


class _Search:
    """The best assignment and the best bound so far."""

    def __init__(self, problem: Agents, clock: Clock) -> None:
        self.problem = problem
        self.clock = clock
        self.best: Ints | None = None
        self.best_price = np.zeros(problem.cost.shape[1])
        self.proved = False
        #: Above whatever an assignment may cost, until there is one.
        self.cost = int(problem.cost.max(axis=0).sum()) + 1
        self.bound = int(problem.cost.min(axis=0).sum())

    def keep(self, agent: Ints) -> None:
        """Take an assignment that is cheaper than the best."""
        cost = int(self.problem.cost[agent, np.arange(len(agent))].sum())
        if cost < self.cost:
            self.best, self.cost = agent, cost

    @property
    def closed(self) -> bool:
        """Whether there is an assignment and none is better, by the bound or a solver's word."""
        return self.best is not None and (self.proved or self.cost <= self.bound)

    def ask(self, solver: Watched, whole: Program, limits: Limits) -> None:
        """The integer program of the whole problem.

        It does not begin at the best assignment: with it HiGHS took twice as long on b05200.
        """
        found = solver.solve(whole, limits)
        if found is not None:
            self.keep(found.values.reshape(self.problem.cost.shape).argmax(axis=0))
            self.proved = found.optimal

    def combine(self, solver: Watched) -> None:
        """An integer program over all the patterns that a good assignment can be made of.

        In an assignment that costs no more than the bound and some slack, no agent's set of items
        is worse than his best, at the prices, by more than that. These sets are listed, for as much
        slack as their number allows; choosing among them settles whether there is one so cheap.
        """
        problem, clock = self.problem, self.clock
        if self.closed:
            return
        low, _ = bound(problem, self.best_price)
        slack, patterns = _near(problem, self.best_price, max(0.0, self.cost - 1 - low))
        clock.tell("patterns", self.cost, self.bound)
        choice, agent, held = _choice(problem, patterns, self.cost)
        limits = Limits(max(0.1, _PATTERNS_SHARE * clock.left), seed=clock.effort.seed)
        found = solver.solve(choice, limits)
        if found is None:
            return
        chosen = np.flatnonzero(found.values[: len(held)] > 0.5)
        if held[chosen].any(axis=0).all():
            self.keep((held[chosen] * (agent[chosen, None] + 1)).sum(axis=0) - 1)
        self.proved = found.optimal and self.cost - 1 <= low + slack

    def price(self) -> None:
        """Prices that lift the bound, and assignments made of what agents take at them."""
        problem, clock = self.problem, self.clock
        end = clock.passed + _PRICES_SHARE * clock.left
        second = min(1, len(problem.capacity) - 1)
        ascent = Ascent(np.sort(problem.cost, axis=0)[second].astype(np.float64))
        for number in range(_ROUNDS):
            low, taken = bound(problem, _on_grid(ascent.price))
            self.bound = max(self.bound, math.ceil(low))
            moved = ascent.move(low, 1.0 - taken.sum(axis=0), self.cost)
            if number % _TRIED_EVERY == 0 or not moved:
                self.try_out(_claimed(problem, taken))
                clock.tell("prices", self.cost, self.bound)
            if not moved or self.closed or clock.passed > end:
                break
        self.best_price = _on_grid(ascent.best_price)

    def try_out(self, agent: Ints) -> None:
        """Make an assignment of one that lacks items or weighs too much; keep it if it is good."""
        full = completed(self.problem, agent)
        if full is not None:
            self.keep(improved(self.problem, full))


def _near(problem: Agents, price: Floats, most: float) -> tuple[float, list[Bools]]:
    """A slack up to `most` for which patterns are few enough, the larger the better; and these.

    Without any slack they are an agent's best alone, unless there are too many of those: then none.
    """
    every = _patterns(problem, price, most)
    if every is not None:
        return most, every
    empty = np.zeros((0, problem.cost.shape[1]), bool)
    # Below 0 nothing is listed, and nothing is proved.
    found: tuple[float, list[Bools]] = (-1.0, [empty] * len(problem.capacity))
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        slack = (low + high) / 2
        patterns = _patterns(problem, price, slack)
        if patterns is None:
            high = slack
        else:
            low, found = slack, (slack, patterns)
    return found


def _patterns(problem: Agents, price: Floats, slack: float) -> list[Bools] | None:
    """Of each agent all sets of items within `slack` of his best; None where they are many."""
    patterns, left = [], _PATTERNS_MOST
    for agent, gain in enumerate(price - problem.cost):
        capacity = int(problem.capacity[agent])
        sets = near_best(gain, problem.weight[agent], capacity, slack, most=left)
        if sets is None:
            return None
        patterns.append(sets)
        left -= len(sets)
    return patterns


def _choice(problem: Agents, patterns: list[Bools], dear: int) -> tuple[Program, Ints, Bools]:
    """The program that chooses at most one pattern an agent; agent and items of its columns.

    Behind these there is a column an item for leaving it at a cost of `dear`, so that there always
    is a solution.
    """
    agents, items = problem.cost.shape
    agent = np.repeat(np.arange(agents), [len(sets) for sets in patterns])
    held = np.concatenate(patterns)
    column, item = np.nonzero(held)
    left = np.arange(items)
    columns = len(held) + items
    whole = Program(
        cost=np.append((held * problem.cost[agent]).sum(axis=1), np.full(items, float(dear))),
        lower=np.zeros(columns),
        upper=np.ones(columns),
        integer=np.ones(columns, bool),
        row_lower=np.append(np.ones(items), np.zeros(agents)),
        row_upper=np.ones(items + agents),
        entry_row=np.concatenate([item, left, items + agent]),
        entry_column=np.concatenate([column, len(held) + left, np.arange(len(held))]),
        entry_value=np.ones(len(column) + columns),
    )
    return whole, agent, held


def _claimed(problem: Agents, taken: Bools) -> Ints:
    """Of those who take an item the one where it costs least; `NOBODY` where none does."""
    cost = np.where(taken, problem.cost, COST_MOST + 1)
    return np.where(taken.any(axis=0), cost.argmin(axis=0), NOBODY)


def _left(problem: Agents, agent: Ints) -> Ints:
    """What each agent (m) may still take; below 0 where he has too much."""
    item = np.flatnonzero(agent != NOBODY)
    left: Ints = problem.capacity.copy()
    np.subtract.at(left, agent[item], problem.weight[agent[item], item])
    return left


def completed(problem: Agents, agent: Ints) -> Ints | None:
    """`agent` with all items assigned, the one first that would lose most by its second choice.

    An agent who has too much gives all of it back. None where an item is left that fits nowhere.
    """
    agent = agent.copy()
    left = _left(problem, agent)
    agent[np.isin(agent, np.flatnonzero(left < 0))] = NOBODY
    left = np.where(left < 0, problem.capacity, left)
    open_items = np.flatnonzero(agent == NOBODY)
    while len(open_items):
        fits = problem.weight[:, open_items] <= left[:, None]
        cost = np.where(fits, problem.cost[:, open_items], 2.0 * COST_MOST)
        if not fits.any(axis=0).all():
            return None
        ranked = np.sort(cost, axis=0)
        regret = ranked[min(1, len(left) - 1)] - ranked[0]
        place = int(regret.argmax())
        item, chosen = open_items[place], int(cost[:, place].argmin())
        agent[item] = chosen
        left[chosen] -= problem.weight[chosen, item]
        open_items = np.delete(open_items, place)
    return agent


def improved(problem: Agents, agent: Ints) -> Ints:
    """`agent` after every move of one item and every exchange of two that saves something."""
    agent = agent.copy()
    items = np.arange(len(agent))
    cost, weight = problem.cost, problem.weight
    while True:
        own_cost, own_weight = cost[agent, items], weight[agent, items]
        left = _left(problem, agent)
        moves = np.where(weight <= left[:, None], cost - own_cost, 0)
        to, item = np.unravel_index(moves.argmin(), moves.shape)
        # Row j, column k: what item j costs and weighs in the place of item k.
        in_cost, in_weight = cost[agent].T - own_cost[:, None], weight[agent].T
        fits = in_weight - own_weight[None, :] <= left[agent][None, :]
        swaps = np.where(fits & fits.T, in_cost + in_cost.T, 0)
        one, other = np.unravel_index(swaps.argmin(), swaps.shape)
        if min(moves[to, item], swaps[one, other]) >= 0:
            return agent
        if moves[to, item] <= swaps[one, other]:
            agent[item] = to
        else:
            agent[one], agent[other] = agent[other], agent[one]
