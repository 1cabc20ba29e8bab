"""``tidegate audit``: what owners, store and events say of a running engine, and what mends it."""

import json
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.table import Table

from actors.logs import HOSTS_LOG
from gateway.cli_http import DEFAULT_URL, ask, ask_well
from gateway.cli_output import ExitCode, Stop, show
from gateway.cli_views import AsJson, Url

#: What the stock of a shard was rebuilt from, in words.
_SOURCES: Final = {
    "stream": "all events",
    "base": "events folded up to {base_seq}",
    "live": "live state of {since}",
    "nothing": "nothing: events trimmed, no base yet; audit again in a minute",
}


def audit(
    url: Url = DEFAULT_URL,
    events: Annotated[
        bool, typer.Option("--events", help="Rebuild the stock from the events too.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Propose repairs by the events, and make small ones.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Units up to which a repair is made, by each.")
    ] = 0,
    as_json: AsJson = False,
) -> int:
    """Compare every owner's books with the store; exit 1 where they differ."""
    if limit and not repair:
        raise Stop(ExitCode.USAGE, "--limit is of --repair: give both")
    document = _audit(url, events=events or repair)
    if repair:
        repairs = [_made(url, finding, limit) for finding in document["findings"]]
        again = any(made["outcome"] == "made" for made in repairs)
        document = {**(_audit(url, events=True) if again else document), "repairs": repairs}
    show(document, _shown(document), as_json=as_json)
    if not document["clean"]:
        raise Stop(ExitCode.NOT_FINE, _after(document["findings"]))
    return ExitCode.FINE


def _audit(url: str, *, events: bool) -> dict[str, Any]:
    path = "/v1/audit?events=true" if events else "/v1/audit"
    document: dict[str, Any] = ask_well(url, "POST", path, patient=True)
    return document


def _made(url: str, finding: dict[str, Any], limit: int) -> dict[str, Any]:
    """What became of the repair of a finding: made, refused, above the limit, or none is safe."""
    repair = finding["repair"]
    told = {name: finding[name] for name in ("shard", "kind", "sku", "node", "reservation")}
    if repair is None:
        return {**told, "outcome": "none is safe", "detail": "see what it means"}
    reference = repair["body"].get("reference")
    if not limit or repair["units"] > limit:
        detail = f"{repair['units']} units: make it with --limit {max(1, repair['units'])}"
        return {**told, "outcome": "above the limit", "reference": reference, "detail": detail}
    status, answer = ask(url, "POST", repair["path"], repair["body"])
    refused = next((one for one in _answers(status, answer) if one["status"] >= 400), None)
    if refused is None:
        return {**told, "outcome": "made", "reference": reference, "detail": finding["advice"]}
    detail = refused["body"].get("detail") or refused["body"].get("title") or "no reason given"
    return {**told, "outcome": "refused", "reference": reference, "detail": detail}


def _answers(status: int, answer: Any) -> list[dict[str, Any]]:
    """A problem, or the answer for each position."""
    if status >= 400 or not isinstance(answer, dict):
        return [{"status": status, "body": answer if isinstance(answer, dict) else {}}]
    results: list[dict[str, Any]] = answer.get("results", [])
    return results


def _after(findings: list[dict[str, Any]]) -> str:
    """What to do about what an audit has found."""
    if all(finding["kind"] == "key-reused" for finding in findings):
        return (
            f"{len(findings)} keys were used for two requests each; release what is one too many, "
            "and have callers give each request a key of its own"
        )
    return (
        f"{len(findings)} findings; keep the data folder as it is and read its {HOSTS_LOG} "
        "before you sell these SKUs again; `tidegate audit --repair` says what would mend them"
    )


def _shown(document: dict[str, Any]) -> Group:
    """Tables: what was made good, what should not be and what it means, or what agrees."""
    parts: list[Table] = []
    if document.get("repairs"):
        parts.append(_repairs_table(document["repairs"]))
    findings = document["findings"]
    if findings:
        parts += [_findings_table(findings), _advice_table(findings)]
    parts.append(_audited(document["shards"], "books and store agree" if not findings else None))
    return Group(*parts)


def _audited(shards: list[dict[str, Any]], title: str | None) -> Table:
    table = Table("shard", title=title, title_justify="left")
    for name in ("epoch", "seq", "reservations"):
        table.add_column(name, justify="right")
    rebuilt = any(row.get("rebuilt") for row in shards)
    if rebuilt:
        table.add_column("stock rebuilt from")
    for row in shards:
        cells = [str(row[name]) for name in ("shard", "epoch", "seq", "reservations")]
        if rebuilt:
            cells.append(_SOURCES[row["rebuilt"]["source"]].format(**row["rebuilt"]))
        table.add_row(*cells)
    return table


def _findings_table(findings: list[dict[str, Any]]) -> Table:
    names = ("shard", "kind", "sku", "node", "reservation", "owner", "store", "events", "last_seq")
    table = Table(*names, title="what should not be", title_justify="left")
    for finding in findings:
        table.add_row(*(_cell(finding[name]) for name in names))
    return table


def _advice_table(findings: list[dict[str, Any]]) -> Table:
    """What to do, each advice once, and the requests that would mend."""
    table = Table("what it means", "mended by", title_justify="left")
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        repair = finding["repair"]
        made = [] if repair is None else [f"POST {repair['path']} {json.dumps(repair['body'])}"]
        kinds.setdefault(finding["advice"], []).extend(made)
    for advice, requests in kinds.items():
        table.add_row(advice, "\n".join(requests) or "nothing that is safe unseen")
    return table


def _repairs_table(repairs: list[dict[str, Any]]) -> Table:
    names = ("shard", "kind", "sku", "node", "reservation", "outcome", "detail")
    table = Table(*names, title="repairs", title_justify="left")
    for repair in repairs:
        table.add_row(*(_cell(repair[name]) for name in names))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
