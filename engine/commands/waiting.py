"""Commands about the waiting list, at the shard of the SKU."""

from engine.commands import Command, Op
from engine.record import Extra


def join(
    key: str, digest: bytes, sku: str, units: int, extra: Extra, wait_ms: int, offer_ms: int
) -> Command:
    """Wait for units of a SKU.

    ``extra``: the customer, perhaps a channel, a zone, the campaign that he waits for units of, and
    that units on their way will do.

    ``offer_ms``: how long units are held for him once there are some.
    → OK or REPEATED with the entry, KEY_REUSED, UNKNOWN_SKU, UNKNOWN_ZONE, UNKNOWN_CAMPAIGN,
    CAMPAIGN_NOT_OPEN, OVER_LIMIT, ALREADY_WAITING, or WAITING_FULL.
    """
    return [Op.JOIN_WAITING, key, digest, sku, units, extra, wait_ms, offer_ms]


def leave(key: str) -> Command:
    """Wait no longer; an offer that is still open is released. → OK with the entry as it is now,

    or UNKNOWN_WAITING.
    """
    return [Op.LEAVE_WAITING, key]


def read(key: str) -> Command:
    """→ OK with the entry, or UNKNOWN_WAITING."""
    return [Op.READ_WAITING, key]


def serve() -> Command:
    """End entries whose time is over, go on with offers; by the owner itself. → OK."""
    return [Op.SERVE_WAITING]


def answer(key: str, offer: str, *, is_within: bool) -> Command:
    """What the customer's shard says to an offer; by the owner itself, as often as it likes.

    ``is_within``: his limits over several SKUs allow it, and there is a piece that counts it. → OK.
    """
    return [Op.ANSWER_WAITING, key, offer, is_within]
