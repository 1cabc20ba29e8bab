"""The core with everything a warehouse of many places asks of a reservation.

One shard's ledger and its commits in one process, as in ``core``: a plain hold, one of a campaign
with quota and limit, one that goes somewhere over 20 and over 2,000 nodes, and all of it together;
each as a multiple of the plain one's time in the same run.
"""

from collections.abc import Callable
from typing import Any, Final

from bench.core import Core, counted, opened
from bench.load import no_collector
from bench.scenario import PLENTY, Options, Run, Scenario
from engine import commands
from engine.commands import Command, network, shares
from engine.ids import digest
from engine.record import CAMPAIGN, CHANNEL, CUSTOMER, ZONE, Extra
from engine.stock import Terms

_BATCHES: Final = (64, 512, 4096)
_COUNT_MAX: Final = 200_000
_HOLD_MS: Final = 3_600_000
_ZONE: Final = "zone-1"
_FEW, _MANY = "few", "many"
#: SKU → nodes that it lies at; the drop's SKU has both a campaign and a quota beside it.
_NODES: Final = {_FEW: 20, _MANY: 2_000, "drop": 2}

Asked = Callable[[int], tuple[str, Extra | None]]
#: What is asked for, by the name of its figure.
_KINDS: Final[dict[str, Asked]] = {
    "plain": lambda _: ("plain", None),
    "campaign": lambda n: ("drop", {CAMPAIGN: "drop", CHANNEL: "live", CUSTOMER: f"c{n}"}),
    "destination": lambda _: ("drop", {ZONE: _ZONE}),
    "everything": lambda n: (
        "drop", {CAMPAIGN: "drop", CHANNEL: "live", CUSTOMER: f"c{n}", ZONE: _ZONE},
    ),
    "nodes_20": lambda _: (_FEW, {ZONE: _ZONE}),
    "nodes_2000": lambda _: (_MANY, {ZONE: _ZONE}),
}  # fmt: skip


async def play_network(scenario: Scenario, options: Options) -> Run:
    """Each kind at each batch size."""
    run = Run()
    for size in _BATCHES:
        for kind, asked in _KINDS.items():
            options.say(f"network, {kind}, batches of {size}")
            async with opened(options.setup.durability, 0) as core:
                await _found(core)
                rate = await _rate(core, size, asked, scenario.seconds(options))
            run.figures[f"network_{kind}_{size}_per_s"] = rate
        for kind in ("campaign", "destination", "everything"):
            plain = run.figures[f"network_plain_{size}_per_s"]
            run.figures[f"times_plain_{kind}_{size}"] = (
                plain / run.figures[f"network_{kind}_{size}_per_s"]
            )
        run.figures[f"times_20_nodes_{size}"] = (
            run.figures[f"network_nodes_20_{size}_per_s"]
            / run.figures[f"network_nodes_2000_{size}_per_s"]
        )
    return run


async def _found(core: Core) -> None:
    """Nodes, lanes, SKUs and stock; a campaign and a quota for one of them."""
    names = [f"n{number:04d}" for number in range(max(_NODES.values()))]
    elements: dict[str, Any] = {f"n|{name}": {"kind": "store"} for name in names}
    await core.settle([commands.take_network(0, 1, elements)])
    rows: list[list[Any]] = [
        [name, _ZONE, 100 + at, 50, 3_600_000, None, []] for at, name in enumerate(names)
    ]
    await core.settle([network.define_lanes(rows)])
    nodes = {sku: names[:count] for sku, count in {**_NODES, "plain": 1}.items()}
    await core.settle([commands.define_sku(sku, [sku, 300, None]) for sku in nodes])
    for number, (sku, there) in enumerate(nodes.items()):
        stock = [[sku, name, None, PLENTY, None, None] for name in there]
        await core.settle([commands.adjust("bench", number, bytes(16), stock)])
    terms = Terms(
        defined=True, channel="live", ends_at_ms=2**60, limit=2, hold_ms=_HOLD_MS,
    )  # fmt: skip
    await core.settle([
        shares.set_quota("drop", "live", (1_000, None, 0, None)),
        shares.open_campaign("drop", list(terms), [["drop", PLENTY]]),
    ])  # fmt: skip
    core.held = 0


async def _rate(core: Core, size: int, asked: Asked, seconds: float) -> float:
    """Accepted reservations a second; the commands are made beforehand."""
    batches = [
        [_command(n, asked) for n in range(first, first + size)]
        for first in range(0, _COUNT_MAX, size)
    ]
    with no_collector():
        accepted = await core.run(batches, seconds)
    counted(core, len(accepted) * size)
    return len(accepted) * size / accepted[-1]


def _command(number: int, asked: Asked) -> Command:
    sku, extra = asked(number)
    line = [sku, None, 1]
    return commands.reserve(
        f"{number:016d}", digest([line], _HOLD_MS, extra), [line], _HOLD_MS, extra
    )
