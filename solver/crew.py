"""Blocks in several processes: each works on a part of the wave for some seconds at a time."""

import concurrent.futures
import dataclasses
import itertools
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from solver import blocks, parts, search
from solver.effort import Clock, Effort
from solver.parts import Part
from solver.problem import Ints
from solver.search import Search

# Orders of a part at most, and how long one is worked on before plans are put together.
PART_ORDERS, PART_SECONDS = 10_000, 6.0
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


def _work(part: Part, effort: Effort) -> Ints:
    """The docks of the part's lines after blocks for as long as `effort` says."""
    state = search.resume(part.problem, part.line_dock, part.mu, part.nu, effort.seconds)
    state.pool, state.proof, state.warmth = part.pool, part.proof, part.warmth
    blocks.polish(state, Clock(effort))
    return state.line_dock


def polish(state: Search, clock: Clock, pool: Crew, bound_steps: int = 0) -> None:
    """Blocks until the clock, the gap or futility ends them, shared with `pool` where there is one.

    With `bound_steps` the bound is worked on as well, that many steps at a time.
    """
    rng = np.random.default_rng(clock.effort.seed)
    for number in itertools.count(1):
        if clock.left <= 0.2 or blocks.near_enough(state, clock.effort.gap):
            break
        before, proven = state.cost, state.proven
        taken: _Taken = []
        if pool is None:
            blocks.polish(state, clock.within(PART_SECONDS, clock.effort.seed + number))
        else:
            taken = _hand_out(state, clock, pool, number, rng)
        if bound_steps:
            search.price(state, bound_steps)
            search.prove(state)
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
    workers = clock.effort.workers
    size = min(PART_ORDERS, len(state.rows) // workers)
    effort = dataclasses.replace(
        clock.effort,
        seconds=min(PART_SECONDS, clock.left),
        seed=clock.effort.seed + number,
        workers=1,
    )
    taken = parts.extract(state, search.blocks_of(state, workers, size, rng), rng)
    return [(part, pool.submit(_work, part, effort)) for part in taken]


def _put_together(state: Search, taken: _Taken) -> None:
    line_dock = state.line_dock
    for part, running in taken:
        line_dock = line_dock.copy()
        line_dock[part.lines] = running.result()
    state.keep(line_dock)
