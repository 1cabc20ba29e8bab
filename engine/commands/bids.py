"""Commands about bid prices; every shard has those of its own SKUs, and of all nodes."""

from collections.abc import Mapping, Sequence

from engine.commands import Command, Op


def price(
    version: int,
    part: int,
    parts: int,
    parcels: Mapping[str, int],
    units: Mapping[str, Mapping[str, int]],
) -> Command:
    """Bring part ``part`` of ``parts`` of the prices ``version``; the last one puts all in force.

    ``parcels``: cents a parcel by node, with the last part; ``units``: cents a unit by node, by
    SKU. A SKU or node that no part names has no price. → OK and the version that is in force or
    will be (not older ones than it has), or GAP: parts were lost, begin with part 0.
    """
    return [Op.PRICE, version, part, parts, parcels, units]


def read_bids(skus: Sequence[str]) -> Command:
    """→ OK, version, cents a parcel by node, a unit by SKU and node, how many SKUs have a price."""
    return [Op.READ_BIDS, skus]
