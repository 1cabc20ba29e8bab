"""What callers are told, as bytes.

A one-line reservation is laid out by hand: it is most of all traffic, and building a dict for it
would cost more than everything else in the answer.
"""

from typing import Any, Final

import msgpack
import msgspec

from engine.record import BACKINGS, LEVEL_UNIT, Durability, Line, Status, line_units
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


def reservation_json(name: str, record: bytes) -> str:
    """The reservation whose id is ``name`` as JSON text.

    Ids need no escapes: their pattern has neither quotes nor backslashes.
    """
    members = _unpackb(record, raw=False, unicode_errors="surrogateescape", strict_map_key=False)
    lines = members[3]
    line = lines[0]
    if len(lines) == 1 and len(line) == BACKINGS + 2:
        units = line[4]
        node = "null" if line[1] is None else f'"{line[1]}"'
        return (
            f'{{"id":"{name}","key":"{name[4:]}",{_FLAGS_JSON[members[0]]}'
            f'"expires_at":"{written(members[1])}","lines":[{{"sku":"{line[0]}","node":{node},'
            f'"requested":{line[2]},"quantity":{units},"backings":[{{"node":"{line[3]}",'
            f'"quantity":{units},"supply":null,"deliver_by":null,"cost_cents":null}}]}}]}}'
        )
    return (
        f'{{"id":"{name}","key":"{name[4:]}",{_FLAGS_JSON[members[0]]}'
        f'"expires_at":"{written(members[1])}","lines":[{",".join(map(_line_json, lines))}]}}'
    )


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
    return {
        "id": name,
        "key": name[4:],
        "status": status,
        "durability": level,
        "expires_at": written(members[1]),
        "lines": [_line(line) for line in members[3]],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "sku": line[0],
        "node": line[1],
        "requested": line[2],
        "quantity": line_units(line),
        "backings": [
            {"node": line[at], "quantity": line[at + 1], "supply": None, "deliver_by": None,
             "cost_cents": None}
            for at in range(BACKINGS, len(line), 2)
        ],
    }  # fmt: skip


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
