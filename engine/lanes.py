"""Lanes: what it costs, and how long it takes, to send a parcel from a node to a zone."""

from typing import NamedTuple


class Lane(NamedTuple):
    """One node's way to one zone."""

    fixed_cents: int
    per_kg_cents: int
    transit_ms: int
    cutoff_minute: int | None = None  # Of the UTC day: what is ready later leaves the next day.
    #: (from so many grams on, cents per kg), ascending: heavier parcels cost another rate.
    steps: tuple[tuple[int, int], ...] = ()
