"""What happened, in past tense: the third of a batch's three outputs and the source of all feeds.

One commit writes one stream entry: MessagePack of ``[format, at_ms, network version, facts]``,
where ``facts`` is flat: ``Event, subject, payload`` for each. The facts determine the changes of
the commit; stock can be rebuilt from them alone.
"""

from enum import IntEnum
from typing import Final

FORMAT: Final = 1


class Event(IntEnum):
    """The facts, with subject and payload. Wire format: append, never renumber."""

    HELD = 1  # key, record
    CONFIRMED = 2  # key, record
    RELEASED = 3  # key, record
    EXPIRED = 4  # key, record
    CANCELLED = 5  # key, record
    SHIPPED = 6  # key, record
    EXTENDED = 7  # key, record
    PIECE = 8  # piece, record as it is now
    PIECE_DROPPED = 9  # piece, record as it was
    ABORTED = 10  # attempt, nothing
    #: backing, [on_hand, safety_stock, quarantined, reference, reason, damaged, change], where
    #: change is [on_hand, quarantined, damaged, whether on_hand was counted]. Older ones have no
    #: change, and damaged only where there was some.
    ADJUSTED = 11
    SHORT = 12  # backing, the shortfall's record, or nothing when it has closed
    SKU_DEFINED = 13  # sku, members
    NETWORK = 14  # version, {element: value}, see ``network``
    REFERENCE = 15  # reference, [digest, refusals]
    FORGOTTEN = 16  # a field of the state, nothing
    SETTLED = 17  # key, record
    QUOTA = 18  # sku|share, the share's header
    CAMPAIGN = 19  # campaign, [state, members, at_ms]
    CAMPAIGN_UNITS = 20  # sku|share, the share's header
    SUPPLY_OPENED = 21  # sku|node|supply, [on_hand, members]
    SUPPLY_RECEIVED = 22  # the same
    SUPPLY_DELAYED = 23  # the same
    SUPPLY_CANCELLED = 24  # the same
    DEMAND_REFUSED = 25  # nothing, [[sku, share, reason, requests, units], ...]
    STOCK_LOW = 26  # sku, [units, mark], or nothing when it has recovered
    LATE_PAYMENT = 28  # key, what was done: hold_again, alternatives or refuse
    MOVED = 32  # key or piece, record
    LATE = 33  # sku|node|supply, the shortfall's record, or nothing when it has closed
    SUPPLY_NAMED = 34  # supply, [sku, digest], or nothing
    WAITING_JOINED = 35  # key, the entry of the waiting list
    WAITING_OFFERED = 36  # the same
    WAITING_ENDED = 37  # the same
    PRICED = 38  # version, [part, parts, cents a parcel by node, {sku: cents a unit by node}]
    WAITING_ASKED = 39  # key, the entry: its customer's shard is asked, or it is back in its place
    AVAILABILITY = 40  # sku, {channel: [units told last, units]}
