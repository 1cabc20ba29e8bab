"""``tidegate status`` and ``shards``: what a running gateway says about itself."""

from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.cli_http import DEFAULT_URL, ask_readiness, ask_well
from gateway.cli_output import ExitCode, Stop, show

Url = Annotated[str, typer.Option("--url", help="Where the gateway answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with exactly one JSON document.")]


def status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> int:
    """Say whether a gateway is ready, and if not, why not."""
    ready, reasons = ask_readiness(url)
    shards = ask_well(url, "GET", "/v1/shards")["shards"] if ready else []
    document = {
        "url": url,
        "ready": ready,
        "reasons": reasons,
        "shards": len(shards),
        "owners": sorted({shard["owner"] for shard in shards if shard["owner"]}),
        "open_reservations": sum(shard["open_reservations"] for shard in shards),
        "queue": sum(shard["queue"] for shard in shards),
    }
    show(document, _facts(document), as_json=as_json)
    if not ready:
        next_step = f"not ready: {', '.join(reasons)}; ask again, or run `tidegate doctor`"
        raise Stop(ExitCode.NOT_FINE, next_step)
    return ExitCode.FINE


def shards(url: Url = DEFAULT_URL, as_json: AsJson = False) -> int:
    """Show each shard: its owner, its place in history, its load over the last minute."""
    document = ask_well(url, "GET", "/v1/shards")
    show(document, _shards_table(document["shards"]), as_json=as_json)
    return ExitCode.FINE


def _facts(document: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in document.items():
        shown = (", ".join(value) or "none") if isinstance(value, list) else str(value)
        table.add_row(name.replace("_", " "), shown)
    return table


def _shards_table(rows: list[dict[str, Any]]) -> Table:
    """What fits into 80 columns; the epoch is in the JSON document."""
    table = Table("shard", "owner", "state", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("seq", "open", "queue", "batch", "queued", "decide", "commit"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        batch = row["batch_size"]
        cells = (row["shard"], row["owner"] or "nobody", row["state"], row["seq"])
        load = (row["open_reservations"], row["queue"], f"{batch['p50']}/{batch['p99']}")
        times = (row["queue_ms_p99"], row["decide_ms_p99"], row["commit_ms_p99"])
        table.add_row(*map(str, cells + load + times))
    table.caption = "batch: p50/p99 commands · queued, decide, commit: p99 in ms"
    return table
