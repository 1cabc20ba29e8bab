"""Nodes where they lie, and what a plan moves between them, as one picture."""

from collections.abc import Sequence
from html import escape
from math import cos, hypot, radians, sqrt
from typing import Final

from gateway.svg import COLOURS, WIDTH, framed, label
from gateway.waves.summary import Flow, Load

Place = tuple[float, float]

_HEIGHT_MIN, _HEIGHT_MAX = 260, 620
_MARGIN, _TOP = 70, 66
#: Radius of the node that sends most, and of one that sends nothing; width of the largest flow.
_RADIUS_MAX, _RADIUS_MIN, _STROKE_MAX = 22.0, 3.5, 7.0
#: More arrows than this, and nobody tells them apart.
_ARROWS_MAX: Final = 20
#: From this share of its capacity on a node counts as full.
_FULL: Final = 0.95
_FREE_COLOUR, _FULL_COLOUR, _ARROW_COLOUR = COLOURS[5], COLOURS[2], COLOURS[1]
_LETTER: Final = 7.0


def drawn(loads: Sequence[Load], flows: Sequence[Flow]) -> str:
    """The picture; empty where fewer than two nodes say where they lie."""
    known = [load for load in loads if load.latitude is not None and load.longitude is not None]
    if len(known) < 2:
        return ""
    places, height = _places(known)
    shown = [flow for flow in flows if flow.origin in places and flow.to in places][:_ARROWS_MAX]
    most = max((load.parcels[1] for load in known), default=0) or 1
    radius = {
        load.node: max(_RADIUS_MIN, _RADIUS_MAX * sqrt(load.parcels[1] / most)) for load in known
    }
    units = max((flow.units for flow in shown), default=1)
    title = "Where orders leave from, and what the plan moves"
    parts = [label(10, 18, title, "title"), *_legend()]
    # Large nodes first, so that none hides another; arrows over them, names over all.
    parts += [
        _circle(load, places[load.node], radius[load.node])
        for load in sorted(known, key=lambda load: -radius[load.node])
    ]
    for flow in reversed(shown):
        ends = places[flow.origin], places[flow.to]
        parts.append(_arrow(flow, ends, radius, _STROKE_MAX * sqrt(flow.units / units)))
    parts += _names(known, places, radius, height)
    return framed(title, height, parts)


def _places(known: Sequence[Load]) -> tuple[dict[str, Place], int]:
    """Where each node is painted, degrees as long both ways as they are there; and the height."""
    latitudes = [load.latitude or 0.0 for load in known]
    # The world is cut where most of it is empty: Fiji has nodes on both sides of 180 degrees.
    east = sorted({(load.longitude or 0.0) % 360 for load in known})
    gaps = [
        (after - before) % 360 for before, after in zip(east, [*east[1:], east[0]], strict=True)
    ]
    cut = east[(gaps.index(max(gaps)) + 1) % len(east)]
    shrink = cos(radians((min(latitudes) + max(latitudes)) / 2))
    across = [((load.longitude or 0.0) - cut) % 360 * shrink for load in known]
    down = [max(latitudes) - latitude for latitude in latitudes]
    width, length = max(across), max(down)
    room_x, room_y = WIDTH - 2 * _MARGIN, _HEIGHT_MAX - _TOP - _MARGIN
    scale = min(room_x / max(width, 1e-6), room_y / max(length, 1e-6))
    height = max(_HEIGHT_MIN, round(length * scale) + _TOP + _MARGIN)
    left = (WIDTH - width * scale) / 2
    top = _TOP + (height - _TOP - _MARGIN / 2 - length * scale) / 2
    at = {
        load.node: (left + x * scale, top + y * scale)
        for load, x, y in zip(known, across, down, strict=True)
    }
    return at, height


