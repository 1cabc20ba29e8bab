"""Commands about quotas and campaigns: at the shard of the SKU, and at ``net``."""

from collections.abc import Sequence
from typing import Any

from engine.commands import Command, Op


def set_quota(sku: str, channel: str, right: Sequence[Any]) -> Command:
    """``right``: exclusive units, cap, buffer, permille. → OK with the quota, UNKNOWN_SKU,

    or QUOTA_EXCEEDS_STOCK.
    """
    return [Op.SET_QUOTA, sku, channel, right]


def read_quotas(sku: str) -> Command:
    """→ OK with the quotas by channel, or UNKNOWN_SKU."""
    return [Op.READ_QUOTAS, sku]


def lend(
    sku: str, lender: str, borrower: str, units: int, reference: str, digest: bytes
) -> Command:
    """Move exclusive units from one channel to another, once for each reference.

    → OK with both quotas, UNKNOWN_SKU, KEY_REUSED, or QUOTA_EXCEEDS_STOCK.
    """
    return [Op.LEND, sku, lender, borrower, units, reference, digest]


def open_campaign(campaign: str, terms: Sequence[Any], items: Sequence[Sequence[Any]]) -> Command:
    """Set the declared units of this shard's items aside, all or none.

    ``items``: ``[sku, units]``. → OK, UNKNOWN_SKU, or SHORT.
    """
    return [Op.OPEN_CAMPAIGN, campaign, terms, items]


def close_campaign(campaign: str, skus: Sequence[str], *, forget: bool = False) -> Command:
    """Give the rest back; ``forget``: it was never open, as if it had not been. → OK."""
    return [Op.CLOSE_CAMPAIGN, campaign, skus, forget]


def read_campaign(campaign: str, skus: Sequence[str]) -> Command:
    """→ OK, then for each SKU ``[sku, declared, held, confirmed, refused, left]``."""
    return [Op.READ_CAMPAIGN, campaign, skus]


def preview_campaign(terms: Sequence[Any], items: Sequence[Sequence[Any]]) -> Command:
    """Where the declared units would come from; nothing is set aside.

    → OK, then for each item ``[sku, units, [[node, supply, units, available_at_ms], ...]]``;
    or UNKNOWN_SKU.
    """
    return [Op.PREVIEW_CAMPAIGN, terms, items]


def count_refused(rows: Sequence[Sequence[Any]]) -> Command:
    """Demand refused in the last second: ``[sku, share, reason, requests, units]``. → OK."""
    return [Op.COUNT_REFUSED, rows]


def define_campaign(campaign: str, members: dict[str, Any]) -> Command:
    """At ``net``. → OK with state and members, or CAMPAIGN_STATE once it has been opened."""
    return [Op.DEFINE_CAMPAIGN, campaign, members]


def move_campaign(campaign: str, states: Sequence[str], to: str) -> Command:
    """At ``net``: from one of these states to another. → OK with state and members,

    UNKNOWN_CAMPAIGN, or CAMPAIGN_STATE.
    """
    return [Op.MOVE_CAMPAIGN, campaign, states, to]


def find_campaigns(campaign: str | None) -> Command:
    """At ``net``. → OK with ``{campaign: [state, members, at_ms]}``: one, or all."""
    return [Op.FIND_CAMPAIGNS, campaign]


def announce(place: Sequence[Any] | None, most: int) -> Command:
    """Tell of up to ``most`` SKUs behind a place, see ``commands.changes``; by the owner itself.

    → OK with the place to go on from, or GAP.
    """
    return [Op.ANNOUNCE, place, most]
