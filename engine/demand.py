"""What a request asks for beyond its lines, as far as it decides which units may serve it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.bids import NO_BIDS, Bids
from engine.lanes import Lane
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    CUSTOMER,
    DELIVER_BY,
    PARTIAL,
    PICKUP,
    PREORDER,
    ZONE,
    Extra,
)

if TYPE_CHECKING:
    from engine.state import ShardState

#: How names of shares begin.
OF_CHANNEL: Final = "c:"
OF_CAMPAIGN: Final = "m:"


class Demand(NamedTuple):
    """Who asks, and how."""

    channel: str | None = None
    partial: bool = False  # As much as there is will do.
    share: str | None = None  # The name of what it draws on, see ``shares``.
    customer: str | None = None
    now_ms: int = 0
    deliver_by_ms: int | None = None
    preorder: bool = False  # Units on their way will do, whenever they come.
    zone: str | None = None  # Where the parcel goes.
    #: Its lanes by node; None: there are none, or nobody said where to.
    lanes: Mapping[str, Lane] | None = None
    pickup: bool = False  # Collected at the wished node.
    pool: frozenset[str] | None = None  # Nodes of the channel's pool; None: all.
    bids: Bids = NO_BIDS  # What units and parcels are worth to others.


#: A request without anything rare.
PLAIN: Final = Demand()


def demand_of(state: "ShardState", extra: Extra | None, now_ms: int) -> Demand:
    """The demand of a request's rarer members, made now."""
    if not extra:
        return PLAIN
    channel, zone = extra.get(CHANNEL), extra.get(ZONE)
    members = state.channels.get(channel) if channel is not None else None
    pool = state.pools.get(members["pool"] or "") if members is not None else None
    pickup = PICKUP in extra
    return Demand(
        channel,
        bool(extra.get(PARTIAL)),
        share_name(extra),
        extra.get(CUSTOMER),
        now_ms,
        extra.get(DELIVER_BY),
        bool(extra.get(PREORDER)),
        zone,
        state.lanes.get(zone) if zone is not None and not pickup else None,
        pickup,
        pool,
        state.bids,
    )


def share_name(extra: Extra) -> str | None:
    """The share that a reservation draws on: its campaign's, else its channel's."""
    campaign = extra.get(CAMPAIGN)
    if campaign is not None:
        return f"{OF_CAMPAIGN}{campaign}"
    channel = extra.get(CHANNEL)
    return None if channel is None else f"{OF_CHANNEL}{channel}"
