"""A node goes out after a wave was planned: our repair against what order management does.

Order management places every order that lost its node anew, one at a time, and leaves all others
alone. The repair may ask others to make room. All plans are judged by the same checker, and their
extra cost is what they cost beyond the plan before the outage, without the price of change.
"""

import dataclasses
import time
from collections.abc import Mapping
from typing import Final

import numpy as np
from rich.table import Table

from bench.assignment import rules
from bench.assignment.contest import Say
from bench.assignment.tables import named, table
from bench.figures import UsageError
from solver import parts, plan, residual
from solver.check import check
from solver.effort import Effort
from solver.problem import NOWHERE, Bools, Ints, Problem
from solver.repair import repair
from solver.solve import solve

#: The share of orders that are packed already, and that of those hit that a node is chosen for.
LOCKED_SHARE: Final = 0.3
HIT_SHARE: Final = 0.025
#: Cents that moving an order must save: paper, and trust of who saw the first date.
CHANGE_CENTS: Final = 50
#: What a repair may take, seconds.
SECONDS: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Outage:
    """The world after `node` went out, the plan from before it (L), and who is `hit` (O).

    Orders `locked` (O) are packed: those of the lost node too, whose units and parcels are all
    that it has in `problem`.
    """

    problem: Problem
    node: str
    standing: Ints
    hit: Bools
    locked: Bools


@dataclasses.dataclass(frozen=True, slots=True)
class Mended:
    """One way out: `extra` cents, orders changed, lines that wait beyond before, seconds."""

    name: str
    extra: int
    changed: int
    more_waiting: int
    seconds: float
    broken: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Contest:
    """All ways out of one outage, ours first; `before` is the cost of the plan, cents."""

    sizes: str
    seed: int
    node: str
    before: int
    gap_before: float
    hit: int
    entries: tuple[Mended, ...]

    @property
    def ours(self) -> Mended:
        """The repair."""
        return self.entries[0]

    @property
    def best_rule(self) -> Mended:
        """The rule with the least extra cost."""
        return min(self.entries[1:], key=lambda entry: entry.extra)

    def share(self, entry: Mended) -> float:
        """The extra cost of `entry` as a share of the best rule's; 1 where that has none."""
        return entry.extra / self.best_rule.extra if self.best_rule.extra > 0 else 1.0

    def figures(self) -> dict[str, float]:
        """Seconds, extra cost as a share of the best rule's, changed orders an order hit."""
        return {
            "seconds": self.ours.seconds,
            "extra_share": self.share(self.ours),
            "changed_per_hit": self.ours.changed / self.hit,
        }


def strike(problem: Problem, standing: Ints, rng: np.random.Generator) -> Outage:
    """The outage of the node whose loss hits nearest to `HIT_SHARE` of the orders of a plan."""
    orders, net = problem.orders, problem.network
    many = len(orders.ids)
    locked = rng.random(many) < LOCKED_SHARE
    order, dock = plan.parcels_of(problem, standing)
    at = np.unique(np.stack([net.dock_node[dock], order]), axis=1)
    free = ~locked[at[1]]
    hits = np.bincount(at[0][free], minlength=len(net.nodes))
    if not hits.any():
        message = "--outage: every order served is packed, nobody can be hit; take more --orders"
        raise UsageError(message)
    # A node that nobody is served from is no outage.
    distance = np.where(hits > 0, np.abs(hits - HIT_SHARE * many), np.inf)
    node = int(distance.argmin())
    hit = np.zeros(many, bool)
    hit[at[1][free & (at[0] == node)]] = True
    packed = residual.without(problem, standing, ~locked)
    stock = problem.stock.copy()
    stock[:, node] -= packed.stock[:, node]
    lost = net.dock_node == node
    capacity = np.where(lost, net.capacity - packed.network.capacity, net.capacity)
    after = dataclasses.replace(
        problem,
        stock=stock,
        network=dataclasses.replace(net, capacity=capacity),
        weights=dataclasses.replace(problem.weights, change=CHANGE_CENTS),
        standing=standing,
    )
    return Outage(after, net.nodes[node], standing, hit, locked)


def _judged(outage: Outage, name: str, line_dock: Ints, seconds: float) -> Mended:
    problem, standing = outage.problem, outage.standing
    made = plan.make(problem, line_dock, 0.0, 0, name)
    broken = check(made, problem)
    if (line_dock != standing)[outage.locked[problem.orders.line_order]].any():
        broken.append("a packed order was moved")
    before = plan.cost_of(problem, standing)
    return Mended(
        name,
        made.cost.total - made.cost.change - before.total,
        len(plan.changed_orders(problem, line_dock)),
        made.unserved_lines - int((standing == NOWHERE).sum()),
        seconds,
        tuple(broken),
    )


def _by_rule(outage: Outage, rule: rules.Rule) -> Ints:
    """The docks (L) after the orders hit were placed anew by `rule`, as they come."""
    left = residual.without(outage.problem, outage.standing, outage.hit)
    part, lines = parts.apart(left, np.flatnonzero(outage.hit))
    line_dock = outage.standing.copy()
    line_dock[lines] = rules.play(part, rule)
    return line_dock


def hold(problem: Problem, effort: Effort, say: Say) -> Contest:
    """Plan `problem` within `effort`, lose a node, and let everyone mend the plan."""
    say("the plan before")
    before = solve(problem, effort)
    outage = strike(problem, before.line_dock, np.random.default_rng(effort.seed))
    say(f"{outage.node} goes out")
    mending = Effort(seconds=SECONDS, seed=effort.seed)
    started = time.perf_counter()
    ours = repair(outage.problem, outage.standing, outage.hit, outage.locked, mending)
    entries = [_judged(outage, "tidegate", ours.line_dock, time.perf_counter() - started)]
    for name, rule in rules.RULES.items():
        say(name)
        started = time.perf_counter()
        line_dock = _by_rule(outage, rule)
        entries.append(_judged(outage, name, line_dock, time.perf_counter() - started))
    return Contest(
        sizes=problem.sizes,
        seed=effort.seed,
        node=outage.node,
        before=before.cost.total,
        gap_before=before.gap,
        hit=int(outage.hit.sum()),
        entries=tuple(entries),
    )


def shown(contest: Contest) -> Table:
    """The contest for people."""
    title = (
        f"{contest.sizes}, seed {contest.seed}: {contest.node} goes out, {contest.hit} orders hit; "
        f"the plan cost {contest.before / 100:,.2f}, at most {contest.gap_before:.2%} too much"
    )
    heads = (
        "re-sourcing", "extra cost", "of the best rule's", "changed / hit", "more lines wait",
        "seconds",
    )  # fmt: skip
    rows = [
        (
            named(one.name, one.broken), f"{one.extra / 100:,.2f}", f"{contest.share(one):.0%}",
            f"{one.changed / contest.hit:.2f}", f"{one.more_waiting:,}", f"{one.seconds:.2f}",
        )
        for one in contest.entries
    ]  # fmt: skip
    return table(title, heads, rows)


def summary(middle: Mapping[str, float], many: int) -> str:
    """The medians of `many` contests in a sentence."""
    return (
        f"median of {many}: repaired in {middle['seconds']:.2f} s at "
        f"{middle['extra_share']:.0%} of the extra cost of the best rule, "
        f"{middle['changed_per_hit']:.2f} orders changed for each one hit"
    )
