"""The core alone: one shard's ledger and its commits in one process, no HTTP, no Ray.

As in an owner, the next batch is decided while the commit of the last is on its way, and a
batch counts when the store has accepted it.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from bench import rivals
from bench.audit import Audit
from bench.load import no_collector
from bench.processes import CannotStart
from bench.scenario import PLENTY, Options, Run, Scenario
from engine import commands
from engine.commands import Command
from engine.effects import Sealed
from engine.ids import digest
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import Durability
from engine.store.protocol import Right
from engine.store.redis import RedisStore
from engine.store.server import StoreServer, find_binary
from engine.store.setup import prepare

#: As a gateway sends them; TigerBeetle's largest batch is 8,189.
_BATCHES: Final = (1, 64, 512, 4096, 8189)
_SKUS: Final = {"hot": 1, "1000_skus": 1_000}
_HOLD_MS: Final = 3_600_000
_NODE: Final = "main"
#: Reservations one measured step makes at most: its commands lie in memory before it begins.
_COUNT_MAX: Final = 500_000


class Core:
    """One shard, owned by this process."""

    def __init__(self, store: RedisStore, right: Right, ledger: Ledger, clock_ms: int) -> None:
        self._store = store
        self._right = right
        self._ledger = ledger
        self._clock_base = clock_ms - perf_counter() * 1000
        self.held = 0

    def decide(self, batch: list[Command]) -> Sealed:
        """Decide a batch that changes something; ready to be sent."""
        now_ms = int(self._clock_base + perf_counter() * 1000)
        replies = self._ledger.decide_all(batch, now_ms)
        self.held += sum(reply[0] == Outcome.OK for reply in replies)
        sealed = self._ledger.seal()
        assert sealed is not None
        return sealed

    def send(self, sealed: Sealed) -> "asyncio.Future[None]":
        """Put a batch on the wire."""
        return self._store.commit(self._right, sealed)

    async def settle(self, batch: list[Command]) -> None:
        """Decide and commit, one after the other."""
        sealed = self.decide(batch)
        await self.send(sealed)
        self._ledger.accepted(sealed)

    async def run(self, batches: list[list[Command]], seconds: float) -> list[float]:
        """Decide each while the commit of the one before is on its way, until time is up.

        → when each was accepted, in seconds from the start.
        """
        begins, accepted = perf_counter(), []
        sent: tuple[Sealed, asyncio.Future[None]] | None = None
        for batch in batches:
            sealed = self.decide(batch)
            if sent is not None:
                await sent[1]
                self._ledger.accepted(sent[0])
                accepted.append(perf_counter() - begins)
            sent = (sealed, self.send(sealed))
            if accepted and accepted[-1] > seconds:
                break
        assert sent is not None
        await sent[1]
        self._ledger.accepted(sent[0])
        return [*accepted, perf_counter() - begins]

    async def stored(self) -> tuple[int, int]:
        """(reservations in the store, free units by its guard)."""
        count = free = 0
        async for portion in self._store.scan(0, "reservations"):
            count += len(portion)
        async for portion in self._store.scan(0, "free"):
            free += sum(int(units) for _, units in portion)
        return count, free


@asynccontextmanager
async def opened(durability: str, skus: int) -> AsyncIterator[Core]:
    """A core on an embedded store of its own, with ``skus`` SKUs in plenty; 0: empty."""
    level = Durability[durability.upper()]
    with tempfile.TemporaryDirectory(prefix="bench-core-") as folder:
        server = StoreServer(find_binary("embedded"), Path(folder), level)
        await server.start()
        store = RedisStore(server.url, level)
        try:
            await prepare(server.admin_url, 1, level)
            await store.connect()
            right = Right(0, 1, "bench")
            acquired = await store.acquire(right, 1, "bench")
            ledger = Ledger(0, 1, level)
            ledger.seq, ledger.head, ledger.epoch = acquired.seq, acquired.head, right.epoch
            core = Core(store, right, ledger, acquired.clock_ms)
            if skus:
                await _stock(core, skus)
            yield core
        finally:
            await store.close()
            await server.stop()


async def play_core(scenario: Scenario, options: Options) -> Run:
    """Each batch size, on a hot SKU and on a thousand; the raw script call beside them."""
    run = Run()
    audits = []
    async with rivals.around(scenario, options, run):
        for name, skus in _SKUS.items():
            for size in _BATCHES:
                options.say(f"core, {name}, batches of {size}")
                async with opened(options.setup.durability, skus) as core:
                    rate = await _measure(core, size, skus, scenario.seconds(options))
                    audits.append(await _audit(core, skus))
                run.figures[f"core_{name}_{size}_per_s"] = rate
        run.audit = _together(audits)
    if raw := run.figures.get("raw_lua_per_s"):
        for name in [name for name in run.figures if name.startswith("core_")]:
            share = run.figures[name] / raw
            run.figures[f"times_raw_lua_{name.removesuffix('_per_s')}"] = share
    return run


async def _measure(core: Core, size: int, skus: int, seconds: float) -> float:
    """Accepted reservations a second; the commands are made beforehand."""
    lines = [[f"sku-{n:05d}", None, 1] for n in range(skus)]
    digests = [digest([line], _HOLD_MS, None) for line in lines]
    batches = [
        [
            commands.reserve(f"{n:016d}", digests[n % skus], [lines[n % skus]], _HOLD_MS)
            for n in range(first, first + size)
        ]
        for first in range(0, _COUNT_MAX if size > 1 else _COUNT_MAX // 10, size)
    ]
    with no_collector():
        accepted = await core.run(batches, seconds)
    return len(accepted) * size / accepted[-1]


async def _stock(core: Core, skus: int) -> None:
    """One node, and plenty of each SKU there."""
    names = [f"sku-{n:05d}" for n in range(skus)]
    members: dict[str, Any] = {"kind": "warehouse"}
    await core.settle([commands.take_network(0, 1, {f"n|{_NODE}": members})])
    await core.settle([commands.define_sku(name, [name, 0, None]) for name in names])
    rows = [[name, _NODE, PLENTY, None, None, None] for name in names]
    reference = blake2b(b"bench", digest_size=16).digest()
    await core.settle([commands.adjust("bench", 0, reference, rows)])
    core.held = 0


def counted(core: Core, commands_sent: int) -> None:
    """Raise where a measured step has refused anything: its speed would mean nothing."""
    if core.held < commands_sent:
        raise CannotStart(f"{commands_sent - core.held} of {commands_sent} were refused")


async def _audit(core: Core, skus: int) -> Audit:
    """Accepted reservations against what the store has of them."""
    count, free = await core.stored()
    return Audit(
        acknowledged=core.held,
        acknowledged_missing=max(0, core.held - count),
        unaccounted_units=abs(skus * PLENTY - free - core.held),
        oversold_units=max(0, -free),
    )


def _together(audits: list[Audit]) -> Audit:
    """The audits of all steps as one."""
    return Audit(
        acknowledged=sum(audit.acknowledged for audit in audits),
        acknowledged_missing=sum(audit.acknowledged_missing for audit in audits),
        unaccounted_units=sum(audit.unaccounted_units for audit in audits),
        oversold_units=sum(audit.oversold_units for audit in audits),
    )
