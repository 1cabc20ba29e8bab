"""What callers ask of a shard. A command is a list ``[Op, ...]``: it travels as MessagePack.

Lists rather than objects: half of a batch's time would go into building objects that live for
a microsecond. The functions here are the only places that lay them out; handlers take them apart
in the same order. Every reply begins with an ``Outcome``.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final, TypeAlias

import msgpack

from engine.limits import KEY_CHARS_MAX
from engine.record import Extra, Line

Command: TypeAlias = list[Any]
Reply: TypeAlias = list[Any]


class Op(IntEnum):
    """The commands. Wire format: append, never renumber."""

    RESERVE = 1
    CONFIRM = 2
    RELEASE = 3
    EXTEND = 4
    EXPIRE = 5
    FULFIL = 6
    CANCEL = 7
    READ = 8
    TAKE = 9
    SEAL = 10
    DROP = 11
    ASK = 12
    TELL = 13
    SETTLE = 14
    ADJUST = 15
    REFERENCE = 16
    DEFINE_SKU = 17
    READ_SKU = 18
    DEFINE = 19
    READ_NETWORK = 20
    TAKE_NETWORK = 21
    STOCK = 22
    VIEW = 23
    HINT = 24
    TIDY = 25
    DEFINE_LANES = 26
    SET_QUOTA = 30
    READ_QUOTAS = 31
    LEND = 32
    OPEN_CAMPAIGN = 33
    CLOSE_CAMPAIGN = 34
    READ_CAMPAIGN = 35
    PREVIEW_CAMPAIGN = 36
    DEFINE_CAMPAIGN = 37
    MOVE_CAMPAIGN = 38
    FIND_CAMPAIGNS = 39
    OPEN_SUPPLY = 40
    RECEIVE = 41
    ARRIVE = 42
    DELAY = 43
    CANCEL_SUPPLY = 44
    READ_SUPPLY = 45
    COUNT_REFUSED = 46
    CHANGES = 47
    ANNOUNCE = 48
    QUEUED_ELSEWHERE = 49
    CANDIDATES = 53
    NAME_SUPPLY = 62
    UNNAME_SUPPLY = 63
    FIND_SUPPLY = 64
    REBACK = 65
    TOLD = 66
    SHORTFALLS = 67
    FORGET_SUPPLY = 68
    JOIN_WAITING = 69
    LEAVE_WAITING = 70
    READ_WAITING = 71
    SERVE_WAITING = 72
    ANSWER_WAITING = 73
    MOVABLE = 80
    MOVE = 81
    PRICE = 82
    READ_BIDS = 83


#: Kinds of network elements: nodes, lanes by zone, pools, channels, bundles.
NETWORK_KINDS: Final = "nlphb"
#: Commands that add nothing to the store: what is left of it is theirs when its memory is full.
SHRINKING = frozenset({Op.RELEASE, Op.EXPIRE, Op.CANCEL, Op.DROP, Op.SETTLE, Op.TIDY})
#: Commands that finish what was begun: they go before new reservations when load is shed.
FINISHING = frozenset({Op.CONFIRM, Op.RELEASE, Op.FULFIL, Op.CANCEL, Op.SEAL, Op.DROP, Op.TELL,
                       Op.SETTLE, Op.ASK, Op.ARRIVE, Op.REBACK, Op.TOLD, Op.LEAVE_WAITING,
                       Op.SERVE_WAITING, Op.ANSWER_WAITING})  # fmt: skip

#: Commands whose reply says what is there, and promises nothing.
READING = frozenset({
    Op.READ, Op.READ_SKU, Op.READ_NETWORK, Op.STOCK, Op.VIEW, Op.HINT, Op.READ_QUOTAS,
    Op.READ_CAMPAIGN, Op.PREVIEW_CAMPAIGN, Op.FIND_CAMPAIGNS, Op.READ_SUPPLY, Op.FIND_SUPPLY,
    Op.SHORTFALLS, Op.CANDIDATES, Op.CHANGES, Op.MOVABLE, Op.READ_WAITING,
    Op.READ_BIDS,
})  # fmt: skip


#: A command, or a part of one, as it travels.
pack_command: Final[Callable[[Any], bytes]] = msgpack.Packer(use_bin_type=True).pack
#: How a packed ``reserve`` begins, up to the text of a key, by the key's length.
_RESERVE_KEY: Final = [
    b"\x96" + pack_command(Op.RESERVE) + pack_command("k" * length)[: -length or None]
    for length in range(KEY_CHARS_MAX + 1)
]


def reserve(
    key: str, digest: bytes, lines: Sequence[Line], hold_ms: int, extra: Extra | None = None
) -> Command:
    """Hold units. ``lines``: ``[sku, node or None, units]``, one for each (sku, node).

    All lines lie on this shard. ``hold_ms`` 0: as the campaign says. ``extra`` as in ``record``.
    → OK or REPEATED with the record.
    """
    return [Op.RESERVE, key, digest, lines, hold_ms, extra]


def reserve_tail(
    digest: bytes, lines: Sequence[Line], hold_ms: int, extra: Extra | None = None
) -> bytes:
    """What follows the key in a packed ``reserve``: the same for all who ask alike."""
    return b"".join(map(pack_command, (digest, lines, hold_ms, extra)))


def packed_reserve(key: str, tail: bytes) -> bytes:
    """``reserve`` as it travels, from its tail."""
    return _RESERVE_KEY[len(key)] + key.encode() + tail


def confirm(key: str) -> Command:
    """Payment has come. → OK with the record, NOT_HELD, or ELSEWHERE after a late payment."""
    return [Op.CONFIRM, key]


def release(key: str) -> Command:
    """Give a hold back. → OK with the record."""
    return [Op.RELEASE, key]


def extend(key: str, hold_ms: int) -> Command:
    """Hold until the later of what was said and now + ``hold_ms``. → OK with the record."""
    return [Op.EXTEND, key, hold_ms]


def expire(keys: Sequence[str]) -> Command:
    """End holds and ask after pieces whose time has come; by the owner itself. → OK, how many."""
    return [Op.EXPIRE, keys]


def fulfil(
    key: str,
    reference: str,
    digest: bytes,
    lines: Sequence[Sequence[Any]] | None,
    *,
    over_shards: bool = False,
) -> Command:
    """Units leave. ``lines``: ``[sku, node, units]``; None: all that is left.

    ``over_shards``: a coordinator has seen that the other shards have their units on hand.
    → OK with the record, NOT_CONFIRMED, EXCEEDS_COMMITTED, SHORT, or ELSEWHERE.
    """
    return [Op.FULFIL, key, reference, digest, lines, over_shards]


def cancel(key: str) -> Command:
    """Take back a confirmed reservation. → OK with the record."""
    return [Op.CANCEL, key]


def read(key: str) -> Command:
    """A reservation as it stands. → OK with the record, or UNKNOWN_RESERVATION."""
    return [Op.READ, key]


def take(
    reservation: str,
    nonce: bytes,
    home: int,
    lines: Sequence[Line],
    extra: Extra | None,
    ends: bytes | None = None,
) -> Command:
    """Set a piece's units aside for ``home`` to decide about; ``ends``: nonce of one it follows.

    A piece without lines is one that counts for its customer, see ``totals``.
    → OK with the record, SHORT, CONTENDED, OVER_LIMIT, ELSEWHERE or IN_PROGRESS.
    """
    return [Op.TAKE, reservation, nonce, home, lines, extra, ends]


def seal(
    key: str,
    nonce: bytes,
    digest: bytes,
    lines: Sequence[Line],
    pieces: Sequence[int],
    hold_ms: int,
    extra: Extra | None = None,
    *,
    late: bool = False,
    dry: bool = False,
) -> Command:
    """The one commit point of a reservation over several shards, at its home.

    ``lines`` are all of them, in answer order; those of other shards carry the backings that
    their pieces took. ``late``: a payment after expiry. ``dry``: only say what is short here.
    → OK or REPEATED with the record, KEY_REUSED, ABORTED, SHORT, CONTENDED.
    """
    return [Op.SEAL, key, nonce, digest, lines, pieces, hold_ms, extra, late, dry]


def drop(reservation: str, nonce: bytes) -> Command:
    """Give a taken piece back; ignored if the nonce is another. → OK."""
    return [Op.DROP, reservation, nonce]


def ask(key: str, nonce: bytes) -> Command:
    """A piece asks home. → OK, and what ``tell`` takes from the status on to ``counted``."""
    return [Op.ASK, key, nonce]


def tell(
    reservation: str,
    nonce: bytes,
    status: int,
    expires_at_ms: int,
    shipped: Any,
    counted: Any = None,
    lines: Sequence[Line] = (),
) -> Command:
    """Home's news for a piece. ``lines``: those of this shard with their backings.

    ``counted``: what the customer's shard is to count of it, see ``totals.due``. A piece that was
    promised to a buyer and is lost is made again of them. → OK, also when the piece has ended;
    IN_PROGRESS, UNKNOWN_SKU or UNKNOWN_NODE while it cannot be made again.
    """
    return [Op.TELL, reservation, nonce, status, expires_at_ms, shipped, counted, lines]


def settle(key: str, shard: int, message: Any) -> Command:
    """A shard has acknowledged what home owed it. → OK."""
    return [Op.SETTLE, key, shard, message]


def adjust(reference: str, number: int, digest: bytes, rows: Sequence[Sequence[Any]]) -> Command:
    """A slice of an adjustment. ``rows``: ``[sku, node, delta, on_hand, safety_stock, reason]``.

    Or with two members more: when ``on_hand`` was counted (ms), and a move ``[from, to, units]``.

    → OK or REPEATED, then for each row a position, or ``[Outcome, sku, node]`` where refused.
    """
    return [Op.ADJUST, reference, number, digest, rows]


def reference(name: str, digest: bytes) -> Command:
    """Remember an adjustment's reference; at ``net``. → OK, REPEATED or KEY_REUSED."""
    return [Op.REFERENCE, name, digest]


