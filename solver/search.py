"""One search over the orders of a problem: prices, columns, a linear program, rounding, blocks.

The linear program over patterns is solved by column generation (its bound is the Lagrangian
bound at its duals, over all docks); its fractional orders are then settled by integer programs
over blocks of a thousand orders or two, everything else fixed. A block never makes a plan worse.
"""

import dataclasses

import numpy as np

from solver import bound, candidates, columns, mip, plan, prices, residual, rounding
from solver.bound import NOTHING_PROVEN, Everywhere, Proof
from solver.choices import Choices, choices
from solver.columns import Columns
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem, sums

# Candidate docks an order: those that serve it whole for least, and each line's best.
WHOLE, SINGLE = 4, 6
FIRST_COLUMNS, MORE_COLUMNS = 5, 3
# Of so many looks at the market over all docks, one is remembered as columns.
REMEMBERED = 5
# How far prices move in their first step, as a share of a line's mean cost, and how much of that
# is left when they are sought again: by then they are nearly right.
FIRST_STRIDE, NEXT_STRIDE = 0.2, 0.5
# With more docks than these the linear program has few parcels a row and many a corner: there the
# interior point method takes half the time of the simplex method (10,000 orders: 5 s for 10 s with
# 2,000 docks, but 2 s for 1 s with 30).
MANY_DOCKS = 300


@dataclasses.dataclass(slots=True)
class Search:
    """A problem under way: the prices, columns and best plan so far.

    `mu` (S x N) cents a unit, `nu` (D) cents a parcel, `line_dock` (L) the best plan and `cost`
    its cents, `proof` the best bound; `relaxed` is what the last linear program cost. `stride` is
    how far prices move at first, as a share of a line's mean cost; `warmth` is what long orders
    begin to move with, see `moves`.
    """

    problem: Problem
    rows: Ints
    mu: Floats
    nu: Floats
    line_dock: Ints
    cost: float
    pool: Columns
    limit: float
    relaxed: float = np.inf
    proof: Proof = NOTHING_PROVEN
    stride: float = FIRST_STRIDE
    warmth: float = 1.0

    @property
    def proven(self) -> float:
        """The best bound so far, in cents."""
        return self.proof.bound

    def next_stride(self) -> float:
        """How far prices move at first when they are next sought, in cents; then less."""
        stride = self.stride * self.cost / max(1, len(self.problem.orders.line_order))
        self.stride *= NEXT_STRIDE
        return stride

    def keep(self, line_dock: Ints) -> bool:
        """Take `line_dock` for the plan where it is cheaper, and say so."""
        cost = float(plan.cost_of(self.problem, line_dock).total)
        if cost >= self.cost:
            return False
        self.line_dock, self.cost = line_dock, cost
        return True


def resume(problem: Problem, line_dock: Ints, mu: Floats, nu: Floats, limit: float) -> Search:
    """A search from a plan and prices; `limit` is the longest one program may take, in seconds."""
    rows = np.arange(len(problem.orders.ids))
    cost = float(plan.cost_of(problem, line_dock).total)
    pool = columns.empty(problem, rows)
    if problem.weights.change:
        pool = columns.joined([pool, columns.of_plan(problem, rows, problem.standing)])
    return Search(problem, rows, mu, nu, line_dock, cost, pool, limit)


def begin(problem: Problem, limit: float) -> Search:
    """A search from nothing: its plan is the greedy one without prices, or the one that stands."""
    mu = np.zeros(problem.stock.shape)
    nu = np.zeros(len(problem.network.capacity))
    none = np.full(len(problem.orders.line_order), NOWHERE, np.int64)
    started = resume(problem, none, mu, nu, limit)
    started.keep(rounding.from_nothing(problem, mu, nu))
    left = residual.without(problem, problem.standing, np.zeros(len(problem.orders.ids), bool))
    if (left.stock >= 0).all() and (left.network.capacity >= 0).all():
        started.keep(problem.standing)
    return started


def _near(
    search: Search, problem: Problem, rows: Ints, whole: int = WHOLE, single: int = SINGLE
) -> Choices:
    near = candidates.candidates(
        problem, rows, whole=whole, single=single, mu=search.mu, nu=search.nu
    )
    return choices(problem, rows, near)


