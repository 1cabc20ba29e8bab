"""``python -m bench [scenario]``: measure, print, write, judge.

Exit codes: 0 fine · 1 done and not fine (audit failed, run void, a --fail-if holds) · 2 wrong
usage · 3 cannot start what it needs. 1 to 3 end with a line on standard error that says what next.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

import uvloop
from rich.console import Console
from rich.status import Status

from bench import tree
from bench.catalogue import FLASH_SALE, SCENARIOS
from bench.compare import MEMBERS, compare, show_changes
from bench.demo import play_demo
from bench.figures import FailIf, UsageError
from bench.page import page
from bench.processes import CannotStart
from bench.product import Setup
from bench.report import Document, document, figures_of, show, write_json
from bench.scenario import Options, Run, Scenario

_LEVELS: Final = ("memory", "everysec", "fsync")
#: More than this taken by others before a run, and its figures are theirs as much as ours.
_BUSY_SHARE_MAX: Final = 0.1
_errors = Console(stderr=True, highlight=False)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and how to see what there is."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `python -m bench --help` shows what there is")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; → the exit code."""
    # Ended like by Ctrl-C: the servers that were started are ended first.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        options = _parser().parse_args(arguments)
        if options.scenario == "compare":
            return _compare(options)
        if options.scenario == "demo":
            return play_demo(_errors, options.out)
        if options.files:
            raise UsageError(f"{options.files[0]}: only `compare` takes files")
        return _measure(options)
    except UsageError as error:
        return _say(2, str(error))
    except CannotStart as error:
        return _say(3, f"cannot start: {error}")
    except KeyboardInterrupt:
        return _say(1, "stopped; nothing was written")


def _measure(options: argparse.Namespace) -> int:
    """Run a scenario and judge it."""
    scenario = SCENARIOS[options.scenario]
    conditions = [FailIf.parse(text) for text in options.fail_if]
    chosen = Options(
        setup=Setup(
            durability=options.durability,
            actors=options.actors,
            shards=options.shards,
            workers=options.workers,
            options=tuple(options.up),
        ),
        seconds=options.seconds,
        seed=options.seed,
        baselines=not options.no_baselines,
        count=options.count,
    )
    runs = _runs(replace(scenario, demand=scenario.demand.seeded(options.seed)), chosen, options)
    report = document(scenario, chosen, runs)
    show(report, Console(stderr=options.json == Path("-")))
    _write(report, options)
    return _verdict(report, conditions)


def _runs(scenario: Scenario, chosen: Options, options: argparse.Namespace) -> list[Run]:
    """Run it as often as was asked, with a line of progress on a terminal."""
    runs = []
    with Status("", console=_errors) as status:
        for number in range(1, options.runs + 1):
            prefix = f"{scenario.name}, run {number} of {options.runs}: "
            told = replace(chosen, say=_progress(status, prefix))
            busy = tree.busy_share()
            run = uvloop.run(_play(scenario, told))
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


def _write(report: Document, options: argparse.Namespace) -> None:
    """The files that were asked for."""
    _write_document(report, options.json)
    if options.html:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        options.html.write_text(page(report))


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
    if report["void"]:
        return _say(1, f"void: {report['void'][0]}; run it again on a quieter machine")
    if report["findings"]:
        return _say(1, f"not fine: {report['findings'][0]}")
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
    _errors.print(f"bench: {next_step}", markup=False, soft_wrap=True)
    return code


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3_600:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 0.1 to 3600")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 4_096:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give at least 1")
    return value


def _many(text: str) -> int:
    value = int(text)
    if not 1_000 <= value <= 20_000_000:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 1000 to 20000000")
    return value


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _Parser(prog="python -m bench", description=__doc__, epilog=_epilog(),
                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("scenario", nargs="?", default=FLASH_SALE.name, metavar="SCENARIO",
        choices=[*SCENARIOS, "compare", "demo"])  # fmt: skip
    add("files", nargs="*", type=Path, metavar="FILE", help="two reports, for compare")
    add("--seconds", type=_positive, help="length of each step")
    add("--runs", type=_count, default=1, help="figures are medians over them")
    add("--seed", type=int, default=1)
    add("--durability", choices=_LEVELS, default="fsync", help="of the baselines too")
    add("--actors", type=_count, default=2)
    add("--shards", type=_count, default=8)
    add("--workers", type=_count, default=1)
    add("--up", action="append", default=[], metavar="OPTION",
        help="a further option of `tidegate up`, such as --up=--transport=ray")  # fmt: skip
    add("--count", type=_many, default=1_000_000,
        help="open reservations of memory and recovery")  # fmt: skip
    add("--no-baselines", action="store_true", help="the product alone")
    add("--json", type=Path, metavar="FILE", nargs="?", const=Path("-"),
        help="write the report; without a name to standard output")  # fmt: skip
    add("--html", type=Path, metavar="FILE", help="write it as one page that loads nothing")
    add("--fail-if", action="append", default=[], metavar="CONDITION",
        help="exit 1 if it holds, such as 'p99_ms>25'; may be given more than once")  # fmt: skip
    add("--out", type=Path, default=Path("out/demo"), help="where demo writes page and picture")
    return parser


def _epilog() -> str:
    lines = [f"  {scenario.name:12}{scenario.question}" for scenario in SCENARIOS.values()]
    lines.append(f"  {'demo':12}Play a flash sale of a real retailer's baskets.")
    lines.append(f"  {'compare':12}Put two reports side by side.")
    return "scenarios:\n" + "\n".join(lines)
