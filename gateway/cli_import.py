"""``tidegate import``: files of SKUs, nodes, positions or lanes into a running gateway."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.cli_http import DEFAULT_URL, ask
from gateway.cli_output import ExitCode, Stop, errors, show
from gateway.cli_views import AsJson, Url

What = Literal["skus", "nodes", "positions", "lanes"]


def import_file(
    what: Annotated[What, typer.Argument(help="What a row of the file is.")],
    file: Annotated[Path, typer.Argument(help="CSV with names in its first line, or Parquet.")],
    url: Url = DEFAULT_URL,
    reference: Annotated[
        str | None, typer.Option(help="Of the import; else one of the file's content.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="For refused rows.", show_default="FILE.refused.csv")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Import a file while selling; run it again to go on where it stopped, nothing counts twice."""
    # What reads and sends costs a tenth of a second, which only this command should wait for.
    from gateway.importing import rows
    from gateway.importing.kinds import KINDS
    from gateway.importing.run import run
    from gateway.pipe import Unreachable
    from gateway.sending import LoadRefused

    if not file.is_file():
        raise Stop(ExitCode.USAGE, f"{file} is no file; give a CSV or Parquet file")
    ask(url, "GET", "/healthz")
    refusals = report or file.with_suffix(file.suffix + ".refused.csv")
    try:
        with _bar() as bar:
            task = bar.add_task(what, total=rows.count(file))
            done = asyncio.run(
                run(url, file, KINDS[what], reference, refusals,
                    lambda count: bar.update(task, completed=count))
            )  # fmt: skip
    except rows.Unreadable as unreadable:
        raise Stop(ExitCode.USAGE, str(unreadable)) from unreadable
    except Unreachable as away:
        raise Stop(ExitCode.NO_START, f"{away}; import again, nothing counts twice") from away
    except LoadRefused as refused:
        raise Stop(ExitCode.NOT_FINE, str(refused)) from refused
    told = asdict(done)
    table = Table(show_header=False, box=None)
    for name, value in told.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else str(value))
    show(told, table, as_json=as_json)
    if done.refused:
        message = f"{done.refused} rows were refused; see {done.refusals}"
        raise Stop(ExitCode.NOT_FINE, message)
    return ExitCode.FINE


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
        console=errors(),
    )
