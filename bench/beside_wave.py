"""A flash sale while a wave is being planned: what buyers notice of it.

Sale and solver share the machine as they do in production: the solver is a process of its own at
low priority. Steps alone and beside it take turns, so that a machine that changes its pace changes
both.
"""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Final

from bench.assignment.generated import Shape, draw
from bench.audit import audit
from bench.processes import CannotStart, Child, module
from bench.product import Product, fill
from bench.sale import Sale
from bench.scenario import PLENTY, Options, Run, Scenario
from solver.saved import save_problem

_ORDERS: Final = 10_000
#: Turns of both, the medians count.
_TURNS: Final = 3
#: A solver plans longer than any step takes, and is ended behind it.
_SECONDS: Final = 600
#: Until it has loaded its problem and works.
_LOADED_S: Final = 4.0


async def play(scenario: Scenario, options: Options) -> Run:
    """The same closed loop alone and beside a solver, in turns; then the audit."""
    run = Run()
    (connections,) = scenario.connections
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        options.say(f"drawing a wave of {_ORDERS:,} orders")
        problem = Path(folder) / "problem.npz"
        save_problem(draw(Shape(orders=_ORDERS, seed=options.seed)), problem)
        options.say("starting the product")
        with Product(options.setup) as product:
            stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
            await fill(product.address, stock)
            sale = Sale(scenario, options, product, run)
            await sale.closed(connections, "warm")
            for turn in range(1, _TURNS + 1):
                await sale.closed(connections, f"alone {turn}")
                with Child(_solver(problem, Path(folder) / "plan.npz")) as child:
                    await asyncio.sleep(_LOADED_S)
                    await sale.closed(connections, f"beside {turn}")
                    if child.process.poll() is not None:
                        raise CannotStart(f"the solver ended before the step did\n{child.tail()}")
            options.say("audit")
            run.audit = await audit(product.address, sale.told, stock)
    _compared(run)
    return run


def _solver(problem: Path, plan: Path) -> list[str]:
    return module("solver", str(problem), str(plan), "--seconds", str(_SECONDS), "--give-way")


def _compared(run: Run) -> None:
    figures = run.figures
    for kind in ("rate", "p50", "p99"):
        unit = "per_s" if kind == "rate" else "ms"
        alone, beside = (
            statistics.median(
                figures[f"{kind}_{which}_{turn}_{unit}"] for turn in range(1, _TURNS + 1)
            )
            for which in ("alone", "beside")
        )
        figures[f"{kind}_alone_{unit}"], figures[f"{kind}_beside_{unit}"] = alone, beside
        figures[f"{kind}_share"] = beside / alone
