"""What planners of many orders ask of a shard: what may be moved, and moves."""

from collections.abc import Sequence

from engine.commands import Command, Op


def movable(start: int, most: int, *, held: bool) -> Command:
    """Confirmed orders with a destination, with ``held`` those that are held too; and all pieces.

    ``start`` is a place among the shard's records, 0 to begin. → OK, the place to go on from (None
    at the end), then up to ``most`` rows ``[key, record]``. What comes or goes meanwhile may be
    missed or told though it has ended: a move names what it saw.
    """
    return [Op.MOVABLE, start, most, held]


#: ``[sku, from slot, to node, units]``: from a node, or from a supply on its way.
Row = tuple[str, str, str, int]


#: A record's moves, and of a piece its zone.
Asked = tuple[str, bytes, Sequence[Row]] | tuple[str, bytes, Sequence[Row], str]


def move(asked: Sequence[Asked]) -> Command:
    """Let units of reservations stand on other nodes: ``[key, revision, rows]``, a key once.

    Of a piece (its field) also where it goes, which only its home keeps. ``revision``
    (``moving.revision``) is of the record that the mover saw; empty: as it is now. A record's rows
    are made all or none; what one move frees another may take. → OK, then for each an outcome:
    OK; STALE if the record is another now; SHORT if a node has not got the units.
    """
    return [Op.MOVE, asked]
