"""A wave as one HTML page that loads nothing and runs nothing."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from typing import Any, Final

from gateway import svg
from gateway.waves import map as maps
from gateway.waves.summary import Flow, Summary, summary_of
from solver.case import Case

Document = Mapping[str, Any]

#: Rows of a chart and of a table: the rest is in the export.
_BARS, _ROWS = 12, 25
#: Nearer to its bound than this a logarithmic axis shows no plan, in percent.
_NEAR: Final = 0.01
#: Letters of a node's name in a chart; tables have all of it.
_LETTERS: Final = 16

_CSS: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:820px;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.2rem}svg{width:100%;min-width:600px;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8884}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.6rem}
dl div{background:#8881;border-radius:6px;padding:.5rem .8rem}dt{font-size:.8rem;opacity:.75}
dd{margin:0;font-size:1.2rem;font-weight:600;overflow-wrap:anywhere}.note{opacity:.8}
@media(max-width:500px){th,td{padding:.25rem .35rem}}
"""


def page_of(wave: Document, case: Case | None) -> str:
    """The page; ``wave`` as ``GET /v1/waves/{id}`` tells it, without a plan only that."""
    title = f"Wave {wave['id']}"
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(_sentence(wave))}</p>", _facts(wave)]
    if case is None:
        parts.append(f'<p class="note">{escape(_without(wave))}</p>')
    else:
        parts += _planned(summary_of(case))
    parts.append(_search(wave["steps"]))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{svg.STYLE}{_CSS}{svg.DARK}</style></head><body><main>{''.join(parts)}</main>"
        "</body></html>\n"
    )


def _money(cents: float | None) -> str:
    return "unknown" if cents is None else f"{cents / 100:,.2f}"


def _sentence(wave: Document) -> str:
    """What came of it, in words."""
    before, after, bound = (
        wave[name] for name in ("cost_cents_before", "cost_cents_after", "bound_cents")
    )
    if wave["state"] == "failed":
        return f"It failed: {wave['reason']}."
    if wave["state"] != "done":
        return f"It is {wave['state']}; load this page again for more."
    if not wave["orders"]:
        return "There was no order to plan."
    share = f", {(before - after) / before:.1%} less" if before and after <= before else ""
    said = (
        f"{wave['orders']:,} orders were planned together: they cost {_money(after)} instead of "
        f"{_money(before)}{share}."
    )
    if bound is not None:
        said += f" No plan of them costs less than {_money(bound)}."
    return said + (" A dry run: nothing was moved." if wave["dry_run"] else "")


def _facts(wave: Document) -> str:
    gap = wave["gap_share"]
    terms = [f"{name} closed" for name in wave["closed_nodes"]]
    percent = wave["capacity_percent"]
    if isinstance(percent, dict):
        percent = ", ".join(f"{node} {share}" for node, share in percent.items())
    if percent is not None:
        terms.append(f"capacity in percent: {percent}")
    if wave["days_faster"]:
        terms.append(f"{wave['days_faster']} days faster")
    facts = (
        ("state", wave["state"] + (", dry run" if wave["dry_run"] else "")),
        ("orders", "unknown" if wave["orders"] is None else f"{wave['orders']:,}"),
        ("cost before", _money(wave["cost_cents_before"])),
        ("cost after", _money(wave["cost_cents_after"])),
        ("bound", _money(wave["bound_cents"])),
        ("gap", "unknown" if gap is None else f"{max(gap, 0.0):.2%}"),
        ("orders moved", f"{wave['moved']:,}"),
        ("moves refused", f"{wave['refused_moves']:,}"),
        ("lines without a place", f"{wave['lines_without_place'] or 0:,}"),
        ("terms", ", ".join(terms)),
        ("begun", wave["started_at"][:16].replace("T", " ") + " UTC"),
    )
    return "<dl>{}</dl>".format(
        "".join(
            f"<div><dt>{name}</dt><dd>{escape(told)}</dd></div>" for name, told in facts if told
        )
    )


def _without(wave: Document) -> str:
    if wave["finished_at"] is None:
        return "There is no plan yet."
    return "There is no plan of it here: the plans of the last three waves are kept."


def _planned(summary: Summary) -> list[str]:
    return [
        "<h2>What it costs</h2>",
        _costs(summary),
        "<h2>What moves</h2>",
        _flows(summary.flows),
        _map(summary),
        _loads(summary),
        "<h2>What stands in the way</h2>",
        _binding(summary),
    ]


