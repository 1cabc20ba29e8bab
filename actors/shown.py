"""Facts as callers of the feed see them; those that are the engine's own affair are left out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from engine.demand import OF_CAMPAIGN, OF_CHANNEL
from engine.events import Event
from engine.ids import reservation_id
from engine.record import Reservation
from engine.state import PIECE
from engine.stock import ON_ITS_WAY, SupplyMembers
from engine.waiting_list import Entry, Standing

#: Type, SKU (None: of several or none) and data.
Shown: TypeAlias = tuple[str, str | None, dict[str, Any]]

_RESERVATION: Final = {
    Event.HELD: "reservation.held",
    Event.CONFIRMED: "reservation.confirmed",
    Event.RELEASED: "reservation.released",
    Event.CANCELLED: "reservation.released",
    Event.EXPIRED: "reservation.expired",
    Event.MOVED: "reservation.moved",
}
_SUPPLY: Final = {
    Event.SUPPLY_OPENED: "supply.opened",
    Event.SUPPLY_RECEIVED: "supply.received",
    Event.SUPPLY_DELAYED: "supply.delayed",
    Event.SUPPLY_CANCELLED: "supply.cancelled",
}
_WAITING: Final = {
    Event.WAITING_JOINED: "waiting.joined",
    Event.WAITING_OFFERED: "waiting.offered",
    Event.WAITING_ENDED: "waiting.ended",
}
_CAMPAIGN: Final = {"open": "campaign.opened", "closed": "campaign.closed"}


def shown(shard: int, event: int, subject: str, payload: Any) -> Shown | None:
    """A fact as callers see it, or None."""
    if event in _RESERVATION:
        return _reservation(shard, Event(event), subject, payload)
    if event in _SUPPLY:
        return _supply(_SUPPLY[Event(event)], subject, payload)
    if event in _WAITING:
        return _waiting(shard, _WAITING[Event(event)], Entry(*payload))
    teller = _OTHERS.get(Event(event))
    return None if teller is None else teller(subject, payload)


def _reservation(shard: int, event: Event, subject: str, payload: str) -> Shown | None:
    if subject[0] == PIECE:
        return None  # Home tells of it.
    reservation = Reservation(payload.encode("utf-8", "surrogateescape"))
    skus = {line[0] for line in reservation.lines}
    lines = [
        {"sku": sku, **_place(slot), "quantity": units}
        for sku, slot, units in reservation.backings()
    ]
    data = {
        "id": reservation_id(shard, subject), "key": subject,
        "status": reservation.status.name.lower(), "lines": lines,
    }  # fmt: skip
    return _RESERVATION[event], skus.pop() if len(skus) == 1 else None, data


def _place(slot: str) -> dict[str, Any]:
    node, _, supply = slot.partition(ON_ITS_WAY)
    return {"node": node, "supply": supply} if supply else {"node": node}


def _adjusted(subject: str, payload: Any) -> Shown | None:
    sku, _, slot = subject.partition("|")
    if ON_ITS_WAY in slot:
        return None  # What is on its way is told as a supply.
    on_hand, safety_stock, quarantined, reference, reason, *more = payload
    return "stock.adjusted", sku, {
        "node": slot, "on_hand": on_hand, "safety_stock": safety_stock,
        "quarantined": quarantined, "damaged": sum(more[:1]), "reference": reference,
        "reason": reason, "change": more[1][0] if len(more) > 1 else None,
    }  # fmt: skip


def _shortfall(subject: str, payload: Any) -> Shown:
    sku, _, slot = subject.partition("|")
    if payload is None:
        return "shortfall.closed", sku, _place(slot)
    told = {**_place(slot), "id": payload[0], "quantity": payload[1], "reason": payload[2]}
    return "shortfall.opened", sku, told


def _low(sku: str, payload: Any) -> Shown | None:
    if payload is None:
        return None  # It has recovered, which stock itself tells.
    return "stock.low", sku, {"sellable": payload[0], "low_stock": payload[1]}


def _supply(kind: str, subject: str, payload: Any) -> Shown:
    sku, _, slot = subject.partition("|")
    node, _, name = slot.partition(ON_ITS_WAY)
    to_come, members = payload[0], SupplyMembers(*payload[1])
    return kind, sku, {
        "id": name, "kind": members.kind, "node": node, "from_node": members.from_node,
        "quantity": members.quantity, "received": members.received, "to_come": to_come,
        "available_at": _instant(members.available_at_ms), "state": members.state,
    }  # fmt: skip


def _instant(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _waiting(shard: int, kind: str, entry: Entry) -> Shown:
    offer = entry.reservation
    return kind, entry.sku, {
        "id": reservation_id(shard, entry.key), "key": entry.key,
        "status": Standing(entry.standing).name.lower(), "quantity": entry.units,
        "channel": entry.channel, "campaign": entry.campaign, "customer": entry.customer,
        "expires_at": _instant(entry.until_ms),
        "reservation": None if offer is None else reservation_id(shard, offer),
    }  # fmt: skip


def _quota(subject: str, payload: Any) -> Shown:
    sku, _, name = subject.partition("|")
    exclusive, _, _, terms = payload
    told = {"channel": name.removeprefix(OF_CHANNEL), "exclusive": exclusive, "cap": terms[1]}
    return "quota.changed", sku, told


def _campaign(subject: str, payload: Any) -> Shown | None:
    kind = _CAMPAIGN.get(payload[0])
    if kind is None:
        return None  # A draft, or a step on the way.
    items = [{"sku": sku, "quantity": units} for sku, units in payload[1]["items"]]
    return kind, None, {"id": subject.removeprefix(OF_CAMPAIGN), "items": items}


def _demand(_subject: str, payload: Any) -> Shown:
    counts = [
        {
            "sku": sku or None, **_share(name), "reason": reason, "requests": requests,
            "quantity": units,
        }
        for sku, name, reason, requests, units in payload
    ]  # fmt: skip
    skus = {row[0] for row in payload}
    return "demand.refused", skus.pop() if len(skus) == 1 else None, {"counts": counts}


def _available(subject: str, payload: Any) -> Shown:
    changes = [
        {"channel": channel, "atp": units, "change": units - before}
        for channel, (before, units) in sorted(payload.items())
    ]
    return "availability.changed", subject, {"channels": changes}


def _share(name: str | None) -> dict[str, Any]:
    """Who asked: a campaign's customers, a channel's, or nobody in particular."""
    campaign = name is not None and name.startswith(OF_CAMPAIGN)
    who = None if name is None else name[len(OF_CAMPAIGN) :]
    return {"campaign": who if campaign else None, "channel": None if campaign else who}


_OTHERS: Final[dict[Event, Callable[[str, Any], Shown | None]]] = {
    Event.ADJUSTED: _adjusted,
    Event.SHORT: _shortfall,
    Event.LATE: _shortfall,
    Event.QUOTA: _quota,
    Event.CAMPAIGN: _campaign,
    Event.DEMAND_REFUSED: _demand,
    Event.STOCK_LOW: _low,
    Event.AVAILABILITY: _available,
    Event.LATE_PAYMENT: lambda subject, payload: (
        "reservation.late_payment",
        None,
        {"key": subject, "decision": payload},
    ),
}

#: All types there are.
TYPES: Final = frozenset({
    *_RESERVATION.values(), *_SUPPLY.values(), *_CAMPAIGN.values(), *_WAITING.values(),
    "stock.adjusted", "stock.low",
    "shortfall.opened", "shortfall.closed", "quota.changed", "demand.refused",
    "availability.changed",
    "reservation.late_payment",
})  # fmt: skip
