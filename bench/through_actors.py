"""Without HTTP: the client's door to the shard hosts, over the lane and by Ray calls.

``tidegate up`` runs the cluster, and is stocked and audited over HTTP as ever; only the measured
calls go past the gateway, from this process straight to the hosts.
"""

import asyncio
from contextlib import suppress
from time import perf_counter
from typing import Final

from actors.client import Client
from actors.cluster import stop_ray
from actors.ray_environment import prepare_environment
from actors.ray_line import join, open_ray
from bench import rivals, tree
from bench.audit import Told, audit
from bench.load import no_collector
from bench.orders import HOLD_SECONDS, Orders
from bench.product import Product, fill
from bench.scenario import PLENTY, Options, Run, Scenario, with_options
from bench.tally import Measure, Tally, measure
from engine import commands
from engine.commands import Reply
from engine.ids import digest, shard_of
from engine.outcome import Outcome

WAYS: Final = ("lane", "ray")
_HOLD_MS: Final = HOLD_SECONDS * 1000
_DEADLINE_S: Final = 5.0
#: Outcome → the status the gateway would make of it, so that one tally serves all.
_STATUS: Final = {
    Outcome.OK: 201,
    Outcome.REPEATED: 200,
    Outcome.SHORT: 409,
    Outcome.OVERLOADED: 429,
    Outcome.UNAVAILABLE: 429,
    Outcome.LOST: 503,
}


async def play(scenario: Scenario, options: Options) -> Run:
    """Closed loops of callers, over each way to the hosts."""
    run = Run()
    async with rivals.around(scenario, options, run):
        for way in WAYS:
            await _play_way(way, scenario, options, run)
            if run.audit is None or not run.audit.clean:
                break
    return run


async def _play_way(way: str, scenario: Scenario, options: Options, run: Run) -> None:
    """One product, started for this way."""
    prepare_environment()  # Its token is ours: by Ray only who knows it may join.
    options.say(f"starting the product, {way}")
    with Product(with_options(options.setup, "--transport", way)) as product:
        stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
        await fill(product.address, stock)
        told = Told()
        control, ray_address = tree.worker_arguments(product.pid)
        if ray_address is not None:
            await asyncio.to_thread(join, ray_address)
        client = Client(control, open_ray) if ray_address else Client(control)
        try:
            await client.start()
            for callers in scenario.connections:
                options.say(f"{way}, {callers} callers")
                orders = Orders(f"a{len(run.measures):03d}", scenario.demand.baskets())
                loop = Loop(client, orders, told)
                times = (scenario.warmup_s, scenario.seconds(options))
                _keep(await loop.run(f"{way}, {callers}", callers, times), way, callers, run)
        finally:
            await client.stop()
            if ray_address is not None:
                await asyncio.to_thread(stop_ray)
        options.say("audit")
        run.audit = await audit(product.address, told, stock)


def _keep(step: Measure, way: str, callers: int, run: Run) -> None:
    run.measures.append(step)
    run.figures[f"rate_{way}_{callers}_per_s"] = step.rate_per_s
    run.figures[f"p50_{way}_{callers}_ms"] = step.latency_ms["p50"]
    run.figures[f"p99_{way}_{callers}_ms"] = step.latency_ms["p99"]


class Loop:
    """Callers that reserve again when they have their answer."""

    def __init__(self, client: Client, orders: Orders, told: Told) -> None:
        self._client = client
        self._orders = orders
        self._told = told
        self._tally = Tally()
        self._sent = self._left = 0
        self._ends = 0.0
        self._drained = asyncio.Event()
        lines = {sku: [[sku, None, 1]] for basket in orders.baskets for sku, _ in basket}
        self._known = {
            sku: (shard_of(sku, client.shards), digest(line, _HOLD_MS, None), line)
            for sku, line in lines.items()
        }

    async def run(self, name: str, callers: int, times: tuple[float, float]) -> Measure:
        """``times``: seconds of warm-up, seconds measured."""
        begins = perf_counter() + times[0]
        self._ends = begins + times[1]
        self._left = callers
        with no_collector():
            for _ in range(callers):
                self._call()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), sum(times) + 2 * _DEADLINE_S)
        self._told.note(self._orders, self._tally)
        return measure(self._tally, name, callers, (begins, self._ends))

    def _call(self) -> None:
        number, began = self._sent, perf_counter()
        self._sent += 1
        shard, body, line = self._known[self._orders.basket(number)[0][0]]
        command = commands.reserve(self._orders.key(number), body, line, _HOLD_MS)
        deadline_at = asyncio.get_running_loop().time() + _DEADLINE_S
        self._client.submit(
            shard, command, deadline_at, lambda reply: self._done(number, began, reply)
        )

    def _done(self, number: int, began: float, reply: Reply) -> None:
        now = perf_counter()
        self._tally.add(number, _STATUS.get(reply[0], 500), now, now - began)
        if now < self._ends:
            asyncio.get_running_loop().call_soon(self._call)
            return
        self._left -= 1
        if not self._left:
            self._drained.set()
