"""``python -m bench replenish``: plan on a real year's start, replay its end, compare."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.status import Status
from rich.table import Table

from bench.figures import UsageError
from bench.planning import history, rebalance, replenish
from gateway.sample.columns import SampleMissing
from solver.planning.demand import accuracy, demand
from solver.planning.forecast import ForecastMissing
from solver.planning.replay import totals
from solver.planning.replenishment import SERVICE_MOST
from solver.planning.sales import sales_of

_errors = Console(stderr=True, highlight=False)
#: Weeks that a forecast is asked for, and judged by.
_HORIZON: Final = 4
#: So many weeks at least are known, so that three origins of a backtest have history before them.
_WEEKS_LEAST: Final = 4 * _HORIZON


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench replenish",
        description="Orders and transfers planned on a real year's start, replayed on its end.",
    )
    add = parser.add_argument
    add("--skus", type=int, default=500, help="best sellers of the known weeks")
    add("--nodes", type=int, default=20, help="busiest stores of the known weeks")
    add("--transfer-skus", type=int, default=300, help="of them, for the transfers")
    add("--transfer-nodes", type=int, default=8, help="of them, for the transfers")
    add("--weeks", type=int, default=40, help="that are known")
    add("--service", type=float, default=0.95, help="share of order cycles without a shortage")
    add("--lead", type=int, default=7, help="days from an order to the goods")
    add("--seconds", type=float, default=60.0, help="at most, for the transfers")
    add("--json", type=Path, nargs="?", const=Path("-"), help="write all figures there")
    return parser


def _checked(told: argparse.Namespace) -> argparse.Namespace:
    """Raises `UsageError` for sizes that make no sense."""
    if not _WEEKS_LEAST <= told.weeks <= history.WEEKS - _HORIZON:
        message = f"--weeks: from {_WEEKS_LEAST} to {history.WEEKS - _HORIZON}"
        raise UsageError(message)
    if not 0.5 <= told.service <= SERVICE_MOST:
        message = f"--service: from 0.5 to {SERVICE_MOST}"
        raise UsageError(message)
    if min(told.skus, told.transfer_skus, told.lead) < 1 or told.seconds <= 0:
        message = "--skus, --transfer-skus and --lead are at least 1, --seconds above 0"
        raise UsageError(message)
    if min(told.nodes, told.transfer_nodes) < 2:
        message = "--nodes and --transfer-nodes are at least 2"
        raise UsageError(message)
    return told


def main(command_line: Sequence[str]) -> int:
    """Run one command line; → the exit code: 0 fine, 1 transfers that break a rule."""
    told = _checked(_parser().parse_args(command_line))
    try:
        with Status("", console=_errors) as status:
            report = document(told, status.update)
    except (SampleMissing, ForecastMissing) as missing:
        raise UsageError(str(missing)) from missing
    if told.json == Path("-"):
        sys.stdout.write(json.dumps(report) + "\n")
    elif told.json:
        told.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console = Console(stderr=told.json == Path("-"), highlight=False)
    for table in _tables(report):
        console.print(table)
    return int(any(row["broken"] for row in report["transfers"]))


def document(told: argparse.Namespace, say: Any) -> dict[str, Any]:
    """All figures; money in cents."""
    began_at = perf_counter()
    say("reading a year of sales")
    year = history.read(told.skus, told.nodes, told.weeks)
    say("forecasting demand")
    expected = demand(sales_of(year.known, year.groups), _HORIZON)
    say("measuring how far forecasts are off")
    errors = accuracy(expected.sales, _HORIZON)
    say("replaying orders")
    terms = replenish.Terms(lead_days=told.lead, service=told.service)
    effects = replenish.play(year, expected, terms)
    say("moving stock and replaying it")
    few = history.read(told.transfer_skus, told.transfer_nodes, told.weeks)
    moved = demand(sales_of(few.known, few.groups), _HORIZON)
    by_unit = rebalance.Terms(truck_cents=0)
    by_truck = rebalance.Terms()
    return {
        "scenario": "replenish",
        "known_weeks": told.weeks,
        "later_days": len(year.later),
        "skus": len(year.skus),
        "nodes": len(year.nodes),
        "terms": dataclasses.asdict(terms),
        "weights": dataclasses.asdict(expected.forecast.weights),
        "forecast": [{"forecast": name, **dataclasses.asdict(one)} for name, one in errors.items()],
        "orders": totals(effects),
        "transfer_skus": len(few.skus),
        "transfer_nodes": len(few.nodes),
        "transfer_terms": dataclasses.asdict(by_truck),
        "transfers": [
            *_rows("by unit", rebalance.play(few, moved, by_unit, told.seconds)),
            *_rows("by truck", rebalance.play(few, moved, by_truck, told.seconds)),
        ],
        "seconds": perf_counter() - began_at,
    }


def _rows(paid: str, results: Mapping[str, rebalance.Result]) -> list[dict[str, Any]]:
    return [
        {
            "rule": name,
            "paid": paid,
            "expected_cents": one.expected_cents,
            "optimal": one.optimal,
            "broken": list(one.broken),
            "lanes_used": one.lanes_used,
            "trucks": one.trucks,
            **one.difference.report(),
        }
        for name, one in results.items()
    ]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(head[0], title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _tables(report: Mapping[str, Any]) -> list[Table]:
    weeks = report["known_weeks"]
    return [
        _table(
            f"Forecast of {report['skus']} SKUs, {_HORIZON} weeks ahead, units a SKU and week",
            ("forecast", "MAE", "bias", "MASE"),
            [
                (row["forecast"], f"{row['mae']:.2f}", f"{row['bias']:+.2f}", _number(row["mase"]))
                for row in report["forecast"]
            ],
        ),
        _table(
            f"Orders planned on {weeks} weeks, the {report['later_days']} days after them, "
            f"{report['skus']} SKUs at {report['nodes']} stores",
            ("rule", "sold", "lost", "fill", "mean stock", "orders"),
            [
                (row["rule"], f"{row['sold_units']:,}", f"{row['lost_units']:,}",
                 f"{row['fill']:.1%}", f"{row['mean_stock_units']:,.0f}", f"{row['orders']:,}")
                for row in report["orders"]
            ],
        ),
        _table(
            f"Transfers, {report['transfer_terms']['horizon_days']} days, "
            f"{report['transfer_skus']} SKUs at {report['transfer_nodes']} stores",
            ("rule", "moved", "sold more", "margin", "cost", "net", "expected"),
            [
                (f"{row['rule']}, paid {row['paid']}", f"{row['transferred_units']:,}",
                 f"{row['sold_units'] - row['sold_units_without']:,}",
                 *(f"{row[name] / 100:,.2f}" for name in
                   ("margin_cents", "transfer_cents", "net_cents", "expected_cents")))
                for row in report["transfers"]
            ],
        ),
    ]  # fmt: skip
