"""Blocks in several processes: each works on a part of the wave for some seconds at a time."""

import concurrent.futures
import dataclasses
import itertools
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from solver import blocks, parts, search
from solver.effort import Clock, Effort
from solver.parts import Part
from solver.problem import Ints
from solver.search import Search

# Orders of a part at most, and how long one is worked on before plans are put together.
PART_ORDERS, PART_SECONDS = 10_000, 6.0
# Long orders have longer, of what is left: a plan that cools down slowly is the better for it.
LONG_PART = 0.7
# What is left of the warmth that long orders move with when plans have been put together.
COOLER = 0.6

Crew = concurrent.futures.ProcessPoolExecutor | None


@contextmanager
def crew(workers: int) -> Iterator[Crew]:
    """Processes for `workers` parts at a time; None where one is enough and this one does it."""
    if workers < 2:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        # They load what they need while this process finds the prices.
        for _ in range(workers):
            pool.submit(_ready)
        yield pool


def _ready() -> None:
    pass


def _seconds(state: Search, clock: Clock) -> float:
    """How long parts are worked on before plans are put together again."""
    if blocks.long_orders(state.problem):
        return min(max(PART_SECONDS, LONG_PART * clock.left), clock.left)
    return min(PART_SECONDS, clock.left)


def _work(part: Part, effort: Effort) -> Ints:
    """The docks of the part's lines after blocks for as long as `effort` says."""
    state = search.resume(part.problem, part.line_dock, part.mu, part.nu, effort.seconds)
    state.pool, state.proof, state.warmth = part.pool, part.proof, part.warmth
    blocks.polish(state, Clock(effort))
    return state.line_dock


def polish(
    state: Search, clock: Clock, pool: Crew, meanwhile: Callable[[], None] | None = None
) -> None:
    """Blocks until the clock, the gap or futility ends them, shared with `pool` where there is one.

    `meanwhile` works on the bound while others work on the plan.
    """
    rng = np.random.default_rng(clock.effort.seed)
    spent = 0.0
    for number in itertools.count(1):
        if clock.left <= 0.2 or blocks.near_enough(state, clock.effort.gap):
            break
        before, proven = state.cost, state.proven
        taken: _Taken = []
        if pool is None:
            blocks.polish(state, clock.within(_seconds(state, clock), clock.effort.seed + number))
        else:
            taken = _hand_out(state, clock, pool, number, rng)
        # The first bound has its time, another one only where as much is left.
        if meanwhile is not None and (clock.left > spent or not np.isfinite(state.proven)):
            began = clock.passed
            meanwhile()
            spent = clock.passed - began
        _put_together(state, taken)
        state.warmth *= COOLER
        clock.tell("blocks", state.cost, state.proven)
        if state.cost >= before and state.proven <= proven:
            break


_Taken = list[tuple[Part, concurrent.futures.Future[Ints]]]


def _hand_out(
    state: Search,
    clock: Clock,
    pool: concurrent.futures.ProcessPoolExecutor,
    number: int,
    rng: np.random.Generator,
) -> _Taken:
    effort = dataclasses.replace(
        clock.effort,
        seconds=_seconds(state, clock),
        seed=clock.effort.seed + number,
        workers=1,
    )
    taken = parts.extract(state, _dealt(state, clock.effort.workers, rng), rng)
    return [(part, pool.submit(_work, part, effort)) for part in taken]


def _dealt(state: Search, workers: int, rng: np.random.Generator) -> list[Ints]:
    """The orders of each part.

    Long orders displace each other: halves of them, that may not, come half as near to the bound.
    One process has them all, while this one works on the bound.
    """
    many = len(state.rows)
    if not blocks.long_orders(state.problem):
        return search.blocks_of(state, workers, min(PART_ORDERS, many // workers), rng)
    if many <= PART_ORDERS:
        return [state.rows]
    return search.blocks_of(state, 1, PART_ORDERS, rng)


def _put_together(state: Search, taken: _Taken) -> None:
    line_dock = state.line_dock
    for part, running in taken:
        line_dock = line_dock.copy()
        line_dock[part.lines] = running.result()
    state.keep(line_dock)
