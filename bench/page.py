"""A report as one HTML page that loads nothing: audit first, then speed."""

import json
from collections.abc import Sequence
from html import escape
from math import log10
from typing import Final

from bench.report import Document, audit_words, number
from bench.tally import SERIES_MS
from gateway.svg import DARK, STYLE, Axis, Series, bars, linear_ticks, lines, log_ticks, over

#: Figure → what its bar is called. The first that a report has is the product's own.
_RIVALS: Final = (
    ("rate_256_per_s", "Tidegate over HTTP, 256 connections"),
    ("rate_batch_per_s", "Tidegate, batch door"),
    ("raw_lua_per_s", "one Lua call each, no HTTP"),
    ("postgres_1000_rows_per_s", "PostgreSQL, 1000 rows, no HTTP"),
    ("fastapi_lua_per_s", "FastAPI + one Lua call a request"),
    ("postgres_hot_per_s", "PostgreSQL, one hot row, no HTTP"),
)
_KIND_NAMES: Final = {"ok": "reserved", "sold_out": "sold out", "shed": "refused early",
                      "unknown": "unknown", "errors": "errors"}  # fmt: skip

_CSS: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:820px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:1rem 0;display:block;overflow-x:auto}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8884}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.box{border-left:6px solid #009e73;padding:.5rem 1rem;background:#009e7318}
.bad{border-color:#cc3311;background:#cc331118}
pre{overflow-x:auto;font-size:.8rem}
"""


def page(report: Document) -> str:
    """The whole page."""
    title = f"Tidegate bench: {report['scenario']}"
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(report['question'])}</p>", _audit(report)]
    if "figures" in report:
        parts += plots(report)
        parts += [_targets(report), _figures(report)]
    environment = escape(json.dumps(report["environment"], indent=1))
    parts.append(f"<h2>Environment</h2><pre>{environment}</pre>")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_CSS}{DARK}</style><body>{''.join(parts)}</body></html>\n"
    )


#: Figures of a drop that was a declared campaign.
_CAMPAIGN: Final = (
    ("declared_units", "declared"), ("declared_on_its_way", "of which on their way"),
    ("drop_sold_units", "sold"), ("drop_returned_units", "given back"),
    ("drop_refused_units", "refused"), ("drop_oversold_units", "oversold"),
)  # fmt: skip


#: What the drop's orders cost to send.
_WAVE: Final = (
    ("wave_cost_before", "each order alone"), ("wave_cost_after", "planned together"),
    ("wave_bound", "no plan costs less"),
)  # fmt: skip


def picture(report: Document) -> str:
    """One SVG for a README: what was sold when, and who else would have sold how much."""
    audit = report["audit"] or {"oversold_units": 0, "acknowledged_missing": 0}
    title = (
        f"{report['scenario']}: {audit['oversold_units']} oversold, "
        f"{audit['acknowledged_missing']} acknowledged reservations missing"
    )
    if report["void"]:  # Whoever sees only the picture must know it too.
        title = f"VOID ({report['void'][0]}): {report['scenario']}"
    return over(title, plots(report))


def plots(report: Document) -> list[str]:
    """Rate over time, latency by percentile, baselines: those there are data for."""
    steps = report["steps"]
    parts = []
    if steps:
        shown = next((step for step in steps if step["name"] == "open loop"), steps[-1])
        parts += [_rates(shown), _percentiles(steps)]
    rows = [(name, report["figures"][figure]["median"]) for figure, name in _RIVALS
            if figure in report["figures"]]  # fmt: skip
    if len(rows) > 1:
        parts.append(bars("Reservations a second, same machine, same durability", rows, "/s"))
    for title, wanted in (
        ("The drop's closing report, units", _CAMPAIGN),
        ("Sending the drop's orders, cost", _WAVE),
    ):
        rows = [
            (name, report["figures"][figure]["median"])
            for figure, name in wanted
            if figure in report["figures"]
        ]
        if rows:
            parts.append(bars(title, rows, ""))
    return parts


def _rates(step: Document) -> str:
    """Answers of each kind over time."""
    scale = 1000 / SERIES_MS
    kinds = [kind for kind in step["series"] if kind == "ok" or any(step["series"][kind])]
    series = [
        Series(
            name=_KIND_NAMES[kind],
            points=[(n / scale, count * scale) for n, count in enumerate(step["series"][kind])],
        )
        for kind in kinds
    ]
    greatest = max((y for line in series for _, y in line.points), default=1.0)
    seconds = max(len(step["series"]["ok"]) / scale, 0.1)
    x = Axis(label="seconds", ticks=_up_to(seconds))
    y = Axis(label="answers a second", ticks=linear_ticks(greatest))
    return lines(f"What buyers were told: {step['name']}", series, x, y)


def _percentiles(steps: Sequence[Document]) -> str:
    """Latency by percentile on two logarithmic axes, in the way of HDR histogram plots."""
    series = [
        Series(name=step["name"], points=[(p, max(ms, 0.01)) for p, ms in step["curve"]])
        for step in steps
        if step["curve"] and step["curve"][-1][1] > 0
    ][-6:]
    values = [ms for line in series for _, ms in line.points] or [1.0]
    ticks = [(100 - 100 / 10**n, label) for n, label in
             enumerate(("0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"))]  # fmt: skip
    x = Axis(label="of answers came within", ticks=ticks, place=lambda p: -log10(1 - p / 100))
    y = Axis(label="ms", ticks=log_ticks(min(values), max(values)), place=log10)
    return lines("Latency", series, x, y)


def _up_to(seconds: float) -> list[tuple[float, str]]:
    """Ticks of the time axis; the last is its end."""
    inner = [tick for tick in linear_ticks(seconds) if tick[0] < seconds * 0.95]
    return [*inner, (seconds, f"{seconds:g}")]


def _audit(report: Document) -> str:
    """The verdict, above everything that is fast."""
    audit = report["audit"]
    every = [*report["void"], *report["findings"], *report["notes"]]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in every)
    reasons = f"<ul>{reasons}</ul>" if reasons else ""
    if audit is None:
        return f"<h2>Audit</h2><p>Nothing was promised to anybody.</p>{reasons}"
    findings = "".join(f"<li>{escape(finding)}</li>" for finding in audit["findings"])
    return (
        f'<h2>Audit</h2><div class="box{"" if audit["clean"] else " bad"}">'
        f"<b>{'Clean' if audit['clean'] else 'FAILED: no speed is shown'}</b><br>"
        f"{'<br>'.join(audit_words(audit))}"
        f"<ul>{findings}</ul></div>{reasons}"
    )


def _targets(report: Document) -> str:
    if not report["targets"]:
        return ""
    rows = "".join(
        f'<tr><td>{escape(target["words"])}<td class="n">{escape(target["bound"])}'
        f'<td class="n">{number(target["measured"])}<td>{"met" if target["met"] else "missed"}'
        for target in report["targets"]
    )
    return f"<h2>Targets</h2><table><tr><th>figure<th>target<th>measured<th>{rows}</table>"


def _figures(report: Document) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}"
        + "".join(f'<td class="n">{number(values[key])}' for key in ("median", "min", "max"))
        for name, values in report["figures"].items()
    )
    return f"<h2>Figures</h2><table><tr><th>figure<th>median<th>min<th>max{rows}</table>"
