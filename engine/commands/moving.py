"""What planners of many orders ask of a shard: what may be moved, and moves."""

from collections.abc import Sequence

from engine.commands import Command, Op


def movable(start: int, most: int, *, held: bool) -> Command:
    """Confirmed orders with a destination that have not been shipped; with ``held``, holds too.

    ``start`` is a place among the shard's records, 0 to begin. → OK, the place to go on from (None
    at the end), then up to ``most`` rows ``[key, record]``. What comes or goes meanwhile may be
    missed or told though it has ended: a move names what it saw.
    """
    return [Op.MOVABLE, start, most, held]


def move(key: str, revision: bytes, rows: Sequence[tuple[str, str, str, int]]) -> Command:
    """Let units of a reservation stand on other nodes: ``[sku, from node, to node, units]``.

    All of them or none. ``revision`` (``moving.revision``) is of the record that the mover saw.
    → OK with the record; STALE if it is another now; SHORT if a node has not got the units.
    """
    return [Op.MOVE, key, revision, rows]
