"""What is rarely asked of a reservation: to be read, found by its key, held longer, cancelled."""

import asyncio
from typing import Final

from fastapi import Response

from engine import commands
from engine.commands import Reply
from engine.ids import reservation_id, split_id
from engine.outcome import Outcome
from gateway.answers import reservation
from gateway.cold import Ask
from gateway.problems import Refused, invalid, of_read, problem
from gateway.reading import Reader, checked_key
from gateway.schema import ExtendBody

_READ_EXTEND: Final = Reader(ExtendBody)


def _place(ask: Ask) -> tuple[str, int, str]:
    """(id, home, key) of the reservation in the path."""
    name = ask.path_id("id")
    place = split_id(name)
    if place is None or place[0] >= ask.client.shards:
        raise Refused(problem("unknown-reservation", name, id=name))
    return name, *place


async def get_reservation(ask: Ask) -> Response:
    """GET /v1/reservations/{id}"""
    ask.query()
    name, home, key = _place(ask)
    reply = await ask.read(home, commands.read(key), name)
    return ask.answer(reservation(name, reply[1]))


async def find_reservation(ask: Ask) -> Response:
    """GET /v1/reservations?key="""
    key = ask.query("key").get("key")
    if key is None:
        raise Refused(invalid("query.key", "is required"))
    checked_key(key, "query.key")
    shards = range(ask.client.shards)
    replies: list[Reply] = await asyncio.gather(
        *(ask.client.call(shard, commands.read(key), ask.deadline_at) for shard in shards)
    )
    for shard, reply in zip(shards, replies, strict=True):
        if reply[0] == Outcome.OK:
            return ask.answer(reservation(reservation_id(shard, key), reply[1]))
    away = next((reply for reply in replies if reply[0] != Outcome.UNKNOWN_RESERVATION), None)
    raise Refused(of_read(away or [Outcome.UNKNOWN_RESERVATION, [key]], key))


async def extend(ask: Ask) -> Response:
    """POST /v1/reservations/{id}/extend"""
    ask.query()
    ask.path_id("id")
    body = await ask.body(_READ_EXTEND)
    name, home, key = _place(ask)
    reply = await ask.call(home, commands.extend(key, body.hold_seconds * 1000), name)
    return ask.answer(reservation(name, reply[1]))


async def cancel(ask: Ask) -> Response:
    """POST /v1/reservations/{id}/cancel"""
    ask.query()
    ask.path_id("id")
    await ask.no_body()
    name, home, key = _place(ask)
    reply = await ask.call(home, commands.cancel(key), name)
    ask.gateway.intake.units_moved(reply[1])
    return ask.answer(reservation(name, reply[1]))
