"""``python -m bench [scenario]``: measure, print, write, judge.

What it can be told is in ``arguments``, with the exit codes.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console
from rich.status import Status

from bench import arguments, demo, tree
from bench.assignment import cli as assignment
from bench.catalogue import SCENARIOS
from bench.compare import MEMBERS, compare, show_changes
from bench.figures import FailIf, UsageError
from bench.library import cli as library
from bench.online import cli as online
from bench.page import page
from bench.planning import cli as planning
from bench.processes import CannotStart
from bench.report import Document, document, figures_of, show, write_json
from bench.scenario import Options, Run, Scenario

#: More than this taken by others before a run, and its figures are theirs as much as ours.
_BUSY_SHARE_MAX: Final = 0.1
#: What needs no engine: plans against rules in use, with options of their own.
_PLANS: Final = {
    "assign": assignment.main,
    "cap": library.main_cap,
    "gap": library.main_gap,
    "online": online.main,
    "replenish": planning.main,
}
_errors = Console(stderr=True, highlight=False)


def main(command_line: Sequence[str] | None = None) -> int:
    """Run one command line; → the exit code."""
    # Ended like by Ctrl-C: the servers that were started are ended first.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    words = list(sys.argv[1:] if command_line is None else command_line)
    try:
        if words[:1] and words[0] in _PLANS:
            return _PLANS[words[0]](words[1:])
        told = arguments.parse(words)
        return _compare(told) if told.scenario == "compare" else _measure(told)
    except UsageError as error:
        return _say(2, str(error))
    except CannotStart as error:
        reason, _, more = str(error).partition("\n")
        if more:
            _errors.print(more, markup=False, style="dim")
        return _say(3, f"cannot start: {reason}" + ("; it said what is above" if more else ""))
    except ConnectionError as error:
        return _say(3, f"what was to be measured does not answer any more: {error}")
    except KeyboardInterrupt:
        return _say(1, "stopped; nothing was written")


def _measure(told: argparse.Namespace) -> int:
    """Run a scenario and judge it."""
    scenario = SCENARIOS[told.scenario]
    conditions = [FailIf.parse(text) for text in told.fail_if]
    options = arguments.options_of(told)
    runs = _runs(replace(scenario, demand=scenario.demand.seeded(options.seed)), options)
    report = document(scenario, options, runs)
    show(report, Console(stderr=told.json == Path("-")))
    _write(report, told)
    return _verdict(report, conditions)


def _runs(scenario: Scenario, options: Options) -> list[Run]:
    """Run it as often as was asked, with a line of progress on a terminal."""
    runs = []
    with Status("", console=_errors) as status:
        for number in range(1, options.runs + 1):
            prefix = f"{scenario.name}, run {number} of {options.runs}: "
            busy = tree.busy_share()
            run = uvloop.run(_play(scenario, replace(options, say=_progress(status, prefix))))
            run.figures["others_cpu_share"] = busy
            if busy > _BUSY_SHARE_MAX:
                run.notes.append(f"before run {number} others used {busy:.0%} of the cores: its "
                                 "figures and ratios are not to be quoted")  # fmt: skip
            runs.append(run)
    return runs


def _progress(status: Status, prefix: str) -> Callable[[str], None]:
    """A line that says what is being done."""
    return lambda text: status.update(prefix + text)


async def _play(scenario: Scenario, options: Options) -> Run:
    return await scenario.play(scenario, options)


def _write(report: Document, told: argparse.Namespace) -> None:
    """The files that were asked for, and those of the demo."""
    _write_document(report, told.json)
    if told.html:
        told.html.parent.mkdir(parents=True, exist_ok=True)
        told.html.write_text(page(report))
    if told.scenario == demo.DEMO.name:
        written = " and ".join(map(str, demo.keep(report, told.out)))
        _errors.print(f"see {written}", markup=False, soft_wrap=True)


def _write_document(report: Document, path: Path | None) -> None:
    """One JSON document, to standard output for ``-``."""
    if path == Path("-"):
        sys.stdout.write(json.dumps(report) + "\n")
    elif path:
        write_json(report, path)


def _verdict(report: Document, conditions: Sequence[FailIf]) -> int:
    """0, or 1 with what to do next."""
    if report["audit"] and not report["audit"]["clean"]:
        return _say(1, "the audit failed, so no speed is shown; the findings above say where")
    if report["findings"]:
        return _say(1, f"not fine: {report['findings'][0]}")
    if report["void"]:
        return _say(1, f"void: {report['void'][0]}; run it again on a quieter machine")
    figures = figures_of(report)
    failed = [condition for condition in conditions if condition.holds(figures)]
    if failed:
        values = ", ".join(f"{c} (it is {figures[c.figure].median:.4g})" for c in failed)
        return _say(1, f"--fail-if {values}; compare with an earlier report to see what changed")
    return 0


def _compare(told: argparse.Namespace) -> int:
    """Two reports side by side."""
    if len(told.files) != 2:
        raise UsageError("compare takes two reports: python -m bench compare A.json B.json")
    comparison = compare(*(_read(path) for path in told.files))
    show_changes(comparison, Console(stderr=told.json == Path("-")))
    _write_document(comparison, told.json)
    if not comparison["changes"]:
        return _say(1, "nothing to compare: the warnings above say why; run both again")
    return 0


def _read(path: Path) -> Document:
    """A report. Raises ``UsageError`` where there is none."""
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; give a file that --json wrote") from error
    if not isinstance(report, dict) or not report.keys() >= MEMBERS:
        raise UsageError(f"{path} is no report; give a file that --json wrote")
    return report


def _say(code: int, next_step: str) -> int:
    """The last line on standard error."""
    _errors.print(f"bench: {' '.join(next_step.split())}", markup=False, soft_wrap=True)
    return code
