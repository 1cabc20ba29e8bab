"""All scenarios by name, with what they have to reach on a machine of two cores."""

from typing import Final

from bench import beside_wave, core, crowd, doors, reads, sale, through_actors, through_network
from bench.demo import DEMO
from bench.doors import ONE_SKU
from bench.orders import Demand
from bench.real_orders import REAL
from bench.scenario import Scenario, Target

#: What ``python -m bench`` runs when told nothing.
FLASH_SALE: Final = Scenario(
    name="flash-sale",
    question="How many reservations a second, at what p99, when half of all buyers want one SKU?",
    play=sale.play,
    demand=Demand(sku_count=10_000, hot_share=0.5, zipf_exponent=1.1, seed=1),
    connections=(64, 128, 256, 1000),
    baselines=("fastapi_lua", "raw_lua", "postgres"),
    headline="open loop",
    open_share=0.6,
    confirm_share=0.7,
    targets=(
        Target(
            figure="times_fastapi_lua_64",
            words="64 connections, × FastAPI + Lua at its best",
            at_least=5,
        ),
        Target(figure="times_fastapi_lua_256", words="256 connections, × the same", at_least=9),
        Target(figure="times_fastapi_lua_1000", words="1000 connections, × the same", at_least=12),
        Target(
            figure="p99_64_share_of_fastapi_lua_p50",
            words="our p99 through its p50 at 64",
            at_most=1,
        ),
        Target(figure="errors", words="answers that are errors or unknown", at_most=0),
        Target(
            figure="times_raw_lua_256",
            words="256 connections, × one Lua call each without HTTP",
            at_least=0.8,
        ),
        Target(figure="p50_1_ms", words="one connection, one at a time, p50 ms", at_most=1),
        Target(figure="p50_ms", words="open loop at 60 % of the ceiling, p50 ms", at_most=5),
        Target(figure="p99_ms", words="open loop at 60 % of the ceiling, p99 ms", at_most=15),
    ),
)

NETWORK: Final = Scenario(
    name="network",
    question="What do destination, campaign, quota and limit cost in the core?",
    play=through_network.play_network,
    demand=ONE_SKU,
    targets=(
        Target(figure="times_plain_everything_512", words="all of it, × a plain hold", at_most=1.5),
        Target(figure="times_20_nodes_512", words="over 2,000 nodes, × over 20", at_most=1.3),
    ),
)

HOT_SKU: Final = Scenario(
    name="hot-sku",
    question="How fast is one SKU that everybody wants, against one hot row in PostgreSQL?",
    play=sale.play,
    demand=ONE_SKU,
    connections=(256,),
    baselines=("raw_lua", "postgres"),
    headline="256 connections",
    targets=(Target(figure="times_postgres_hot_256", words="× PostgreSQL's hot row", at_least=15),),
)

BASKETS: Final = Scenario(
    name="baskets",
    question="How many real baskets, of nine lines over many shards on average, a second?",
    play=sale.play,
    demand=REAL,
    connections=(64, 256),
    baselines=("fastapi_lua",),
    headline="open loop",
    open_share=0.6,
    arrivals="replay",
    targets=(Target(figure="errors", words="answers that are errors or unknown", at_most=0),),
)

BATCH_DOOR: Final = Scenario(
    name="batch-door",
    question="How many reservations a second through the batch door, half on one SKU?",
    play=doors.play_batch_door,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    connections=(4, 8),  # × batch, they stay below what a worker has on the way at most.
    baselines=("raw_lua",),
    headline="batch door, 8",
    batch=512,
    targets=(
        Target(figure="times_raw_lua_batch", words="× one Lua call each, no HTTP", at_least=3.5),
    ),
)

SOLD_OUT: Final = Scenario(
    name="sold-out",
    question="How fast is a refusal when the SKU is gone?",
    play=doors.play_sold_out,
    demand=ONE_SKU,
    connections=(64,),
    headline="64 connections, sold out",
    targets=(Target(figure="times_accepted", words="× the rate of accepted ones", at_least=1.2),),
)

