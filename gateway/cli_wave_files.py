"""``tidegate solve page``: a wave as a file to look at."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from gateway.cli_http import DEFAULT_URL, fetch
from gateway.cli_output import ExitCode, Stop, errors
from gateway.cli_views import Url

WaveId = Annotated[str, typer.Argument(help="A wave's id.")]


def page(
    wave: WaveId,
    out: Annotated[Path, typer.Option(help="The HTML file to write.", dir_okay=False)],
    url: Url = DEFAULT_URL,
) -> int:
    """Write a wave as an HTML page: costs, flows, a map, what stands in the way."""
    text = fetch(url, f"/v1/waves/{quote(wave)}/page")
    _write(out, text)
    errors().print(f"{out} has wave {wave}", markup=False)
    return ExitCode.FINE


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Stop(ExitCode.USAGE, f"--out {path}: {error.strerror}") from error
