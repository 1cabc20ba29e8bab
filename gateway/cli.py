"""The command line ``tidegate``: thin commands, each of which checks what it is told and hands on.

``demo`` and ``bench`` become ``python -m bench``: the arrow from the bench to the gateway never
turns back. Exit codes and the last line on standard error are in ``cli_output``.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from engine.errors import CannotStart
from engine.limits import SHARDS_DEFAULT
from engine.record import Durability
from gateway import (
    cli_audit,
    cli_doctor,
    cli_import,
    cli_plan,
    cli_prices,
    cli_sample,
    cli_solve,
    cli_tariff,
    cli_views,
)
from gateway.cli_output import ExitCode, Stop, say_next
from gateway.settings import Settings, Transport, Unusable

app = typer.Typer(
    name="tidegate",
    help="Reserve stock at flash-sale speed without ever overselling.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

Level = Literal["memory", "everysec", "fsync", "replicated", "replicated_fsync"]


@app.command()
def up(
    actors: Annotated[int, typer.Option(help="Shard hosts; each owns some shards.")] = 2,
    shards: Annotated[int, typer.Option(help="Of a new store; 4 per actor.")] = SHARDS_DEFAULT,
    workers: Annotated[int, typer.Option(help="Gateway processes on the same port.")] = 1,
    data: Annotated[Path, typer.Option(help="Of store and logs.")] = Path(".tidegate"),
    durability: Annotated[Level, typer.Option(help="What an answered change survives.")] = "fsync",
    store: Annotated[
        str, typer.Option(help="embedded, system (a server on the PATH), or a redis:// URL.")
    ] = "embedded",
    port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8080,
    transport: Annotated[
        Transport, typer.Option(help="How batches reach the owners: a socket, or Ray calls.")
    ] = "lane",
    window_hours: Annotated[
        int, typer.Option(help="How long an ended reservation answers for its key, 24 to 720.")
    ] = 24,
    wave_every_seconds: Annotated[
        int, typer.Option(help="Begin a wave of all orders by itself; 0: not by the clock.")
    ] = 0,
    wave_every_orders: Annotated[
        int, typer.Option(help="The same when so many orders were confirmed; 0: not by number.")
    ] = 0,
    repair: Annotated[
        bool, typer.Option("--repair", help="Plan orders anew whose units or nodes fail.")
    ] = False,
) -> int:
    """Start store, shard hosts and gateway on this machine, and print `ready URL`."""
    try:
        settings = Settings(
            actors=actors,
            shards=shards,
            workers=workers,
            data=data,
            durability=Durability[durability.upper()],
            store=store,
            port=port,
            transport=transport,
            window_hours=window_hours,
            wave_every_seconds=wave_every_seconds,
            wave_every_orders=wave_every_orders,
            repair=repair,
        )
    except Unusable as unusable:
        raise Stop(ExitCode.USAGE, str(unusable)) from unusable
    # Ray takes seconds to import and reads its environment while it does: only for `up`.
    from gateway.up import run

    try:
        return run(settings)
    except CannotStart as fault:
        raise Stop(ExitCode.NO_START, str(fault)) from fault


@app.command(context_settings=PASS_ON, add_help_option=False)
def demo(context: typer.Context) -> int:
    """Play a flash sale of a real retailer's baskets and audit it (`demo --help` has options)."""
    return _become_bench(["demo", *context.args])


@app.command(context_settings=PASS_ON, add_help_option=False)
def bench(context: typer.Context) -> int:
    """Measure, with baselines in the same run (`bench --help` lists the scenarios)."""
    return _become_bench(context.args)


app.add_typer(cli_solve.app, name="solve")
app.add_typer(cli_prices.app, name="prices")
app.command("load-sample")(cli_sample.load_sample)
app.command("import")(cli_import.import_file)
app.command()(cli_tariff.tariff)
app.add_typer(cli_plan.app, name="plan")
app.command()(cli_views.status)
app.command()(cli_doctor.doctor)
app.command()(cli_audit.audit)
app.command()(cli_views.shards)


def main() -> int:
    """Run the command that ``sys.argv`` names; returns the exit code."""
    try:
        return cast("int", app(standalone_mode=False))
    except Stop as stop:
        say_next(stop.next_step)
        return stop.code
    except typer.TyperException as usage:
        message = usage.format_message().replace("Value error, ", "").rstrip(".")
        say_next(f"{message}; `tidegate --help` shows what there is")
        return ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt):
        say_next("stopped")
        return ExitCode.NOT_FINE


def _become_bench(arguments: list[str]) -> int:
    """Go on as ``python -m bench``; signals, exit code and streams are then its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "bench", *arguments])


if __name__ == "__main__":
    sys.exit(main())
