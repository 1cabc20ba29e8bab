"""What an owner measures of itself, and the map that says who owns what."""

import msgpack

from actors.shard_map import ShardMap
from actors.telemetry import SIZE_BUCKETS, Histogram, Telemetry


def test_a_value_counts_in_the_bucket_it_does_not_exceed() -> None:
    """As Prometheus wants it: upper bounds are inclusive; what exceeds all has its own."""
    histogram = Histogram(SIZE_BUCKETS)
    for value in (1, 4, 5, 4096, 4097):
        histogram.add(value)
    bounds, counts, total = histogram.packed()
    assert bounds == list(SIZE_BUCKETS)
    assert counts == [1, 1, 1, 0, 0, 0, 1, 1]
    assert total == 1 + 4 + 5 + 4096 + 4097


def test_without_batches_there_are_no_percentiles_to_speak_of() -> None:
    """Zeros rather than an error."""
    assert Telemetry().last_minute() == {
        "batch_size": {"p50": 0, "p99": 0},
        "queue_ms_p99": 0.0, "decide_ms_p99": 0.0, "commit_ms_p99": 0.0,
    }  # fmt: skip


def test_a_shard_map_survives_its_journey() -> None:
    """Packed, sent and unpacked it is equal."""
    made = ShardMap(7, ("host-0", None, "host-1"), {"host-0": "/a", "host-1": "/b"})
    assert ShardMap.unpacked(msgpack.unpackb(msgpack.packb(made.packed()))) == made
