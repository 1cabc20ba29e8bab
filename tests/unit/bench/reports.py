"""Reports of runs that never took place."""

from dataclasses import replace
from typing import Any

from bench.audit import Audit
from bench.catalogue import SCENARIOS
from bench.report import document
from bench.scenario import Options, Run
from bench.tally import Tally, measure

FLASH_SALE = SCENARIOS["flash-sale"]


def run_of(audit: Audit, *, void: str | None = None) -> Run:
    """A run of two steps with 20 answers each."""
    run = Run(audit=audit)
    for name in ("256 connections", "open loop"):
        tally = Tally()
        for n in range(20):
            tally.add(n, 409 if n % 5 == 0 else 201, ended=1 + n / 20, spent=0.001 * (n + 1))
        step = measure(tally, name, 256, (1.0, 2.0))
        run.measures.append(step)
    run.figures = {"rate_256_per_s": 16.0, "fastapi_lua_per_s": 2.0, "times_fastapi_lua_256": 8.0}
    if void:
        run.measures[-1] = replace(run.measures[-1], void=void)
    return run


def report_of(audit: Audit, *, void: str | None = None) -> dict[str, Any]:
    """What is said of such a run."""
    return document(FLASH_SALE, Options(), [run_of(audit, void=void)])
