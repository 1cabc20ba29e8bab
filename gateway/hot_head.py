"""The head of a hot request, and heads that were read before.

A client sends the same headers with every request, except for its key. Reading such a head anew
costs a fifth of the whole request; to recognise its bytes costs next to nothing, and is exact.
"""

from __future__ import annotations

from typing import Final

from engine.limits import DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX
from gateway.problems import Refused, invalid
from gateway.reading import packed_in, packed_out

#: Heads remembered: one for each kind of client and length of body, with room for strangers.
HEADS_MAX: Final = 2_000

_END: Final = b"\r\n\r\n"
_KEY_FIELDS: Final = (b"\r\nIdempotency-Key: ", b"\r\nidempotency-key: ")
_KEY_FIELD_BYTES: Final = len(_KEY_FIELDS[0])


class Head:
    """What the headers say, apart from the key. Requests that say the same share it."""

    def __init__(self, headers: dict[bytes, bytes], *, keep_alive: bool) -> None:
        self.headers = headers
        self.keep_alive = keep_alive
        #: Bytes of the body, as declared.
        self.length = int(headers.get(b"content-length", b"0"))
        self._formats: tuple[bool, bool] | None = None
        self._deadline_s: float | None = None

    def _text(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def formats(self) -> tuple[bool, bool]:
        """Whether the body is MessagePack, and whether the answer is to be. Refused: 415."""
        if self._formats is None:
            packed = packed_in(self._text(b"content-type"))
            self._formats = packed, packed_out(self._text(b"accept"), packed)
        return self._formats

    def deadline_s(self) -> float:
        """Seconds until the answer is of no use any more. Refused: 422."""
        if self._deadline_s is None:
            self._deadline_s = deadline_ms(self._text(b"x-deadline-ms")) / 1000
        return self._deadline_s


def deadline_ms(text: str | None) -> int:
    """The header X-Deadline-Ms or its default; Refused if it is not 1-30000."""
    if text is None:
        return DEADLINE_MS_DEFAULT
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(DEADLINE_MS_MAX))
    if not digits or not 1 <= int(text) <= DEADLINE_MS_MAX:
        raise Refused(invalid("header.X-Deadline-Ms", f"is not 1-{DEADLINE_MS_MAX}"))
    return int(text)


class KnownHeads:
    """Heads of a worker's clients, by their bytes without the key."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[bytes, Head, str | None, bytes] | None:
        """(first line, head, key, body) if ``data`` is one whole request with a known head."""
        end = data.find(_END)
        if end < 0:
            return None
        line, key, rest = _cut(data, end)
        head = self._heads.get(rest)
        if head is None or head.length != len(data) - end - 4:
            return None
        return line, head, key, data[end + 4 :]

    def learn(self, data: bytes, head: Head) -> None:
        """``data`` began with a request whose head was read as ``head``; keep it if it ended there.

        Only heads with nothing unusual: kept alive, a body of declared length.
        """
        end = data.find(_END)
        if end < 0 or len(data) - end - 4 != head.length or not head.keep_alive:
            return
        if b"expect" in head.headers or b"transfer-encoding" in head.headers:
            return
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[_cut(data, end)[2]] = head


def _cut(data: bytes, end: int) -> tuple[bytes, str | None, bytes]:
    """(first line, key, the other lines) of the head that ends at ``end``."""
    line_end = data.find(b"\r\n")
    for field in _KEY_FIELDS:
        at = data.find(field, line_end, end)
        if at >= 0:
            value_at = at + _KEY_FIELD_BYTES
            stop = data.find(b"\r\n", value_at)
            value = data[value_at:stop]
            if value == value.strip():  # Else it is cut off by whoever reads heads in full.
                return data[:line_end], value.decode("latin-1"), data[line_end:at] + data[stop:end]
    return data[:line_end], None, data[line_end:end]
