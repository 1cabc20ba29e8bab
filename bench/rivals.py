"""The baselines of one run, before and after the product: each has the machine to itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from bench.audit import element_statuses
from bench.baselines import postgres, raw_lua
from bench.baselines.fastapi_lua import POOL
from bench.baselines.store import Store
from bench.load import Closed, closed
from bench.orders import Orders
from bench.processes import Child, module
from bench.scenario import PLENTY, Options, Run, Scenario

#: The usual way is measured at these, and its best rate is what counts.
_FASTAPI_CONNECTIONS: Final = (64, 256)
#: With more connections than these the client's ceiling grows no further.
_CEILING_CONNECTIONS_MAX: Final = 256
#: A baseline that moves by more than this within a run says that the machine did.
_DRIFT_MAX: Final = 0.1


async def client_ceiling(
    scenario: Scenario,
    options: Options,
    run: Run,
    requests: Callable[[int], bytes] | None = None,
) -> None:
    """How many requests a second the client sends when the server does nothing.

    ``requests``: by number; None: the scenario's reservations.
    """
    connections = max(count for count in scenario.connections if count <= _CEILING_CONNECTIONS_MAX)
    size = scenario.batch
    options.say(f"client against a stub, {connections} connections")
    orders = Orders("stub", scenario.demand.baskets())
    step = Closed(
        name="stub",
        connections=connections,
        seconds=min(1.0, scenario.seconds(options)),
        batch=size,
    )
    with Child(module("bench.stub", str(size))) as child:
        address = ("127.0.0.1", child.port())
        if size == 1:
            measure, _ = await closed(address, step, requests or orders.request)
        else:
            measure, _ = await closed(address, step, orders.batches(size), element_statuses)
    run.figures["client_ceiling_per_s"] = measure.rate_per_s


@asynccontextmanager
async def around(scenario: Scenario, options: Options, run: Run) -> AsyncIterator[None]:
    """The baselines, then what the caller does with the product, then the baselines again.

    A machine is not equally fast all the time, so for each baseline the better of both counts.
    Of several runs each begins with them, so they alternate with the product anyway.
    """
    if not (scenario.baselines and options.baselines):
        yield
        return
    await _play(scenario, options, run)
    before = Run(figures=dict(run.figures))
    yield
    if options.runs == 1 and (run.audit is None or run.audit.clean):
        after = Run()
        await _play(scenario, options, after)
        better(run, before, after)


def better(run: Run, before: Run, after: Run) -> None:
    """Of each baseline the better figure goes into ``run``, both into its details."""
    pairs = {name: (before.figures[name], value) for name, value in after.figures.items()}
    for name, pair in pairs.items():
        run.figures[name] = min(pair) if name.endswith("_ms") else max(pair)
    moved = [
        f"{name.removesuffix('_per_s')} {pair[0]:,.0f} and {pair[1]:,.0f}/s"
        for name, pair in pairs.items()
        if name.endswith("_per_s") and min(pair) < (1 - _DRIFT_MAX) * max(pair)
    ]
    if moved:
        run.notes.append(f"before and after the product: {', '.join(moved)}; the better counts")
    run.details["baselines before and after the product"] = pairs


async def _play(scenario: Scenario, options: Options, run: Run) -> None:
    """Measure the baselines that the scenario names."""
    wanted = scenario.baselines
    if {"fastapi_lua", "raw_lua"} & set(wanted):
        with Store(options.setup.durability) as store:
            if "raw_lua" in wanted:
                await _raw_lua(store, scenario, options, run)
            if "fastapi_lua" in wanted:
                await _fastapi_lua(store, scenario, options, run)
    if "postgres" in wanted:
        await _postgres(scenario, options, run)


async def _raw_lua(store: Store, scenario: Scenario, options: Options, run: Run) -> None:
    options.say("one script call a reservation, no HTTP")
    sha = store.fill(scenario.demand.skus(), PLENTY)
    result = await raw_lua.run(store, sha, scenario.demand.baskets(), scenario.seconds(options))
    run.figures["raw_lua_per_s"] = result.best_per_s
    run.figures["raw_lua_own_client_per_s"] = result.own_per_s
    if result.redis_benchmark_per_s is not None:
        run.figures["raw_lua_redis_benchmark_per_s"] = result.redis_benchmark_per_s


async def _fastapi_lua(store: Store, scenario: Scenario, options: Options, run: Run) -> None:
    baskets = scenario.demand.baskets()
    for number, connections in enumerate(_FASTAPI_CONNECTIONS):
        options.say(f"FastAPI + one script call a request, {connections} connections")
        sha = store.fill(scenario.demand.skus(), PLENTY)
        arguments = module("bench.baselines.fastapi_lua", store.socket, sha, str(POOL))
        with Child(arguments) as child:
            step = Closed(
                name=f"FastAPI + Lua, {connections}",
                connections=connections,
                seconds=scenario.seconds(options),
                warmup_s=scenario.warmup_s,
            )
            orders = Orders(f"f{number:03d}", baskets)
            measure, _ = await closed(("127.0.0.1", child.port()), step, orders.request)
        run.measures.append(measure)
        run.figures[f"fastapi_lua_{connections}_per_s"] = measure.rate_per_s
        run.figures[f"fastapi_lua_{connections}_p50_ms"] = measure.latency_ms["p50"]
    best = max(run.figures[f"fastapi_lua_{count}_per_s"] for count in _FASTAPI_CONNECTIONS)
    run.figures["fastapi_lua_per_s"] = best


async def _postgres(scenario: Scenario, options: Options, run: Run) -> None:
    reason = postgres.skip_reason()
    if reason:
        run.notes.append(f"PostgreSQL not measured: {reason}")
        return
    async with postgres.server() as folder:
        for name, rows in (("hot", 1), ("1000_rows", 1000)):
            options.say(f"PostgreSQL, {rows} row{'s' if rows > 1 else ''}")
            rate = await postgres.rate_per_s(folder, rows, scenario.seconds(options))
            run.figures[f"postgres_{name}_per_s"] = rate
