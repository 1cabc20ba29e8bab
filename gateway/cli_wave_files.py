"""``tidegate solve page``, ``export``, ``plan``, ``compare`` and ``replay``: waves as files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.table import Table

from gateway.cli_faults import faults_told
from gateway.cli_http import DEFAULT_URL, ask_well, fetch
from gateway.cli_output import ExitCode, Stop, errors, show
from gateway.cli_views import AsJson, Url

if TYPE_CHECKING:
    from solver.case import Case

WaveId = Annotated[str, typer.Argument(help="A wave's id.")]
Source = Annotated[str, typer.Argument(help="A wave's id, or a folder that was exported.")]
Seconds = Annotated[float, typer.Option(min=0.1, max=3_600, help="How long to search at most.")]
#: Orders that are told one by one: --json has all of them.
_TOLD: Final = 20
#: Letters that a line over or under the figures may have.
_WIDE: Final = 76


def page(
    wave: WaveId,
    out: Annotated[Path, typer.Option(help="The HTML file to write.", dir_okay=False)],
    url: Url = DEFAULT_URL,
) -> int:
    """Write a wave as an HTML page: costs, flows, a map, what stands in the way."""
    text = fetch(url, f"/v1/waves/{quote(wave)}/page")
    try:
        out.write_bytes(text)
    except OSError as error:
        raise Stop(ExitCode.USAGE, f"--out {out}: {error.strerror}") from error
    errors().print(f"{out} has wave {wave}", markup=False)
    return ExitCode.FINE


def export(
    wave: WaveId,
    out: Annotated[Path, typer.Option(help="The folder to write to.", file_okay=False)],
    url: Url = DEFAULT_URL,
) -> int:
    """Write a wave's problem and plan as Parquet tables; see docs/waves.md for their columns."""
    from gateway.waves.tables import write_case

    with faults_told():
        case, seconds = _of_wave(wave, url)
        write_case(out, case, seconds)
    errors().print(f"{out} has the tables of wave {wave}", markup=False)
    return ExitCode.FINE


def plan(
    folder: Annotated[Path, typer.Argument(help="Tables as exported.", file_okay=False)],
    seconds: Seconds = 15.0,
    seed: Annotated[int, typer.Option(min=0, help="What the search begins with.")] = 1,
    as_json: AsJson = False,
) -> int:
    """Plan a folder of tables on this machine, and write plan.parquet and result.parquet."""
    with faults_told():
        from gateway.waves.compare import figures
        from gateway.waves.reading import read_folder
        from gateway.waves.tables import write_plan
        from solver.effort import Effort
        from solver.solve import solve

        problem = read_folder(folder).problem
        made = solve(problem, Effort(seconds=seconds, seed=seed))
        write_plan(folder, problem, made, seconds)
    document = figures(made)
    show(document, _figures({"plan": document}), as_json=as_json)
    return ExitCode.FINE


def compare(a: Source, b: Source, url: Url = DEFAULT_URL, as_json: AsJson = False) -> int:
    """Show two plans side by side: what they cost, and the orders that leave from elsewhere."""
    with faults_told():
        from gateway.waves.compare import compared

        document = compared(_loaded(a, url)[0], _loaded(b, url)[0])
    table = _figures({"a": document["a"], "b": document["b"]})
    orders, differ = document["orders"], document["differ"]
    table.title = (
        f"{orders['both']:,} orders in both, {orders['only_a']:,} only in a, "
        f"{orders['only_b']:,} only in b; {len(differ):,} of both leave from elsewhere"
    )
    table.caption = _listed(differ)
    show(document, table, as_json=as_json)
    return ExitCode.FINE


def replay(
    wave: Source,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, max=3_600, show_default="as it had", help="How long to search."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, show_default="as it had", help="What to begin with.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> int:
    """Plan a wave again on this machine by the same code, and say how the plans differ.

    Exit code 1 where they should be the same: same seed and version, both within the gap at which
    a search ends.
    """
    with faults_told():
        from gateway.waves.compare import compared
        from gateway.waves.replay import replayed

        case, had = _loaded(wave, url)
        again = replayed(case, had if seconds is None else seconds, seed)
        document = {**compared(case, again.case), "verdict": again.verdict, "fine": again.fine}
    table = _figures({"recorded": document["a"], "replayed": document["b"]})
    table.title = again.verdict
    table.caption = _listed(document["differ"])
    show(document, table, as_json=as_json)
    if not again.fine:
        message = f"{again.verdict}; keep the export and report both, the search is at fault"
        raise Stop(ExitCode.NOT_FINE, message)
    return ExitCode.FINE


def _loaded(source: str, url: str) -> "tuple[Case, float]":
    """The wave of a folder or of the gateway, and how long it was searched for. Raises Stop."""
    if not Path(source).is_dir():
        return _of_wave(source, url)
    from gateway.waves.reading import read_folder

    written = read_folder(Path(source))
    if written.case is None or written.seconds is None:
        message = f"{source} has no plan.parquet; `tidegate solve plan {source}` makes one"
        raise Stop(ExitCode.USAGE, message)
    return written.case, written.seconds


def _of_wave(wave: str, url: str) -> "tuple[Case, float]":
    from solver.saved import unpack_case

    path = f"/v1/waves/{quote(wave)}"
    told = ask_well(url, "GET", path)
    return unpack_case(fetch(url, f"{path}/problem")), float(told["max_seconds"])


def _figures(plans: Mapping[str, Mapping[str, Any]]) -> Table:
    """A column for each plan, and how far the second is from the first."""
    table = Table("", box=None, min_width=_WIDE, title_justify="left", caption_justify="left")
    for name in plans:
        table.add_column(name, justify="right")
    first, *more = plans.values()
    if more:
        table.add_column("difference", justify="right")
    for name in first:
        values = [one[name] for one in plans.values()]
        if more:
            values.append(values[1] - values[0])
        word = name.removesuffix("_cents").removesuffix("_share").replace("_", " ")
        table.add_row(word, *(_figure(name, value) for value in values))
    return table


def _figure(name: str, value: float) -> str:
    if name.endswith("_cents"):
        return f"{value / 100:,.2f}"
    return f"{value:.3%}" if name.endswith("_share") else f"{value:,}"


def _listed(differ: list[dict[str, Any]]) -> str | None:
    rows = [f"{one['order']}: {', '.join(one['a'])} → {', '.join(one['b'])}" for one in differ]
    if len(rows) > _TOLD:
        rows[_TOLD:] = [f"and {len(rows) - _TOLD:,} more; --json has all of them"]
    return "\n".join(rows) or None
