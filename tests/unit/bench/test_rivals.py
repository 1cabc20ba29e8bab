"""Of each baseline the better of two measurements counts: ratios never flatter the product."""

from bench.rivals import better
from bench.scenario import Run


def test_the_better_of_two_measurements_counts_and_both_are_told() -> None:
    before = Run(figures={"raw_lua_per_s": 100.0, "fastapi_lua_64_p50_ms": 9.0})
    after = Run(figures={"raw_lua_per_s": 104.0, "fastapi_lua_64_p50_ms": 8.0})
    run = Run(figures={**before.figures, "rate_256_per_s": 500.0})
    better(run, before, after)
    assert run.figures == {
        "raw_lua_per_s": 104.0, "fastapi_lua_64_p50_ms": 8.0, "rate_256_per_s": 500.0,
    }  # fmt: skip
    (pairs,) = run.details.values()
    assert pairs["raw_lua_per_s"] == (100.0, 104.0)
    assert not run.notes


def test_a_machine_that_changed_its_pace_is_noted() -> None:
    before = Run(figures={"raw_lua_per_s": 100.0})
    run = Run(figures=dict(before.figures))
    better(run, before, Run(figures={"raw_lua_per_s": 60.0}))
    assert run.figures["raw_lua_per_s"] == 100.0
    (note,) = run.notes
    assert "raw_lua 100 and 60/s" in note
