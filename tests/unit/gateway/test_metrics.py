"""Figures of several workers, told as one."""

from actors import counts
from actors.counts import Totals
from gateway.metrics import Metrics, exposition


def counted(created: int, refusal_s: float) -> Metrics:
    metrics = Metrics()
    metrics.requests["/v1/reservations", 201] = created
    metrics.requests["malformed", 400] = 1
    metrics.created = created
    metrics.repeated = metrics.refused = 1
    metrics.refusal_s.add(refusal_s)
    return metrics


def text(metrics: Metrics) -> str:
    return exposition(metrics, [])


def test_figures_survive_being_told_by_name() -> None:
    metrics = counted(3, 0.002)
    assert text(Metrics.of(metrics.counts())) == text(metrics)
    assert text(Metrics.of(Metrics().counts())) == text(Metrics())


def test_workers_are_added_up_each_with_the_last_it_told() -> None:
    totals = Totals()
    one, other = counted(3, 0.002), counted(4, 0.3)
    totals.take(one.worker, one.counts())
    totals.take(other.worker, other.counts())
    total = text(Metrics.of(totals.take(one.worker, one.counts())))
    assert 'tidegate_requests_total{route="/v1/reservations",status="201"} 7\n' in total
    assert 'tidegate_requests_total{route="malformed",status="400"} 2\n' in total
    assert 'tidegate_reservations_total{result="created"} 7\n' in total
    assert "tidegate_refusal_seconds_sum 0.302\n" in total
    assert "tidegate_refusal_seconds_count 2\n" in total


def test_what_ended_workers_counted_still_counts() -> None:
    totals = Totals()
    for number in range(3 * counts._WORKERS_MAX):
        total = totals.take(f"worker-{number}", {"created": 1})
        assert total == {"created": number + 1}
    assert len(totals._by_worker) == counts._WORKERS_MAX
