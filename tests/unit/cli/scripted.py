"""A gateway that says what a test tells it to, on a socket of its own."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: (method, path, body) → (status, document or bytes), or None to close the connection unanswered.
Script = Callable[[str, str, Any], tuple[int, Any] | None]


class ScriptedGateway(ThreadingHTTPServer):
    """Answers by ``script`` and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: Script = lambda _method, _path, _body: (200, {})
        self.asked: list[tuple[str, str, Any]] = []
        self.deadlines: list[str | None] = []  # The header of each request.


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedGateway

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.deadlines.append(self.headers.get("X-Deadline-Ms"))
        self.server.asked.append((self.command, self.path, body))
        answer = self.server.script(self.command, self.path, body)
        if answer is None:
            self.close_connection = True
            return
        told = answer[1]
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815  The base class names them so.

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: the test reads ``asked``."""
