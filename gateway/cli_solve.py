"""``tidegate solve``: waves of orders from the command line."""

import json
import time
from http.client import HTTPConnection
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from gateway import cli_wave_files
from gateway.cli_http import ANSWER_SECONDS_MAX, DEFAULT_URL, ask_well
from gateway.cli_output import ExitCode, Stop, show
from gateway.cli_views import AsJson, Url

app = typer.Typer(no_args_is_help=True, help="Plan open orders together, and ask about plans.")
_errors = Console(stderr=True, highlight=False)
#: Between two questions about a wave that is running.
_PAUSE_S: Final = 0.25


def _begin(url: str, body: dict[str, Any], name: str | None) -> dict[str, Any]:
    """Ask for a wave. Raises Stop."""
    ask_well(url, "GET", "/readyz")  # Says what is wrong with the URL, or that nobody answers.
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=ANSWER_SECONDS_MAX)
    headers = {"Content-Type": "application/json"}
    if name is not None:
        headers["Idempotency-Key"] = name
    try:
        connection.request("POST", "/v1/waves", json.dumps(body), headers)
        answer = connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 202:
        detail = told.get("detail") or told.get("title")
        busy = f"; `tidegate solve status {told['id']}` follows it" if "id" in told else ""
        raise Stop(ExitCode.NOT_FINE, f"no wave was begun: {detail}{busy}")
    return told


def _followed(url: str, wave: dict[str, Any]) -> dict[str, Any]:
    """The wave once it is over; a line of progress on a terminal."""
    with Status("", console=_errors) as status:
        while wave["finished_at"] is None:
            best = wave["cost_cents_after"]
            shown = "" if best is None else f", {best / 100:,.2f} so far"
            status.update(
                f"wave {wave['id']}: {wave['state']}, {wave['orders'] or 0} orders{shown}"
            )
            time.sleep(_PAUSE_S)
            wave = ask_well(url, "GET", f"/v1/waves/{quote(wave['id'])}")
    return wave


def _facts(wave: dict[str, Any]) -> Table:
    def money(name: str) -> str:
        return "unknown" if wave[name] is None else f"{wave[name] / 100:,.2f}"

    gap = wave["gap_share"]
    table = Table(show_header=False, box=None)
    for name, value in (
        ("wave", f"{wave['id']}, {wave['state']}" + (" (dry run)" if wave["dry_run"] else "")),
        ("begun by", wave["trigger"].replace("_", " ")),
        ("orders", str(wave["orders"])),
        ("touched of them", "" if wave["hit_orders"] is None else str(wave["hit_orders"])),
        ("cost before", money("cost_cents_before")),
        ("cost after", money("cost_cents_after")),
        ("no plan costs less than", money("bound_cents")),
        ("gap", "unknown" if gap is None else f"{gap:.2%}"),
        ("orders moved", str(wave["moved"])),
        ("moves refused", str(wave["refused_moves"])),
        ("saved by moving", money("saved_cents")),
        ("days late", _days_late(wave)),
        ("lines without a place", str(wave["lines_without_place"] or "")),
        ("reason", wave["reason"] or ""),
    ):
        if value:
            table.add_row(name, value)
    return table


def _days_late(wave: dict[str, Any]) -> str:
    before, after = wave["late_days_before"], wave["late_days_after"]
    return "" if before is None else f"{before:,.1f}, now {after:,.1f}"


def _judged(wave: dict[str, Any], *, as_json: bool) -> int:
    show(wave, _facts(wave), as_json=as_json)
    if wave["state"] == "failed":
        raise Stop(ExitCode.NOT_FINE, f"the wave failed: {wave['reason']}; run it again")
    return ExitCode.FINE


def _percents(words: list[str]) -> int | dict[str, int] | None:
    """One percentage of all nodes, or those of some. Raises Stop."""
    pairs = [word.rpartition("=") for word in words]
    try:
        percents = {node: int(percent) for node, _, percent in pairs}
    except ValueError as wrong:
        raise Stop(ExitCode.USAGE, f"--capacity-percent: {wrong}; give 120, or NODE=120") from wrong
    if "" in percents and len(pairs) > 1:
        message = "--capacity-percent: one figure is for all nodes; give NODE=PERCENT for several"
        raise Stop(ExitCode.USAGE, message)
    return percents.get("", percents or None)


