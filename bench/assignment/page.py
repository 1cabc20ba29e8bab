"""Contests as one HTML page: costs by plan, and how ours came down to the bound."""

from collections.abc import Sequence
from html import escape

from bench.assignment.contest import Contest
from gateway import svg

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "svg{max-width:100%;height:auto}.title{font-weight:600}"
)


def page(contests: Sequence[Contest]) -> str:
    """The page; it needs no script and no other host."""
    parts = [_contest(contest) for contest in contests]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Tidegate: waves</title><style>{_STYLE}</style>"
        f"<h1>Waves assigned</h1>{''.join(parts)}</html>\n"
    )


def _contest(contest: Contest) -> str:
    bars = [(entry.name, entry.cost / 100) for entry in contest.entries]
    bars.append(("no plan costs less", contest.bound / 100))
    return (
        f"<h2>{escape(contest.sizes)}, seed {contest.seed}</h2>"
        + svg.bars("Cost of the plan", bars, "")
        + _way(contest)
    )


def _way(contest: Contest) -> str:
    """The gap to the final bound over time."""
    points = [(step.seconds, 100 * contest.gap(step.cost)) for step in contest.steps]
    last, most = points[-1][0], max(1.0, *(gap for _, gap in points))
    return svg.lines(
        "Above the bound while searching",
        [svg.Series(name="our plan", points=points)],
        svg.Axis(label="seconds", ticks=svg.linear_ticks(last)),
        svg.Axis(label="% above the bound", ticks=svg.linear_ticks(most)),
    )
