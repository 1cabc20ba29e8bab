"""``python -m bench assign``: instances by seed, everybody's plan, a table, JSON and a page."""

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

from bench.assignment import baskets, generated
from bench.assignment.contest import Contest, hold
from bench.assignment.page import page
from bench.figures import UsageError
from gateway.sample.columns import SampleMissing
from solver.effort import Effort

_errors = Console(stderr=True, highlight=False)
#: Beyond this the monolithic models do not fit into a sensible wait.
_MODELS_ORDERS_MAX: Final = 2_500


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench assign",
        description="Assign a wave of orders to nodes: ours against the rules in use.",
    )
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--scarcity", choices=sorted(generated.SCARCITY), default="tight")
    parser.add_argument("--layout", choices=generated.LAYOUTS, default="clustered")
    parser.add_argument(
        "--instances",
        choices=("generated", "baskets"),
        default="generated",
        help="drawn orders of 1.8 lines, or a real retailer's baskets of 9 to 24",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first instance")
    parser.add_argument("--seeds", type=int, default=1, help="how many instances")
    parser.add_argument("--seconds", type=float, default=15.0, help="for our plan")
    parser.add_argument("--workers", type=int, default=1, help="processes for our plan")
    parser.add_argument(
        "--models",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help=f"the compact model by HiGHS and CP-SAT too, up to {_MODELS_ORDERS_MAX:,} orders",
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--page", type=Path, help="write charts there, as one HTML file")
    return parser


def main(command_line: Sequence[str]) -> int:
    """Run one command line; → the exit code: 0 fine, 1 a plan that does not hold."""
    told = _parser().parse_args(command_line)
    if told.models and told.orders > _MODELS_ORDERS_MAX:
        message = f"--models: at most {_MODELS_ORDERS_MAX} orders, {told.orders} were asked for"
        raise UsageError(message)
    if min(told.orders, told.nodes, told.seeds, told.workers) < 1 or told.nodes < 2:
        message = "--orders, --seeds and --workers are at least 1, --nodes at least 2"
        raise UsageError(message)
    seeds = range(told.seed, told.seed + told.seeds)
    with Status("", console=_errors) as status:
        contests = [_contest(told, seed, status) for seed in seeds]
    console = Console()
    for contest in contests:
        console.print(_table(contest))
    console.print(_summary(contests))
    if told.json:
        told.json.write_text(json.dumps(document(contests), indent=1) + "\n", encoding="utf-8")
    if told.page:
        told.page.write_text(page(contests), encoding="utf-8")
    return int(any(entry.broken for contest in contests for entry in contest.entries))


def _contest(told: argparse.Namespace, seed: int, status: Status) -> Contest:
    shape = generated.Shape(
        orders=told.orders,
        nodes=told.nodes,
        scarcity=told.scarcity,
        layout=told.layout,
        seed=seed,
    )
    try:
        draw = baskets.draw if told.instances == "baskets" else generated.draw
        problem = draw(shape)
    except SampleMissing as missing:
        raise UsageError(str(missing)) from missing
    effort = Effort(seconds=told.seconds, seed=seed, workers=told.workers)
    return hold(problem, effort, lambda text: status.update(f"seed {seed}: {text}"), told.models)


def _table(contest: Contest) -> Table:
    table = Table(title=f"{contest.sizes}, seed {contest.seed}", title_justify="left")
    table.add_column("plan")
    for head in ("cost", "above the bound", "lines that wait", "parcels", "seconds"):
        table.add_column(head, justify="right")
    for entry in contest.entries:
        table.add_row(
            entry.name + (" (does not hold!)" if entry.broken else ""),
            f"{entry.cost / 100:,.2f}",
            f"{contest.gap(entry.cost):.2%}",
            f"{entry.unserved_lines:,}",
            f"{entry.parcels:,}",
            f"{entry.seconds:.1f}",
        )
    return table


def figures(contest: Contest) -> dict[str, float]:
    """What a contest comes to; shares, seconds."""
    return {
        "gap": contest.gap(contest.ours.cost),
        "seconds": contest.ours.seconds,
        "seconds_to_4_percent": contest.seconds_to(0.04),
        "seconds_to_1_percent": contest.seconds_to(0.01),
        "below_best_rule": 1.0 - contest.ours.cost / contest.best_rule.cost,
        "avoided_splits": contest.avoided_splits,
    }


def _medians(contests: Sequence[Contest]) -> dict[str, float]:
    each = [figures(contest) for contest in contests]
    return {name: statistics.median(one[name] for one in each) for name in each[0]}


def _summary(contests: Sequence[Contest]) -> str:
    middle = _medians(contests)
    return (
        f"median of {len(contests)}: within 4 % of the bound after "
        f"{middle['seconds_to_4_percent']:.1f} s, within 1 % after "
        f"{middle['seconds_to_1_percent']:.1f} s; final {middle['gap']:.2%} after "
        f"{middle['seconds']:.1f} s; {middle['below_best_rule']:.1%} below the best rule; "
        f"{middle['avoided_splits']:.0%} of the nearest rule's avoidable splits avoided"
    )


def document(contests: Sequence[Contest]) -> dict[str, Any]:
    """All figures as JSON; money in cents."""
    return {
        "scenario": "assign",
        "medians": _medians(contests),
        "instances": [
            {
                **dataclasses.asdict(contest),
                "figures": figures(contest),
                "best_rule": contest.best_rule.name,
            }
            for contest in contests
        ],
    }
