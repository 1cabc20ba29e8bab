"""A reservation as bytes: one encoding for the store, the owner's memory, events and replies.

A record is a MessagePack array ``[flags, expires_at_ms, digest, lines]`` or the same with a
fifth element, a map of rarer things. Packed it takes about 60 bytes for one line, a quarter of
what Python objects would take, and the owner holds a million of them.

* ``flags``: status + 8 × durability level that the last change met.
* ``digest``: 16 bytes of the canonical request (``ids.digest``); a piece's nonce.
* ``lines``: arrays ``[sku, wished node or None, requested, node, units, node, units, ...]``.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final, TypeAlias

import msgpack

Line: TypeAlias = list[Any]
Extra: TypeAlias = dict[str, Any]

#: Keys of the fifth element.
CHANNEL: Final = "c"
CAMPAIGN: Final = "m"
CUSTOMER: Final = "u"
ZONE: Final = "z"
DELIVER_BY: Final = "d"  # ms
PICKUP: Final = "f"
PARTIAL: Final = "p"
ENDED_AT: Final = "e"  # ms
HOLD_NUMBER: Final = "h"  # A late confirm starts a second hold of the same reservation.
SHIPPED: Final = "s"  # {reference: [digest, [[sku, node, units], ...]]}
NONCE: Final = "n"
PIECES: Final = "x"  # [shard, ...] that hold pieces of this reservation.
OWES: Final = "o"  # {shard: message}: news those shards have not acknowledged yet.
HOME: Final = "k"  # In a piece: the home shard.
PREORDER: Final = "y"  # Units on their way will do.
PICKUP_UNTIL: Final = "w"  # ms; what is not collected by then goes back on sale.
BUNDLES: Final = "g"  # [[code, units], ...] that its lines are parts of.
SUPERSEDES: Final = "v"  # Key of the hold that it takes over.
SUPERSEDED_BY: Final = "V"  # Key of the one that took it over.
LIMITS: Final = "l"  # Limits over several SKUs that apply, ``totals.Limits``.
COUNTED: Final = "q"  # On the customer's shard: what is counted there, ``totals.Counted``.
COSTS: Final = "b"  # See ``costing.Costs``.
UNTOLD: Final = "t"  # In a piece: home does not know its backings yet.
#: In a piece: the number of the last change of its backings; at home, by shard, that it has heard.
REBACKED: Final = "j"

#: Members that say which share and limits the units count in.
DRAWN_ON: Final = (CHANNEL, CAMPAIGN, CUSTOMER)
#: Members that pieces keep: these, when units on their way are wanted, and whether it is collected.
KEPT_BY_PIECES: Final = (*DRAWN_ON, DELIVER_BY, PREORDER, PICKUP)
#: Those a payment after expiry asks by again.
ASKED_BY: Final = (*DRAWN_ON, ZONE, PICKUP, DELIVER_BY, PREORDER, LIMITS)
#: Members with which only the owner may speak of stock: no sold-out hint is ever given to them,
#: nor does one hold them up.
OWNER_LOOKS: Final = frozenset({PARTIAL, DELIVER_BY, CAMPAIGN, PREORDER, SUPERSEDES, PICKUP})
#: Where the first line's backings begin within a line.
BACKINGS: Final = 3


class Status(IntEnum):
    """Where a reservation is in its life. Wire format: append, never renumber."""

    HELD = 0
    CONFIRMED = 1
    FULFILLED = 2
    RELEASED = 3
    EXPIRED = 4
    CANCELLED = 5
    TAKEN = 6  # Only a piece: units set aside, home not known to have sealed.
    ABORTED = 7  # Only at home: an attempt that must never be sealed.


class Durability(IntEnum):
    """What an acknowledged change survives."""

    MEMORY = 0
    EVERYSEC = 1
    FSYNC = 2
    REPLICATED = 3
    REPLICATED_FSYNC = 4


LEVEL_UNIT: Final = 8  # flags = status + LEVEL_UNIT * level
FLAGS_AT: Final = 1  # Packed they are one byte, behind the one that says how many members follow.

_packer = msgpack.Packer(use_bin_type=False)
#: Lua's cmsgpack reads only the old string type, hence raw bytes that we decode as needed.
pack = _packer.pack


def unpack(data: bytes) -> Any:
    """What ``pack`` packed; text comes back as ``str``, bytes that are no UTF-8 as ``str`` too.

    Digests and nonces are bytes: they are read with surrogate escapes and compared in that form.
    """
    return msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape", strict_map_key=False)


#: MessagePack's way to say: array of four, unsigned 64 bit, string of 16 bytes.
FOUR_MEMBERS: Final = b"\x94"
FIVE_MEMBERS: Final = b"\x95"
UINT64: Final = b"\xcf"
RAW_16: Final = b"\xb0"
#: Bytes of a record without rarer things, up to its lines.
_LINES_AT: Final = 28


def plain_record(record: bytes) -> tuple[int, int, bytes] | None:
    """(flags, expires_at_ms, packed lines) of a record without rarer things; None of any other."""
    if record[:1] != FOUR_MEMBERS or record[2:3] != UINT64 or record[11:12] != RAW_16:
        return None
    return record[1], int.from_bytes(record[3:11], "big"), record[_LINES_AT:]


def with_flags(record: bytes, flags: int) -> bytes:
    """The same record with other flags, of one that ``plain_record`` has taken apart."""
    return b"%b%c%b" % (record[:1], flags, record[2:])


class Reservation:
    """A record taken apart, to be read or changed and packed again."""

    __slots__ = ("digest", "expires_at_ms", "extra", "level", "lines", "status")

    def __init__(self, record: bytes) -> None:
        flags, self.expires_at_ms, digest, self.lines, *rest = unpack(record)
        self.status = Status(flags % LEVEL_UNIT)
        self.level = Durability(flags // LEVEL_UNIT)
        self.digest: bytes = digest.encode("utf-8", "surrogateescape")
        self.extra: Extra = rest[0] if rest else {}

    def packed(self) -> bytes:
        """The bytes to store."""
        flags = self.status + LEVEL_UNIT * self.level
        members: list[Any] = [flags, self.expires_at_ms, self.digest, self.lines]
        if self.extra:
            members.append(self.extra)
        packed: bytes = pack(members)
        return packed

    def backings(self) -> Iterator[tuple[str, str, int]]:
        """(sku, node, units) of all lines."""
        for line in self.lines:
            sku = line[0]
            for at in range(BACKINGS, len(line), 2):
                yield sku, line[at], line[at + 1]


def status_of(record: bytes) -> int:
    """The ``Status`` of a packed record, read off its flags."""
    return record[FLAGS_AT] % LEVEL_UNIT


def expires_at_ms_of(record: bytes) -> int:
    """When a packed record's hold ends; 0 in one that never was a hold."""
    is_instant = record[FLAGS_AT + 1 : FLAGS_AT + 2] == UINT64
    return int.from_bytes(record[FLAGS_AT + 2 : FLAGS_AT + 10], "big") if is_instant else 0


def line_units(line: Line) -> int:
    """Units that back a line."""
    return sum(line[BACKINGS + 1 :: 2])
