"""The routes that are answered at the socket: which requests they are, and what each does."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from functools import partial
from typing import Final

import httptools

from engine.commands import Reply
from engine.ids import reservation_id
from engine.outcome import Outcome
from gateway.answers import reservation_body, sold_out_json
from gateway.hot_availability import availability
from gateway.hot_batch import confirm_batch, release_batch, reserve_batch
from gateway.hot_head import KnownHeads
from gateway.hot_request import Found, HotRequest, Route, no_query
from gateway.intake import Intake
from gateway.metrics import Metrics
from gateway.ports import Owners
from gateway.problems import of_reply
from gateway.reading import Reader, checked_id
from gateway.requests import key_of, parcel
from gateway.schema import EmptyBody, FulfilBody, ReservationBody
from gateway.views import Views

#: Bytes of a body about one reservation, and of any other.
RESERVATION_BYTES_MAX: Final = 64 * 1024
BODY_BYTES_MAX: Final = 8 * 1024 * 1024

_READ_RESERVATION: Final = Reader(ReservationBody)
_READ_EMPTY: Final = Reader(EmptyBody)
_READ_FULFIL: Final = Reader(FulfilBody)

_OK: Final = int(Outcome.OK)
_REPEATED: Final = int(Outcome.REPEATED)
_SHORT: Final = int(Outcome.SHORT)
_RESERVATIONS: Final = b"/v1/reservations/"
_AVAILABILITY: Final = b"/v1/availability"
_ENCODED_SLASH: Final = re.compile(b"%2f", re.IGNORECASE)


class HotRoutes:
    """The hot routes of one worker."""

    def __init__(self, client: Owners, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self.metrics = metrics
        self.intake = intake = Intake(client, metrics, loop)
        self._exact = {
            b"/v1/reservations": Route("/v1/reservations", self.reserve, RESERVATION_BYTES_MAX),
            b"/v1/reservations:batch": Route(
                "/v1/reservations:batch", lambda r: reserve_batch(intake, r), BODY_BYTES_MAX
            ),
            b"/v1/reservations:confirm": Route(
                "/v1/reservations:confirm", lambda r: confirm_batch(intake, r), BODY_BYTES_MAX
            ),
            b"/v1/reservations:release": Route(
                "/v1/reservations:release", lambda r: release_batch(intake, r), BODY_BYTES_MAX
            ),
        }
        self._of_one = {
            b"confirm": Route("/v1/reservations/{id}/confirm", self.confirm, RESERVATION_BYTES_MAX),
            b"release": Route("/v1/reservations/{id}/release", self.release, RESERVATION_BYTES_MAX),
            b"fulfil": Route("/v1/reservations/{id}/fulfil", self.fulfil, RESERVATION_BYTES_MAX),
        }
        self._lines: dict[bytes, Found] = {
            b"POST %b HTTP/1.1" % path: (route, "", b"") for path, route in self._exact.items()
        }
        self.heads = KnownHeads()
        self._views = Views(client, loop)
        self._availability = Route("/v1/availability", self.availability, BODY_BYTES_MAX)

    def find_line(self, line: bytes) -> Found | None:
        """As ``find``, by the first line of an HTTP/1.1 request."""
        found = self._lines.get(line)
        if found is not None:
            return found
        parts = line.split(b" ")
        if len(parts) != 3 or parts[2] != b"HTTP/1.1":
            return None
        return self.find(parts[0], parts[1])

    def find(self, method: bytes, url: bytes) -> Found | None:
        """(route, id in the path or "", query), or None if the request is a cold one."""
        if method == b"POST":
            route = self._exact.get(url)
            if route is not None:
                return route, "", b""
        elif method != b"GET":
            return None
        if url[:1] != b"/":
            url = _origin_form(url)
        path, _mark, query = url.partition(b"?")
        if b"%" in path:
            path = _decoded(path)
        if method == b"GET":
            return (self._availability, "", query) if path == _AVAILABILITY else None
        route = self._exact.get(path)
        if route is not None:
            return route, "", query
        if not path.startswith(_RESERVATIONS):
            return None
        name, _slash, verb = path[len(_RESERVATIONS) :].partition(b"/")
        route = self._of_one.get(verb)
        if route is None or not name:
            return None
        return route, name.decode("utf-8", "replace"), query

    def reserve(self, request: HotRequest) -> None:
        """POST /v1/reservations"""
        if request.query:
            no_query(request)
        body = _READ_RESERVATION.read(request.body, request.settle_formats())
        key = key_of(body.id, request.key)
        ask = self.intake.asks.of(body)
        request.alone = self.intake.reserve(
            key, ask, request.deadline_at, partial(_reserved, request, key)
        )

    def confirm(self, request: HotRequest) -> None:
        """POST /v1/reservations/{id}/confirm"""
        name = _read_nothing(request)
        self.intake.confirm(
            name, request.deadline_at, lambda reply: _finished(request, reply, name)
        )

    def release(self, request: HotRequest) -> None:
        """POST /v1/reservations/{id}/release"""
        name = _read_nothing(request)
        self.intake.release(
            name, request.deadline_at, lambda reply: _finished(request, reply, name)
        )

    def fulfil(self, request: HotRequest) -> None:
        """POST /v1/reservations/{id}/fulfil"""
        no_query(request)
        name = checked_id(request.name, "id")
        asked = parcel(_READ_FULFIL.read(request.body, request.settle_formats()))

        def done(reply: Reply) -> None:
            _finished(request, reply, asked[0] if reply[0] == Outcome.KEY_REUSED else name)

        self.intake.fulfil(name, asked, request.deadline_at, done)

    def availability(self, request: HotRequest) -> None:
        """GET /v1/availability"""
        availability(self._views, self.intake.network, request)


def _decoded(path: bytes) -> bytes:
    """A path's segments percent-decoded; a slash within one stays ``%2F``: it parts nothing."""
    return urllib.parse.unquote_to_bytes(_ENCODED_SLASH.sub(b"%252F", path))


def _origin_form(url: bytes) -> bytes:
    """A request target without scheme and host; proxies are sent the absolute form."""
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return b""
    return (parts.path or b"") + (b"?" + parts.query if parts.query else b"")


def _read_nothing(request: HotRequest) -> str:
    """The id in the path of a POST that takes no body or ``{}``."""
    if request.query:
        no_query(request)
    name = checked_id(request.name, "id")
    packed = request.settle_formats()
    if request.body:
        _READ_EMPTY.read(request.body, packed)
    return name


def _reserved(request: HotRequest, key: str, home: int, reply: Reply) -> None:
    code = reply[0]
    if code == _OK:
        name = reservation_id(home, key)
        more = b"location: /v1/reservations/%b\r\n" % name.encode()
        request.answer(201, reservation_body(name, reply[1], request.packed), more)
    elif code == _REPEATED:
        name = reservation_id(home, key)
        request.answer(200, reservation_body(name, reply[1], request.packed))
    elif code == _SHORT and len(reply) > 2 and reply[2]:
        request.refuse_encoded(409, sold_out_json(reply[1][0]).encode())
    else:
        request.refuse(of_reply(reply, key))


def _finished(request: HotRequest, reply: Reply, name: str) -> None:
    if reply[0] <= _REPEATED:
        request.answer(200, reservation_body(name, reply[1], request.packed))
    else:
        request.refuse(of_reply(reply, name))
