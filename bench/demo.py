"""The demo: a live drop on a real retailer's best sellers while its real baskets keep coming.

The product is started on an empty store, loaded with a year's catalogue, stores and stock, and
sold from by an open loop: baskets of real customers at their real times, compressed, and on top
of them the drop's crowd, more buyers than there are units. Baselines follow, then the audit.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import uvloop
from rich.console import Console
from rich.status import Status

from bench import rivals
from bench.arrivals import Spike, Times, replay, spike
from bench.audit import Told, audit
from bench.load import Address, Closed, Open, closed, open_loop
from bench.orders import Basket, Demand, Orders
from bench.page import page, picture
from bench.product import Product, fill
from bench.real_orders import journey
from bench.report import document, show, write_json
from bench.sale import ratios
from bench.scenario import PLENTY, Options, Run, Scenario
from gateway.sample.journey import Journey, Stock
from gateway.sample.load import load

#: Best sellers in the drop, and buyers for each unit of theirs.
_DROP_SKUS: Final = 10
_CROWD: Final = 1.3
#: The sale: real baskets all the time, the drop's crowd from its opening on.
_SECONDS: Final = 20.0
_OPENS_S: Final = 4.0
_BASKETS_PER_S: Final = 150
_DROP_SECONDS: Final = 10.0
_SEED: Final = 1
#: For the comparison with others: what one request a reservation reaches at most.
_CEILING: Final = Demand(sku_count=1_000, hot_share=0.5, seed=_SEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What will be asked, and when: row n of both belongs to request n."""

    times: Times
    baskets: list[Basket]
    drop: dict[str, int]  # SKU of the drop → units there are, all nodes together.


def play_demo(console: Console, out: Path) -> int:
    """Play it with progress, print the table, write page, picture and JSON into ``out``."""
    began = perf_counter()
    with Status("", console=console) as status:
        options = Options(say=status.update, seconds=3.0)
        run = uvloop.run(_play(DEMO, options))
    report = document(DEMO, options, [run])
    show(report, Console())
    out.mkdir(parents=True, exist_ok=True)
    write_json(report, out / "report.json")
    (out / "report.html").write_text(page(report))
    if not report["audit"]["clean"]:
        console.print("bench: the audit failed; the findings above say where", markup=False)
        return 1
    (out / "sale.svg").write_text(picture(report))
    console.print(f"{perf_counter() - began:.0f} s; see {out}/report.html and {out}/sale.svg")
    return 0


def plan(year: Journey, stock: list[Stock]) -> Sale:
    """Real baskets throughout, and a crowd for the best sellers from the opening on."""
    count = round(_BASKETS_PER_S * _SECONDS)
    real = list(year.baskets(0, count))
    real_times = replay(np.array([basket.at_s for basket in real], dtype=np.float64), _SECONDS)
    drop = _units_of(stock, [article.sku for article in year.articles[:_DROP_SKUS]])
    crowd_times = _crowd(_CROWD * sum(drop.values()))
    draws = np.random.default_rng(_SEED).choice(
        len(drop), len(crowd_times), p=np.array(list(drop.values())) / sum(drop.values())
    )
    single: list[Basket] = [((sku, 1),) for sku in drop]
    baskets = [basket.lines for basket in real] + [single[draw] for draw in draws.tolist()]
    times = np.concatenate([real_times, crowd_times])
    order = np.argsort(times, kind="stable")
    return Sale(times=times[order], baskets=[baskets[n] for n in order.tolist()], drop=drop)


async def _play(scenario: Scenario, options: Options) -> Run:
    """All of it."""
    run = Run()
    year = journey(None)
    stock = year.stock()
    await rivals.client_ceiling(replace(scenario, demand=_CEILING), options, run)
    async with rivals.around(replace(scenario, demand=_CEILING), options, run):
        options.say("starting Tidegate")
        with Product(options.setup) as product:
            run.figures["ready_s"] = product.ready_s
            await _load(product.address, year, options, run)
            told = Told()
            sale = plan(year, stock)
            skus = {sku for basket in sale.baskets for sku, _ in basket}
            await _sell(product.address, sale, told, options, run)
            await _ceiling(product.address, told, options, run)
            options.say("audit")
            there = _units_of(stock, skus) | dict.fromkeys(_CEILING.skus(), PLENTY)
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
    await fill(address, dict.fromkeys(_CEILING.skus(), PLENTY))


async def _sell(address: Address, sale: Sale, told: Told, options: Options, run: Run) -> None:
    """The drop."""
    options.say(f"the drop: {len(sale.times):,} buyers, {sum(sale.drop.values()):,} units")
    orders = Orders("drop", sale.baskets)
    step = Open(name="open loop", connections=256, times=sale.times, warmup_s=0.0, seed=_SEED)
    opened = await open_loop(address, step, orders)
    told.note(orders, opened.tally)
    run.measures.append(opened.measure)
    run.figures["buyers"] = len(sale.times)
    run.figures["drop_units"] = sum(sale.drop.values())
    run.figures["sold_out_answers"] = opened.measure.counts["sold_out"]


async def _ceiling(address: Address, told: Told, options: Options, run: Run) -> None:
    """As fast as 256 connections can, for the comparison with the baselines."""
    options.say("as fast as 256 connections can")
    orders = Orders("ceil", _CEILING.baskets())
    step = Closed(name="256 connections", connections=256, seconds=options.seconds or 3.0)
    measure, tally = await closed(address, step, orders.request)
    told.note(orders, tally)
    run.measures.append(measure)
    run.figures["rate_256_per_s"] = measure.rate_per_s


def _crowd(buyers: float) -> Times:
    """They all come when it opens."""
    shape = Spike(base_per_s=0.0, peak_per_s=buyers / _DROP_SECONDS, begins_s=_OPENS_S,
                  lasts_s=_DROP_SECONDS)  # fmt: skip
    return spike(shape, _SECONDS, _SEED)


def _units_of(stock: list[Stock], skus: "set[str] | list[str]") -> dict[str, int]:
    """Units of some SKUs over all nodes."""
    units = dict.fromkeys(skus, 0)
    for row in stock:
        if row.sku in units:
            units[row.sku] += row.on_hand
    return units


#: Not in the catalogue: it has its own input, progress and files.
DEMO: Final = Scenario(
    name="demo",
    question="A live drop on a real retailer's best sellers while its real baskets keep coming.",
    play=_play,
    baselines=("fastapi_lua", "raw_lua", "postgres"),
    headline="open loop",
)
