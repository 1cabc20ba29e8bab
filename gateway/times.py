"""Instants as the API writes and reads them. Inside, they are whole milliseconds since 1970."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}):(\d{2})(?:\.(\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))\Z",
    re.ASCII,
)


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")


@lru_cache(maxsize=4096)  # All holds of a batch end at the same millisecond.
def written(at_ms: int) -> str:
    """UTC with exactly three decimals, such as ``2026-12-01T12:00:00.000Z``."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


def now_ms() -> int:
    """The clock of this worker; what is decided goes by the shard's."""
    return time.time_ns() // 1_000_000


def read(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time; anything finer is cut.

    Raises ValueError where it is none: an offset is required, a leap second is the next minute.
    """
    match = _INSTANT.match(text)
    if match is None:
        raise ValueError("expected an RFC 3339 time with an offset")
    date, minute, second, fraction, _zulu, sign, hours, minutes = match.groups()
    leap = second == "60"
    moment = datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}")
    instant = moment.replace(tzinfo=_offset(sign, hours, minutes))
    ms = int(((fraction or "") + "000")[:3])
    return (instant - _EPOCH) // _MILLISECOND + ms + (1000 if leap else 0)


def _offset(sign: str | None, hours: str, minutes: str) -> timezone:
    if sign is None:
        return UTC
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("the offset is out of range")
    away = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-away if sign == "-" else away)
