"""``python -m bench online``: cases by seed, every policy's cost, how much of the gap it closes."""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.status import Status
from rich.table import Table

from bench.assignment.generated import LAYOUTS, SCARCITY, Shape
from bench.figures import UsageError
from bench.online.case import draw
from bench.online.play import Entry, Policy, play
from solver.effort import Effort
from solver.solve import solve

_errors = Console(stderr=True, highlight=False)
CHEAPEST: Final = Policy("cheapest at the time")
POLICIES: Final = (
    CHEAPEST,
    Policy("prices once, 8 draws", 1, 8),
    Policy("10 times, 8 draws", 10, 8),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """A case: what all policies came to, and the least that anybody could, knowing all orders."""

    sizes: str
    seed: int
    bound: float
    entries: tuple[Entry, ...]

    def closed(self, entry: Entry) -> float:
        """The share of the way from the cheapest node to clairvoyance that `entry` went."""
        cheapest = self.entries[0].cost
        return (cheapest - entry.cost) / (cheapest - self.bound) if cheapest > self.bound else 0.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench online",
        description="Reserve orders one by one: the cheapest node, and with bid prices.",
    )
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--skus", type=int, default=0, help="0: a fifth of the orders")
    parser.add_argument("--scarcity", choices=sorted(SCARCITY), default="tight")
    parser.add_argument("--layout", choices=LAYOUTS, default="clustered")
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--seeds", type=int, default=1, help="how many cases")
    parser.add_argument("--seconds", type=float, default=15.0, help="for the clairvoyant bound")
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser


def main(command_line: Sequence[str]) -> int:
    """Run one command line; → the exit code 0."""
    told = _parser().parse_args(command_line)
    if min(told.orders, told.seeds) < 1 or told.nodes < 2 or told.skus < 0:
        message = "--orders and --seeds are at least 1, --nodes at least 2, --skus not negative"
        raise UsageError(message)
    seeds = range(told.seed, told.seed + told.seeds)
    with Status("", console=_errors) as status:
        matches = [_match(told, seed, status) for seed in seeds]
    console = Console()
    for match in matches:
        console.print(_table(match))
    console.print(_summary(matches))
    if told.json:
        told.json.write_text(json.dumps(document(matches), indent=1) + "\n", encoding="utf-8")
    return 0


def _match(told: argparse.Namespace, seed: int, status: Status) -> Match:
    case = draw(
        Shape(
            orders=told.orders,
            nodes=told.nodes,
            skus=told.skus,
            scarcity=told.scarcity,
            layout=told.layout,
            seed=seed,
        )
    )

    def say(text: str) -> None:
        status.update(f"seed {seed}: {text}")

    entries = tuple(play(case, policy, say, seed) for policy in POLICIES)
    say("the bound, all orders known")
    bound = solve(case.future, Effort(seconds=told.seconds, seed=seed)).bound
    return Match(case.future.sizes, seed, bound, entries)


def _table(match: Match) -> Table:
    table = Table(title=f"{match.sizes}, seed {match.seed}", title_justify="left")
    table.add_column("policy")
    for head in (
        "cost", "against cheapest", "gap closed", "lines short", "parcels", "one line, us",
        "several, us", "pricing, s",
    ):  # fmt: skip
        table.add_column(head, justify="right")
    for entry in match.entries:
        table.add_row(
            entry.name,
            f"{entry.cost / 100:,.2f}",
            f"{entry.cost / match.entries[0].cost - 1:+.1%}",
            f"{match.closed(entry):.0%}",
            f"{entry.unserved_lines:,}",
            f"{entry.parcels:,}",
            f"{entry.single_us:.1f}",
            f"{entry.several_us:.1f}",
            f"{entry.pricing_s:.1f}",
        )
    table.add_row("nobody can, knowing all", f"{match.bound / 100:,.2f}")
    return table


def _medians(matches: Sequence[Match]) -> dict[str, dict[str, float]]:
    return {
        policy.name: {
            "against_cheapest": statistics.median(
                match.entries[at].cost / match.entries[0].cost - 1 for match in matches
            ),
            "gap_closed": statistics.median(match.closed(match.entries[at]) for match in matches),
            "single_us": statistics.median(match.entries[at].single_us for match in matches),
            "several_us": statistics.median(match.entries[at].several_us for match in matches),
        }
        for at, policy in enumerate(POLICIES)
    }


def _summary(matches: Sequence[Match]) -> str:
    last = _medians(matches)[POLICIES[-1].name]
    return (
        f"median of {len(matches)}: with prices {last['against_cheapest']:+.1%} against the "
        f"cheapest node, {last['gap_closed']:.0%} of the gap to clairvoyance closed; a decision "
        f"takes {last['single_us']:.1f} us for one line, {last['several_us']:.1f} us for several"
    )


def document(matches: Sequence[Match]) -> dict[str, Any]:
    """All figures as JSON; money in cents."""
    return {
        "scenario": "online",
        "medians": _medians(matches),
        "cases": [
            {
                **dataclasses.asdict(match),
                "gap_closed": {entry.name: match.closed(entry) for entry in match.entries},
            }
            for match in matches
        ],
    }
