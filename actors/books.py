"""The audit of one shard: the owner's books against the store, at one seq for each portion."""

from typing import TYPE_CHECKING, Any

from actors.folding import standing_still
from actors.owner import Phase, ShardOwner
from engine.limits import PEEK_FIELDS_MAX
from engine.record import pack

if TYPE_CHECKING:
    from engine.store.protocol import ShardStore


async def audit(owner: ShardOwner, store: "ShardStore") -> dict[str, Any]:
    """Every record, guard and position that differs, with both sides' values.

    Selling goes on: decisions pause only while a portion of up to 1,000 fields is compared.
    Empty where the shard went to another owner meanwhile.
    """
    async with owner.audits:
        found = await _audit(owner, store)
    return found if owner.phase is Phase.SERVING else {}


async def _audit(owner: ShardOwner, store: "ShardStore") -> dict[str, Any]:
    ledger = owner.ledger
    findings: list[dict[str, Any]] = []
    for name, ours in (
        ("reservations", ledger.reservations.get),
        ("free", lambda field: _free(ledger, field)),
        ("state", lambda field: _position(ledger, field)),
    ):
        names: set[str] = set()
        async for portion in store.scan(ledger.shard, name):
            names.update(field for field, _ in portion)
        if name == "reservations":
            names.update(ledger.reservations)
        elif name == "free":
            names.update(ledger.free_units())
        else:
            names = {field for field in names if field.startswith("q|")}
            names.update(f"q|{backing}" for backing in ledger.free_units())
        fields = sorted(names)
        for first in range(0, len(fields), PEEK_FIELDS_MAX):
            part = fields[first : first + PEEK_FIELDS_MAX]
            findings += await _compare(owner, store, name, part, ours)
    shard = {
        "shard": ledger.shard,
        "epoch": owner.right.epoch,
        "seq": owner.accepted_seq,
        "reservations": len(ledger.reservations),
    }
    keys_count = len(ledger.reservations) + len(ledger.closed)
    return {"shard": shard, "findings": findings, "keys_count": keys_count}


async def _compare(
    owner: ShardOwner, store: "ShardStore", name: str, fields: list[str], ours: Any
) -> list[dict[str, Any]]:
    async with standing_still(owner):
        peeked = await store.peek(owner.ledger.shard, name, fields)
        here = [ours(field) for field in fields]
        if (peeked.epoch, peeked.seq) != (owner.right.epoch, owner.accepted_seq):
            return [_finding(owner, "history", name, owner.accepted_seq, peeked.seq)]
    return [
        _finding(owner, name, field, mine, theirs)
        for field, mine, theirs in zip(fields, here, peeked.values, strict=True)
        if not _same(name, mine, theirs)
    ]


def _same(name: str, mine: bytes | None, theirs: bytes | None) -> bool:
    if name == "free":
        return int(mine or 0) == int(theirs or 0)
    return mine == theirs


def _finding(owner: ShardOwner, kind: str, field: str, mine: Any, theirs: Any) -> dict[str, Any]:
    sku, _, node = field.removeprefix("q|").partition("|")
    stock = kind in ("free", "state")
    return {
        "shard": owner.ledger.shard,
        "kind": kind,
        "sku": sku if stock else None,
        "node": node if stock else None,
        "reservation": None if stock else field,
        "owner": _shown(mine),
        "store": _shown(theirs),
    }


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) and not value.isdigit() else _plain(value)


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _free(ledger: Any, backing: str) -> bytes | None:
    position = _at(ledger, backing)
    return None if position is None else str(position.free).encode()


def _at(ledger: Any, backing: str) -> Any:
    sku, _, slot = backing.partition("|")
    book = ledger.books.get(sku)
    return book.positions.get(slot) if book is not None else None


def _position(ledger: Any, field: str) -> bytes | None:
    position = _at(ledger, field[2:])
    if position is None:
        return None
    packed: bytes = pack(position.kept())
    return packed
