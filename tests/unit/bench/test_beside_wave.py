"""What a sale loses beside a wave: medians of turns."""

from bench import beside_wave
from bench.scenario import Run


def test_the_medians_of_both_are_compared() -> None:
    run = Run()
    for turn, (alone, beside) in enumerate([(100, 50), (200, 180), (300, 270)], 1):
        for kind, unit in (("rate", "per_s"), ("p50", "ms"), ("p99", "ms")):
            run.figures[f"{kind}_alone_{turn}_{unit}"] = alone
            run.figures[f"{kind}_beside_{turn}_{unit}"] = beside
    beside_wave._compared(run)
    assert (run.figures["rate_alone_per_s"], run.figures["rate_beside_per_s"]) == (200, 180)
    assert run.figures["rate_share"] == 0.9
