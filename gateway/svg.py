"""Plots as SVG text by hand: they need no script, no font and no other host."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]

#: Told apart by the colour-blind too (Okabe and Ito 2008); legends repeat what colours say.
COLOURS: Final = ("#0072b2", "#e69f00", "#cc3311", "#009e73", "#9467bd", "#56b4e9")
WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 46, 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a plot."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Where values lie and what stands beside them."""

    label: str
    ticks: Sequence[tuple[float, str]]
    place: Callable[[float], float] = lambda value: value  # Value → a linear scale.


def lines(title: str, series: Sequence[Series], x: Axis, y: Axis) -> str:
    """A line plot between the first and the last tick of each axis."""
    at_x = _scale(x, _LEFT, WIDTH - _RIGHT)
    at_y = _scale(y, _HEIGHT - _BOTTOM, _TOP)
    parts = [label(_LEFT, 18, title, "title")]
    for value, name in y.ticks:
        level = at_y(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {level:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(label(_LEFT - 6, level + 4, name, "tick", "end"))
    for value, name in x.ticks:
        parts.append(label(at_x(value), _HEIGHT - _BOTTOM + 16, name, "tick", "middle"))
    parts.append(label((_LEFT + WIDTH) / 2, _HEIGHT - 8, x.label, "tick", "middle"))
    parts.append(label(_LEFT, 36, y.label, "tick"))
    for number, line in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{at_x(a):.1f} {at_y(b):.1f}" for a, b in line.points)
        if path:
            parts.append(f'<path fill="none" stroke="{colour}" stroke-width="2" d="M{path}"/>')
    return framed(title, _HEIGHT, [*parts, *_legend([line.name for line in series])])


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str) -> str:
    """Horizontal bars, one a row, the value beside each."""
    top, step, left = 34, 30, 250
    greatest = max((value for _, value in rows), default=0.0) or 1.0
    parts = [label(10, 18, title, "title")]
    for number, (name, value) in enumerate(rows):
        y = top + number * step
        width = (WIDTH - left - 130) * value / greatest
        colour = COLOURS[0] if number == 0 else COLOURS[5]
        parts.append(label(left - 8, y + 16, name, "tick", "end"))
        parts.append(
            f'<rect x="{left}" y="{y}" width="{max(width, 1):.1f}" height="22" rx="3" '
            f'fill="{colour}"/>'
        )
        parts.append(label(left + width + 6, y + 16, f"{value:,.0f} {unit}", "tick"))
    return framed(title, top + step * len(rows) + 8, parts)


def groups(
    title: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float]]],
    *,
    digits: int = 0,
) -> str:
    """Horizontal bars, one of each of ``names`` in a row, the value beside each."""
    top, thick, left = 46, 16, 250
    step = thick * len(names) + 10
    greatest = max((value for _, values in rows for value in values), default=0.0) or 1.0
    parts = [label(10, 18, title, "title"), *_legend(names)]
    for number, (name, values) in enumerate(rows):
        y = top + number * step
        parts.append(label(left - 8, y + step / 2 - 1, name, "tick", "end"))
        for at, value in enumerate(values):
            width = (WIDTH - left - 110) * value / greatest
            parts.append(
                f'<rect x="{left}" y="{y + at * thick}" width="{max(width, 1):.1f}" '
                f'height="{thick - 2}" rx="2" fill="{COLOURS[at % len(COLOURS)]}"/>'
            )
            told = f"{value:,.{digits}f}"
            parts.append(label(left + width + 6, y + at * thick + 12, told, "tick"))
    return framed(title, top + step * len(rows) + 4, parts)


def over(title: str, parts: Sequence[str]) -> str:
    """Several plots under one title, as one picture with its own colours for a page like any."""
    heights = [int(part.split('viewBox="0 0 ', 1)[1].split('"', 1)[0].split()[1]) for part in parts]
    total = sum(heights) + 50
    inner, y = [], 44
    for part, height in zip(parts, heights, strict=True):
        inner.append(part.replace("<svg ", f'<svg y="{y}" width="{WIDTH}" height="{height}" ', 1))
        y += height
    background = f'<rect width="{WIDTH}" height="{total}" fill="#ffffff"/>'
    head = f'<text x="10" y="28" font-size="17" font-weight="600">{escape(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" '
        f'width="{WIDTH}" height="{total}" font-family="system-ui, sans-serif">'
        f"<style>{STYLE}</style>{background}{head}{''.join(inner)}</svg>"
    )


#: Of plots on a light ground; a page overrides it for a dark one.
STYLE: Final = (
    "text{fill:#222;font-family:system-ui,sans-serif}.title{font-size:15px;font-weight:600}"
    ".tick{font-size:12px;fill:#555}.grid{stroke:#ddd;stroke-width:1}"
    ".on{paint-order:stroke;stroke:Canvas;stroke-width:3px}"
)
#: What such a page adds.
DARK: Final = (
    "@media(prefers-color-scheme:dark){svg text{fill:#ddd}svg .tick{fill:#bbb}"
    "svg .grid{stroke:#444}}"
)


def linear_ticks(greatest: float, unit: float = 1.0) -> list[tuple[float, str]]:
    """About five round steps from 0 to beyond ``greatest``; labels are in ``unit``."""
    raw = max(greatest, 1e-9) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    count = math.ceil(greatest / step - 1e-9) or 1
    return [(step * n, f"{step * n / unit:,g}") for n in range(count + 1)]


def log_ticks(least: float, greatest: float) -> list[tuple[float, str]]:
    """Powers of ten around a range."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(greatest))
    return [(10.0**n, f"{10.0**n:,g}") for n in range(low, max(high, low + 1) + 1)]


def _scale(axis: Axis, first: float, last: float) -> Callable[[float], float]:
    """Value → position, for values between the first and the last tick."""
    low, high = axis.place(axis.ticks[0][0]), axis.place(axis.ticks[-1][0])
    return lambda value: first + (last - first) * (axis.place(value) - low) / (high - low)


def _legend(names: Sequence[str]) -> list[str]:
    """Names beside their colours, from the right; none for a single line.

    What has no room beside the axis label goes into the row of the title.
    """
    parts, x, y = [], float(WIDTH - _RIGHT), 27
    for number, name in reversed(list(enumerate(names if len(names) > 1 else ()))):
        width = 7.2 * len(name) + 26
        if x - width < _LEFT + 40:
            x, y = float(WIDTH - _RIGHT), 8
        x -= width
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(label(x + 16, y + 10, name, "tick"))
    return parts


def label(x: float, y: float, text: str, css: str, anchor: str = "start") -> str:
    """Text at a place; ``css`` is ``title`` or ``tick``, with ``on`` if over other things."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def framed(title: str, height: int, parts: Sequence[str]) -> str:
    """A picture of ``WIDTH`` and ``height``, and what it is called."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
