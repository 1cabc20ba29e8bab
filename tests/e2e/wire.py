"""HTTP/1.1 by hand: what a client library would tidy up is exactly what is tested."""

import json
import socket
from typing import Any, NamedTuple

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answer(NamedTuple):
    """One parsed response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A raw connection to the gateway."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._buffer = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        while len(self._buffer) < size:
            self._more()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next response, however its parts come in."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        size = 0 if to_head else int(headers["content-length"])
        return Answer(int(first.split()[1]), headers, self.exactly(size))

    def closed(self) -> bool:
        """Whether the server closes without sending anything more."""
        try:
            return not self._buffer and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def request(
    method: str, path: str, body: bytes | None = None, *, version: str = "1.1", **headers: str
) -> bytes:
    """The bytes of a request; ``a_b="c"`` becomes the header ``a-b: c``."""
    lines = [f"{method} {path} HTTP/{version}", "host: tidegate"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def reserve(sku: str, key: str, quantity: int = 1, **headers: str) -> bytes:
    """A request to hold units of one SKU."""
    body = json.dumps({"id": key, "lines": [{"sku": sku, "quantity": quantity}]}).encode()
    return request("POST", "/v1/reservations", body, **headers)
