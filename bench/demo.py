"""The demo: a live drop on a real retailer's best sellers while its real baskets keep coming.

The product is started on an empty store, loaded with a year's catalogue, stores and stock, and
sold from by an open loop: baskets of real customers at their real times, compressed, and on top
of them the drop's crowd, more buyers than there are units. Baselines come before and after.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import drop_wave, rivals
from bench.arrivals import Spike, Times, replay, spike
from bench.audit import Told, audit
from bench.drop import CAMPAIGN, CHANNEL, Network, close_drop, network, open_drop
from bench.load import Address, Closed, Open, closed, open_loop
from bench.orders import Basket, Demand, Orders
from bench.page import page, picture
from bench.product import Product, fill
from bench.real_orders import journey
from bench.report import Document, write_json
from bench.sale import ratios
from bench.scenario import PLENTY, Options, Run, Scenario
from gateway.sample.journey import Journey, Node, Stock
from gateway.sample.load import load

#: Best sellers in the drop, and how many buyers a second come for each unit of theirs once it
#: has opened: at full length 1.3 buyers for each unit.
_DROP_SKUS: Final = 10
_CROWD_PER_S: Final = 0.13
#: The sale: real baskets all the time, the drop's crowd from its opening on for half of it.
_SECONDS: Final = 20.0
_OPENS_SHARE: Final = 0.2
_DROP_SHARE: Final = 0.5
_BASKETS_PER_S: Final = 150
#: Buyers who pay at once for what they hold.
_PAID_SHARE: Final = 0.9
#: Length of every other step, at most.
_STEP_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What will be asked, and when: row n of both belongs to request n."""

    times: Times
    baskets: list[Basket]
    drop: dict[str, int]  # SKU of the drop → units declared.


def plan(year: Journey, stock: list[Stock], seconds: float, seed: int) -> Sale:
    """Real baskets throughout, and a crowd for the best sellers from the opening on."""
    real = list(year.baskets(0, round(_BASKETS_PER_S * seconds)))
    real_times = replay(np.array([basket.at_s for basket in real], dtype=np.float64), seconds)
    drop = _units_of(stock, [article.sku for article in year.articles[:_DROP_SKUS]])
    shape = Spike(
        base_per_s=0.0,
        peak_per_s=_CROWD_PER_S * sum(drop.values()),
        begins_s=_OPENS_SHARE * seconds,
        lasts_s=_DROP_SHARE * seconds,
    )
    crowd_times = spike(shape, seconds, seed)
    draws = np.random.default_rng(seed).choice(
        len(drop), len(crowd_times), p=np.array(list(drop.values())) / sum(drop.values())
    )
    single: list[Basket] = [((sku, 1),) for sku in drop]
    baskets = [basket.lines for basket in real] + [single[draw] for draw in draws.tolist()]
    times = np.concatenate([real_times, crowd_times])
    order = np.argsort(times, kind="stable")
    return Sale(times=times[order], baskets=[baskets[n] for n in order.tolist()], drop=drop)


def keep(report: Document, out: Path) -> list[Path]:
    """Write report and page into ``out``, after a clean audit picture and wave, if any. → paths."""
    wave = report.get("details", {}).pop(drop_wave.PAGE, None)
    write_json(report, out / "report.json")
    (out / "report.html").write_text(page(report))
    if not report["audit"]["clean"]:
        return [out / "report.html"]
    (out / "sale.svg").write_text(picture(report))
    if wave is None:
        return [out / "report.html", out / "sale.svg"]
    (out / "wave.html").write_text(wave)
    return [out / "report.html", out / "sale.svg", out / "wave.html"]


async def play(scenario: Scenario, options: Options) -> Run:
    """All of it. ``seconds`` is the length of the sale."""
    run = Run()
    year = journey(None)
    stock = year.stock()
    sale = plan(year, stock, scenario.seconds(options), options.seed)
    steps = replace(options, seconds=min(_STEP_S, scenario.seconds(options)))
    await rivals.client_ceiling(scenario, steps, run)
    async with rivals.around(scenario, steps, run):
        options.say("starting Tidegate")
        with Product(options.setup) as product:
            run.figures["ready_s"] = product.ready_s
            ceiling = scenario.demand.skus()
            await _load(product.address, year, options, run)
            around = network([node.node for node in year.nodes if node.kind == "store"])
            stores = {node.node: _members(node) for node in year.nodes}
            options.say("declaring the drop")
            preview = await open_drop(product.address, around, stores, sale.drop)
            run.figures["declared_units"] = sum(sale.drop.values())
            run.figures["declared_on_its_way"] = _on_its_way(preview)
            await fill(product.address, dict.fromkeys(ceiling, PLENTY))
            told = Told()
            await _sell(product.address, sale, around, told, options, run)
            _report(await close_drop(product.address), run)
            await _ceiling(product.address, scenario.demand, told, steps, run)
            # Behind all that is timed: bid prices are found beside, once the wave is over.
            options.say("planning the drop's orders together")
            await drop_wave.assign(product.address, run)
            options.say("audit")
            skus = {sku for basket in sale.baskets for sku, _ in basket}
            there = _units_of(stock, skus) | dict.fromkeys(ceiling, PLENTY)
            for sku, units in sale.drop.items():
                there[sku] = there.get(sku, 0) + units
            run.audit = await audit(product.address, told, there)
    ratios(run)
    return run


