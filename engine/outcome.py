"""Every expected answer of a shard, and what a reply carries for each.

A reply is a list ``[Outcome, ...]`` that travels as MessagePack. Members after the code:

==================== =============================================================
OK, REPEATED         the record (bytes, see ``record``) where the command is about a
                     reservation; what the command's docstring says elsewhere
KEY_REUSED           the key
UNKNOWN_*            the unknown SKUs, nodes or ids, sorted
INVALID              the field's path and what is wrong with it
NOT_HELD,            the reservation's status; short lines after a late confirm
NOT_CONFIRMED
EXCEEDS_COMMITTED    ``[[sku, node, left, requested], ...]``
SHORT, CONTENDED     ``[[sku, node or None, requested, available], ...]``, every short
                     line; then True where the request was one line without anything left
OVER_QUOTA           the same, ``available`` being what is left of the share
OVER_LIMIT           ``[[sku, limit, taken, requested], ...]``; sku None and a fifth member, the
                     share's name, where the limit is over several SKUs
CAMPAIGN_NOT_OPEN,   the campaign's id and its state
CAMPAIGN_STATE
SUPPLY_CLOSED        the supply's id and its state
UNKNOWN_WAITING      the entry's key
ALREADY_WAITING      the key of the customer's entry
WAITING_FULL         the sku
QUOTA_EXCEEDS_STOCK  the sku, the channel and what is available
NEGATIVE_STOCK,      the sku and the node
OUT_OF_RANGE
ELSEWHERE            the record: its lines lie on several shards, a coordinator must act; of a
                     new one ``{name: limit}``, what is counted on the customer's shard
OVERLOADED,          how long to wait, in ms
UNAVAILABLE, LOST
WEAKER               how long to wait, in ms, and the reply that stands but for its copies
==================== =============================================================
"""

from enum import IntEnum
from typing import Any


class Outcome(IntEnum):
    """Wire format: append, never renumber. ``PRECEDENCE`` says which of several is the answer."""

    OK = 0
    REPEATED = 1  # The same request again: the reservation as it stands now.
    KEY_REUSED = 2  # The same key with another body: a mistake of the caller.
    INVALID = 3  # Only what cannot be seen before the key is known, such as a date gone by.
    UNKNOWN_RESERVATION = 4
    UNKNOWN_SKU = 5
    UNKNOWN_NODE = 6
    UNKNOWN_CAMPAIGN = 7
    NOT_HELD = 8
    NOT_CONFIRMED = 9
    EXCEEDS_COMMITTED = 10
    NEGATIVE_STOCK = 11
    OUT_OF_RANGE = 12
    SHORT = 13
    CONTENDED = 14  # Short, but units lie in baskets that are not decided yet.
    IN_PROGRESS = 15  # The same key is being decided, or a piece of it is.
    ABORTED = 16  # Home has already told a piece of this attempt that it came to nothing.
    ELSEWHERE = 17
    GAP = 18  # A network version between the owner's and this one is missing.
    UNKNOWN_ZONE = 19
    OVER_LIMIT = 21  # More than one customer may have.
    OVER_QUOTA = 22  # The share of the channel or campaign is used up.
    CAMPAIGN_NOT_OPEN = 23
    CAMPAIGN_STATE = 24  # What was asked for is not possible in its state.
    QUOTA_EXCEEDS_STOCK = 25
    UNKNOWN_SUPPLY = 26
    SUPPLY_CLOSED = 27
    UNKNOWN_WAITING = 28
    ALREADY_WAITING = 29  # The customer has a place in this list.
    WAITING_FULL = 30
    STALE = 31  # A move of what is not as the mover saw it.

    # Said by the way to the owner, never by a ledger.
    OVERLOADED = 32
    UNAVAILABLE = 33  # Nothing was done.
    LOST = 34  # Done or not: a repeat with the same key settles it.
    WEAKER = 35  # Done, but with fewer copies than the durability level asks for.
    NOT_OWNER = 36  # Nothing was done: this host does not own the shard.
    IN_DOUBT = 37  # This host lost the shard while a commit was on its way.


#: Of refusals by several shards the first that applies is the answer.
PRECEDENCE = (
    Outcome.KEY_REUSED, Outcome.INVALID, Outcome.UNKNOWN_RESERVATION, Outcome.UNKNOWN_SKU,
    Outcome.UNKNOWN_NODE, Outcome.UNKNOWN_ZONE, Outcome.UNKNOWN_CAMPAIGN,
    Outcome.CAMPAIGN_NOT_OPEN, Outcome.OVER_LIMIT, Outcome.OVER_QUOTA,
)  # fmt: skip


def precedence(outcome: Outcome) -> int:
    """Where an outcome comes among several, first first."""
    return PRECEDENCE.index(outcome) if outcome in PRECEDENCE else len(PRECEDENCE) + outcome


#: What a shard's decision can be, as opposed to what can happen on the way to it.
DECISIONS = frozenset(outcome for outcome in Outcome if outcome < Outcome.OVERLOADED)


def but_for_copies(reply: list[Any]) -> list[Any]:
    """What a reply says apart from the copies that its level asks for."""
    inner: list[Any] = reply[2] if reply[0] == Outcome.WEAKER and len(reply) > 2 else reply
    return inner
