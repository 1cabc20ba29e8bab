"""``tidegate doctor``: would a start succeed here, and if not, what to do about it."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from gateway.cli_output import ExitCode, Stop, show
from gateway.settings import Settings, Unusable

DATA: Final = Path(".tidegate")
COLOURS: Final = {"good": "green", "warning": "yellow", "bad": "red"}


def doctor(
    data: Annotated[Path, typer.Option(help="Folder that `tidegate up` will use.")] = DATA,
    store: Annotated[str, typer.Option(help="embedded, system, or a redis:// URL.")] = "embedded",
    as_json: Annotated[bool, typer.Option("--json", help="Exactly one JSON document.")] = False,
) -> int:
    """Check everything that a start needs; exit 1 if one would fail."""
    # The store's client costs a third of a second, which other commands need not wait for.
    from gateway.cli_checks import State, all_checks

    try:
        Settings(data=data, store=store)
    except Unusable as unusable:
        raise Stop(ExitCode.USAGE, str(unusable)) from unusable
    checks = list(all_checks(data, store))
    bad = [check for check in checks if check.state is State.BAD]
    table = Table("check", "state", "seen", "remedy")
    for check in checks:
        state = f"[{COLOURS[check.state]}]{check.state}[/]"
        table.add_row(check.name, state, escape(check.detail), escape(check.remedy))
    rows = [
        {"name": one.name, "state": str(one.state), "detail": one.detail, "remedy": one.remedy}
        for one in checks
    ]
    show({"ok": not bad, "checks": rows}, table, as_json=as_json)
    if bad:
        next_step = f"{bad[0].name}: {bad[0].detail}; {bad[0].remedy}"
        raise Stop(ExitCode.NOT_FINE, next_step)
    return ExitCode.FINE
