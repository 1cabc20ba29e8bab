"""Other doors and other weather: batches, a SKU that is gone, more callers than it can serve."""

import asyncio
import re
from dataclasses import replace
from typing import Final

from bench import rivals
from bench.audit import Told, audit, element_statuses
from bench.client import ask, request
from bench.load import Address, Closed, closed
from bench.orders import Demand, Orders
from bench.product import NODE, Product, adjust, fill
from bench.sale import Sale, ratios
from bench.scenario import PLENTY, Options, Run, Scenario
from bench.tally import Measure

#: Beside single requests, to have a worker refuse: 12,288 reservations that come again as soon as
#: they are answered, twice the 6,000 that it has on the way at most.
_CROWD_CONNECTIONS: Final = 24
_CROWD_BATCH: Final = 512
_CROWD_SINGLES: Final = 64


async def play_batch_door(scenario: Scenario, options: Options) -> Run:
    """Many reservations a request."""
    run = Run()
    await rivals.client_ceiling(scenario, options, run)
    async with rivals.around(scenario, options, run):
        options.say("starting the product")
        with Product(options.setup) as product:
            stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
            await fill(product.address, stock)
            told = Told()
            for connections in scenario.connections:
                options.say(f"{connections} connections, {scenario.batch} reservations a request")
                measure = await _batches(scenario, options, (product.address, connections), told)
                run.measures.append(measure)
                run.figures[f"rate_batch_{connections}_per_s"] = measure.rate_per_s
                run.figures[f"p99_batch_{connections}_ms"] = measure.latency_ms["p99"]
            options.say("audit")
            run.audit = await audit(product.address, told, stock)
    best = max(run.figures[f"rate_batch_{n}_per_s"] for n in scenario.connections)
    run.figures["rate_batch_per_s"] = best
    ratios(run)
    return run


async def _batches(
    scenario: Scenario, options: Options, target: tuple[Address, int], told: Told
) -> Measure:
    """One closed loop at the batch door. ``target``: where, over how many connections."""
    address, connections = target
    orders = Orders(f"b{connections:03d}", scenario.demand.baskets())
    step = Closed(
        name=f"batch door, {connections}",
        connections=connections,
        seconds=scenario.seconds(options),
        warmup_s=scenario.warmup_s,
        batch=scenario.batch,
    )
    requests = orders.batches(scenario.batch)
    measure, tally = await closed(address, step, requests, element_statuses)
    told.note(orders, tally)
    return measure


async def play_sold_out(scenario: Scenario, options: Options) -> Run:
    """Accepted answers first, then the same SKU is emptied and everybody is refused."""
    run = Run()
    await rivals.client_ceiling(scenario, options, run)
    options.say("starting the product")
    with Product(options.setup) as product:
        stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
        await fill(product.address, stock)
        sale = Sale(scenario, options, product, run)
        (connections,) = scenario.connections
        accepted = await sale.closed(connections, "accepted")
        for sku in scenario.demand.skus():
            stock[sku] = await _empty(product.address, sku)
        refused = await sale.closed(connections, "sold out")
        options.say("audit")
        run.audit = await audit(product.address, sale.told, stock)
    run.figures["rate_sold_out_per_s"] = refused.answered_per_s
    run.figures["times_accepted"] = refused.answered_per_s / accepted.rate_per_s
    return run


async def _empty(address: Address, sku: str) -> int:
    """Count a SKU down to what is promised. → what is left on hand."""
    (status, body), *_ = await ask(address, [request("GET", f"/v1/stock/{sku}")])
    assert status == 200, body
    promised = sum(int(n) for n in re.findall(rb'"(?:reserved|committed)":\s*(\d+)', body))
    await adjust(address, f"empty-{sku}", [(sku, NODE, promised)])
    return promised


async def play_overload(scenario: Scenario, options: Options) -> Run:
    """The ceiling, four times its connections, and a crowd that has to be refused."""
    run = Run()
    await rivals.client_ceiling(scenario, options, run)
    options.say("starting the product")
    with Product(options.setup) as product:
        stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
        await fill(product.address, stock)
        sale = Sale(scenario, options, product, run)
        ceiling = [await sale.closed(connections) for connections in scenario.connections]
        best = max(ceiling, key=lambda measure: measure.rate_per_s)
        flood = await sale.closed(4 * best.connections, "flood")
        await _crowd(sale, scenario, options, product.address)
        (_, metrics), *_ = await ask(product.address, [request("GET", "/metrics")])
        options.say("audit")
        run.audit = await audit(product.address, sale.told, stock)
    run.figures["ceiling_per_s"] = best.rate_per_s
    run.figures["ceiling_connections"] = best.connections
    run.figures["goodput_per_s"] = flood.rate_per_s
    run.figures["goodput_share"] = flood.rate_per_s / best.rate_per_s
    run.figures["shed_per_s"] = flood.counts["shed"] / flood.seconds
    refusal_s = quantile(metrics.decode(), "tidegate_refusal_seconds", 0.99)
    if refusal_s is None:
        run.notes.append("the worker that was asked had refused nothing: no figure of refusals")
    else:
        run.figures["refusal_p99_ms"] = refusal_s * 1000
    return run


async def _crowd(sale: Sale, scenario: Scenario, options: Options, address: Address) -> None:
    """Single requests beside more batches than a worker has room for: both must be refused."""
    crowd = replace(scenario, batch=_CROWD_BATCH)
    singles, batches = await asyncio.gather(
        sale.closed(_CROWD_SINGLES, "beside a crowd"),
        _batches(crowd, options, (address, _CROWD_CONNECTIONS), sale.told),
    )
    sale.run.measures.append(batches)
    figures = sale.run.figures
    figures["errors"] += batches.failures
    for name, kind in (("goodput", "ok"), ("refused", "shed")):
        figures[f"crowd_{name}_per_s"] = singles.counts[kind] / singles.seconds + (
            batches.counts[kind] / batches.seconds
        )
    figures["crowd_refused_singles_per_s"] = singles.counts["shed"] / singles.seconds
    if singles.counts["shed"]:
        figures["crowd_refusal_seen_p99_ms"] = singles.refusal_p99_ms


def quantile(metrics: str, name: str, share: float) -> float | None:
    """The upper edge of the bucket of a Prometheus histogram that a share of counts lies below.

    None where it has counted nothing. Beyond the last edge nothing is known but that it is more:
    then it is the last edge.
    """
    pattern = rf'^{name}_bucket\{{(?:[^}}]*,)?le="([^"]+)"[^}}]*\}} (\S+)$'
    buckets: dict[float, float] = {}
    for edge, count in re.findall(pattern, metrics, re.MULTILINE):
        buckets[float(edge)] = buckets.get(float(edge), 0.0) + float(count)
    total = buckets.pop(float("inf"), 0.0)
    if not total:
        return None
    enough = (edge for edge, count in buckets.items() if count >= share * total)
    return min(enough, default=max(buckets))


#: One SKU that everybody wants.
ONE_SKU = Demand(sku_count=1, hot_share=1.0)
