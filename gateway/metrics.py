"""What a worker counts, as plain numbers, and their text for Prometheus."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import Final

#: Seconds; from a tenth of a millisecond to the longest deadline.
SECONDS_BOUNDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip


class Histogram:
    """Counts by upper bound, with sum and count."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """One worker's figures, and the Date header its answers share."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.refusal_s = Histogram()
        self.created = 0
        self.repeated = 0
        self.refused = 0
        self.date_line = b""
        self.tick()

    def count(self, route: str, status: int) -> None:
        """One request to ``route`` was answered with ``status``."""
        key = (route, status)
        self.requests[key] = self.requests.get(key, 0) + 1

    def tick(self) -> None:
        """Once a second: the Date header."""
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode()


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def family(
    name: str, kind: str, text: str, rows: Iterable[tuple[Mapping[str, object], float]]
) -> str:
    """One metric with its rows in the text format 0.0.4."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {value:g}" for labels, value in rows]
    return "\n".join(lines) + "\n"