async def _load(address: Address, year: Journey, options: Options, run: Run) -> None:
    """Catalogue, stores and stock over HTTP."""

    def told(what: str, done: int, total: int) -> None:
        options.say(f"loading {what}: {done:,} of {total:,}")

    loaded = await load(f"http://{address[0]}:{address[1]}", year, told)
    run.figures["load_s"] = loaded.seconds
    run.figures["skus"] = loaded.skus
    run.figures["positions"] = loaded.positions


def _members(node: Node) -> dict[str, object]:
    return {"kind": node.kind, "name": node.name, "priority": node.priority}


def _on_its_way(preview: dict[str, Any]) -> int:
    """Declared units that are ordered or in transfer."""
    return sum(
        source["quantity"]
        for item in preview["items"]
        for source in item["backings"]
        if source["supply"] is not None
    )


def _report(report: dict[str, Any], run: Run) -> None:
    """What became of the declared units."""
    for name in ("sold", "returned", "refused", "oversold"):
        run.figures[f"drop_{name}_units"] = sum(item[name] for item in report["items"])


async def _sell(
    address: Address, sale: Sale, around: Network, told: Told, options: Options, run: Run
) -> None:
    """The drop."""
    options.say(f"the drop: {len(sale.times):,} buyers, {sum(sale.drop.values()):,} units")
    zones, draws = sorted(around.zones), random.Random(options.seed)

    def members(basket: Basket) -> dict[str, object]:
        if len(basket) > 1 or basket[0][0] not in sale.drop:
            return {}
        to = {"zone": draws.choice(zones)}
        return {"campaign": CAMPAIGN, "channel": CHANNEL, "destination": to}

    orders = Orders("drop", sale.baskets, members)
    step = Open(
        name="open loop",
        connections=256,
        times=sale.times,
        confirm_share=_PAID_SHARE,
        warmup_s=0.0,
        seed=options.seed,
    )
    opened = await open_loop(address, step, orders)
    told.note(orders, opened.tally, opened.paid)
    run.measures += [opened.measure, opened.payments]
    run.figures["buyers"] = len(sale.times)
    run.figures["drop_units"] = sum(sale.drop.values())
    run.figures["sold_out_answers"] = opened.measure.counts["sold_out"]
    run.figures["generator_lag_p99_ms"] = opened.measure.lag_p99_ms
    run.figures["errors"] = opened.measure.failures


async def _ceiling(
    address: Address, demand: Demand, told: Told, options: Options, run: Run
) -> None:
    """As fast as 256 connections can, for the comparison with the baselines."""
    options.say("as fast as 256 connections can")
    orders = Orders("ceil", demand.baskets())
    seconds = options.seconds or _STEP_S
    step = Closed(name="256 connections", connections=256, seconds=seconds)
    measure, tally = await closed(address, step, orders.request)
    told.note(orders, tally)
    run.measures.append(measure)
    run.figures["rate_256_per_s"] = measure.rate_per_s
    run.figures["errors"] += measure.failures


def _units_of(stock: list[Stock], skus: "set[str] | list[str]") -> dict[str, int]:
    """Units of some SKUs over all nodes."""
    units = dict.fromkeys(skus, 0)
    for row in stock:
        if row.sku in units:
            units[row.sku] += row.on_hand
    return units


#: Its demand is for the comparison with others: what one request a reservation reaches at most.
DEMO: Final = Scenario(
    name="demo",
    question="A live drop on a real retailer's best sellers while its real baskets keep coming.",
    play=play,
    demand=Demand(sku_count=1_000, hot_share=0.5),
    baselines=("fastapi_lua", "raw_lua", "postgres"),
    headline="open loop",
    steady_s=_SECONDS,
)