AVAILABILITY: Final = Scenario(
    name="availability",
    question="How often a second does one worker say what may be sold, while it is being sold?",
    play=reads.play_availability,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    connections=(64,),
    headline="availability, 64",
    targets=(
        Target(figure="rate_64_per_s", words="reads a second, 64 connections", at_least=10_000),
        Target(figure="errors", words="answers that are errors or unknown", at_most=0),
    ),
)

BESIDE_WAVE: Final = Scenario(
    name="beside-wave",
    question="What do buyers notice of a wave of 10,000 orders that is being planned?",
    play=beside_wave.play,
    demand=Demand(sku_count=10_000, hot_share=0.5, zipf_exponent=1.1, seed=1),
    connections=(256,),
    headline="256 connections, beside 1",
    targets=(
        Target(figure="rate_share", words="rate beside a wave, × alone", at_least=0.9),
        Target(figure="errors", words="answers that are errors or unknown", at_most=0),
    ),
)

OVERLOAD: Final = Scenario(
    name="overload",
    question="What is still served when four times the callers come?",
    play=doors.play_overload,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    connections=(64, 128, 256),
    headline="256 connections",
    targets=(
        Target(figure="goodput_share", words="goodput through the ceiling", at_least=0.9),
        Target(figure="refusal_p99_ms", words="refusals, read to written, p99 ms", at_most=5),
    ),
)

CORE: Final = Scenario(
    name="core",
    question="How many reservations a second can one shard decide and commit, without any door?",
    play=core.play_core,
    demand=ONE_SKU,
    baselines=("raw_lua",),
    steady_s=2.0,
    targets=tuple(
        Target(
            figure=f"times_raw_lua_core_hot_{size}",
            words=f"hot SKU, batches of {size}, × one Lua call each",
            at_least=bound,
        )
        for size, bound in ((64, 2.5), (512, 6), (4096, 8))
    ),
)

ACTORS: Final = Scenario(
    name="actors",
    question="What do the shard hosts take without HTTP, over the lane and by Ray calls?",
    play=through_actors.play,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    connections=(1, 256, 1000),
    baselines=("raw_lua",),
    headline="lane, 256",
    steady_s=3.0,
    targets=(
        Target(figure="p50_ray_1_ms", words="one caller by Ray calls, p50 ms", at_most=2),
        Target(figure="p50_lane_1_ms", words="one caller over the lane, p50 ms", at_most=1),
    ),
)

MEMORY: Final = Scenario(
    name="memory",
    question="What does an open one-line reservation with a 16-byte key weigh?",
    play=crowd.play_memory,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    targets=(
        Target(figure="store_bytes", words="in the store, bytes", at_most=250),
        Target(figure="owner_bytes", words="in the owner, bytes", at_most=500),
    ),
)

RECOVERY: Final = Scenario(
    name="recovery",
    question="How soon is a million open reservations back after hosts were killed?",
    play=crowd.play_recovery,
    demand=Demand(sku_count=1_000, hot_share=0.5, seed=1),
    targets=(
        Target(
            figure="one_host_s",
            words="SIGKILL of one host to the first 201 on its shards, s",
            at_most=5,
        ),
        Target(
            figure="all_hosts_s",
            words="SIGKILL of all hosts to the first 201 on every shard, s",
            at_most=6,
        ),
        Target(
            figure="restart_first_201_s",
            words="restart of all: exec of `tidegate up` to the first 201 on every shard, s",
            at_most=6,
        ),
    ),
    strict=True,
)

STARTUP: Final = Scenario(
    name="startup",
    question="How long from exec to ready?",
    play=crowd.play_startup,
    targets=(Target(figure="ready_s", words="`tidegate up` from exec to ready, s", at_most=8),),
)

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        FLASH_SALE,
        HOT_SKU,
        NETWORK,
        BASKETS,
        BATCH_DOOR,
        SOLD_OUT,
        AVAILABILITY,
        OVERLOAD,
        BESIDE_WAVE,
        CORE,
        ACTORS,
        MEMORY,
        RECOVERY,
        STARTUP,
        DEMO,
    )
}
