"""After a storm: nothing is left behind, no basket is half, and the books of all shards agree."""

from engine.backings import units_left
from engine.ids import shard_of, split_id
from engine.ledger import Ledger
from engine.record import BACKINGS, NONCE, PIECES, Reservation
from tests.builders import counters
from tests.property.simulation import SHARDS, Cluster


def settled(cluster: Cluster) -> None:
    """Nothing is left behind, no basket is half, and the books of all shards agree."""
    assert not cluster.missed, f"units were missing: {cluster.missed}"
    for failure in cluster.failures:
        raise failure
    promised: dict[str, list[int]] = {}
    expected: set[tuple[int, str]] = set()
    ledgers = [host.ledger for host in cluster.hosts]
    for home, ledger in enumerate(ledgers):
        assert not ledger.owing, f"shard {home} owes news: {ledger.owing}"
        for key, record in ledger.reservations.items():
            if key[0] != "/":
                expected |= _pieces_of(ledgers, home, key, Reservation(record))
                _count(promised, Reservation(record))
    found = {
        (shard, name)
        for shard, ledger in enumerate(ledgers)
        for name in ledger.reservations
        if name[0] == "/"
    }
    assert found == expected, f"pieces left behind: {found ^ expected}"
    for ledger, fold, excused in zip(ledgers, cluster.folds, cluster.excused, strict=True):
        assert fold.counters() == counters(ledger)
        for backing, (on_hand, _, reserved, committed, _) in counters(ledger).items():
            assert [reserved, committed] == promised.get(backing, [0, 0]), backing
            assert reserved + committed <= on_hand or backing in excused


def _pieces_of(
    ledgers: list[Ledger], home: int, key: str, reservation: Reservation
) -> set[tuple[int, str]]:  # fmt: skip
    """The pieces of an open reservation, each there with all of its units."""
    name = f"/{home:03x}.{key}"
    assert split_id(name[1:]) == (home, key)
    for line in reservation.lines:
        shard = shard_of(line[0], SHARDS)
        if shard == home or not line[BACKINGS:]:
            continue
        record = ledgers[shard].reservations.get(name)
        assert record is not None, f"half a basket: {name} lacks {line}"
        piece = Reservation(record)
        assert piece.digest.hex() == reservation.extra[NONCE], name
        assert piece.status == reservation.status, (name, piece.status, reservation.status)
        # A late payment takes what was granted; what was asked stands in the record only.
        taken = [[*part[:2], *part[BACKINGS:]] for part in piece.lines]
        assert [*line[:2], *line[BACKINGS:]] in taken, (name, line, piece.lines)
    return {(shard, name) for shard in reservation.extra.get(PIECES, ())}


def _count(promised: dict[str, list[int]], reservation: Reservation) -> None:
    for (sku, node), units in units_left(reservation).items():
        at = promised.setdefault(f"{sku}|{node}", [0, 0])
        at[1 if reservation.status else 0] += units