def _costs(summary: Summary) -> str:
    names = ("lane", "weight", "handling", "lateness", "split", "unserved")
    pairs = [(name, [getattr(cost, name) / 100 for cost in summary.cost]) for name in names]
    parcels, left = summary.parcels, summary.unserved
    picture = svg.groups("Parts of the cost", ("before", "after"), pairs, digits=2)
    return _wide(picture) + (
        f"<p>{parcels[0]:,} parcels before, {parcels[1]:,} after; lines without a place "
        f"{left[0]:,} before, {left[1]:,} after.</p>"
    )


def _flows(flows: Sequence[Flow]) -> str:
    if not flows:
        return "<p>Nothing: every line leaves from where it stood.</p>"
    bars = [
        (f"{_short(flow.origin)} → {_short(flow.to)}", [float(flow.units)])
        for flow in flows[:_BARS]
    ]
    rows = [(flow.origin, flow.to, f"{flow.units:,}", f"{flow.orders:,}") for flow in flows[:_ROWS]]
    title = "Units from node to node" + (", the largest" if len(flows) > _BARS else "")
    return _wide(svg.groups(title, ("units",), bars)) + _table(
        ("from", "to", "units", "orders"), rows, 2, len(flows)
    )


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _map(summary: Summary) -> str:
    picture = maps.drawn(summary.loads, summary.flows)
    unknown = sum(load.latitude is None or load.longitude is None for load in summary.loads)
    if not picture:
        return '<p class="note">No map: fewer than two nodes have a latitude and a longitude.</p>'
    picture = _wide(picture)
    if unknown:
        picture += f'<p class="note">Nodes without coordinates, not on the map: {unknown}.</p>'
    return picture


def _loads(summary: Summary) -> str:
    busy = [load for load in summary.loads if any(load.parcels)]
    busy.sort(key=lambda load: (-load.parcels[1], -load.parcels[0], load.node))
    rows = [
        (
            load.node,
            f"{load.parcels[0]:,}",
            f"{load.parcels[1]:,}",
            "no bound" if load.capacity is None else f"{load.capacity:,}",
            "" if load.used is None else f"{load.used:.0%}",
            f"{load.units[0]:,}",
            f"{load.units[1]:,}",
        )
        for load in busy[:_ROWS]
    ]
    head = ("node", "parcels before", "after", "may send", "used", "units before", "after")
    return _table(head, rows, 1, len(busy))


def _binding(summary: Summary) -> str:
    if not summary.binding:
        return "<p>Nothing: every line leaves from where it costs least.</p>"
    rows = [
        (
            "parcels" if one.sku is None else f"stock of {one.sku}",
            one.node,
            f"{one.lines:,}",
            _money(one.cents),
        )
        for one in summary.binding[:_ROWS]
    ]
    return (
        "<p>Used up, though these lines would cost less from there; what that would save, if each "
        "had its wish alone.</p>"
    ) + _table(("what", "node", "lines", "would save"), rows, 2, len(summary.binding))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int, of: int) -> str:
    """A table; the first ``words`` columns are text, the others figures, ``of`` all its rows."""
    kinds = ["" if at < words else ' class="n"' for at in range(len(head))]
    top = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    more = f'<p class="note">The first {len(rows)} of {of:,}.</p>' if of > len(rows) else ""
    return _wide(f"<table><tr>{top}</tr>{body}</table>") + more


def _wide(part: str) -> str:
    """What is scrolled by itself on a narrow screen."""
    return f'<div class="scroll">{part}</div>'


def _search(steps: Sequence[Document]) -> str:
    """How far the plan was above the last bound over time; nothing where there is no bound."""
    bound = steps[-1]["bound_cents"] if steps else None
    if not bound:
        return ""
    points = [
        (step["seconds"], max(_NEAR, 100 * (step["cost_cents"] / bound - 1))) for step in steps
    ]
    gaps = [gap for _, gap in points]
    picture = svg.lines(
        "The plan above the bound while it was searched for",
        [svg.Series(name="plan", points=points)],
        svg.Axis(label="seconds", ticks=svg.linear_ticks(points[-1][0])),
        svg.Axis(label="% above the bound", ticks=svg.log_ticks(min(gaps), max(gaps)), place=log10),
    )
    rows = [
        (step["stage"], f"{step['seconds']:.2f}", _money(step["cost_cents"]),
         _money(step["bound_cents"]))
        for step in _told(steps)
    ]  # fmt: skip
    return (
        f"<h2>How it was found</h2>{_wide(picture)}<details><summary>The steps</summary>"
        f"{_table(('stage', 'seconds', 'cost', 'bound'), rows, 1, len(rows))}</details>"
    )


def _told(steps: Sequence[Document]) -> list[Document]:
    """The steps that changed anything."""
    told: list[Document] = []
    for step in steps:
        if not told or any(
            step[name] != told[-1][name] for name in ("stage", "cost_cents", "bound_cents")
        ):
            told.append(step)
    return told
