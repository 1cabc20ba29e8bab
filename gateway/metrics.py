"""What a worker counts, as plain numbers, and their text for Prometheus."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import Any, Final

from actors.counts import Counts
from actors.telemetry import Histogram

#: Seconds from the read of a request to its refusal.
_REFUSAL_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0)


class Metrics:
    """One worker's figures, and the Date header its answers share."""

    def __init__(self) -> None:
        self.worker = secrets.token_hex(8)  # Whose figures these are.
        self.requests: defaultdict[tuple[str, int], int] = defaultdict(int)  # (route, status)
        self.refusal_s = Histogram(_REFUSAL_BOUNDS)
        self.created = 0
        self.repeated = 0
        self.refused = 0
        self.date_line = b""
        self.tick()

    def tick(self) -> None:
        """Once a second: the Date header."""
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode()

    def counts(self) -> dict[str, float]:
        """All of them by name, as workers add them up."""
        refusals = enumerate(self.refusal_s.counts)
        return {
            **{f"requests {route} {status}": n for (route, status), n in self.requests.items()},
            **{f"refusal_s {bucket}": n for bucket, n in refusals},
            "refusal_s": self.refusal_s.total,
            "created": self.created,
            "repeated": self.repeated,
            "refused": self.refused,
        }

    @classmethod
    def of(cls, counts: Counts) -> "Metrics":
        """The figures behind such names."""
        metrics = cls()
        for name, count in counts.items():
            match name.split(" "):
                case ["requests", route, status]:
                    metrics.requests[route, int(status)] = int(count)
                case ["refusal_s", bucket]:
                    metrics.refusal_s.counts[int(bucket)] = int(count)
        metrics.refusal_s.total = counts["refusal_s"]
        metrics.created = int(counts["created"])
        metrics.repeated = int(counts["repeated"])
        metrics.refused = int(counts["refused"])
        return metrics


Row = tuple[Mapping[str, object], float]


def exposition(metrics: Metrics, reports: Sequence[Mapping[str, Any]]) -> str:
    """All figures of the workers and of the shards, in the text format 0.0.4."""
    parts = [
        _family("requests_total", "counter", "Requests answered, by route and status.", [
            ({"route": route, "status": status}, count)
            for (route, status), count in sorted(metrics.requests.items())
        ]),
        _family("reservations_total", "counter", "Reservations asked for, by result.", [
            ({"result": "created"}, metrics.created),
            ({"result": "repeated"}, metrics.repeated),
            ({"result": "refused"}, metrics.refused),
        ]),
        _by_shard("open_reservations", "Reservations held or confirmed.", reports,
                  "open_reservations"),
        _by_shard("queue_commands", "Commands that wait for their owner.", reports, "queue"),
        _by_shard("sweep_lag_seconds", "Age of the oldest hold that should have ended.", reports,
                  "sweep_lag_ms", 0.001),
        _summed("batch_commands", "Commands a commit.", reports),
        _summed("decide_seconds", "Time to decide a batch.", reports),
        _summed("commit_seconds", "Time to commit a batch.", reports),
        _histogram("refusal_seconds", "Time from the read of a request to its refusal.",
                   metrics.refusal_s.packed()),
        _by_shard("stopped_skus", "SKUs not sold until somebody has looked. Must be 0.", reports,
                  "stopped_skus"),
        _family("oversold_units", "gauge", "Units promised twice. Must be 0.", [
            ({}, sum(report["oversold_units"] for report in reports)),
        ]),
    ]  # fmt: skip
    return "".join(parts)


def _by_shard(
    name: str, text: str, reports: Sequence[Mapping[str, Any]], member: str, unit: float = 1
) -> str:
    rows: list[Row] = [({"shard": row["shard"]}, row[member] * unit) for row in reports]
    return _family(name, "gauge", text, rows)


def _summed(name: str, text: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """One histogram over all shards; shards that recover have none to give."""
    packed = [report[name] for report in reports if name in report]
    if not packed:
        return _family(name, "histogram", text, [])
    counts = [sum(column) for column in zip(*(part[1] for part in packed), strict=True)]
    return _histogram(name, text, [packed[0][0], counts, sum(part[2] for part in packed)])


def _histogram(name: str, text: str, packed: Sequence[Any]) -> str:
    bounds, counts, total = packed
    lines = [f"# HELP tidegate_{name} {text}", f"# TYPE tidegate_{name} histogram"]
    seen = 0
    for bound, count in zip([*bounds, "+Inf"], counts, strict=True):
        seen += count
        lines.append(f'tidegate_{name}_bucket{{le="{bound}"}} {seen}')
    lines += [f"tidegate_{name}_sum {total:.9g}", f"tidegate_{name}_count {seen}"]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str, rows: Iterable[Row]) -> str:
    lines = [f"# HELP tidegate_{name} {text}", f"# TYPE tidegate_{name} {kind}"]
    for labels, value in rows:
        inner = ",".join(f'{label}="{said}"' for label, said in labels.items())
        lines.append(f"tidegate_{name}{{{inner}}} {value}" if inner else f"tidegate_{name} {value}")
    return "\n".join(lines) + "\n"
