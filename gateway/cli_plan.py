"""``tidegate plan replenish`` and ``plan rebalance``: dry runs from files, unless told to apply."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from gateway.cli_faults import faults_told
from gateway.cli_http import ask
from gateway.cli_output import ExitCode, Stop, show
from gateway.cli_views import AsJson

if TYPE_CHECKING:
    from gateway.planning.step import Step

app = typer.Typer(
    help="What to order and what to move, from files; nothing is sent without --apply."
)

_File = {"exists": True, "dir_okay": False, "readable": True}
Sales = Annotated[
    Path, typer.Option(help="day, sku, region, units, and channel and group if any.", **_File)
]
Serves = Annotated[
    Path | None,
    typer.Option(
        help="region, node, and channel if any.", show_default="regions are nodes", **_File
    ),
]
Limit = Annotated[
    int, typer.Option(min=0, help="Cents that a step may cost without a person's approval.")
]
Total = Annotated[
    int | None,
    typer.Option(min=0, help="Cents of all such steps.", show_default="ten times --limit"),
]
On = Annotated[
    str | None, typer.Option("--date", help="Of the plan, YYYY-MM-DD.", show_default="today, UTC")
]
Backtest = Annotated[
    bool, typer.Option("--backtest", help="Say how far forecasts were off lately.")
]
Apply = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Carry it out at this gateway; a repeat does nothing twice."),
]
Approve = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="A step beyond the limit that may be carried out; repeatable."),
]


@app.command()
def replenish(
    sales: Sales,
    positions: Annotated[
        Path, typer.Option(help="sku, node, on_hand, unit_cents and more; see the docs.", **_File)
    ],
    serves: Serves = None,
    lead_days: Annotated[float, typer.Option(min=0, max=365, help="From order to goods.")] = 7.0,
    cover_days: Annotated[float, typer.Option(min=0, max=365, help="An order lasts.")] = 7.0,
    review_days: Annotated[float, typer.Option(min=0, max=365, help="To the next plan.")] = 1.0,
    service: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Share of cycles without a shortage.")
    ] = 0.95,
    limit: Limit = 0,
    total_limit: Total = None,
    on: On = None,
    backtest: Backtest = False,
    apply: Apply = None,
    approve: Approve = None,
    as_json: AsJson = False,
) -> int:
    """Say which SKUs to order where, and place the orders if told so."""
    # Solvers and the forecast cost seconds, which only this command should wait for.
    from gateway.planning import replenish as planned
    from gateway.planning.expected import expected
    from gateway.planning.files import OrderedRow, read
    from solver.planning.replenishment import Approval

    day = _day(on)
    terms = planned.Terms(
        lead_days=lead_days, cover_days=cover_days, review_days=review_days, service=service
    )
    with _told():
        rows = list(read(positions, OrderedRow))
        demand = expected(sales, serves, lead_days + cover_days, backtest=backtest)
        approval = Approval(limit, 10 * limit if total_limit is None else total_limit)
        steps = planned.steps(rows, demand, terms, approval, day)
    document = {
        "plan": "replenish",
        "date": day.isoformat(),
        "positions": len(rows),
        "forecast": demand.errors,
    }
    return _end(document, steps, apply, approve, as_json=as_json)


@app.command()
def rebalance(
    sales: Sales,
    stock: Annotated[
        Path, typer.Option(help="sku, node, on_hand, margin_cents; keep, volume_ml.", **_File)
    ],
    lanes: Annotated[
        Path, typer.Option(help="from_node, to_node, transit_days and costs.", **_File)
    ],
    serves: Serves = None,
    days: Annotated[float, typer.Option(min=1, max=365, help="To the next delivery.")] = 28.0,
    risk_cents: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="A unit must earn beyond its costs.")
    ] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, max=3_600, help="Of search at most.")] = 30.0,
    limit: Limit = 0,
    total_limit: Total = None,
    on: On = None,
    backtest: Backtest = False,
    apply: Apply = None,
    approve: Approve = None,
    as_json: AsJson = False,
) -> int:
    """Say which units to move from node to node, and move them if told so."""
    from gateway.planning import rebalance as planned
    from gateway.planning.expected import expected
    from gateway.planning.files import LaneRow, MovedRow, read
    from solver.planning.replenishment import Approval

    day = _day(on)
    with _told():
        rows, ways = list(read(stock, MovedRow)), list(read(lanes, LaneRow))
        demand = expected(sales, serves, days, backtest=backtest)
        approval = Approval(limit, 10 * limit if total_limit is None else total_limit)
        terms = planned.Terms(days=days, risk=risk_cents, seconds=seconds)
        plan = planned.plan(rows, ways, demand, terms, approval, day)
    document = {
        "plan": "rebalance",
        "date": day.isoformat(),
        "positions": len(rows),
        "forecast": demand.errors,
        "gain_cents": plan.gain,
        "optimal": plan.optimal,
    }
    return _end(document, plan.steps, apply, approve, as_json=as_json)


def _day(on: str | None) -> date:
    try:
        return date.fromisoformat(on) if on else datetime.now(UTC).date()
    except ValueError as error:
        raise Stop(ExitCode.USAGE, f"--date {on}: {error}; give YYYY-MM-DD") from error


@contextmanager
def _told() -> Iterator[None]:
    """Faults as the last line of the command, a missing library among them."""
    from solver.planning.forecast import ForecastMissing

    try:
        with faults_told():
            yield
    except ForecastMissing as missing:
        raise Stop(ExitCode.NO_START, str(missing)) from missing


def _end(
    document: dict[str, Any],
    steps: "list[Step]",
    url: str | None,
    approve: list[str] | None,
    *,
    as_json: bool,
) -> int:
    """Carry the steps out if asked to, show them, and say what is left to do."""
    unknown = sorted(set(approve or ()) - {step.id for step in steps})
    if unknown:
        raise Stop(ExitCode.USAGE, f"--approve {unknown[0]}: no step of this plan has that id")
    applied = _applied(url, steps, set(approve or ())) if url else None
    document["steps"] = [step.row for step in steps]
    document["applied"] = applied
    show(document, _table(document, steps), as_json=as_json)
    if applied and applied["refused"]:
        name, reason = next(iter(applied["refused"].items()))
        message = f"{len(applied['refused'])} steps were refused, the first is {name}: {reason}"
        raise Stop(ExitCode.NOT_FINE, message)
    if applied and applied["waiting"]:
        message = (
            f"{len(applied['waiting'])} steps are beyond the limit and were not sent; give "
            "--approve ID for those that somebody has approved"
        )
        raise Stop(ExitCode.NOT_FINE, message)
    return ExitCode.FINE


def _applied(url: str, steps: "list[Step]", approved: set[str]) -> dict[str, Any]:
    from gateway.pipe import Unreachable
    from gateway.planning.apply import apply
    from gateway.sending import NotReady

    ask(url, "GET", "/healthz")
    try:
        return asdict(asyncio.run(apply(url, steps, approved)))
    except (Unreachable, NotReady) as away:
        message = f"{away}; apply the same plan again, nothing is done twice"
        raise Stop(ExitCode.NO_START, message) from away


def _table(document: dict[str, Any], steps: "list[Step]") -> Table:
    title = f"{document['plan']}, {document['date']}: {len(steps)} steps"
    if "gain_cents" in document:
        title += f", expected to earn {document['gain_cents'] / 100:,.2f}"
    table = Table(title=title, title_justify="left", box=None, caption_justify="left")
    table.caption = " · ".join(_error(one) for one in document["forecast"] or ())
    table.add_column("id", no_wrap=True)  # It is what --approve takes.
    for name in ("sku", "from", "to"):
        table.add_column(name)
    for name in ("units", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    done = set((document["applied"] or {}).get("done", ()))
    for step in steps:
        state = "needs approval" if step.needs_approval else "ready"
        table.add_row(step.id, step.sku, step.from_node or "", step.node, f"{step.quantity:,}",
                      f"{step.cents / 100:,.2f}", "done" if step.id in done else state)  # fmt: skip
    return table


def _error(one: dict[str, Any]) -> str:
    """A forecast's errors in units a SKU and week, and through the naive forecast's."""
    mase = "unknown" if one["mase"] is None else f"{one['mase']:.2f}"
    return f"{one['forecast']}: MAE {one['mae']:.2f}, bias {one['bias']:+.2f}, MASE {mase}"
