"""What callers are told, as bytes.

A one-line reservation is laid out by hand: it is most of all traffic, and building a dict for it
would cost more than everything else in the answer.
"""

from typing import Any, Final

import msgpack
import msgspec

from engine.costing import Costs
from engine.record import (
    BACKINGS,
    BUNDLES,
    COSTS,
    LEVEL_UNIT,
    PICKUP_UNTIL,
    Durability,
    Extra,
    Line,
    Status,
    line_units,
    plain_record,
)
from engine.stock import ON_ITS_WAY
from gateway.times import written

to_json: Final = msgspec.json.Encoder().encode
to_msgpack: Final = msgspec.msgpack.Encoder().encode

_unpackb: Final = msgpack.unpackb


def encoded(document: Any, packed: bool) -> bytes:
    """``document`` in the format of the answer."""
    return to_msgpack(document) if packed else to_json(document)


#: flags of a record → ("status", "durability") as callers read them.
_FLAGS: Final = {
    status + LEVEL_UNIT * level: (status.name.lower(), level.name.lower())
    for status in Status
    for level in Durability
}


#: The same as JSON text; so many strings are made anew in each answer, these need not be.
_FLAGS_JSON: Final = {
    flags: f'"status":"{status}","durability":"{level}",'
    for flags, (status, level) in _FLAGS.items()
}


def unpacked(record: bytes) -> list[Any]:
    """A record's members, see ``engine.record``."""
    members: list[Any] = _unpackb(
        record, raw=False, unicode_errors="surrogateescape", strict_map_key=False
    )
    return members


#: Where a record has its rarer members, and those that show in its lines.
FIFTH: Final = 4
_SHOWN: Final = frozenset({BUNDLES, COSTS, PICKUP_UNTIL})

#: Lines of records as JSON text, by their bytes: buyers of a sale get the same ones.
_known_lines: Final[dict[bytes, str]] = {}
_KNOWN_LINES_MAX: Final = 50_000
_KNOWN_LINES_BYTES: Final = 96  # Of one line. Of longer baskets hardly two are the same.


def reservation_json(name: str, record: bytes) -> str:
    """The reservation whose id is ``name`` as JSON text.

    Ids need no escapes: their pattern has neither quotes nor backslashes.
    """
    plain = plain_record(record)
    if plain is None:
        members = unpacked(record)
        if len(members) > FIFTH and (members[FIFTH].keys() & _SHOWN):
            return to_json(reservation(name, record)).decode()
        flags, expires_at_ms, lines = members[0], members[1], _lines_json(members[3])
    else:
        flags, expires_at_ms, packed = plain
        known = _known_lines.get(packed)
        lines = known if known is not None else _learn_lines(packed)
    return (
        f'{{"id":"{name}","key":"{name[4:]}",{_FLAGS_JSON[flags]}'
        f'"expires_at":"{written(expires_at_ms)}","lines":{lines}}}'
    )


def _learn_lines(packed: bytes) -> str:
    lines = _lines_json(unpacked(packed))
    if len(packed) <= _KNOWN_LINES_BYTES:
        if len(_known_lines) >= _KNOWN_LINES_MAX:
            _known_lines.clear()
        _known_lines[packed] = lines
    return lines


def _lines_json(lines: list[Line]) -> str:
    return f"[{','.join(map(_line_json, lines))}]"


def _line_json(line: Line) -> str:
    node = "null" if line[1] is None else f'"{line[1]}"'
    backings = ",".join(
        f'{{"node":"{line[at]}","quantity":{line[at + 1]},'
        '"supply":null,"deliver_by":null,"cost_cents":null}'
        for at in range(BACKINGS, len(line), 2)
    )
    return (
        f'{{"sku":"{line[0]}","node":{node},"requested":{line[2]},'
        f'"quantity":{line_units(line)},"backings":[{backings}]}}'
    )


def reservation(name: str, record: bytes) -> dict[str, Any]:
    """The reservation whose id is ``name`` as plain values."""
    members = unpacked(record)
    status, level = _FLAGS[members[0]]
    extra: Extra = members[FIFTH] if len(members) > FIFTH else {}
    return {
        "id": name,
        "key": name[4:],
        "status": status,
        "durability": level,
        "expires_at": written(members[1]),
        "lines": _lines(members[3], extra),
        **({"bundles": _bundles(extra[BUNDLES])} if BUNDLES in extra else {}),
        **({"pickup_until": written(extra[PICKUP_UNTIL])} if PICKUP_UNTIL in extra else {}),
    }


def _bundles(rows: list[Any]) -> list[dict[str, Any]]:
    return [{"sku": code, "quantity": units} for code, units in rows]


def _lines(lines: list[Line], extra: Extra) -> list[dict[str, Any]]:
    """Lines as callers see them; a parcel's fixed cost counts once, with its node's first units."""
    costs: Costs = extra.get(COSTS, {})
    paid: set[str] = set()
    return [
        {
            "sku": line[0],
            "node": line[1],
            "requested": line[2],
            "quantity": line_units(line),
            "backings": [
                _backing(line[at], line[at + 1], costs.get(f"{line[0]}|{line[at]}"), paid)
                for at in range(BACKINGS, len(line), 2)
            ],
        }
        for line in lines
    ]


def _backing(slot: str, units: int, cost: list[Any] | None, paid: set[str]) -> dict[str, Any]:
    node, _, supply = slot.partition(ON_ITS_WAY)
    by_ms, fixed, by_weight, *decided = cost if cost is not None else (None, None, None)
    cents = None if by_weight is None else by_weight + (0 if node in paid else fixed)
    if cost is not None:
        paid.add(node)
        cost[2] = None if by_weight is None else 0  # Of this place: told.
    return {
        "node": node,
        "quantity": units,
        "supply": supply or None,
        "deliver_by": None if by_ms is None else written(by_ms),
        "cost_cents": cents,
        **dict(zip(("bid_price_cents", "price_version"), decided, strict=False)),
    }


def reservation_body(name: str, record: bytes, packed: bool) -> bytes:
    """The reservation in the format of the answer."""
    if packed:
        return to_msgpack(reservation(name, record))
    return reservation_json(name, record).encode()


def sold_out_json(row: list[Any]) -> str:
    """The problem ``sold-out`` of one short line ``[sku, node, requested, 0]``."""
    sku, node, requested, available = row
    wished = "null" if node is None else f'"{node}"'
    return (
        '{"type":"/problems/sold-out","title":"Sold out","status":409,'
        f'"detail":"{sku}: {requested} asked, {available} available",'
        '"retryable":false,"outcome":"none","short_lines":['
        f'{{"sku":"{sku}","node":{wished},"requested":{requested},"available":{available},'
        '"next_available_at":null}]}'
    )
