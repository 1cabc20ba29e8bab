"""Repair of a plan after an event: what it touched is chosen anew, with those that are in the way.

An order whose node went out wants units and rooms that other orders hold; those may be served from
elsewhere for little. So the touched orders and their *neighbours*, unlocked orders that hold units
of what the touched ones ask for or a room of a dock that is full, are solved as a small problem in
what all others leave, from the plan that stands and with the price of change
(`Weights.change`). All other orders keep their lines where they are.
"""

import numpy as np

from solver import columns, mip, parts, plan, residual, rounding, search
from solver.effort import Clock, Effort
from solver.errors import ProblemFault
from solver.plan import Plan
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem, sums, validate

VERSION = "repair-1"
# Neighbours at most: more find little, and the answer is wanted in a second or two.
NEIGHBOURS = 1_500
# Subgradient steps and candidate docks of the first prices: rough ones do, the linear program has
# the last word.
STEPS, NEAR = 30, 3
# Columns an order by price in each linear program, and in the integer program.
GENERATED, SETTLED = (5, 3), 4
# Relative gap of the integer program: a twentieth of what a repair saves.
GAP = 5e-4


def resourced(problem: Problem, standing: Ints, touched: Bools) -> Ints:
    """The lines' docks (L) where only the `touched` orders (O) are placed anew, greedily."""
    lines_touched = touched[problem.orders.line_order]
    none = np.where(lines_touched, NOWHERE, standing)
    mu = np.zeros(problem.stock.shape)
    nu = np.zeros(len(problem.network.capacity))
    return rounding.refill(problem, none, np.flatnonzero(touched), mu, nu)


def repair(problem: Problem, standing: Ints, touched: Bools, locked: Bools, effort: Effort) -> Plan:
    """`standing` (L) mended within `effort` after an event, with as little change as pays.

    `problem` is the world after the event; orders `touched` (O) need not be possible in it as they
    stand, all others must be. Orders `locked` (O) stay as they are. `problem.standing` says what
    `weights.change` is paid for leaving: mostly `standing` itself. The plan is never dearer than
    `resourced`; its `bound` is 0, for nothing is proven about the whole.

    Raises `ProblemFault` for a problem that is not well formed, for orders both touched and locked,
    and where those not touched take more than there is: name what the event hit as touched.
    """
    validate(problem)
    _check(problem, standing, touched, locked)
    clock = Clock(effort)
    line_dock = standing
    if touched.any():
        line_dock = resourced(problem, standing, touched)
        freed = touched.copy()
        freed[neighbours(problem, standing, touched, locked)] = True
        line_dock = _improved(problem, line_dock, freed, touched, clock)
    return plan.make(problem, line_dock, 0.0, effort.seed, VERSION)


def _check(problem: Problem, standing: Ints, touched: Bools, locked: Bools) -> None:
    many, docks = len(problem.orders.ids), len(problem.network.dock_node)
    wanted = (
        ("standing", standing, (len(problem.orders.line_order),)),
        ("touched", touched, (many,)),
        ("locked", locked, (many,)),
    )
    for field, array, shape in wanted:
        if array.shape != shape:
            message = f"{field} has the shape {array.shape}: it must be {shape}"
            raise ProblemFault(message)
    strange = np.flatnonzero((standing < NOWHERE) | (standing >= docks))
    if strange.size:
        message = f"standing of line {strange[0]}: a dock below {docks}, or -1 where it waits"
        raise ProblemFault(message)
    both = np.flatnonzero(touched & locked)
    if both.size:
        name = problem.orders.ids[both[0]]
        message = f"order {name} is touched and locked: what cannot stay must not be locked"
        raise ProblemFault(message)
    left = residual.without(problem, standing, touched)
    remedy = "they must be touched, or the problem must count what they hold"
    short = np.argwhere(left.stock < 0)
    if short.size:
        sku, node = problem.skus[short[0, 0]], problem.network.nodes[short[0, 1]]
        message = f"orders that are not touched hold more {sku} at {node} than there is: {remedy}"
        raise ProblemFault(message)
    full = np.flatnonzero(left.network.capacity < 0)
    if full.size:
        node = problem.network.nodes[problem.network.dock_node[full[0]]]
        message = (
            f"orders that are not touched have more parcels at dock {full[0]} of {node} "
            f"than it sends: {remedy}"
        )
        raise ProblemFault(message)


def neighbours(problem: Problem, standing: Ints, touched: Bools, locked: Bools) -> Ints:
    """The unlocked orders, up to `NEIGHBOURS`, that are most in the way of the `touched` ones.

    First those that hold units of SKUs which the touched lines ask for, by how many ask for each
    unit that is left free; then those with a parcel from a dock that has no room left.
    """
    orders = problem.orders
    many, skus = len(orders.ids), len(problem.skus)
    left = residual.without(problem, standing, touched)
    wanted = touched[orders.line_order]
    asked = sums(orders.line_sku[wanted], orders.quantity[wanted], skus)
    sought = asked / (1.0 + left.stock.sum(axis=1))
    holds = standing != NOWHERE
    units: Floats = sums(orders.line_order[holds], sought[orders.line_sku[holds]], many)
    order, dock = plan.parcels_of(problem, standing)
    rooms = sums(order, left.network.capacity[dock] < 1, many)
    possible = np.flatnonzero(((units > 0) | (rooms > 0)) & ~touched & ~locked)
    ranked = np.lexsort((-rooms[possible], -units[possible]))
    return np.sort(possible[ranked[:NEIGHBOURS]])


def _improved(
    problem: Problem, line_dock: Ints, freed: Bools, touched: Bools, clock: Clock
) -> Ints:
    """`line_dock` (L) with the orders `freed` (O) chosen together where that is cheaper."""
    left = residual.without(problem, line_dock, freed)
    part, lines = parts.apart(left, np.flatnonzero(freed))
    mu = np.zeros(part.stock.shape)
    nu = np.zeros(len(part.network.capacity))
    state = search.resume(part, line_dock[lines], mu, nu, clock.left)
    # As they stand, the touched may break a rule that no row of the program knows of.
    stays = np.flatnonzero(~touched[freed])
    standing = columns.of_plan(part, stays, part.standing)
    state.pool = columns.joined([columns.empty(part, state.rows), standing])
    search.price(state, STEPS, whole=NEAR, single=NEAR)
    for count in GENERATED:
        if clock.left > 0:
            state.limit = clock.left
            search.generate(state, count)
    if clock.left > 0:
        search.settle(state, SETTLED, mip.Limits(clock.left, GAP, clock.effort.seed))
    mended = line_dock.copy()
    mended[lines] = state.line_dock
    return mended
