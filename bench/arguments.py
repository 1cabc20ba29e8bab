"""What ``python -m bench`` can be told, and what makes no sense together."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from bench.arrivals import KINDS
from bench.catalogue import FLASH_SALE, SCENARIOS
from bench.figures import UsageError
from bench.product import Setup
from bench.scenario import Options

_LEVELS: Final = ("memory", "everysec", "fsync")
#: What only some scenarios take: elsewhere it would be passed over in silence.
_TAKEN_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "files": ("compare",),
    "count": ("memory", "recovery"),
    "arrivals": tuple(name for name, one in SCENARIOS.items() if one.open_share),
    "out": ("demo",),
}
_COMPARE_TAKES: Final = ("scenario", "files", "json")
_DESCRIPTION: Final = """Measure, print, write, judge.

Exit codes: 0 fine · 1 done and not fine (audit failed, run void, a --fail-if holds) · 2 wrong
usage · 3 cannot start what it needs. 1 to 3 end with a line on standard error that says what next.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and how to see what there is."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `python -m bench --help` shows what there is")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line. Raises ``UsageError``."""
    parser = _parser()
    told = parser.parse_intermixed_args(arguments)
    given = [name for name, value in vars(told).items() if value != parser.get_default(name)]
    for name in given:
        takers = _TAKEN_BY.get(name, tuple(SCENARIOS))
        if told.scenario == "compare":
            takers = ("compare",) if name in _COMPARE_TAKES else takers
        if told.scenario not in takers:
            what = str(told.files[0]) if name == "files" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{what}: {told.scenario} does not take it; {_listed(takers)}")
    return told


def options_of(told: argparse.Namespace) -> Options:
    """What the caller of a run chose."""
    setup = Setup(
        durability=told.durability,
        actors=told.actors,
        shards=told.shards,
        workers=told.workers,
        options=tuple(told.up),
    )
    return Options(
        setup=setup,
        seconds=told.seconds,
        seed=told.seed,
        runs=told.runs,
        arrivals=told.arrivals,
        baselines=not told.no_baselines,
        count=told.count,
    )


def _listed(takers: Sequence[str]) -> str:
    if len(takers) > 3:
        return "leave it out"
    return f"only {' and '.join(takers)} do{'es' if len(takers) == 1 else ''}"


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3_600:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 0.1 to 3600")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 4_096:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 1 to 4096")
    return value


def _many(text: str) -> int:
    value = int(text)
    if not 1_000 <= value <= 20_000_000:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 1000 to 20000000")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give 0 or more")
    return value


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _Parser(prog="python -m bench", description=_DESCRIPTION, epilog=_epilog(),
                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("scenario", nargs="?", default=FLASH_SALE.name, metavar="SCENARIO",
        choices=[*SCENARIOS, "compare"])  # fmt: skip
    add("files", nargs="*", default=[], type=Path, metavar="FILE", help="two reports, for compare")
    add("--seconds", type=_positive, help="length of each step; in demo, of the sale")
    add("--runs", type=_count, default=1, help="figures are medians over them")
    add("--seed", type=_seed, default=1)
    add("--arrivals", choices=KINDS, help="how buyers of the open loop come")
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
    lines = [f"  {scenario.name:14}{scenario.question}" for scenario in SCENARIOS.values()]
    lines.append(f"  {'compare':14}Put two reports side by side.")
    lines.append(f"  {'assign':14}Assign a wave of orders; `assign --help` has its options.")
    lines.append(f"  {'online':14}Reserve orders one by one, with bid prices; as above.")
    lines.append(f"  {'replenish':14}Plan orders and transfers on a real year; as above.")
    lines.append(f"  {'gap':14}Solve published assignment problems from files; as above.")
    lines.append(f"  {'cap':14}Solve published warehouse location problems from files; as above.")
    return "scenarios:\n" + "\n".join(lines)
