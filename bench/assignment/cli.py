"""``python -m bench assign``: instances by seed, everybody's plan, a table, JSON and a page."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.table import Table

from bench.assignment import baskets, files, generated, olist, outage, retail
from bench.assignment.contest import Contest, hold
from bench.assignment.page import page
from bench.assignment.results import Contests, document, medians
from bench.assignment.tables import named, table
from bench.figures import UsageError
from gateway.sample.columns import SampleMissing
from solver.effort import Effort
from solver.problem import Problem

_errors = Console(stderr=True, highlight=False)
#: Beyond this the monolithic models do not fit into a sensible wait.
_MODELS_ORDERS_MAX: Final = 2_500
_INSTANCES: Final = ("generated", "baskets", "retail", "olist")
_ORDERS: Final = 1_000
_OUTAGE_ORDERS: Final = 10_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench assign",
        description="Assign a wave of orders to nodes: ours against the rules in use.",
    )
    parser.add_argument(
        "--orders",
        type=int,
        help=f"{_ORDERS:,} unless told; {_OUTAGE_ORDERS:,} with --outage",
    )
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--scarcity", choices=sorted(generated.SCARCITY), default="tight")
    parser.add_argument("--layout", choices=generated.LAYOUTS, default="clustered")
    parser.add_argument(
        "--instances",
        choices=_INSTANCES,
        default="generated",
        help="drawn orders of 1.8 lines, a real retailer's baskets of 9 to 24, or, from --data, a "
        "wholesaler's invoices or a marketplace's orders with the freight that was paid",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=files.DEFAULT,
        metavar="FOLDER",
        help="where online_retail and olist lie (%(default)s)",
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
    parser.add_argument(
        "--outage",
        action="store_true",
        help="a node goes out after the plan: our repair against placing anew who was hit",
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--page", type=Path, help="write charts there, as one HTML file")
    return parser


def main(command_line: Sequence[str]) -> int:
    """Run one command line; → the exit code: 0 fine, 1 a plan that does not hold."""
    told = _parser().parse_args(command_line)
    if told.orders is None:
        told.orders = _OUTAGE_ORDERS if told.outage else _ORDERS
    _refuse_nonsense(told)
    seeds = range(told.seed, told.seed + told.seeds)
    if told.outage:
        with Status("", console=_errors) as status:
            outages = [_outage(told, seed, status) for seed in seeds]
        tables = [outage.shown(one) for one in outages]
        return _tell(told, outages, tables, outage.summary(medians(outages), len(outages)))
    with Status("", console=_errors) as status:
        contests = [_contest(told, seed, status) for seed in seeds]
    if told.page:
        told.page.write_text(page(contests), encoding="utf-8")
    tables = [_table(one) for one in contests]
    return _tell(told, contests, tables, _summary(medians(contests), len(contests)))


def _tell(told: argparse.Namespace, contests: Contests, tables: list[Table], summary: str) -> int:
    """Print and write what came of it; → the exit code."""
    console = Console()
    for one in tables:
        console.print(one)
    console.print(summary)
    if told.json:
        scenario = "assign --outage" if told.outage else "assign"
        text = json.dumps(document(scenario, contests), indent=1)
        told.json.write_text(text + "\n", encoding="utf-8")
    return int(any(entry.broken for contest in contests for entry in contest.entries))


def _refuse_nonsense(told: argparse.Namespace) -> None:
    if told.models and told.orders > _MODELS_ORDERS_MAX:
        message = f"--models: at most {_MODELS_ORDERS_MAX} orders, {told.orders} were asked for"
        raise UsageError(message)
    if min(told.orders, told.nodes, told.seeds, told.workers) < 1 or told.nodes < 2:
        message = "--orders, --seeds and --workers are at least 1, --nodes at least 2"
        raise UsageError(message)
    if told.outage and (told.models or told.page):
        message = "--outage goes without --models and --page: it has a table and --json"
        raise UsageError(message)


def _problem(told: argparse.Namespace, seed: int) -> Problem:
    shape = generated.Shape(
        orders=told.orders,
        nodes=told.nodes,
        scarcity=told.scarcity,
        layout=told.layout,
        seed=seed,
    )
    try:
        match told.instances:
            case "baskets":
                return baskets.draw(shape)
            case "retail":
                return retail.draw(shape, told.data)
            case "olist":
                return olist.draw(shape, told.data)
            case _:
                return generated.draw(shape)
    except SampleMissing as missing:
        raise UsageError(str(missing)) from missing


def _effort(told: argparse.Namespace, seed: int) -> Effort:
    return Effort(seconds=told.seconds, seed=seed, workers=told.workers)


def _contest(told: argparse.Namespace, seed: int, status: Status) -> Contest:
    return hold(
        _problem(told, seed),
        _effort(told, seed),
        lambda text: status.update(f"seed {seed}: {text}"),
        told.models,
    )


def _outage(told: argparse.Namespace, seed: int, status: Status) -> outage.Contest:
    return outage.hold(
        _problem(told, seed),
        _effort(told, seed),
        lambda text: status.update(f"seed {seed}: {text}"),
    )


def _table(contest: Contest) -> Table:
    heads = ("plan", "cost", "above the bound", "lines that wait", "parcels", "seconds")
    rows = [
        (
            named(entry.name, entry.broken),
            f"{entry.cost / 100:,.2f}",
            f"{contest.gap(entry.cost):.2%}",
            f"{entry.unserved_lines:,}",
            f"{entry.parcels:,}",
            f"{entry.seconds:.1f}",
        )
        for entry in contest.entries
    ]
    return table(f"{contest.sizes}, seed {contest.seed}", heads, rows)


def _summary(middle: Mapping[str, float], many: int) -> str:
    return (
        f"median of {many}: within 4 % of the bound after "
        f"{middle['seconds_to_4_percent']:.1f} s, within 1 % after "
        f"{middle['seconds_to_1_percent']:.1f} s; final {middle['gap']:.2%} after "
        f"{middle['seconds']:.1f} s; {middle['below_best_rule']:.1%} below the best rule; "
        f"{middle['avoided_splits']:.0%} of the nearest rule's avoidable splits avoided; "
        f"peak memory {middle['peak_mb']:,.0f} MB"
    )
