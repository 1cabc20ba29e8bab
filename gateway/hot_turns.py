"""Whose turn it is on a connection: answers leave in the order of the requests.

Hot requests are begun as they arrive; a cold one, or a hot one that needs a task of its own
(``alone``), is a barrier: what follows it is begun when it has been answered, because a POST may
not overtake a POST.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.hot_request import HotRequest
from gateway.problems import Refused, problem

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

log = structlog.get_logger()

#: Requests of one connection that wait for their answers before reading stops.
PIPELINE_MAX: Final = 64

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class ColdRequest:
    """A request that the ASGI application answers, in its turn."""

    __slots__ = ("app", "begun", "cycle", "expects")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application, expects: bool) -> None:
        self.cycle = cycle
        self.app = app
        self.expects = expects  # The client waits for 100 Continue before it sends its body.
        self.begun = False


class Turns(HttpToolsProtocol):
    """A connection from where its requests have been read. ``hot_door`` reads them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: deque[HotRequest | ColdRequest] = deque()  # Unanswered, in order.
        self.current: HotRequest | ColdRequest | None = None  # Its body is being read.
        self.barrier: HotRequest | ColdRequest | None = None
        self.in_head = False
        self.deaf = False  # The last request of this connection has been read.
        self.stopping = False
        self.gone = False
        self.advancing = False

    def begin(self, request: HotRequest) -> None:
        """Have a request handled that is all there, and whose turn to be begun it is."""
        request.begun = True
        try:
            request.deadline_at = self.loop.time() + request.head.deadline_s()
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
            self._write(data)
            if self.flow.read_paused and not self.flow.write_paused:
                self.flow.resume_reading()
            if self.stopping and self.current is None:
                self.close()
            return
        self.advance()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the descriptor: small answers are written to it directly."""
        super().connection_made(transport)
        self._descriptor: int = transport.get_extra_info("socket").fileno()

    def _write(self, data: bytes) -> None:
        """Write at once where nothing waits to be written before: half of ``transport.write``."""
        transport = self.transport
        if not transport.is_closing() and not transport.get_write_buffer_size():
            try:
                sent = os.write(self._descriptor, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                transport.abort()
                return
            if sent == len(data):
                return
            data = data[sent:]
        transport.write(data)

    def advance(self) -> None:
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
        self.continue_if_next()
        if len(self.waiting) < PIPELINE_MAX // 2 and not self.flow.write_paused:
            self.flow.resume_reading()
        if self.stopping and not self.waiting and self.current is None:
            self.close()

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
            self.close()
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
                self.begin(request)
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
            self.close()  # Its body may never come: where would the next request begin?
            return
        self.flow.resume_reading()
        self.advance()

    def continue_if_next(self) -> None:
        """Invite the body of the request whose turn it is; earlier answers must go first."""
        if not self.waiting:
            return
        head = self.waiting[0]
        if isinstance(head, HotRequest) and head.wants_continue and not head.complete:
            head.wants_continue = False
            self.transport.write(_CONTINUE)

    def close(self) -> None:
        """Close after what was written, however much of a refused body is still to come."""
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
            self.close()

    def pause_writing(self) -> None:
        """The other side does not read: stop reading, too."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """The other side reads again."""
        super().resume_writing()
        if len(self.waiting) < PIPELINE_MAX:
            self.flow.resume_reading()
