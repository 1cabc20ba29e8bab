"""Reads: what may be sold, asked for as often as one worker can say it, beside some sales."""

import asyncio
from typing import Final

from bench import rivals
from bench.arrivals import Plan
from bench.audit import Told, audit
from bench.client import request
from bench.load import Address, Closed, Open, Opened, closed, open_loop
from bench.orders import Orders
from bench.product import Product, fill
from bench.scenario import PLENTY, Options, Run, Scenario
from bench.tally import Measure

#: Reservations a second beside the reads: stock moves in every poll of the views.
_SALES_PER_S: Final = 200
_SALES_CONNECTIONS: Final = 8


async def play_availability(scenario: Scenario, options: Options) -> Run:
    """A closed loop of reads while reservations trickle in, then the audit of those."""
    run = Run()
    reads = [
        request("GET", f"/v1/availability?sku={basket[0][0]}")
        for basket in scenario.demand.baskets()
    ]
    await rivals.client_ceiling(scenario, options, run, lambda number: reads[number % len(reads)])
    options.say("starting the product")
    with Product(options.setup) as product:
        stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
        await fill(product.address, stock)
        told = Told()
        for connections in scenario.connections:
            options.say(f"{connections} connections beside {_SALES_PER_S} reservations/s")
            orders = Orders(f"a{connections:03d}", scenario.demand.baskets())
            read, sales = await asyncio.gather(
                _reads(scenario, options, (product.address, connections), reads),
                _sales(scenario, options, product.address, orders),
            )
            told.note(orders, sales.tally, sales.paid)
            _keep(run, read, sales.measure)
        options.say("audit")
        run.audit = await audit(product.address, told, stock)
    return run


async def _reads(
    scenario: Scenario, options: Options, target: tuple[Address, int], reads: list[bytes]
) -> Measure:
    """``target``: where, over how many connections."""
    address, connections = target
    step = Closed(
        name=f"availability, {connections}",
        connections=connections,
        seconds=scenario.seconds(options),
        warmup_s=scenario.warmup_s,
    )
    measure, _ = await closed(address, step, lambda number: reads[number % len(reads)])
    return measure


async def _sales(scenario: Scenario, options: Options, address: Address, orders: Orders) -> Opened:
    plan = Plan(
        kind="constant",
        rate_per_s=_SALES_PER_S,
        seconds=scenario.warmup_s + scenario.seconds(options),
        seed=options.seed,
    )
    step = Open(
        name="reservations beside",
        connections=_SALES_CONNECTIONS,
        times=plan.times(),
        warmup_s=scenario.warmup_s,
        seed=options.seed,
    )
    return await open_loop(address, step, orders)


def _keep(run: Run, read: Measure, sold: Measure) -> None:
    """Of the sales only that they went on: the reads keep their client too busy to time them."""
    run.measures.append(read)
    figures, name = run.figures, read.connections
    figures[f"rate_{name}_per_s"] = read.rate_per_s
    for percentile in ("p50", "p99", "p999"):
        figures[f"{percentile}_{name}_ms"] = read.latency_ms[percentile]
    figures["share_of_client_ceiling"] = read.rate_per_s / figures["client_ceiling_per_s"]
    figures["sales_per_s"] = sold.rate_per_s
    figures["errors"] = figures.get("errors", 0) + read.failures + sold.failures