def price(search: Search, rounds: int, whole: int = WHOLE, single: int = SINGLE) -> None:
    """Some rounds of the subgradient method from the prices so far, on fresh candidates.

    `whole` and `single` are how many candidate docks an order has, see `candidates`.
    """
    problem = search.problem
    among = _near(search, problem, search.rows, whole, single)
    flat = search.mu.reshape(-1)
    found = prices.find(
        prices.Among(among, float(problem.weights.split)),
        stride=search.next_stride(),
        rounds=rounds,
        start=prices.Prices(flat[among.cells], search.nu, -np.inf),
    )
    flat[among.cells] = found.mu
    search.nu = found.nu


@dataclasses.dataclass(slots=True)
class _Remembering:
    """A market over all docks that remembers what was wanted at every `every`th prices."""

    market: Everywhere
    every: int
    steps: int = 0
    wanted: list[Ints] = dataclasses.field(default_factory=list)

    @property
    def stock(self) -> Floats:
        return self.market.stock

    @property
    def capacity(self) -> Floats:
        return self.market.capacity

    def at(self, mu: Floats, nu: Floats) -> prices.Demand:
        demand, line_dock = self.market.look(mu, nu)
        self.steps += 1
        if self.steps % self.every == 0:
            self.wanted.append(line_dock)
        return demand


def price_everywhere(search: Search, market: Everywhere, rounds: int) -> None:
    """Some rounds of the subgradient method from the prices so far, over all docks.

    What orders wanted on the way become columns: an optimum of the linear program is nearly a mean
    of them (Barahona and Anbil 2000, Mathematical Programming 87(3)).
    """
    flat = search.mu.reshape(-1)
    remembering = _Remembering(market, REMEMBERED)
    start = prices.Prices(flat[market.cells], search.nu, -np.inf)
    found = prices.find(remembering, stride=search.next_stride(), rounds=rounds, start=start)
    search.mu[:] = 0.0
    flat[market.cells], search.nu = found.mu, found.nu
    wanted = [columns.of_plan(search.problem, search.rows, one) for one in remembering.wanted]
    search.pool = columns.joined([search.pool, *wanted])


def generate(search: Search, count: int) -> None:
    """Up to `count` columns an order by price, the program over all of them, and its rounding."""
    problem, split = search.problem, float(search.problem.weights.split)
    among = _near(search, problem, search.rows)
    mu = search.mu.reshape(-1)[among.cells]
    made = [columns.cheapest(group, mu, search.nu, split, count) for group in among.groups]
    search.pool = columns.joined([search.pool, *made])
    priced = columns.with_change(problem, search.pool)
    master = columns.master(problem, priced, integer=False)
    interior = len(problem.network.capacity) > MANY_DOCKS
    found = mip.solve(master.program, mip.Limits(search.limit), interior=interior)
    if found is None:
        return
    search.relaxed = found.objective
    cells, docks = len(master.orders), len(master.orders) + len(master.cells)
    search.mu[:] = 0.0
    search.mu.reshape(-1)[master.cells] = np.maximum(0.0, -found.duals[cells:docks])
    search.nu = np.zeros_like(search.nu)
    search.nu[master.docks] = np.maximum(0.0, -found.duals[docks:])
    line_dock = rounding.round_off(problem, search.pool, found.values, search.mu, search.nu)
    search.keep(line_dock)


def prove(search: Search) -> None:
    """The bound at the prices so far; the patterns it rests on become columns."""
    proof = bound.prove(search.problem, search.mu, search.nu)
    if proof.bound > search.proof.bound:
        search.proof = proof
    found = columns.of_plan(search.problem, search.rows, proof.line_dock)
    search.pool = columns.joined([search.pool, found])


def slack(search: Search) -> Floats:
    """(O) cents that each order's pattern is dearer, at the prices of the bound, than its best.

    The gap between plan and bound is the sum of these and of the priced units nobody takes. Where
    nothing is proven yet, nobody's is known.
    """
    if not len(search.proof.value):
        return np.zeros(len(search.rows))
    problem, mu, nu = search.problem, search.proof.mu, search.proof.nu
    orders, net = problem.orders, problem.network
    many = len(orders.ids)
    served = np.flatnonzero(search.line_dock != NOWHERE)
    dock = search.line_dock[served]
    units = orders.quantity[served] * mu[orders.line_sku[served], net.dock_node[dock]]
    order, parcel = plan.parcels_of(problem, search.line_dock)
    priced = plan.order_costs(problem, search.line_dock)
    priced += sums(orders.line_order[served], units, many)
    priced += sums(order, nu[parcel], many)
    return priced - search.proof.value