def define_sku(sku: str, members: Sequence[Any]) -> Command:
    """``members``: name, weight_grams, category. → OK."""
    return [Op.DEFINE_SKU, sku, members]


def read_sku(sku: str) -> Command:
    """→ OK with the members, or UNKNOWN_SKU."""
    return [Op.READ_SKU, sku]


def read_network(since: int, kinds: str = NETWORK_KINDS) -> Command:
    """Elements of these kinds changed after version ``since``, at ``net``; a bounded part of them.

    → OK, the version that has been reached, ``{name: value}``, the latest version.
    """
    return [Op.READ_NETWORK, since, kinds]


def take_network(since: int, version: int, elements: dict[str, Any]) -> Command:
    """Bring a shard from version ``since`` to ``version``. → OK, or GAP with its version."""
    return [Op.TAKE_NETWORK, since, version, elements]


def stock(sku: str) -> Command:
    """→ OK, seq, positions, shortfalls, quotas, supplies; or UNKNOWN_SKU."""
    return [Op.STOCK, sku]


def view(skus: Sequence[str], changed_since: int) -> Command:
    """Sellable units of some SKUs, and of all that changed since a version of the views.

    → OK, epoch, seq, version, ``{sku: [rows, quotas, supplies] or None if unknown}``: rows are
    ``[node, sellable, channels]``, quotas ``{channel: [units it may have at most, {slot: set
    aside}]}``, supplies ``[node, sellable, channels, available_at_ms]``;
    the version is -1 where the owner cannot tell any more what has changed.
    """
    return [Op.VIEW, skus, changed_since]


def changes(place: Sequence[Any] | None, most: int) -> Command:
    """As ``view``, of up to ``most`` SKUs behind a reader's place (None: from the beginning).

    → OK, seq, the place to go on from, ``{sku: as a view tells it}``; what is left of a portion is
    told by a place that names a SKU. GAP: the owner cannot tell any more what has changed.
    """
    return [Op.CHANGES, place, most]


def hint(sku: str, epoch_known: int, version_known: int) -> Command:
    """Whether a SKU may be called sold out without asking, for ``HINT_MS``.

    → OK, epoch, seq, the filter's version in this epoch, the filter (None where it is as known);
    or SHORT if it may not be.
    """
    return [Op.HINT, sku, epoch_known, version_known]


def tidy() -> Command:
    """Forget references and ended reservations whose time is over; by the owner. → OK."""
    return [Op.TIDY]
