"""Runs → one document (JSON), and that document → a table for the terminal."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.audit import Audit
from bench.environment import describe
from bench.figures import Figure, summarise
from bench.scenario import Options, Run, Scenario
from bench.tally import KINDS, Measure

Document: TypeAlias = dict[str, Any]

#: Latencies of single steps.
_STEP_FIGURE: Final = re.compile(r"^p\d+_\w+_ms\Z")


def document(scenario: Scenario, options: Options, runs: Sequence[Run]) -> Document:
    """All there is to say. Where an audit failed there are no speeds in it."""
    audits = [run.audit for run in runs if run.audit is not None]
    result: Document = {
        "format": 1,
        "scenario": scenario.name,
        "question": scenario.question,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": len(runs),
        "seconds": scenario.seconds(options),
        "environment": describe(scenario, options),
        "audit": _merged(audits) if audits else None,
        "void": [reason for run in runs for reason in run.void],
        "findings": [finding for run in runs for finding in run.findings],
        "notes": sorted({note for run in runs for note in run.notes}),
    }
    if all(audit.clean for audit in audits):
        figures = summarise(scenario, runs)
        result["figures"] = {name: figure.as_dict() for name, figure in figures.items()}
        result["targets"] = _targets(scenario, figures)
        if scenario.strict:
            result["findings"] += _missed(result["targets"])
        result["steps"] = [_step(measure) for measure in runs[-1].measures]
        result["details"] = runs[-1].details
    return result


def figures_of(report: Document) -> dict[str, Figure]:
    """The figures of a document, as they were summarised."""
    return {
        name: Figure(median=values["median"], low=values["min"], high=values["max"])
        for name, values in report.get("figures", {}).items()
    }


def write_json(report: Document, path: Path) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def show(report: Document, console: Console) -> None:
    """Print it: what was asked, the audit, then speed."""
    environment = report["environment"]
    console.print(f"[bold]{report['scenario']}[/bold]: {report['question']}")
    console.print(
        f"{environment['cpu']}, {environment['cores']} cores, {environment['kernel']}; durability "
        f"{environment['durability']}, {report['runs']} runs, seed {environment['seed']}",
        style="dim",
    )
    if report["audit"]:
        console.print(_audit_line(report["audit"]))
        for finding in report["audit"]["findings"]:
            console.print(f"  {finding}", style="red", markup=False)
    for reason in report["void"]:
        console.print(f"void: {reason}", style="red", markup=False)
    for finding in report["findings"]:
        console.print(f"finding: {finding}", style="red", markup=False)
    for note in report["notes"]:
        console.print(f"note: {note}", style="yellow", markup=False)
    if "figures" in report:
        if report["steps"]:
            console.print(_step_table(report["steps"]))
        console.print(_figure_table(report["figures"]))
        if report["targets"]:
            console.print(_target_table(report["targets"]))


def number(value: float) -> str:
    """A figure to three or four digits."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _merged(audits: Sequence[Audit]) -> Document:
    """The audits of all runs as one."""
    names = ("acknowledged", "unknown", "oversold_units", "acknowledged_missing",
             "acknowledged_payments", "payments_missing", "unaccounted_units")  # fmt: skip
    result: Document = {name: sum(getattr(audit, name) for audit in audits) for name in names}
    result["store_audit_clean"] = all(audit.store_audit_clean for audit in audits)
    result["clean"] = all(audit.clean for audit in audits)
    result["findings"] = [finding for audit in audits for finding in audit.findings]
    return result


def _targets(scenario: Scenario, figures: dict[str, Figure]) -> list[Document]:
    """Each bound beside what was measured; a figure that was not measured is left out."""
    return [
        {
            "figure": target.figure,
            "words": target.words,
            "bound": str(target),
            "measured": figures[target.figure].median,
            "met": target.met(figures[target.figure].median),
        }
        for target in scenario.targets
        if target.figure in figures
    ]


def _missed(targets: Sequence[Document]) -> list[str]:
    return [
        f"{target['words']}: {number(target['measured'])}, and it should be {target['bound']}"
        for target in targets
        if not target["met"]
    ]


def _step(measure: Measure) -> Document:
    return {**asdict(measure), "rate_per_s": measure.rate_per_s}


def audit_words(audit: Document) -> list[str]:
    """What was compared, and how much of it was wrong."""
    missing, paid = audit["acknowledged_missing"], audit["acknowledged_payments"]
    words = [
        f"{audit['oversold_units']} units oversold",
        f"{missing} of {audit['acknowledged']:,} acknowledged reservations missing",
        f"{audit['unaccounted_units']} units unaccounted for",
        f"{audit['unknown']} answers unknown",
    ]
    if paid:
        words.insert(2, f"{audit['payments_missing']} of {paid:,} payments missing")
    return words


def _audit_line(audit: Document) -> str:
    colour = "green" if audit["clean"] else "red"
    words = "clean" if audit["clean"] else "FAILED"
    return f"[{colour}]audit {words}[/{colour}]: {', '.join(audit_words(audit))}"


def _step_table(steps: Sequence[Document]) -> Table:
    kinds = [kind.replace("_", " ") for kind in KINDS[1:]]
    table = Table("last run", "ok/s", "p50 ms", "p99 ms", "p99.9", *kinds, box=SIMPLE_HEAD,
                  padding=(0, 1, 0, 0), pad_edge=False)  # fmt: skip
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True  # On a narrow terminal names are folded.
    for step in steps:
        latency = step["latency_ms"]
        table.add_row(
            step["name"],
            f"{step['rate_per_s']:,.0f}",
            *(number(latency[name]) for name in ("p50", "p99", "p999")),
            *(f"{step['counts'][kind]:,}" for kind in KINDS[1:]),
        )
    return table


def _target_table(targets: Sequence[Document]) -> Table:
    table = Table("target", "figure", "bound", "median", "", box=SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify, column.no_wrap = "right", True
    for target in targets:
        verdict = "[green]met" if target["met"] else "[red]missed"
        row = (target["words"], target["figure"], target["bound"], number(target["measured"]))
        table.add_row(*row, verdict)
    return table


def _figure_table(figures: Document) -> Table:
    table = Table("figure", "median", "min", "max", box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for name, values in figures.items():
        if not _STEP_FIGURE.match(name):  # The table of steps has it; the JSON too.
            table.add_row(name, *(number(values[key]) for key in ("median", "min", "max")))
    return table
