"""One wave from beginning to end: gather, solve apart, move, each step told as it goes.

Nothing changes before the first move, and every move is a command like any other: a wave that
dies half way leaves a plan half carried out and every promise as good as before.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from actors.waves.apart import SolverFailed, solved
from actors.waves.case import case_file
from actors.waves.gathering import CannotGather, Gathered, Shards, gather
from actors.waves.problem import Move, Wave, build, grouped, moves
from actors.waves.touching import Touching
from actors.waves.waiting import kept_waiting, sent_and_waiting, waits
from actors.waves.what_if import NotThere, WhatIf
from engine.commands import moving
from engine.limits import WAVE_ORDERS_MAX
from engine.outcome import Outcome, but_for_copies
from solver.errors import ProblemFault
from solver.plan import Plan, cost_of
from solver.problem import NOWHERE, validate
from solver.saved import load_plan, save_problem

#: Commands on their way at the same time, and how often moves are tried again whose units others
#: have still to free.
_AT_ONCE: Final = 8
_PASSES: Final = 4
_CALL_S: Final = 5.0


class WaveFailed(Exception):
    """The wave came to nothing; the text says why."""


@dataclass(slots=True)
class Report:
    """What is known of a wave so far; money in cents, times in ms, None while unknown."""

    name: str
    scope: str
    max_seconds: int
    dry_run: bool
    closed_nodes: tuple[str, ...]
    touching: Touching | None
    trigger: str
    started_at: int
    what_if: WhatIf = field(default_factory=WhatIf)
    merge_orders: bool = False
    state: str = "gathering"
    orders: int | None = None
    cost_before: int | None = None
    cost_after: int | None = None
    bound: float | None = None
    lines_without_place: int | None = None
    moved: int = 0
    #: How many moves were refused, by the name of the outcome.
    refusals: Counter[str] = field(default_factory=Counter)
    hit_orders: int | None = None
    saved_cents: int | None = None
    late_days_before: float | None = None
    late_days_after: float | None = None
    finished_at: int | None = None
    reason: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def refused_moves(self) -> int:
        """Moves that a shard refused, or did not answer."""
        return self.refusals.total()

    @property
    def gap(self) -> float | None:
        """How far the plan is above the bound at most, as a share of it."""
        if self.cost_after is None or not self.bound:
            return None
        return self.cost_after / self.bound - 1.0


@dataclass(slots=True)
class Done:
    """A wave's problem and plan, for questions later; ``refused``: parts of orders that stay.

    ``file`` is problem and plan as they travel, see ``case``.
    """

    wave: Wave
    plan: Plan
    moves: list[Move]
    refused: set[tuple[int, int]]
    file: bytes


async def run(client: Shards, report: Report) -> Done | None:
    """Run the wave of ``report``, which is kept up to date; None where there is nothing to plan.

    Raises ``WaveFailed``.
    """
    try:
        gathered = await gather(
            client,
            held=report.scope == "confirmed_and_held",
            most=WAVE_ORDERS_MAX,
            touching=report.touching,
        )
        _check_nodes("closed_nodes", report.closed_nodes, gathered)
        if report.touching is not None:
            _check_nodes("touching.nodes", report.touching.nodes, gathered)
        wave = await asyncio.to_thread(_built, gathered, report)
    except (CannotGather, NotThere, ProblemFault) as fault:
        raise WaveFailed(str(fault)) from fault
    report.orders = len(wave.orders)
    report.hit_orders = None if report.touching is None else int(wave.hit.sum())
    if not wave.orders:
        return None
    report.cost_before = cost_of(wave.problem, wave.problem.standing).total
    report.state = "solving"
    plan = await asyncio.to_thread(kept_waiting, wave, await _solved(wave, report))
    # What it will cost; that changing plans has its price was for the solver to know.
    report.cost_after = plan.cost.total - plan.cost.change
    report.bound = plan.bound or None
    report.lines_without_place = plan.unserved_lines
    planned = moves(wave, plan)
    file = await asyncio.to_thread(case_file, wave, plan, gathered.nodes)
    done = Done(wave, plan, planned, set(), file)
    if not report.dry_run:
        report.state = "applying"
        await _apply(client, done, report)
    await asyncio.to_thread(_judge, done, report)
    return done


def _check_nodes(field: str, named: tuple[str, ...], gathered: Gathered) -> None:
    unknown = sorted(set(named) - gathered.nodes.keys())
    if unknown:
        raise WaveFailed(f"{field}: no node {unknown[0]}")


def _judge(done: Done, report: Report) -> None:
    """What the moves have brought: sending from where orders stood, against from where they are."""
    wave, docks = done.wave, done.plan.line_dock
    order = wave.line_orders.tolist()
    parts = ((order[line], wave.shard_of(line)) for line in range(len(order)))
    stays = np.array([part in done.refused for part in parts], bool) | (docks == NOWHERE)
    now = np.where(stays, wave.stood, docks)
    before, report.late_days_before = sent_and_waiting(wave, wave.stood)
    after, report.late_days_after = sent_and_waiting(wave, now)
    report.saved_cents = round(before - after)


def _built(gathered: Gathered, report: Report) -> Wave:
    now_ms = time.time_ns() // 1_000_000
    wave = build(gathered, now_ms, report.closed_nodes, merge=report.merge_orders)
    problem = validate(report.what_if.applied(wave.problem))
    if problem is not wave.problem:  # To wait for a supply costs less, too, over faster lanes.
        late = waits(gathered, problem, wave.lines, now_ms)
        wave = replace(wave, problem=problem, waits=late)
    return wave


async def _solved(wave: Wave, report: Report) -> Plan:
    """The plan of a process apart."""

    def heard(line: bytes) -> None:
        step = json.loads(line)
        report.steps.append(step)
        report.cost_after = round(step["cost"])
        report.bound = step["bound"] or None

    with tempfile.TemporaryDirectory(prefix="tidegate-wave-") as folder:
        problem, plan = Path(folder) / "problem.npz", Path(folder) / "plan.npz"
        await asyncio.to_thread(save_problem, wave.problem, problem)
        seconds = report.max_seconds
        options = ["--seconds", str(seconds)]
        if report.touching is not None:  # What stands is good but for what was touched.
            touched = Path(folder) / "touched.npy"
            await asyncio.to_thread(np.save, touched, wave.touched)
            options += ["--touched", str(touched)]
        try:
            await solved(problem, plan, seconds, options, heard)
        except SolverFailed as failed:
            raise WaveFailed(str(failed)) from failed
        return await asyncio.to_thread(load_plan, wave.problem, plan)


async def _apply(client: Shards, done: Done, report: Report) -> None:
    """Make the moves; those whose units others have to free first are tried again behind them."""
    waiting = done.moves
    moved: set[int] = set()
    for _ in range(_PASSES):
        groups = grouped(waiting)
        short: list[Move] = []
        for start in range(0, len(groups), _AT_ONCE):
            some = groups[start : start + _AT_ONCE]
            told = await asyncio.gather(*(_move(client, group) for group in some))
            for move, outcome in (pair for pairs in told for pair in pairs):
                if outcome == Outcome.OK:
                    moved.add(move.order)
                    report.moved = len(moved)
                elif outcome == Outcome.SHORT:
                    short.append(move)
                else:
                    done.refused.add(move.part)
                    report.refusals[Outcome(outcome).name.lower()] += 1
        if not short or len(short) == len(waiting):
            waiting = short
            break
        waiting = short
    done.refused.update(move.part for move in waiting)
    if waiting:
        report.refusals[Outcome.SHORT.name.lower()] += len(waiting)


async def _move(client: Shards, group: list[Move]) -> list[tuple[Move, int]]:
    """Each move's outcome; a shard that does not answer has refused them all."""
    deadline_at = asyncio.get_running_loop().time() + _CALL_S
    command = moving.move([move.asked for move in group])
    reply = but_for_copies(await client.call(group[0].shard, command, deadline_at))
    outcomes = reply[1] if reply[0] == Outcome.OK else [reply[0]] * len(group)
    return list(zip(group, outcomes, strict=True))
