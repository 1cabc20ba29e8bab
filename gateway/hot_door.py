"""The HTTP/1.1 door: uvicorn's protocol, with the busiest routes answered right at the socket.

A request is looked at when its head is complete. Hot routes stay here and are answered by
callbacks, without a task or an ASGI message; everything else goes to the parent class and so to
the ASGI application, on the same port and even on the same pipelined connection.

Order on a connection: answers leave in the order of the requests. Hot requests are begun as they
arrive; a cold one, or a hot one that needs a task of its own (``alone``), is a barrier: what
follows it is begun when it has been answered, because a POST may not overtake a POST.
"""

from __future__ import annotations

import re
import urllib.parse
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.hot_request import HotRequest, Route, too_large
from gateway.problems import Problem, Refused, problem

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

    from gateway.metrics import Metrics

log = structlog.get_logger()

#: Requests of one connection that wait for their answers before reading stops.
PIPELINE_MAX: Final = 64
#: Bytes before the end of a head. A thousand-byte cookie does no harm, a megabyte does.
HEAD_BYTES_MAX: Final = 64 * 1024
#: Bytes of a refused body that are read and thrown away so that the answer can be read.
DISCARD_BYTES_MAX: Final = 64 * 1024 * 1024
#: Seconds without a byte: of a connection without a request, and within a request.
IDLE_S_MAX: Final = 75
STALLED_S_MAX: Final = 10
#: Seconds the other side may leave its answers unread.
UNREAD_S_MAX: Final = 30
#: Seconds a whole request may take to arrive: 8 MiB at a slow uplink's 140 kB/s.
ARRIVAL_S_MAX: Final = 60

#: The label in the metrics of what is no HTTP request; it is refused before it is begun.
_MALFORMED: Final = Route("malformed", lambda _request: None, 0)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ENCODED_SLASH: Final = re.compile(b"%2f", re.IGNORECASE)


class Routes(Protocol):
    """The hot routes, and what all connections of a worker share."""

    metrics: Metrics

    def find(self, method: bytes, url: bytes) -> tuple[Route, str, bytes] | None:
        """(route, id in the path or "", query) of a hot route, else None."""


class ColdRequest:
    """A request that the ASGI application answers, in its turn."""

    __slots__ = ("app", "begun", "cycle", "expects")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application, expects: bool) -> None:
        self.cycle = cycle
        self.app = app
        self.expects = expects  # The client waits for 100 Continue before it sends its body.
        self.begun = False