def blocks_of(search: Search, count: int, size: int, rng: np.random.Generator) -> list[Ints]:
    """`count` blocks of at most `size` orders to choose anew, no order in two.

    Half of a block is drawn by slack, the rest are competitors: orders that hold a unit with a
    price, of a SKU that one of the first half asks for.
    """
    orders, net = search.problem.orders, search.problem.network
    loose = slack(search)
    # A draw without replacement, weighted by slack (Efraimidis and Spirakis 2006, IPL 97(5)).
    turn = np.argsort(np.log(rng.random(len(loose))) / -np.maximum(loose, 1e-3))
    served = np.flatnonzero(search.line_dock != NOWHERE)
    sku, order = orders.line_sku[served], orders.line_order[served]
    priced = search.mu[sku, net.dock_node[search.line_dock[served]]] > 0
    taken = np.zeros(len(orders.ids), bool)
    made = []
    for _ in range(count):
        wanted = turn[~taken[turn]][: size // 2]
        taken[wanted] = True
        inside = np.zeros(len(orders.ids), bool)
        inside[wanted] = True
        asked = np.zeros(len(search.problem.skus), bool)
        asked[orders.line_sku[inside[orders.line_order]]] = True
        rivals = np.unique(order[priced & asked[sku] & ~taken[order]])
        chosen = rng.permutation(rivals)[: size - len(wanted)]
        taken[chosen] = True
        made.append(np.union1d(wanted, chosen))
    return made


def improve(search: Search, rows: Ints, count: int, limits: mip.Limits) -> bool:
    """Choose anew for the orders `rows` among `count` patterns each, all others fixed.

    Says whether the plan became cheaper.
    """
    problem, split = search.problem, float(search.problem.weights.split)
    freed = np.zeros(len(problem.orders.ids), bool)
    freed[rows] = True
    left = residual.without(problem, search.line_dock, freed)
    among = _near(search, left, rows)
    mu = search.mu.reshape(-1)[among.cells]
    offered = [
        columns.of_plan(problem, rows, search.line_dock),
        columns.empty(problem, rows),
        *(columns.cheapest(one, mu, search.nu, split, count) for one in among.groups),
        columns.taken(search.pool, freed[search.pool.order]),
    ]
    pool = columns.with_change(problem, columns.joined(offered))
    return _choose(search, left, freed, pool, limits)


def settle(search: Search, count: int, limits: mip.Limits) -> bool:
    """Choose for all orders at once among the columns so far, about `count` an order.

    Those stay that cost least beyond their order's cheapest at the prices of the last linear
    program: the dual prices make what a good plan takes nearly equal. Says whether the plan became
    cheaper.
    """
    problem, many = search.problem, len(search.problem.orders.ids)
    now = columns.of_plan(problem, search.rows, search.line_dock)
    pool = columns.with_change(problem, columns.joined([now, search.pool]))
    beyond = columns.priced(problem, pool, search.mu, search.nu)
    least = np.full(many, np.inf)
    np.minimum.at(least, pool.order, beyond)
    beyond -= least[pool.order]
    kept = np.zeros(pool.count, bool)
    kept[np.argsort(beyond, kind="stable")[: count * many]] = True
    kept[:many] = True
    return _choose(search, problem, np.ones(many, bool), columns.taken(pool, kept), limits)


def _choose(search: Search, left: Problem, freed: Bools, pool: Columns, limits: mip.Limits) -> bool:
    """Let an integer program choose for the orders `freed` among `pool` within what is `left`.

    The first columns of `pool` are the plan so far, one for each freed order. Says whether the
    plan became cheaper.
    """
    hint = np.zeros(pool.count)
    hint[: freed.sum()] = 1.0
    master = columns.master(left, pool, integer=True)
    found = mip.solve(master.program, limits, hint=hint)
    if found is None:
        return False
    chosen = (found.values > 0.5)[pool.line_column]
    line_dock = np.where(freed[left.orders.line_order], NOWHERE, search.line_dock)
    line_dock[pool.line[chosen]] = pool.line_dock[chosen]
    return search.keep(line_dock)
