"""What an owner measures of itself: plain counters and the last minute's batches."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from engine.demand_log import DemandLog

if TYPE_CHECKING:
    from actors.jobs import Batch, Job
    from engine.ledger import Ledger

_WINDOW_S: Final = 60.0
_SAMPLES_MAX: Final = 4_096
_NONE: Final[list[Any]] = ["", 0]  # The record of a shortfall that is none.
#: Upper bounds of the histograms' buckets: commands, and seconds.
SIZE_BUCKETS: Final = (1, 4, 16, 64, 256, 1024, 4096)
SECONDS_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Histogram:
    """Counts by bucket, and the sum; as Prometheus wants them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def packed(self) -> list[Any]:
        """Bounds, counts (one more than bounds), sum."""
        return [list(self.bounds), self.counts, self.total]


class Telemetry:
    """Batches of one shard."""

    def __init__(self) -> None:
        self.batch_commands = Histogram(SIZE_BUCKETS)
        self.decide_seconds = Histogram(SECONDS_BUCKETS)
        self.commit_seconds = Histogram(SECONDS_BUCKETS)
        self.oversell_alarms = 0
        self.expired = 0
        self.demand = DemandLog()
        #: (when, commands, queue ms, decide ms, commit ms)
        self._recent: deque[tuple[float, int, float, float, float]] = deque(maxlen=_SAMPLES_MAX)
        self._queue_ms = 0.0
        self._decide_ms = 0.0
        self._oversold = 0
        self._oversold_until = 0.0

    def decided(self, jobs: "list[Job]", started: float, ended: float) -> None:
        """A batch has been decided, its first job having waited since it came."""
        self._queue_ms = (started - jobs[0].since) * 1000
        self._decide_ms = (ended - started) * 1000
        self.decide_seconds.add(ended - started)

    def committed(self, batch: "Batch") -> None:
        """A batch has been accepted."""
        if batch.refusals:
            self.demand.add(batch.refusals)
        now = time.monotonic()
        commands = sum(len(job.commands) for job in batch.jobs)
        self.batch_commands.add(commands)
        self.commit_seconds.add(now - batch.sent_at)
        commit_ms = (now - batch.sent_at) * 1000
        self._recent.append((now, commands, self._queue_ms, self._decide_ms, commit_ms))

    def oversold_units(self, ledger: "Ledger") -> int:
        """Units promised, not there, and without a shortfall record: must be 0.

        Looked at anew once a minute: a shard may have 100,000 positions.
        """
        now = time.monotonic()
        if now >= self._oversold_until:
            self._oversold_until = now + _WINDOW_S
            self._oversold = sum(
                max(0, position.shortfall - ledger.shortfalls.get(position.backing, _NONE)[1])
                for book in ledger.books.values()
                for position in book.positions.values()
                if position.reserved + position.committed > position.on_hand
            )
        return self._oversold

    def last_minute(self) -> dict[str, Any]:
        """Percentiles as ``GET /v1/shards`` shows them."""
        since = time.monotonic() - _WINDOW_S
        rows = [row for row in self._recent if row[0] >= since]
        return {
            "batch_size": {
                "p50": round(_percentile([row[1] for row in rows], 0.5)),
                "p99": round(_percentile([row[1] for row in rows], 0.99)),
            },
            "queue_ms_p99": round(_percentile([row[2] for row in rows], 0.99), 2),
            "decide_ms_p99": round(_percentile([row[3] for row in rows], 0.99), 2),
            "commit_ms_p99": round(_percentile([row[4] for row in rows], 0.99), 2),
        }


def _percentile(values: Sequence[float], share: float) -> float:
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
