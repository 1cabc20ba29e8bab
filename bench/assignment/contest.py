"""One instance: our plan and every rival's, judged by the same checker and the same bound."""

import dataclasses
import math
import resource
import sys
import time
from collections.abc import Callable

from bench.assignment import rules
from solver import compact, plan
from solver.check import check
from solver.effort import Effort, Step
from solver.mip import Engine, Limits
from solver.problem import Ints, Problem
from solver.solve import solve

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A contestant's plan: cents, lines that wait, parcels, seconds, and what the checker says."""

    name: str
    cost: int
    unserved_lines: int
    parcels: int
    seconds: float
    broken: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Contest:
    """All entries of an instance, ours first, with the final bound and the way ours took.

    `least_parcels` is one an order; `peak_mb` is the most memory that the process had held when
    our plan was made (megabytes; of processes for its parts, only the largest is added).
    """

    sizes: str
    seed: int
    bound: float
    entries: tuple[Entry, ...]
    steps: tuple[Step, ...]
    least_parcels: int
    peak_mb: float

    @property
    def ours(self) -> Entry:
        """Our own plan."""
        return self.entries[0]

    def gap(self, cost: float) -> float:
        """How far `cost` lies above the bound, as a share of it."""
        return cost / self.bound - 1.0 if self.bound > 0 else 0.0

    def seconds_to(self, share: float) -> float:
        """When our plan was first at most `share` above the final bound; infinite if never."""
        near = (step.seconds for step in self.steps if self.gap(step.cost) <= share)
        return next(near, math.inf)

    @property
    def best_rule(self) -> Entry:
        """The cheapest of the rules that look at one order at a time."""
        return min((e for e in self.entries if e.name in rules.RULES), key=lambda e: e.cost)

    @property
    def avoided_splits(self) -> float:
        """The share of the nearest rule's parcels beyond one an order that ours does without."""
        nearest = next(e for e in self.entries if e.name == "nearest")
        avoidable = nearest.parcels - self.least_parcels
        return (nearest.parcels - self.ours.parcels) / avoidable if avoidable > 0 else 1.0

    def figures(self) -> dict[str, float]:
        """What the contest comes to; shares, seconds."""
        return {
            "gap": self.gap(self.ours.cost),
            "seconds": self.ours.seconds,
            "seconds_to_4_percent": self.seconds_to(0.04),
            "seconds_to_1_percent": self.seconds_to(0.01),
            "peak_mb": self.peak_mb,
            "below_best_rule": 1.0 - self.ours.cost / self.best_rule.cost,
            "avoided_splits": self.avoided_splits,
        }


def _entry(problem: Problem, name: str, line_dock: Ints, seconds: float) -> Entry:
    made = plan.make(problem, line_dock, 0.0, 0, name)
    broken = tuple(check(made, problem))
    return Entry(name, made.cost.total, made.unserved_lines, made.parcels, seconds, broken)


def hold(problem: Problem, effort: Effort, say: Say, models: float = 0.0) -> Contest:
    """Let everyone plan `problem`; with `models` seconds the two monolithic models as well."""
    steps: list[Step] = []

    def watch(step: Step) -> None:
        steps.append(step)
        say(f"{step.seconds:5.1f} s, {step.stage}: {step.cost / 100:,.2f}")

    started = time.perf_counter()
    ours = solve(problem, effort, watch)
    entries = [_entry(problem, "tidegate", ours.line_dock, time.perf_counter() - started)]
    peak_mb = _peak_mb()
    docks: dict[str, Ints] = {}
    for name, rule in rules.RULES.items():
        say(name)
        started = time.perf_counter()
        docks[name] = rules.play(problem, rule)
        entries.append(_entry(problem, name, docks[name], time.perf_counter() - started))
    if models:
        for name, engine in (("compact, HiGHS", Engine.HIGHS), ("compact, CP-SAT", Engine.CP_SAT)):
            say(name)
            started = time.perf_counter()
            found = compact.solve(
                problem, Limits(models, seed=effort.seed), docks["nearest"], engine=engine
            )
            entries.append(_entry(problem, name, found, time.perf_counter() - started))
    least = len(problem.orders.ids)
    return Contest(
        sizes=problem.sizes,
        seed=effort.seed,
        bound=ours.bound,
        entries=tuple(entries),
        steps=tuple(steps),
        least_parcels=least,
        peak_mb=peak_mb,
    )


def _peak_mb() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    # Kilobytes everywhere but on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return sum(resource.getrusage(who).ru_maxrss for who in whose) * unit / 1e6
