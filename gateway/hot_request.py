"""One request on the hot path, from its head to its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gateway import answers
from gateway.hot_head import Head
from gateway.problems import Problem, Refused, invalid, problem

if TYPE_CHECKING:
    from gateway.metrics import Metrics

#: A handler calls ``answer`` or ``refuse`` exactly once.
Handler: TypeAlias = Callable[["HotRequest"], None]
#: A route, the id in the path or "", and the query.
Found: TypeAlias = tuple["Route", str, bytes]

JSON_MEDIA: Final = b"application/json"
MSGPACK_MEDIA: Final = b"application/msgpack"
PROBLEM_MEDIA: Final = b"application/problem+json"

CLOSE: Final = b"connection: close\r\n"
_HEADS: Final = {
    (status, media): b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: "
    % (status, HTTPStatus(status).phrase.encode(), media)
    for status in (200, 201, 400, 404, 405, 409, 410, 413, 415, 422, 429, 431, 500, 503)
    for media in (JSON_MEDIA, MSGPACK_MEDIA, PROBLEM_MEDIA)
}


@dataclass(frozen=True, slots=True)
class Route:
    """What the door must know of a hot route."""

    name: str  # The path with its parameters' names: a label of the metrics.
    handler: Handler
    body_bytes_max: int


class Connection(Protocol):
    """What a request needs of the connection it came on."""

    def answered(self, request: HotRequest) -> None:
        """``request.bytes_out`` is set."""


class HotRequest:
    """One request. ``bytes_out`` is the whole answer, ready to be sent when its turn has come."""

    # What most requests never change; it costs nothing to begin with.
    bytes_out: bytes | None = None
    packed = False  # The answer's format.
    begun = False
    complete = False  # The body is all there.
    discards = False  # Answered early: the rest of the body is of no interest.
    alone = False  # What follows on the connection waits until this is answered.
    wants_continue = False
    body: bytes | bytearray = b""
    deadline_at = 0.0  # On the loop's clock.
    read_at = 0.0  # perf_counter()

    def __init__(
        self, connection: Connection, found: Found, head: Head, key: str | None, metrics: Metrics
    ) -> None:
        self.connection = connection
        self.route, self.name, self.query = found
        self.head = head
        self.key = key  # The header Idempotency-Key.
        self.metrics = metrics
        self.keep_alive = head.keep_alive

    def settle_formats(self) -> bool:
        """Whether the body is MessagePack; sets the format of the answer. Refused: 415."""
        packed, self.packed = self.head.formats()
        return packed

    def answer(
        self, status: int, body: bytes, more: bytes = b"", media: bytes | None = None
    ) -> None:
        """Answer in the format settled, unless ``media`` names another.

        ``more`` are further header lines.
        """
        metrics = self.metrics
        metrics.requests[self.route.name, status] += 1
        if media is None:
            media = MSGPACK_MEDIA if self.packed else JSON_MEDIA
        if not self.keep_alive:
            more += CLOSE
        self.bytes_out = b"%b%d\r\n%b%b\r\n%b" % (
            _HEADS[status, media],
            len(body),
            metrics.date_line,
            more,
            body,
        )
        self.connection.answered(self)

    def refuse(self, refusal: Problem) -> None:
        """Answer with a problem, always JSON."""
        wait_s = refusal.retry_after_s
        more = b"" if wait_s is None else b"retry-after: %d\r\n" % wait_s
        self.refuse_encoded(refusal.kind.status, answers.to_json(refusal.document()), more)

    def refuse_encoded(self, status: int, body: bytes, more: bytes = b"") -> None:
        """Answer with a problem that is laid out already."""
        self.metrics.refusal_s.add(perf_counter() - self.read_at)
        self.answer(status, body, more, PROBLEM_MEDIA)


def no_query(request: HotRequest) -> None:
    """Refuse query parameters where a route has none."""
    if request.query:
        member = request.query.partition(b"&")[0].partition(b"=")[0].decode("latin-1")
        raise Refused(invalid(f"query.{member[:100]}", "is not known here"))


def too_large(limit: int) -> Problem:
    """The problem of a body beyond ``limit`` bytes."""
    return problem("too-large", f"the body exceeds {limit:,} bytes")
