"""The waiting list for units that may come back."""

from typing import Any, Final

from fastapi import Response

from engine.commands import waiting
from engine.ids import digest, reservation_id, shard_of, split_id
from engine.limits import OFFER_SECONDS_DEFAULT, WAIT_SECONDS_DEFAULT
from engine.outcome import Outcome
from engine.record import CAMPAIGN, CHANNEL, CUSTOMER, PREORDER, ZONE, Extra
from engine.waiting import ENTRY_MEMBERS
from engine.waiting_list import Standing
from gateway.bundles import seen
from gateway.cold import Ask
from gateway.contract.waiting import WaitingBody
from gateway.problems import Refused, invalid, of_reply, problem
from gateway.reading import Reader, checked_id
from gateway.requests import key_of
from gateway.times import written

_READ: Final = Reader(WaitingBody)


def entry(home: int, row: list[Any]) -> dict[str, Any]:
    """An entry as the API tells it."""
    told = dict(zip(ENTRY_MEMBERS, row, strict=True))
    zone, offer = told["zone"], told["reservation"]
    return {
        "id": reservation_id(home, told["key"]),
        "key": told["key"],
        "status": Standing(told["status"]).name.lower(),
        "sku": told["sku"],
        "quantity": told["quantity"],
        "customer": told["customer"],
        "channel": told["channel"],
        "campaign": told["campaign"],
        "destination": None if zone is None else {"zone": zone},
        "preorder": told["preorder"],
        "place": told["place"],
        "joined_at": written(told["joined_at"]),
        "expires_at": written(told["until"]),
        "reservation": None if offer is None else reservation_id(home, offer),
    }


def _extra(body: WaitingBody) -> Extra:
    extra: Extra = {CUSTOMER: checked_id(body.customer, "customer")}
    if body.channel is not None:
        extra[CHANNEL] = checked_id(body.channel, "channel")
    if body.campaign is not None:
        extra[CAMPAIGN] = checked_id(body.campaign, "campaign")
    if body.preorder and body.campaign is not None:
        raise Refused(invalid("preorder", "has no effect in a campaign, whose units on their way "
                              "are among those declared: leave it out"))  # fmt: skip
    if body.preorder:
        extra[PREORDER] = True
    if body.destination is not None:
        extra[ZONE] = checked_id(body.destination.zone, "destination.zone")
    return extra


async def join(ask: Ask) -> Response:
    """POST /v1/waiting"""
    ask.query()
    body = await ask.body(_READ)
    key = key_of(body.id, ask.request.headers.get("idempotency-key"))
    sku, extra = checked_id(body.sku, "sku"), _extra(body)
    wait_ms = (body.wait_seconds or WAIT_SECONDS_DEFAULT) * 1000
    offer_ms = (body.offer_seconds or OFFER_SECONDS_DEFAULT) * 1000
    asked = digest([[sku, None, body.quantity]], offer_ms, {**extra, "wait_ms": wait_ms})
    home = shard_of(sku, ask.client.shards)
    name = reservation_id(home, key)
    command = waiting.join(key, asked, sku, body.quantity, extra, wait_ms, offer_ms)
    reply = await ask.client.call(home, command, ask.deadline_at)
    if reply[0] == Outcome.UNKNOWN_SKU:
        await _refuse_bundle(ask, sku)
    elif reply[0] == Outcome.UNKNOWN_CAMPAIGN:
        lines = [[sku, None, body.quantity]]
        reply = await ask.client.explain_campaign(extra[CAMPAIGN], lines)
    if reply[0] > Outcome.REPEATED:
        raise Refused(of_reply(reply, name))
    created = reply[0] == Outcome.OK
    answer = ask.answer(entry(home, reply[1]), 201 if created else 200)
    if created:
        answer.headers["Location"] = f"/v1/waiting/{name}"
    return answer


async def _refuse_bundle(ask: Ask, sku: str) -> None:
    """Say so where what nobody knows as a SKU is a bundle."""
    network = ask.gateway.intake.network
    bundle = network.bundles.get(sku) if await seen(network) is None else None
    if bundle is not None:
        parts = ", ".join(part for part, _ in bundle["parts"])
        told = f"is a bundle, which has no waiting list: wait for each of its parts ({parts})"
        raise Refused(invalid("sku", told))


def _place(ask: Ask) -> tuple[str, int, str]:
    """(id, shard, key) of the entry in the path."""
    name = ask.path_id("id")
    ask.query()
    place = split_id(name)
    if place is None or place[0] >= ask.client.shards:
        raise Refused(problem("unknown-waiting", name, id=name))
    return name, *place


async def get_entry(ask: Ask) -> Response:
    """GET /v1/waiting/{id}"""
    name, home, key = _place(ask)
    reply = await ask.read(home, waiting.read(key), name)
    return ask.answer(entry(home, reply[1]))


async def leave(ask: Ask) -> Response:
    """DELETE /v1/waiting/{id}"""
    name, home, key = _place(ask)
    reply = await ask.call(home, waiting.leave(key), name)
    told = entry(home, reply[1])
    ask.gateway.intake.hints.units_moved(told["sku"])
    return ask.answer(told)