def _circle(load: Load, place: Place, radius: float) -> str:
    full = load.used is not None and load.used >= _FULL
    depth = 0.5 if load.used is None else 0.15 + 0.7 * min(1.0, load.used)
    room = "no bound" if load.capacity is None else f"of {load.capacity:,}"
    told = f"{load.node}: {load.parcels[1]:,} parcels ({room}), {load.parcels[0]:,} before"
    return (
        f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:.1f}" stroke-width="1.5" '
        f'fill="{_FULL_COLOUR if full else _FREE_COLOUR}" fill-opacity="{depth:.2f}" '
        f'stroke="{_FULL_COLOUR if full else COLOURS[0]}"><title>{escape(told)}</title></circle>'
    )


def _arrow(flow: Flow, ends: tuple[Place, Place], radius: dict[str, float], stroke: float) -> str:
    """Bent to its right: the way back does not hide it. Empty between two nodes of one place."""
    (ax, ay), (bx, by) = ends
    length = hypot(bx - ax, by - ay)
    if length < 1.0:
        return ""
    side_x, side_y = (ay - by) / length, (bx - ax) / length
    mid_x, mid_y = (ax + bx) / 2 + side_x * length * 0.15, (ay + by) / 2 + side_y * length * 0.15
    stroke, head = max(1.0, stroke), 5.0 + max(1.0, stroke)
    to_x, to_y = _towards((bx, by), (mid_x, mid_y), radius[flow.to])
    end_x, end_y = _towards((to_x, to_y), (mid_x, mid_y), head)
    from_x, from_y = _towards((ax, ay), (mid_x, mid_y), radius[flow.origin])
    across_x, across_y = (to_y - end_y) / head * (head / 2), (end_x - to_x) / head * (head / 2)
    told = f"{flow.origin} to {flow.to}: {flow.units:,} units of {flow.orders:,} orders"
    return (
        f'<g opacity=".7"><title>{escape(told)}</title><path fill="none" stroke="{_ARROW_COLOUR}" '
        f'stroke-width="{stroke:.1f}" d="M{from_x:.1f} {from_y:.1f}Q{mid_x:.1f} {mid_y:.1f} '
        f'{end_x:.1f} {end_y:.1f}"/><path fill="{_ARROW_COLOUR}" d="M{to_x:.1f} {to_y:.1f}L'
        f"{end_x + across_x:.1f} {end_y + across_y:.1f}L{end_x - across_x:.1f} "
        f'{end_y - across_y:.1f}Z"/></g>'
    )


def _towards(start: Place, end: Place, by: float) -> Place:
    """``by`` pixels on the way, at most half of it."""
    length = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    share = min(0.5, by / length)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _names(
    known: Sequence[Load], places: dict[str, Place], radius: dict[str, float], height: int
) -> list[str]:
    """The names that have room beside their circles, those of the largest first."""
    parts: list[str] = []
    taken = [
        (x - radius[node], y - radius[node], x + radius[node], y + radius[node])
        for node, (x, y) in places.items()
    ]
    for load in sorted(known, key=lambda load: (-load.parcels[1], load.node)):
        x, y = places[load.node]
        beside, wide = radius[load.node] + 4, _LETTER * len(load.node)
        for left, middle, anchor in (
            (x + beside, y + 4, "start"), (x - beside - wide, y + 4, "end"),
            (x - wide / 2, y + beside + 10, "middle"), (x - wide / 2, y - beside, "middle"),
        ):  # fmt: skip
            box = left, middle - 11, left + wide, middle + 3
            inside = left >= 0 and left + wide <= WIDTH and box[1] >= _TOP and box[3] <= height
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                at = {"start": left, "end": left + wide, "middle": x}[anchor]
                parts.append(label(at, middle, load.node, "tick on", anchor))
                break
    return parts


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend() -> list[str]:
    parts, x = [], 10.0
    for colour, text in (
        (_FREE_COLOUR, "parcels (area), capacity used (depth)"),
        (_FULL_COLOUR, f"{_FULL:.0%} used or more"),
        (_ARROW_COLOUR, "units that move (width)"),
    ):
        parts.append(f'<rect x="{x:.0f}" y="26" width="12" height="12" fill="{colour}"/>')
        parts.append(label(x + 16, 36, text, "tick"))
        x += 7.2 * len(text) + 34
    return parts
