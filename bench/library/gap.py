"""Files of generalised assignment problems: read, solved, judged.

`m n`, then m rows of n costs, m rows of n weights, m capacities: all whole numbers from 0. Costs
are in the file's own unit and are minimised.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import UsageError
from bench.library.published import beside
from bench.library.result import Result
from bench.library.words import Words
from solver.effort import Clock
from solver.errors import ProblemFault
from solver.published.generalised_assignment import Agents, solve, validate
from solver.published.watched import Watched

_TABLE: Final = "data.csv"


def read(path: Path) -> Agents:
    """The problem of a file. Raises `UsageError` with file, line and remedy."""
    words = Words(path)
    m, n = words.whole("the number of agents", 1), words.whole("the number of items", 1)
    tables = [
        [[words.whole(f"the {what} of item {i} with agent {a}") for i in range(n)]
         for a in range(m)]
        for what in ("cost", "weight")
    ]  # fmt: skip
    capacity = [words.whole(f"the capacity of agent {a}") for a in range(m)]
    words.end()
    try:
        cost, weight = (np.array(table, np.int64).reshape(m, n) for table in tables)
        return validate(Agents(cost, weight, np.array(capacity, np.int64)))
    except ProblemFault as fault:
        message = f"{path}: {fault}"
        raise UsageError(message) from fault


def published(path: Path) -> int | None:
    """The proven optimum that a table beside the file or above tells; None where none does."""
    table = beside(path, _TABLE)
    if table is None:
        return None
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"Path", "Optimum"} <= set(rows.fieldnames or ()):
            message = f"{table}, line 1: no columns Path and Optimum; remove or mend it"
            raise UsageError(message)
        told = {row["Path"]: row["Optimum"] for row in rows}
    value = told.get(path.resolve().relative_to(table.parent).as_posix())
    if value and not value.isdigit():
        message = f"{table}: the optimum {value!r} is no whole number; mend it"
        raise UsageError(message)
    return int(value) if value else None


def judge(problem: Agents, agent: Sequence[int]) -> tuple[int, list[str]]:
    """What an assignment costs, and what is wrong with it: counted without the solver."""
    found = []
    cost, load = 0, [0] * len(problem.capacity)
    if len(agent) != len(problem.cost[0]):
        found.append(f"{len(agent)} items are assigned, there are {len(problem.cost[0])}")
    for item, who in enumerate(agent):
        if not 0 <= who < len(load):
            found.append(f"item {item} is with agent {who}, who does not exist")
            continue
        cost += int(problem.cost[who][item])
        load[who] += int(problem.weight[who][item])
    for who, (carried, most) in enumerate(zip(load, problem.capacity.tolist(), strict=True)):
        if carried > most:
            found.append(f"agent {who} has {carried}, his capacity is {most}")
    return cost, found


def play(path: Path, problem: Agents, clock: Clock, solver: Watched) -> Result:
    """Solve one file's problem and judge what comes of it."""
    best = published(path)
    answer = solve(problem, clock, solver)
    sizes = f"{problem.cost.shape[0]} × {problem.cost.shape[1]}"
    if answer is None:
        return Result(
            str(path), path.stem, sizes, None, 0.0, False, clock.passed, best,
            ("no assignment was found",),
        )  # fmt: skip
    seconds = clock.passed
    cost, found = judge(problem, answer.agent.tolist())
    if cost != answer.cost:
        found.append(f"a cost of {answer.cost} is told, it is {cost}")
    return Result(
        str(path), path.stem, sizes, cost, answer.bound, answer.closed, seconds, best, tuple(found)
    )
