"""The last accepted commits of a shard, kept as bytes: the store may come back behind them."""

import time
from collections import deque
from typing import Final

from engine.effects import Effects, Sealed
from engine.limits import HISTORY_BYTES_MAX, HISTORY_MS_MAX
from engine.store.protocol import Acquired

#: Stands in for the effects of an accepted commit: they will never be taken back.
_FORGOTTEN: Final = Effects()


class History:
    """Accepted commits, oldest first, for a while and up to a size."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, Sealed]] = deque()
        self._bytes = 0

    def keep(self, sealed: Sealed) -> None:
        """A commit has been accepted."""
        now = time.monotonic()
        sealed.effects = _FORGOTTEN
        self._kept.append((now, sealed))
        self._bytes += _size(sealed)
        while self._bytes > HISTORY_BYTES_MAX or (
            len(self._kept) > 1 and self._kept[0][0] < now - HISTORY_MS_MAX / 1000
        ):
            self._bytes -= _size(self._kept.popleft()[1])

    def chain(self) -> list[Sealed]:
        """All that is kept, oldest first."""
        return [sealed for _, sealed in self._kept]


def was_accepted(sealed: Sealed) -> bool:
    """Whether a commit of a chain is one that was kept after it had been accepted."""
    return sealed.effects is _FORGOTTEN


def _size(sealed: Sealed) -> int:
    return len(sealed.changes) + len(sealed.events)


def place_in(chain: list[Sealed], acquired: Acquired, accepted: tuple[int, bytes]) -> int | None:
    """How many commits of a chain a history contains; None if it is no part of the chain."""
    at = (acquired.seq, acquired.head)
    for count in range(len(chain), 0, -1):
        if at == (chain[count - 1].seq, chain[count - 1].hash_after):
            return count
    if chain and at == (chain[0].seq - 1, chain[0].hash_before):
        return 0
    return 0 if not chain and at == accepted else None
