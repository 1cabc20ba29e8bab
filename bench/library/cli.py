"""``python -m bench gap`` and ``cap``: published problems solved, a table, figures as JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.table import Table

from bench.figures import UsageError
from bench.library import cap, gap
from bench.library.result import Result
from bench.report import write_json
from solver.effort import Clock, Effort, Step
from solver.errors import SolverFault
from solver.published.generalised_assignment import Agents
from solver.published.warehouse_location import Warehouses
from solver.published.watched import Watched

_errors = Console(stderr=True, highlight=False)
_EXIT: Final = (
    "Exit codes: 0 all as published and feasible, 1 one that is not, 2 wrong files or options."
)

#: Solves a problem that was read, under a clock.
Play = Callable[[Clock, Watched], Result]


def _parser(kind: str, what: str, seconds: float) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {kind}",
        description=f"Solve {what} from files; compare with published optima.",
        epilog=_EXIT,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=seconds, help="for each file at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write all figures there; - for output")
    return parser


def main_gap(command_line: Sequence[str]) -> int:
    """Generalised assignment problems; → the exit code."""
    told = _parser("gap", "generalised assignment problems", 20.0).parse_args(command_line)
    problems = [(path, gap.read(path)) for path in told.files]
    plays = [(path, _gap(path, problem)) for path, problem in problems]
    return _run("gap", plays, told)


def _gap(path: Path, problem: Agents) -> Play:
    return lambda clock, solver: gap.play(path, problem, clock, solver)


def main_cap(command_line: Sequence[str]) -> int:
    """Capacitated warehouse location problems; → the exit code."""
    parser = _parser("cap", "capacitated warehouse location problems", 10.0)
    parser.add_argument("--capacity", type=float, help="of every warehouse, instead of the file's")
    parser.add_argument("--fixed-cost", type=float,
                        help="instead of every one in the file that is not 0")  # fmt: skip
    parser.add_argument("--name", help="of the one problem that comes of FILE: cap82, say")
    told = parser.parse_args(command_line)
    if told.name is not None and len(told.files) > 1:
        message = f"--name: it names one problem, {len(told.files)} files were given"
        raise UsageError(message)
    for name in ("capacity", "fixed_cost"):
        value = getattr(told, name)
        if value is not None and not 0 < value < float("inf"):
            message = f"--{name.replace('_', '-')}: {value:g}; give a number above 0"
            raise UsageError(message)
    changes = cap.Changes(told.capacity, told.fixed_cost, told.name)
    problems = [(path, cap.read(path, changes)) for path in told.files]
    plays = [(path, _cap(path, problem, changes)) for path, problem in problems]
    return _run("cap", plays, told)


def _cap(path: Path, problem: Warehouses, changes: cap.Changes) -> Play:
    return lambda clock, solver: cap.play(path, problem, changes, clock, solver)


def _run(kind: str, plays: Sequence[tuple[Path, Play]], told: argparse.Namespace) -> int:
    """Play all of them, tell, write, judge."""
    if not 0 < told.seconds <= 3_600:
        message = f"--seconds: {told.seconds:g}; give more than 0 and at most 3600"
        raise UsageError(message)
    if told.seed < 0:
        message = f"--seed: {told.seed}; give 0 or more"
        raise UsageError(message)
    effort = Effort(seconds=told.seconds, seed=told.seed)
    with Status("starting the solver", console=_errors) as status, Watched() as solver:
        results = [_play(path, play, effort, solver, status) for path, play in plays]
    report = {"scenario": kind, "seconds": told.seconds, "seed": told.seed,
              "results": [one.report() for one in results]}  # fmt: skip
    if told.json == "-":
        sys.stdout.write(json.dumps(report) + "\n")
    elif told.json:
        write_json(report, Path(told.json))
    Console(stderr=told.json == "-", highlight=False).print(_table(results))
    return _verdict(results)


def _play(path: Path, play: Play, effort: Effort, solver: Watched, status: Status) -> Result:
    def watch(step: Step) -> None:
        status.update(f"{path}, {step.stage}, {step.seconds:.1f} s: {step.cost:,.2f}, "
                      f"at least {step.bound:,.2f}")  # fmt: skip

    solver.wait()
    clock = Clock(effort, watch)
    try:
        return play(clock, solver)
    except SolverFault as fault:
        return Result(str(path), path.stem, "", None, 0.0, False, clock.passed, None, (str(fault),))


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("file", no_wrap=True)
    for head in ("objective", "bound", "proof", "seconds", "published", "difference"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in results:
        table.add_row(
            one.name,
            _number(one.objective),
            _number(one.bound),
            one.proof,
            f"{one.seconds:.2f}",
            _number(one.published),
            _number(one.difference),
        )
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    # Sums of floats: -0.0001 is nothing.
    value = round(value, 3) + 0.0
    return f"{value:,.0f}" if value == round(value) else f"{value:,.3f}"


def _verdict(results: Sequence[Result]) -> int:
    """0, or 1 with the first that is not fine."""
    failed = [one for one in results if one.wrong]
    if not failed:
        return 0
    _errors.print(
        f"bench: {len(failed)} of {len(results)} are not fine; {failed[0].file}: "
        f"{failed[0].wrong[0]}; --json has all of them, more --seconds may find better",
        markup=False,
        soft_wrap=True,
    )
    return 1
