"""``tidegate tariff``: lanes for those who have no price list, from coordinates, as a file."""

import csv
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from engine.tariff import Place, lanes
from gateway.cli_http import DEFAULT_URL, ask_well
from gateway.cli_output import ExitCode, Stop, show
from gateway.cli_views import AsJson, Url

_COLUMNS: Final = ("node", "zone", "fixed_cents", "per_kg_cents", "transit_hours")


def tariff(
    zones: Annotated[Path, typer.Argument(help="CSV or Parquet: zone, latitude, longitude.")],
    out: Annotated[Path, typer.Option(help="The file of lanes to write.")] = Path("lanes.csv"),
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """Write lanes from every node with coordinates to every zone; import them when they suit."""
    # What reads files costs a tenth of a second, which only this command should wait for.
    from gateway.importing import rows

    try:
        places = dict(_zone(line, row, zones) for line, row in rows.read(zones))
    except rows.Unreadable as unreadable:
        raise Stop(ExitCode.USAGE, str(unreadable)) from unreadable
    if not places:
        raise Stop(ExitCode.USAGE, f"{zones} has no rows; give zone, latitude, longitude")
    known = ask_well(url, "GET", "/v1/nodes")["nodes"]
    nodes = {
        node["node"]: Place(node["latitude"], node["longitude"])
        for node in known
        if node.get("latitude") is not None and node.get("longitude") is not None
    }
    if not nodes:
        message = "no node has a latitude and a longitude; give them with `tidegate import nodes`"
        raise Stop(ExitCode.NOT_FINE, message)
    count = 0
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for lane in lanes(nodes, places):
            writer.writerow(lane)
            count += 1
    told = {
        "file": str(out), "lanes": count, "nodes": len(nodes), "zones": len(places),
        "nodes_without_place": len(known) - len(nodes),
    }  # fmt: skip
    table = Table(show_header=False, box=None)
    for name, value in told.items():
        table.add_row(name.replace("_", " "), str(value))
    table.caption = f"`tidegate import lanes {out}` puts them in force"
    show(told, table, as_json=as_json)
    return ExitCode.FINE


def _zone(line: int, row: dict[str, Any], path: Path) -> tuple[str, Place]:
    """A zone and where it is. Raises Stop, naming line and column."""
    try:
        zone = str(row["zone"])
        place = Place(float(row["latitude"]), float(row["longitude"]))
    except KeyError as missing:
        message = (
            f"{path}, line {line}: {missing.args[0]} is missing; give zone, latitude, longitude"
        )
        raise Stop(ExitCode.USAGE, message) from missing
    except ValueError as wrong:
        message = f"{path}, line {line}: {wrong}; latitude and longitude are degrees, like 48.21"
        raise Stop(ExitCode.USAGE, message) from wrong
    for name, degrees, most in zip(Place._fields, place, (90, 180), strict=True):
        if not -most <= degrees <= most:
            message = f"{path}, line {line}: {name} {degrees} is not between -{most} and {most}"
            raise Stop(ExitCode.USAGE, message)
    return zone, place
