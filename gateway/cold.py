"""What all routes behind the door share: reading a request strictly, answering, refusing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from actors.lane import LineLost
from engine.commands import Reply
from engine.limits import RETRY_AFTER_MS
from engine.outcome import Outcome
from gateway import answers
from gateway.hot_head import deadline_ms
from gateway.hot_request import too_large
from gateway.hot_routes import BODY_BYTES_MAX, RESERVATION_BYTES_MAX
from gateway.problems import (
    Problem,
    Refused,
    invalid,
    of_read,
    of_reply,
    problem,
    retry,
    too_late,
)
from gateway.reading import Reader, checked_id, json_only, packed_in, packed_out
from gateway.schema import EmptyBody

if TYPE_CHECKING:
    from actors.client import Client
    from gateway.intake import Intake
    from gateway.metrics import Metrics

T = TypeVar("T")

log = structlog.get_logger()

_READ_EMPTY: Final = Reader(EmptyBody)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the routes of one worker work with."""

    client: Client
    intake: Intake
    metrics: Metrics
    stop: asyncio.Event  # Set when the worker is to end: what streams ends with it.


class Ask:
    """One request to a cold route. Its readers raise Refused where the request is wrong."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self.gateway = gateway
        self.client = gateway.client
        self.request = request
        self.packed = False  # The answer's format.
        given = request.headers.get("x-deadline-ms")
        self.deadline_given = given is not None
        after_ms = deadline_ms(given)
        self.deadline_at = asyncio.get_running_loop().time() + after_ms / 1000

    def path_id(self, name: str) -> str:
        """An id in the path."""
        return checked_id(self.request.path_params[name], name)

    def query(self, *known: str) -> Mapping[str, str]:
        """The query's parameters, all of them ``known``; of one given twice the last counts."""
        pairs = self.request.query_params.multi_items()
        for name, _ in pairs:
            if name not in known:
                raise Refused(invalid(f"query.{name[:100]}", "is not known here"))
        return dict(pairs)

    async def body(self, reader: Reader[T]) -> T:
        """The body of a POST, in either format; sets the format of the answer."""
        packed = packed_in(self.request.headers.get("content-type"))
        self.packed = packed_out(self.request.headers.get("accept"), packed)
        return reader.read(await self._bytes(), packed)

    async def no_body(self) -> None:
        """Read a POST that takes no body or ``{}``; sets the format of the answer."""
        packed = packed_in(self.request.headers.get("content-type"))
        self.packed = packed_out(self.request.headers.get("accept"), packed)
        body = await self._bytes()
        if body:
            _READ_EMPTY.read(body, packed)

    async def json_body(self, reader: Reader[T]) -> T:
        """The body of a PUT."""
        json_only(self.request.headers.get("content-type"))
        return reader.read(await self._bytes(), packed=False)

    async def _bytes(self) -> bytes:
        one = self.request.url.path.startswith("/v1/reservations/")
        most = RESERVATION_BYTES_MAX if one else BODY_BYTES_MAX
        declared = self.request.headers.get("content-length", "0")
        if int(declared) > most:
            raise Refused(too_large(most))
        parts: list[bytes] = []
        size = 0
        async for part in self.request.stream():
            size += len(part)
            if size > most:
                raise Refused(too_large(most))
            parts.append(part)
        return b"".join(parts)

    async def call(self, shard: int, command: list[Any], name: str) -> Reply:
        """A shard's reply that is a success; Refused with its problem where it is not."""
        reply = await self.client.call(shard, command, self.deadline_at)
        if reply[0] > Outcome.REPEATED:
            raise Refused(of_reply(reply, name))
        return reply

    async def read(self, shard: int, command: list[Any], name: str) -> Reply:
        """As ``call``, of a command that changes nothing."""
        reply = await self.client.call(shard, command, self.deadline_at)
        if reply[0] > Outcome.REPEATED:
            raise Refused(of_read(reply, name))
        return reply

    async def of_net(self, question: str, **more: Any) -> dict[str, Any]:
        """What the host of ``net`` says to a question; ``LineLost`` while there is none."""
        host = self.client.map.owners[self.client.net]
        if not host:
            raise LineLost("the net shard has no owner")
        told: dict[str, Any] = await self.client.control(host, {"m": question, **more})
        return told

    def answer(self, document: Any, status: int = 200) -> Response:
        """A success."""
        media = "application/msgpack" if self.packed else "application/json"
        return Response(answers.encoded(document, self.packed), status, media_type=media)


Handler: TypeAlias = Callable[[Ask], Awaitable[Response]]


def refusal(refused: Problem) -> Response:
    """The answer that refuses."""
    wait_s = refused.retry_after_s
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    body = answers.to_json(refused.document())
    return Response(body, refused.kind.status, headers, "application/problem+json")


async def handled(gateway: Gateway, name: str, handler: Handler, request: Request) -> Response:
    """What ``handler`` answers, counted under the route's ``name``; never an exception."""
    began_at = perf_counter()
    try:
        response = await handler(Ask(gateway, request))
    except Refused as refused:
        response = refusal(refused.problem)
    except LineLost:
        response = refusal(retry("unavailable", "a shard has no owner now", RETRY_AFTER_MS))
    except TimeoutError:
        response = refusal(too_late(read=request.method == "GET"))
    except ClientDisconnect:
        response = Response(status_code=400)  # Nobody is there to read it.
    except Exception:
        log.exception("a route failed", route=name)
        response = refusal(problem("internal", "a defect; the log has more"))
    gateway.metrics.requests[name, response.status_code] += 1
    if response.status_code >= 400:
        gateway.metrics.refusal_s.add(perf_counter() - began_at)
    return response