class HotDoor(HttpToolsProtocol):
    """One connection. ``routes`` is set by ``door_to``."""

    routes: Routes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: deque[HotRequest | ColdRequest] = deque()  # Unanswered, in order.
        self.current: HotRequest | ColdRequest | None = None  # Its body is being read.
        self.barrier: HotRequest | ColdRequest | None = None
        self.deaf = False  # The last request of this connection has been read.
        self.stopping = False
        self.gone = False
        self.advancing = False
        self.head_bytes = 0  # Read since the head began; 0 between messages.
        self.in_head = False
        self.discarded_bytes = 0
        self.quiet_s = 0  # Seconds without a byte.
        self.arriving_s = 0  # Seconds since the request that is arriving began.
        self.read_at = 0.0

    # Reading

    def data_received(self, data: bytes) -> None:
        """Bytes came in: parse them, begin what is complete, stop reading if too much waits."""
        self.quiet_s = 0
        if self.deaf and self.current is None:
            return  # The connection closes after what is being answered.
        self.read_at = perf_counter()
        if self.in_head:
            self.head_bytes += len(data)
        self._feed(data)
        if self.in_head and self.head_bytes > HEAD_BYTES_MAX:
            self._refuse_all(problem("headers-too-large", "the head exceeds 64 KiB"))
        if len(self.waiting) >= PIPELINE_MAX or self.flow.write_paused:
            self.flow.pause_reading()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # Nobody here speaks another protocol: go on as if it had not been offered.
                data = data[upgrade.args[0] :]
                if data and not self.deaf:
                    continue
            except httptools.HttpParserError:
                if not self.gone:
                    self._refuse_all(problem("bad-request", "not an HTTP/1.1 request"))
            return

    def on_message_begin(self) -> None:
        """A request begins: its scope is made later, and only if it is a cold one."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.in_head = True
        self.head_bytes = 1
        self.arriving_s = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; also a trailer, which nobody asks for."""
        if self.in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        self.in_head = False
        self.head_bytes = 0
        if self.deaf:
            self.current = None
            return
        found = self.routes.find(self.parser.get_method(), self.url)
        if found is None:
            self._take_cold()
        else:
            self._take_hot(*found)

    def _take_hot(self, route: Route, name: str, query: bytes) -> None:
        request = HotRequest(self, route, name, query, self.routes.metrics)
        request.read_at = self.read_at
        headers = request.headers = dict(self.headers)
        if len(headers) != len(self.headers):
            _join_repeated(headers, self.headers)
        if not self.parser.should_keep_alive() or (
            b"connection" in headers and self.parser.get_http_version() == "1.0"
        ):
            request.keep_alive = False
        if self.stopping:
            request.keep_alive = False
        if not request.keep_alive:
            self.deaf = True
        self.current = request
        self.waiting.append(request)
        length = headers.get(b"content-length")
        if length is not None and int(length) > route.body_bytes_max:
            self._too_large(request)
        elif b"expect" in headers:
            self._expect(request, headers)

    def _expect(self, request: HotRequest, headers: dict[bytes, bytes]) -> None:
        if headers[b"expect"].lower() != b"100-continue":
            return
        if self.parser.get_http_version() == "1.0":
            return
        if headers.get(b"content-length") == b"0":
            return
        request.wants_continue = True
        self._continue_if_next()

    def _continue_if_next(self) -> None:
        """Invite the body of the request whose turn it is; earlier answers must go first."""
        if not self.waiting:
            return
        head = self.waiting[0]
        if isinstance(head, HotRequest) and head.wants_continue and not head.complete:
            head.wants_continue = False
            self.transport.write(_CONTINUE)

    def _too_large(self, request: HotRequest) -> None:
        request.discards = True
        request.begun = True
        if b"expect" in request.headers:  # The body may never come: where would the next begin?
            request.keep_alive = False
            self.deaf = True
        request.refuse(too_large(request.route.body_bytes_max))

    def _take_cold(self) -> None:
        """Let the parent make scope and cycle; ``_start_asgi_task`` below gets them."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url, self.headers = url, headers
        self.scope["headers"] = headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        self.cycle = None  # type: ignore[assignment]
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Queue a cold request instead of starting it at once."""
        scope = cycle.scope
        raw = _ENCODED_SLASH.sub(b"%252F", scope["raw_path"])  # A slash within a segment stays one.
        scope["path"] = urllib.parse.unquote(raw.decode("ascii"))
        if self.stopping:
            cycle.keep_alive = False
        if not cycle.keep_alive:
            self.deaf = True
        request = ColdRequest(cycle, app, self.expect_100_continue)
        self.current = request
        self.waiting.append(request)
        if self.barrier is None:
            self.barrier = request
        self._advance()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        request = self.current
        if isinstance(request, ColdRequest):
            if request.cycle.response_complete:
                self._discard(body)
            else:
                super().on_body(body)
        elif request is not None:
            self._hot_body(request, body)

    def _hot_body(self, request: HotRequest, body: bytes) -> None:
        if request.discards:
            self._discard(body)
            return
        if not request.body:
            request.body = body
        else:
            if isinstance(request.body, bytes):
                request.body = bytearray(request.body)
            request.body += body
        if len(request.body) > request.route.body_bytes_max:
            request.body = b""
            self._too_large(request)

    def _discard(self, body: bytes) -> None:
        self.discarded_bytes += len(body)
        if self.discarded_bytes > DISCARD_BYTES_MAX:
            self.transport.abort()

    def on_message_complete(self) -> None:
        """A request is all there: begin it unless something before it must end first."""
        request, self.current = self.current, None
        self.discarded_bytes = 0
        if isinstance(request, ColdRequest):
            super().on_message_complete()
        elif request is not None and not request.discards:
            request.complete = True
            if self.barrier is None:
                self._begin(request)
        elif request is not None:
            request.complete = True
            if self.gone:
                self.transport.close()
            self._advance()

    # Answering

    def _begin(self, request: HotRequest) -> None:
        request.begun = True
        try:
            request.deadline_at = self.loop.time() + request.deadline_after_s()
            request.route.handler(request)
        except Refused as refused:
            request.refuse(refused.problem)
        except Exception:
            log.exception("a route failed", route=request.route.name)
            request.refuse(problem("internal", "a defect; the log has more"))
        if request.alone and request.bytes_out is None:
            self.barrier = request

    def answered(self, request: HotRequest) -> None:
        """Send what is ready, in order."""
        if self.gone:
            return
        waiting = self.waiting
        data = request.bytes_out
        assert data is not None
        if len(waiting) == 1 and request.complete and not self.advancing and request.keep_alive:
            waiting.clear()
            self.barrier = None
            self.transport.write(data)
            if self.flow.read_paused and not self.flow.write_paused:
                self.flow.resume_reading()
            if self.stopping and self.current is None:
                self._close()
            return
        self._advance()

    def _advance(self) -> None:
        """Send ready answers, then begin what they held back, until neither is left to do."""
        if self.advancing:
            return
        self.advancing = True
        try:
            while not self.gone and (self._send_ready() or self._begin_held()):
                pass
        finally:
            self.advancing = False
        if self.gone:
            return
        self._continue_if_next()
        if len(self.waiting) < PIPELINE_MAX // 2 and not self.flow.write_paused:
            self.flow.resume_reading()
        if self.stopping and not self.waiting and self.current is None:
            self._close()

    def _send_ready(self) -> bool:
        """Whether an answer was sent; answers that follow each other go out in one piece."""
        out: list[bytes] = []
        last = False
        while self.waiting and not last:
            head = self.waiting[0]
            if isinstance(head, ColdRequest) or head.bytes_out is None:
                break
            self.waiting.popleft()
            out.append(head.bytes_out)
            if self.barrier is head:
                self.barrier = None
            last = not head.keep_alive
        if out:
            self.transport.write(b"".join(out))
        if last:
            self._close()
        return bool(out)

    def _begin_held(self) -> bool:
        """Begin the cold request at the head, or hot ones up to a barrier; whether hot ones."""
        begun = False
        for request in list(self.waiting):
            if isinstance(request, ColdRequest):
                self.barrier = self.barrier or request
                if request is self.waiting[0] and not request.begun:
                    request.begun = True
                    super()._start_asgi_task(request.cycle, request.app)
                break
            if not request.begun and self.barrier is None and request.complete:
                self._begin(request)
                begun = True
            if self.barrier is not None or not request.begun:
                break
        return begun

    def on_response_complete(self) -> None:
        """The ASGI application has answered: the next may be sent."""
        self.server_state.total_requests += 1
        if not self.waiting:
            return
        request = self.waiting.popleft()
        if self.barrier is request:
            self.barrier = None
        if self.transport.is_closing():
            self.gone = True
            return
        assert isinstance(request, ColdRequest)
        if request.expects and request.cycle.more_body:
            self._close()  # Its body may never come: where would the next request begin?
            return
        self.flow.resume_reading()
        self._advance()

    def _refuse_all(self, refusal: Problem) -> None:
        """Answer what is no request after all that came before it, and close."""
        self.deaf = True
        self.in_head = False
        if isinstance(self.current, HotRequest):
            self.waiting.remove(self.current)
        elif isinstance(self.current, ColdRequest):
            self.transport.close()  # Its body broke off; its answer would be about half a body.
            return
        self.current = None
        request = HotRequest(self, _MALFORMED, "", b"", self.routes.metrics)
        request.read_at = self.read_at
        request.keep_alive = False
        request.begun = request.complete = True
        self.waiting.append(request)
        request.refuse(refusal)

    # Closing

    def _close(self) -> None:
        self.gone = True
        self.deaf = True
        if isinstance(self.current, HotRequest) and self.current.discards:
            # Closing while a body still comes in would reset the connection, and the client
            # would never read why it was refused.
            self.transport.write_eof()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone; what is being decided goes on without it."""
        self.gone = True
        for request in self.waiting:
            if isinstance(request, ColdRequest):
                request.cycle.disconnected = True
                request.cycle.message_event.set()
        self.waiting.clear()
        self.current = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops: finish what is in flight, then close."""
        self.stopping = True
        if self.waiting:
            last = self.waiting[-1]
            if isinstance(last, HotRequest):
                last.keep_alive = False
            else:
                last.cycle.keep_alive = False
        elif not self.in_head:
            self._close()

    def tick(self) -> None:
        """Once a second: close what is idle or arrives too slowly."""
        self.quiet_s += 1
        arriving = self.in_head or self.current is not None
        if self.flow.write_paused and self.quiet_s > UNREAD_S_MAX:
            self.transport.abort()
        elif arriving and not self.flow.read_paused:
            self.arriving_s += 1
            if self.quiet_s > STALLED_S_MAX or self.arriving_s > ARRIVAL_S_MAX:
                self.transport.abort()
        elif not self.waiting and self.quiet_s > IDLE_S_MAX:
            self._close()

    def pause_writing(self) -> None:
        """The other side does not read: stop reading, too."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """The other side reads again."""
        super().resume_writing()
        if len(self.waiting) < PIPELINE_MAX:
            self.flow.resume_reading()


def _join_repeated(headers: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]]) -> None:
    """A header given more than once counts as its values joined by commas (RFC 9110, 5.3)."""
    for name in headers:
        headers[name] = b", ".join(value for other, value in pairs if other == name)


def door_to(routes: Routes) -> type[HotDoor]:
    """The protocol class for ``uvicorn.Config(http=…)`` that leads to ``routes``."""
    return type("BoundHotDoor", (HotDoor,), {"routes": routes})
