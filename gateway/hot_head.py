"""The head of a hot request, and heads that were read before.

A client sends the same headers with every request, except for its key. Reading such a head anew
costs a fifth of the whole request; to recognise its bytes costs next to nothing, and is exact.
"""

from __future__ import annotations

from typing import Final, NamedTuple

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


class Layout(NamedTuple):
    """A head that was read before, with its first line, around the value of its key."""

    before: bytes
    after: bytes
    line: bytes
    head: Head


class KnownHeads:
    """Heads of a worker's clients, by their bytes without the key."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}
        #: The last request of each length: the next one is often the same but for its key.
        self._layouts: dict[int, Layout] = {}

    def find(self, data: bytes) -> tuple[bytes, Head, str | None, bytes] | None:
        """(first line, head, key, body) if ``data`` is one whole request with a known head."""
        layout = self._layouts.get(len(data))
        if layout is not None and data.startswith(layout.before):
            before, after, line, head = layout
            key_at, body_at = len(before), len(data) - head.length
            key_end = body_at - len(after)
            if data.startswith(after, key_end):
                key = data[key_at:key_end]
                if b"\r" not in key and key.strip() == key:
                    return line, head, key.decode("latin-1"), data[body_at:]
        return self._look_up(data)

    def _look_up(self, data: bytes) -> tuple[bytes, Head, str | None, bytes] | None:
        end = data.find(_END)
        if end < 0:
            return None
        line = data[: data.find(b"\r\n")]
        key_at, key_end = _find_key(data, len(line), end)
        head = self._heads.get(_without_key(data, len(line), end, key_at, key_end))
        if head is None or head.length != len(data) - end - 4:
            return None
        if key_at < 0:
            return line, head, None, data[end + 4 :]
        if len(self._layouts) >= HEADS_MAX:
            self._layouts.clear()
        self._layouts[len(data)] = Layout(data[:key_at], data[key_end : end + 4], line, head)
        return line, head, data[key_at:key_end].decode("latin-1"), data[end + 4 :]

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
        line_end = data.find(b"\r\n")
        self._heads[_without_key(data, line_end, end, *_find_key(data, line_end, end))] = head


def _find_key(data: bytes, line_end: int, end: int) -> tuple[int, int]:
    """Where the value of the key begins and ends in the head that ends at ``end``, or (-1, -1)."""
    for field in _KEY_FIELDS:
        at = data.find(field, line_end, end)
        if at >= 0:
            value_at = at + _KEY_FIELD_BYTES
            stop = data.find(b"\r\n", value_at)
            value = data[value_at:stop]
            if value == value.strip():  # Else it is cut off by whoever reads heads in full.
                return value_at, stop
    return -1, -1


def _without_key(data: bytes, line_end: int, end: int, key_at: int, key_end: int) -> bytes:
    """All lines of a head but the first and that of the key."""
    if key_at < 0:
        return data[line_end:end]
    return data[line_end : key_at - _KEY_FIELD_BYTES] + data[key_end:end]
