"""``tidegate load-sample``: a real retailer's catalogue, stores and stock for a running gateway."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.cli_http import DEFAULT_URL, ask
from gateway.cli_output import ExitCode, Stop, errors, show
from gateway.cli_views import AsJson, Url


def load_sample(
    url: Url = DEFAULT_URL,
    skus: Annotated[
        int | None, typer.Option(help="Only so many best sellers.", show_default="all 67,879")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Load a real retailer's catalogue, stores and stock into a running gateway."""
    if skus is not None and skus < 1:
        raise Stop(ExitCode.USAGE, f"--skus {skus} is out of range; give at least 1")
    ask(url, "GET", "/healthz")  # Nobody there is said before seconds of reading.
    loaded = _loaded(url, skus)
    table = Table(show_header=False, box=None)
    for name, value in loaded.items():
        table.add_row(name, _shown(value))
    show(loaded, table, as_json=as_json)
    if loaded["refused"]:
        next_step = (
            f"{loaded['refused']} counts were refused; look at `tidegate status --url {url}`"
        )
        raise Stop(ExitCode.NOT_FINE, next_step)
    return ExitCode.FINE


def _shown(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _loaded(url: str, skus: int | None) -> dict[str, Any]:
    """What ``sample.load.load`` did, with progress on standard error. Raises Stop."""
    # numpy and the rest cost half a second, which only this command should wait for.
    from gateway.pipe import Unreachable
    from gateway.sample.columns import SampleMissing
    from gateway.sample.journey import Journey
    from gateway.sample.load import load
    from gateway.sending import LoadRefused

    try:
        errors().print("reading a year of sales …")
        journey = Journey.read(skus)
        with _bars() as bars:
            tasks = {what: bars.add_task(what, total=None) for what in ("nodes", "SKUs", "stock")}

            def told(what: str, done: int, total: int) -> None:
                bars.update(tasks[what], completed=done, total=total)

            return asdict(asyncio.run(load(url, journey, told)))
    except SampleMissing as missing:
        raise Stop(ExitCode.NO_START, str(missing)) from missing
    except Unreachable as away:
        raise Stop(ExitCode.NO_START, f"{away}; load again, nothing counts twice") from away
    except LoadRefused as refused:
        raise Stop(ExitCode.NOT_FINE, str(refused)) from refused


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description:6}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors(),
    )
