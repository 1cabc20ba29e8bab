"""From the bytes of a body to a checked struct; what is wrong has the path of its field."""

import re
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from engine.ids import ID, KEY
from gateway.problems import Refused, invalid, problem

T = TypeVar("T")

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"

_AT: Final = re.compile(r" - at `(?P<key>key` in `)?\$(?P<path>[^`]*)`\Z")
_NAMED: Final = re.compile(r"^(Object (?:contains unknown|missing required) field) `(.*)`\Z", re.S)
#: Longest part of a caller's own text that an answer repeats.
_ECHO_CHARS_MAX: Final = 100


class Reader(Generic[T]):
    """Reads one kind of body in both formats.

    Raises Refused (422) naming the first offender. Reading is done once with the struct's own
    decoder; only what it refuses is read a second time as plain values, where of a member that
    was given twice the last counts before anything is checked.
    """

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self._json = msgspec.json.Decoder(kind)
        self._msgpack = msgspec.msgpack.Decoder(kind)

    def read(self, body: bytes | bytearray, packed: bool) -> T:
        """The struct in ``body``, which is MessagePack if ``packed``."""
        try:
            return self._msgpack.decode(body) if packed else self._json.decode(body)
        except msgspec.ValidationError as error:
            return self._reread(body, packed, error)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(unreadable(error)) from None
        except RecursionError:
            raise Refused(invalid(None, "the body is nested too deeply")) from None

    def _reread(self, body: bytes | bytearray, packed: bool, first: msgspec.ValidationError) -> T:
        try:
            plain = (msgspec.msgpack if packed else msgspec.json).decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(unreadable(error)) from None
        except (RecursionError, TypeError):  # Too deep, or a map's key that is no text.
            raise Refused(misshapen(first)) from None
        try:
            return msgspec.convert(plain, self.kind, builtin_types=_PLAIN)
        except msgspec.ValidationError as error:
            raise Refused(misshapen(error)) from None


#: What a MessagePack body may hold besides JSON's values; they never pass for text.
_PLAIN: Final = (bytes, bytearray)


def unreadable(error: Exception) -> Any:
    """The problem of a body that is not JSON, UTF-8 or MessagePack at all."""
    return invalid(None, f"the body could not be read: {str(error)[:_ECHO_CHARS_MAX]}")


def misshapen(error: msgspec.ValidationError) -> Any:
    """The problem of a body that could be read: which member, and what is wrong with it."""
    text = str(error)
    at = _AT.search(text)
    path = at["path"].removeprefix(".") if at else ""
    what = text[: at.start()] if at else text
    named = _NAMED.match(what)
    if named is not None:
        member = named[2][:_ECHO_CHARS_MAX]
        path = f"{path}.{member}" if path else member
        what = named[1]
    return invalid(path or None, what[: 2 * _ECHO_CHARS_MAX])


def checked_id(value: str, path: str) -> str:
    """``value`` if it is an id, else Refused."""
    if ID.match(value) is None:
        raise Refused(invalid(path, "is not an id: 1-64 letters, digits and . _ : -"))
    return value


def checked_key(value: str, path: str) -> str:
    """``value`` if it is a caller's key, else Refused."""
    if KEY.match(value) is None:
        raise Refused(invalid(path, "is not a key: 1-60 letters, digits and . _ : -"))
    return value


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()


@lru_cache(maxsize=256)
def packed_in(content_type: str | None) -> bool:
    """Whether a POST's body is MessagePack; Refused (415) if it is neither that nor JSON."""
    media = JSON if content_type is None else _media(content_type)
    if media not in (JSON, MSGPACK):
        detail = f"{media[:_ECHO_CHARS_MAX] or 'nothing'} is neither {JSON} nor {MSGPACK}"
        raise Refused(problem("unsupported-media-type", detail))
    return media == MSGPACK


def json_only(content_type: str | None) -> None:
    """Refuse (415) a PUT's body that is not JSON."""
    if packed_in(content_type):
        raise Refused(problem("unsupported-media-type", f"this route speaks {JSON} only"))


@lru_cache(maxsize=256)
def packed_out(accept: str | None, packed: bool) -> bool:
    """Whether the answer to a POST is MessagePack: as ``accept`` names, else like the request."""
    if accept is None:
        return packed
    named = {_media(part) for part in accept.split(",") if not _refuses(part)}
    if (JSON in named) == (MSGPACK in named):
        return packed
    return MSGPACK in named


def _refuses(part: str) -> bool:
    weights = [p.strip()[2:] for p in part.split(";")[1:] if p.strip().lower().startswith("q=")]
    return bool(weights) and weights[0].strip("0.") == ""