@app.command("run")
def run(
    url: Url = DEFAULT_URL,
    seconds: Annotated[int, typer.Option(help="How long to plan, 1 to 600.")] = 15,
    held: Annotated[
        bool, typer.Option("--held", help="Plan orders that are held as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan, and move nothing.")] = False,
    close: Annotated[
        list[str] | None, typer.Option("--close", help="A node that nothing may leave from.")
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(help="Plan only what stands there, and who shares its SKUs.")
    ] = None,
    sku: Annotated[
        list[str] | None, typer.Option(help="Plan only orders of it; with --node those there.")
    ] = None,
    capacity_percent: Annotated[
        list[str] | None,
        typer.Option(help="Suppose that nodes send so much of today's; or NODE=PERCENT."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Orders of one customer to one zone leave together.")
    ] = False,
    days_faster: Annotated[
        int | None, typer.Option(help="Suppose that every lane takes so many days less.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="The wave's id: the same again starts no other.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a wave and wait for it."""
    if (capacity_percent or days_faster is not None) and not dry_run:
        message = "--capacity-percent and --days-faster are only supposed; give --dry-run as well"
        raise Stop(ExitCode.USAGE, message)
    scope = "confirmed_and_held" if held else "confirmed"
    body: dict[str, Any] = {
        "max_seconds": seconds,
        "scope": scope,
        "dry_run": dry_run,
        "closed_nodes": close or [],
        "capacity_percent": _percents(capacity_percent or []),
        "days_faster": days_faster,
        "merge_orders": merge,
    }
    if node or sku:
        body["touching"] = {"nodes": node or [], "skus": sku or []}
    begun = _begin(url, body, name)
    return _judged(_followed(url, begun), as_json=as_json)


@app.command("status")
def status(
    wave: Annotated[
        str | None, typer.Argument(help="A wave's id; without one, all of them.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """Show one wave, or the last ones."""
    if wave is not None:
        told = ask_well(url, "GET", f"/v1/waves/{quote(wave)}")
        show(told, _facts(told), as_json=as_json)
        return ExitCode.FINE
    document = ask_well(url, "GET", "/v1/waves")
    table = Table("wave", "state", "orders", "before", "after", "gap", "moved", "refused")
    for one in document["waves"]:
        table.add_row(
            one["id"],
            one["state"],
            *(
                "" if one[member] is None else f"{one[member] / scale:,.{digits}f}"
                for member, scale, digits in (
                    ("orders", 1, 0),
                    ("cost_cents_before", 100, 2),
                    ("cost_cents_after", 100, 2),
                )
            ),
            "" if one["gap_share"] is None else f"{one['gap_share']:.2%}",
            str(one["moved"]),
            str(one["refused_moves"]),
        )
    show(document, table, as_json=as_json)
    return ExitCode.FINE


@app.command("explain")
def explain(
    wave: Annotated[str, typer.Argument(help="A wave's id.")],
    reservation: Annotated[str, typer.Argument(help="A reservation's id.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """Say where an order leaves from, what else it could do, and what stands in the way."""
    path = f"/v1/waves/{quote(wave)}/orders/{quote(reservation)}"
    told = ask_well(url, "GET", path)
    table = Table("SKU", "units", "stood at", "leaves from")
    for line in told["lines"]:
        table.add_row(
            line["sku"], str(line["quantity"]), line["from"][0]["node"], line["to"][0]["node"]
        )
    other = told["next_best"]
    table.title = f"costs {told['cost_cents'] / 100:,.2f}" + (
        f"; from {', '.join(other['nodes'])} {other['cost_cents'] / 100:,.2f}" if other else ""
    )
    if told["binding"]:
        table.caption = f"cheaper, but taken: {', '.join(told['binding'])}"
    show(told, table, as_json=as_json)
    return ExitCode.FINE


@app.command("cancel")
def cancel(
    wave: Annotated[str, typer.Argument(help="A wave's id.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """End a wave; what it has moved stays moved."""
    told = ask_well(url, "POST", f"/v1/waves/{quote(wave)}/cancel")
    show(told, _facts(told), as_json=as_json)
    return ExitCode.FINE


for _command in (
    cli_wave_files.page,
    cli_wave_files.export,
    cli_wave_files.plan,
    cli_wave_files.compare,
    cli_wave_files.replay,
):
    app.command()(_command)
