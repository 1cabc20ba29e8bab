"""``tidegate prices``: bid prices from the command line."""

import time
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from gateway.cli_http import DEFAULT_URL, ask_well
from gateway.cli_output import ExitCode, Stop, show
from gateway.cli_views import AsJson, Url

app = typer.Typer(no_args_is_help=True, help="What units are worth to orders still to come.")
_errors = Console(stderr=True, highlight=False)
#: Between two questions about a run.
_PAUSE_S: Final = 0.25


@app.command("find")
def find(
    url: Url = DEFAULT_URL,
    orders: Annotated[
        int | None, typer.Option(min=1, help="Expected to come; as many as are open.")
    ] = None,
    scenarios: Annotated[
        int | None, typer.Option(min=1, max=100, help="How often they are drawn; 8.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Find prices from the open orders, put them in force, and show them."""
    asked = {"expected_orders": orders, "scenarios": scenarios}
    body = {name: value for name, value in asked.items() if value is not None}
    ask_well(url, "POST", "/v1/prices", body)
    with Status("finding prices", console=_errors):
        told = ask_well(url, "GET", "/v1/prices")
        while told["run"]["finished_at"] is None:
            time.sleep(_PAUSE_S)
            told = ask_well(url, "GET", "/v1/prices")
    show(told, _nodes(told), as_json=as_json)
    if told["run"]["reason"] is not None:
        raise Stop(ExitCode.NOT_FINE, f"no new prices: {told['run']['reason']}")
    return ExitCode.FINE


@app.command("show")
def show_prices(
    sku: Annotated[str | None, typer.Argument(help="Of one SKU; else those of nodes.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """Show the prices in force."""
    if sku is None:
        told = ask_well(url, "GET", "/v1/prices")
        show(told, _nodes(told), as_json=as_json)
        return ExitCode.FINE
    told = ask_well(url, "GET", f"/v1/prices/{quote(sku)}")
    table = Table("node", "a unit", title=f"{sku}, version {told['version']}")
    for row in told["units"]:
        table.add_row(row["node"], f"{row['unit_cents'] / 100:,.2f}")
    show(told, table, as_json=as_json)
    return ExitCode.FINE


@app.command("clear")
def clear(url: Url = DEFAULT_URL, as_json: AsJson = False) -> int:
    """Let nothing have a bid price."""
    told = ask_well(url, "DELETE", "/v1/prices")
    show(told, _nodes(told), as_json=as_json)
    return ExitCode.FINE


def _nodes(told: dict[str, Any]) -> Table:
    table = Table("node", "a parcel", title=f"version {told['version']}")
    for row in told["nodes"]:
        table.add_row(row["node"], f"{row['parcel_cents'] / 100:,.2f}")
    table.caption = f"{told['priced_skus']:,} SKUs have prices of units"
    return table
