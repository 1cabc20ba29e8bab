"""Baskets over all shards of a ``cluster``, and where they lie."""

from actors.owner import ShardOwner
from engine.ids import shard_of
from engine.outcome import Outcome
from engine.record import Reservation
from tests.cluster import SHARDS, Cluster, LocalHost, eventually, skus_on

#: A SKU on each shard, smallest first: the first one's shard is home.
SKUS = sorted(skus_on(shard, 1)[0] for shard in range(SHARDS))
HOME = SKUS[0]


def others_of(cluster: Cluster, host: LocalHost) -> LocalHost:
    return next(other for other in cluster.hosts.values() if other is not host)


async def stocked(cluster: Cluster, units: int = 10) -> None:
    await cluster.stock(dict.fromkeys(SKUS, units))


async def held(cluster: Cluster, key: str, units: int = 2) -> Reservation:
    """A basket with units of every SKU."""
    reply = await cluster.reserve(key, *([sku, None, units] for sku in SKUS))
    assert reply[0] == Outcome.OK, reply
    return Reservation(reply[1])


async def everywhere(cluster: Cluster, **wanted: int) -> None:
    """Wait until the position of every SKU says so: news take a moment to the other shards."""

    async def so() -> bool:
        positions = [await cluster.position(sku) for sku in SKUS]
        return all(wanted.items() <= position.items() for position in positions)

    await eventually(so)


def away_from_home(cluster: Cluster) -> str:
    """A SKU that another host owns than the home of ``SKUS``."""
    home = cluster.owner_of(HOME)
    return next(sku for sku in SKUS if cluster.owner_of(sku) is not home)


def owner_of(cluster: Cluster, sku: str) -> ShardOwner:
    return cluster.owner_of(sku).core.owners[shard_of(sku, SHARDS)]
