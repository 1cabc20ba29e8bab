"""The HTTP/1.1 door: uvicorn's protocol, with the busiest routes answered right at the socket.

A request is looked at when its head is complete. Hot routes stay here and are answered by
callbacks, without a task or an ASGI message; everything else goes to the parent class and so to
the ASGI application, on the same port and even on the same pipelined connection.
"""

from __future__ import annotations

import re
import urllib.parse
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import httptools

from gateway.hot_head import Head, KnownHeads
from gateway.hot_request import Found, HotRequest, Route, too_large
from gateway.hot_turns import PIPELINE_MAX, ColdRequest, Turns
from gateway.problems import Problem, problem

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from gateway.metrics import Metrics

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
_ENCODED_SLASH: Final = re.compile(b"%2f", re.IGNORECASE)


class Routes(Protocol):
    """The hot routes, and what all connections of a worker share."""

    metrics: Metrics

    heads: KnownHeads

    def find(self, method: bytes, url: bytes) -> Found | None:
        """What a request is for, if it is a hot one."""

    def find_line(self, line: bytes) -> Found | None:
        """The same by the first line of its head."""


class HotDoor(Turns):
    """One connection. ``routes`` is set by ``door_to``."""

    routes: Routes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_bytes = 0  # Read since the head began.
        self.discarded_bytes = 0
        self.quiet_s = 0  # Seconds without a byte.
        self.arriving_s = 0  # Seconds since the request that is arriving began.
        self.read_at = 0.0  # perf_counter() of the last bytes.
        self.last_head: Head | None = None  # Of the bytes just read, if it may be learnt.

    # Reading

    def data_received(self, data: bytes) -> None:
        """Bytes came in: parse them, begin what is complete, stop reading if too much waits."""
        self.quiet_s = 0
        between = self.current is None and not self.in_head
        if between and self.deaf:
            return  # The connection closes after what is being answered.
        self.read_at = perf_counter()
        if not (between and self._take_known(data)):
            self._read(data)
            if between and self.last_head is not None and self.current is None:
                self.routes.heads.learn(data, self.last_head)
        if len(self.waiting) >= PIPELINE_MAX or self.flow.write_paused:
            self.flow.pause_reading()

    def _take_known(self, data: bytes) -> bool:
        """Take one whole request whose head was read before; whether it was one."""
        known = self.routes.heads.find(data)
        if known is None or self.stopping:
            return False
        line, head, key, body = known
        found = self.routes.find_line(line)
        if found is None or head.length > found[0].body_bytes_max:
            return False
        request = HotRequest(self, found, head, key, self.routes.metrics)
        request.read_at = self.read_at
        request.body = body
        request.complete = True
        self.waiting.append(request)
        if self.barrier is None:
            self.begin(request)
        return True

    def _read(self, data: bytes) -> None:
        """Parse bytes of any kind."""
        self.last_head = None
        if self.in_head:
            self.head_bytes += len(data)
        self._feed(data)
        if self.in_head and self.head_bytes > HEAD_BYTES_MAX:
            self._refuse_all(problem("headers-too-large", "the head exceeds 64 KiB"))

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() != b"CONNECT":
                    data = self._without_offer() + data[upgrade.args[0] :]
                    continue
                self._refuse_all(problem("bad-request", "no tunnels here"))
            except httptools.HttpParserError:
                if not self.gone:
                    self._refuse_all(problem("bad-request", "not an HTTP/1.1 request"))
            return

    def _without_offer(self) -> bytes:
        """The head just read, without its offer of another protocol (RFC 9110, 7.8: ignore it).

        The parser takes all that follows such a head for the other protocol, a body too; so the
        request is read once more, by a new parser, as if nothing had been offered.
        """
        first = b"%b %b HTTP/%b" % (
            self.parser.get_method(), self.url, self.parser.get_http_version().encode(),
        )  # fmt: skip
        lines = [first]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                kept = [token for token in tokens if token.lower() in (b"close", b"keep-alive")]
                lines.append(b"connection: " + b", ".join(kept))
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As at the start.
        return b"\r\n".join([*lines, b"", b""])

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
        self.current = None
        if self.deaf or self.parser.should_upgrade():
            return
        if sum(name == b"host" for name, _ in self.headers) != 1 and not self._is_old():
            raise ValueError("exactly one host is required")  # The parser refuses the request.
        found = self.routes.find(self.parser.get_method(), self.url)
        if found is None:
            self._take_cold()
        else:
            self._take_hot(found)

    def _is_old(self) -> bool:
        version: str = self.parser.get_http_version()
        return version == "1.0"

    def _take_hot(self, found: Found) -> None:
        headers = dict(self.headers)
        usual = len(headers) == len(self.headers)
        if not usual:
            _join_repeated(headers, self.headers)
        keep_alive = self.parser.should_keep_alive() and not self._is_old()
        key = headers.pop(b"idempotency-key", None)
        head = Head(headers, keep_alive=keep_alive and not self.stopping)
        if usual:
            self.last_head = head
        text = None if key is None else key.decode("latin-1")
        request = HotRequest(self, found, head, text, self.routes.metrics)
        request.read_at = self.read_at
        self.deaf = not request.keep_alive
        self.current = request
        self.waiting.append(request)
        if head.length > request.route.body_bytes_max:
            self._too_large(request)
        elif b"expect" in headers:
            self._expect(request, headers)

    def _expect(self, request: HotRequest, headers: dict[bytes, bytes]) -> None:
        if headers[b"expect"].lower() != b"100-continue":
            return
        if self._is_old() or headers.get(b"content-length") == b"0":
            return
        request.wants_continue = True
        self.continue_if_next()

    def _too_large(self, request: HotRequest) -> None:
        request.discards = True
        request.begun = True
        if (
            b"expect" in request.head.headers
        ):  # The body may never come: where would the next begin?
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
        self.advance()

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
                self.begin(request)
        elif request is not None:
            request.complete = True
            if self.gone:
                self.transport.close()
            self.advance()

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
        nothing = Head({}, keep_alive=False)
        request = HotRequest(self, (_MALFORMED, "", b""), nothing, None, self.routes.metrics)
        request.read_at = self.read_at
        request.begun = request.complete = True
        self.waiting.append(request)
        request.refuse(refusal)

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
            self.close()


def _join_repeated(headers: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]]) -> None:
    """A header given more than once counts as its values joined by commas (RFC 9110, 5.3)."""
    for name in headers:
        headers[name] = b", ".join(value for other, value in pairs if other == name)


def door_to(routes: Routes) -> type[HotDoor]:
    """The protocol class for ``uvicorn.Config(http=…)`` that leads to ``routes``."""
    return type("BoundHotDoor", (HotDoor,), {"routes": routes})
