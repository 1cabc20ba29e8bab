"""Sales over HTTP: one request a reservation, closed loops for the ceiling, then an open one."""

from bench import rivals
from bench.arrivals import Plan, Times
from bench.audit import Told, audit
from bench.load import Closed, Open, closed, open_loop
from bench.orders import Orders
from bench.product import Product, fill
from bench.real_orders import REAL
from bench.scenario import PLENTY, Options, Run, Scenario
from bench.tally import Measure

#: Connections at which the ceiling of the product is looked for.
_CEILING_CONNECTIONS_MAX = 256


async def play(scenario: Scenario, options: Options) -> Run:
    """Baselines, then the product: closed loops, one connection, the open loop, the audit."""
    run = Run()
    replayed = scenario.open_share and scenario.arrivals_of(options) == "replay"
    order_times_s = REAL.times() if replayed else None  # First: the data may not be there.
    await rivals.client_ceiling(scenario, options, run)
    async with rivals.around(scenario, options, run):
        options.say("starting the product")
        with Product(options.setup) as product:
            stock = dict.fromkeys(scenario.demand.skus(), PLENTY)
            await fill(product.address, stock)
            sale = Sale(scenario, options, product, run)
            for connections in (*scenario.connections, 1):
                await sale.closed(connections)
            if scenario.open_share:
                await sale.open(order_times_s)
            options.say("audit")
            run.audit = await audit(product.address, sale.told, stock)
    ratios(run)
    return run


class Sale:
    """The steps against one running product, and what its clients were told."""

    def __init__(self, scenario: Scenario, options: Options, product: Product, run: Run) -> None:
        self._scenario = scenario
        self._options = options
        self._product = product
        self.run = run
        self._baskets = scenario.demand.baskets()
        self.told = Told()

    def orders(self) -> Orders:
        """Orders whose keys no other step uses."""
        return Orders(f"r{len(self.run.measures):03d}", self._baskets)

    async def closed(self, connections: int, what: str = "") -> Measure:
        """One closed loop; ``what`` tells it from others of as many connections."""
        name = f"{connections} connection{'s' if connections > 1 else ''}{what and ', ' + what}"
        self._options.say(name)
        step = Closed(
            name=name,
            connections=connections,
            seconds=self._scenario.seconds(self._options),
            warmup_s=self._scenario.warmup_s,
        )
        orders = self.orders()
        measure, tally = await closed(self._product.address, step, orders.request)
        self.told.note(orders, tally)
        self._keep(measure, what.replace(" ", "_") or str(connections))
        return measure

    async def open(self, order_times_s: Times | None) -> None:
        """The open loop at a share of the best rate so far, counted in requests of any kind.

        ``order_times_s``: of real orders, for a replay.
        """
        scenario, run = self._scenario, self.run
        rates = [run.figures[f"rate_{n}_per_s"] for n in scenario.connections
                 if n <= _CEILING_CONNECTIONS_MAX]  # fmt: skip
        offered = scenario.open_share * max(rates) / (1 + scenario.confirm_share)
        self._options.say(f"open loop, {offered:,.0f} buyers/s")
        plan = Plan(
            kind=scenario.arrivals_of(self._options),
            rate_per_s=offered,
            seconds=scenario.warmup_s + 2 * scenario.seconds(self._options),
            seed=self._options.seed,
            order_times_s=order_times_s,
        )
        step = Open(
            name="open loop",
            connections=_CEILING_CONNECTIONS_MAX,
            times=plan.times(),
            confirm_share=scenario.confirm_share,
            warmup_s=scenario.warmup_s,
            seed=self._options.seed,
        )
        orders = self.orders()
        opened = await open_loop(self._product.address, step, orders)
        self.told.note(orders, opened.tally, opened.paid)
        run.figures["offered_per_s"] = offered
        run.figures["generator_lag_p99_ms"] = opened.measure.lag_p99_ms
        self._keep(opened.measure, "open")
        if scenario.confirm_share:
            self._keep_payments(opened.payments)

    def _keep(self, measure: Measure, name: str) -> None:
        self.run.measures.append(measure)
        figures = self.run.figures
        figures[f"rate_{name}_per_s"] = measure.rate_per_s
        for percentile in ("p50", "p99", "p999"):
            figures[f"{percentile}_{name}_ms"] = measure.latency_ms[percentile]
        figures["errors"] = figures.get("errors", 0) + measure.failures

    def _keep_payments(self, payments: Measure) -> None:
        """Whoever holds something may pay: a refusal that is final is an error here."""
        self.run.measures.append(payments)
        figures = self.run.figures
        figures["payments_per_s"] = payments.rate_per_s
        for percentile in ("p50", "p99"):
            figures[f"{percentile}_payments_ms"] = payments.latency_ms[percentile]
        figures["payments_unknown"] = payments.counts["unknown"]
        figures["payments_errors"] = payments.counts["errors"] + payments.counts["sold_out"]
        figures["errors"] += payments.failures + payments.counts["sold_out"]


def ratios(run: Run) -> None:
    """Figures that compare the product with the baselines of the same run."""
    figures = run.figures
    usual, raw = figures.get("fastapi_lua_per_s"), figures.get("raw_lua_per_s")
    hot_row = figures.get("postgres_hot_per_s")
    for name in [name for name in figures if name.startswith("rate_")]:
        which = name.removeprefix("rate_").removesuffix("_per_s")
        if usual:
            figures[f"times_fastapi_lua_{which}"] = figures[name] / usual
        if raw:
            figures[f"times_raw_lua_{which}"] = figures[name] / raw
        if hot_row:
            figures[f"times_postgres_hot_{which}"] = figures[name] / hot_row
    if "p99_64_ms" in figures and figures.get("fastapi_lua_64_p50_ms"):
        share = figures["p99_64_ms"] / figures["fastapi_lua_64_p50_ms"]
        figures["p99_64_share_of_fastapi_lua_p50"] = share
