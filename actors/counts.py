"""What gateway workers count, added up: whichever of them is asked tells of all."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

#: By name; what a name means is the gateway's affair.
Counts: TypeAlias = Mapping[str, float]

#: Workers told apart at a time; of more, the one that has been silent longest has ended.
_WORKERS_MAX: Final = 128


class Totals:
    """The last that each worker has told. What has ended still counts: a sum never goes back."""

    def __init__(self) -> None:
        self._by_worker: dict[str, Counts] = {}  # The one that told longest ago first.
        self._ended: Counts = {}

    def take(self, worker: str, counts: Counts) -> Counts:
        """Take what one worker has counted since it began; the sum over all."""
        self._by_worker.pop(worker, None)
        self._by_worker[worker] = counts
        if len(self._by_worker) > _WORKERS_MAX:
            longest_silent = next(iter(self._by_worker))
            self._ended = _sum([self._ended, self._by_worker.pop(longest_silent)])
        return _sum([self._ended, *self._by_worker.values()])


def _sum(parts: Iterable[Counts]) -> Counts:
    total: dict[str, float] = {}
    for counts in parts:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total
