"""A tariff for those who have none: lanes from coordinates.

Distance is the great circle's (haversine formula: R. W. Sinnott, Virtues of the Haversine, Sky and
Telescope 68(2), 1984) on a sphere of 6,371.0088 km, the mean earth radius of the IUGG. A parcel
pays a fixed part, a part for each 100 km begun, and its weight; it travels by road at 60 km/h for
ten hours a day, after half a day of sorting.
"""

from collections.abc import Iterator, Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple

EARTH_KM: Final = 6371.0088
FIXED_CENTS: Final = 250
CENTS_PER_100_KM: Final = 12
PER_KG_CENTS: Final = 45
SORTING_HOURS: Final = 12.0
KM_PER_DAY: Final = 600.0


class Place(NamedTuple):
    """Degrees north and east."""

    latitude: float
    longitude: float


def distance_km(one: Place, other: Place) -> float:
    """Along the great circle."""
    north, south = radians(one.latitude), radians(other.latitude)
    by_latitude = sin((south - north) / 2) ** 2
    by_longitude = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(by_latitude + cos(north) * cos(south) * by_longitude))


class Quote(NamedTuple):
    """A lane as ``PUT /v1/lanes`` takes it, but for its ends."""

    fixed_cents: int
    per_kg_cents: int
    transit_hours: float


def quote(one: Place, other: Place) -> Quote:
    """What sending a parcel costs, and how long it takes."""
    away_km = distance_km(one, other)
    fixed = FIXED_CENTS + CENTS_PER_100_KM * -int(-away_km // 100)
    return Quote(fixed, PER_KG_CENTS, round(SORTING_HOURS + 24 * away_km / KM_PER_DAY, 1))


def lanes(nodes: Mapping[str, Place], zones: Mapping[str, Place]) -> Iterator[dict[str, object]]:
    """Rows of ``PUT /v1/lanes`` from every node to every zone."""
    for zone, there in sorted(zones.items()):
        for node, here in sorted(nodes.items()):
            yield {"node": node, "zone": zone, **quote(here, there)._asdict()}
