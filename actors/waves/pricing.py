"""Bid prices from the orders there are and what is free, brought to all shards.

Orders to come are taken to be like those that are open; nothing is moved. A shard that misses the
new prices keeps the old ones, whole, until the next.
"""

import asyncio
import dataclasses
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from actors.waves.apart import SolverFailed, solved
from actors.waves.gathering import CannotGather, Shards, gather
from actors.waves.problem import build
from engine.commands import Command, bids
from engine.ids import shard_of
from engine.limits import BID_CELLS_SLICE, WAVE_ORDERS_MAX
from engine.outcome import Outcome, but_for_copies
from solver import residual
from solver.bids import SCENARIOS, BidPrices
from solver.errors import ProblemFault
from solver.problem import Problem
from solver.saved import load_bids, save_problem

log = structlog.get_logger()

#: Beyond this finding prices is given up: they would be old.
_SECONDS_MAX: Final = 300.0
_CALL_S: Final = 5.0
#: How often a shard that has lost parts is brought them again.
_TRIES: Final = 3
_SEED: Final = 1

#: Cents a unit by node, by SKU.
Units = dict[str, dict[str, int]]


class PricingFailed(Exception):
    """No prices were found, or a shard has not got them; the text says why."""


@dataclasses.dataclass(slots=True)
class Pricing:
    """One run; ``orders`` to come (0: as many as are open), ``scenarios`` draws of them."""

    orders: int
    scenarios: int
    seed: int
    started_at: int
    version: int | None = None
    skus: int = 0
    cells: int = 0
    finished_at: int | None = None
    reason: str | None = None


class Prices:
    """What is asked about prices of the host of ``net``; ``start`` runs work in the background."""

    def __init__(self, start: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[Any]"]) -> None:
        self._start = start
        self._client: Shards | None = None
        self._last: Pricing | None = None
        self._running: asyncio.Task[Any] | None = None

    def begin(self, client: Shards) -> None:
        """Prices need the way to all shards."""
        self._client = client

    async def stop(self) -> None:
        """End a run; its process has ended when this returns."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])

    def told(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``begin`` a run unless one is under way, or ``read`` how the last one goes."""
        if asked["do"] == "begin":
            self._find(asked["orders"], asked["scenarios"], asked["seed"])
        return {"run": None if self._last is None else dataclasses.asdict(self._last)}

    def _find(self, orders: int, scenarios: int, seed: int) -> None:
        if self._last is None or self._last.finished_at is not None:
            self._last = Pricing(orders, scenarios, seed, _now_ms())
            self._running = self._start(self._run(self._last))

    def after_wave(self) -> None:
        """What is free has changed, and what is wanted is known: find prices, as it comes."""
        self._find(0, SCENARIOS, _SEED)

    async def _run(self, run: Pricing) -> None:
        assert self._client is not None
        try:
            await price(self._client, run)
        except PricingFailed as failed:
            run.reason = str(failed)
        except asyncio.CancelledError:
            run.reason = "ended with its host"
            raise
        except Exception:
            run.reason = "a defect; the log has it"
            raise
        finally:
            run.finished_at = _now_ms()
            log.info("prices", version=run.version, cells=run.cells, reason=run.reason)


async def price(client: Shards, run: Pricing) -> None:
    """Find prices and bring them. Raises ``PricingFailed``."""
    try:
        gathered = await gather(client, held=True, most=WAVE_ORDERS_MAX)
        problem = await asyncio.to_thread(lambda: build(gathered, _now_ms()).problem)
        if not problem.orders.ids:
            raise PricingFailed("no open order says where to: nothing tells what is wanted")
        run.orders = run.orders or len(problem.orders.ids)
        prices = await _found(_open(problem), run)
    except (CannotGather, ProblemFault, SolverFailed) as fault:
        raise PricingFailed(str(fault)) from fault
    parcels, units = named(problem, prices)
    run.version, run.skus = _now_ms(), len(units)
    run.cells = sum(map(len, units.values()))
    await bring(client, run.version, parcels, units)


def _open(problem: Problem) -> Problem:
    """The same orders against what those that are open leave free."""
    nobody = np.zeros(len(problem.orders.ids), bool)
    left = residual.without(problem, problem.standing, nobody)
    capacity = np.maximum(0, left.network.capacity)
    return dataclasses.replace(
        left,
        stock=np.maximum(0, left.stock),
        network=dataclasses.replace(left.network, capacity=capacity),
    )


async def _found(problem: Problem, run: Pricing) -> BidPrices:
    with tempfile.TemporaryDirectory(prefix="tidegate-prices-") as folder:
        at, result = Path(folder) / "problem.npz", Path(folder) / "prices.npz"
        await asyncio.to_thread(save_problem, problem, at)
        options = [
            "--bids", str(run.orders), "--scenarios", str(run.scenarios), "--seed", str(run.seed),
        ]  # fmt: skip
        await solved(at, result, _SECONDS_MAX, options, lambda _line: None)
        return await asyncio.to_thread(load_bids, result)


def named(problem: Problem, prices: BidPrices) -> tuple[dict[str, int], Units]:
    """Cents a parcel by node, and a unit by node by SKU, where there are any."""
    nodes = problem.network.nodes
    parcels = {nodes[at]: int(prices.parcels[at]) for at in np.flatnonzero(prices.parcels)}
    units: Units = {}
    for sku, node in zip(*np.nonzero(prices.units), strict=True):
        units.setdefault(problem.skus[sku], {})[nodes[node]] = int(prices.units[sku, node])
    return parcels, units


async def bring(client: Shards, version: int, parcels: dict[str, int], units: Units) -> None:
    """Put prices in force on every shard. Raises ``PricingFailed``, once all were tried."""
    of_shards: list[Units] = [{} for _ in range(client.shards)]
    for sku, prices in units.items():
        of_shards[shard_of(sku, client.shards)][sku] = prices
    told = await asyncio.gather(
        *(_bring(client, shard, version, parcels, mine) for shard, mine in enumerate(of_shards))
    )
    failed = [f"shard {shard}: {reason}" for shard, reason in enumerate(told) if reason]
    if failed:
        raise PricingFailed(f"{len(failed)} shards keep their old prices; {failed[0]}")


async def _bring(
    client: Shards, shard: int, version: int, parcels: dict[str, int], units: Units
) -> str | None:
    """Bring one shard its prices; → why not."""
    slices = list(_slices(units))
    outcome: int = Outcome.GAP
    for _ in range(_TRIES):
        for part, some in enumerate(slices):
            asked = bids.price(version, part, len(slices), parcels, some)
            outcome = await _told(client, shard, asked)
            if outcome != Outcome.OK:
                break
        if outcome != Outcome.GAP:  # Else its owner is another now: from the beginning.
            break
    return None if outcome == Outcome.OK else Outcome(outcome).name.lower()


async def _told(client: Shards, shard: int, command: Command) -> int:
    deadline_at = asyncio.get_running_loop().time() + _CALL_S
    outcome: int = but_for_copies(await client.call(shard, command, deadline_at))[0]
    return outcome


def _slices(units: Units) -> Iterator[Units]:
    """Parts of about as many prices as a shard takes at a time; at least one."""
    part: Units = {}
    cells = 0
    for sku, prices in sorted(units.items()):
        if cells and cells + len(prices) > BID_CELLS_SLICE:
            yield part
            part, cells = {}, 0
        part[sku] = prices
        cells += len(prices)
    yield part


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
