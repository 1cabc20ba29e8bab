"""A million open reservations: what they weigh, and how soon they are back after a crash."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Final, cast

from bench import tree
from bench.audit import Audit, Told, audit, element_statuses
from bench.client import ask
from bench.load import Address
from bench.orders import Demand, Orders
from bench.processes import CannotStart
from bench.product import Product, fill
from bench.scenario import PLENTY, Options, Run, Scenario
from bench.tally import Tally, kind_of
from engine.ids import shard_of
from engine.limits import HISTORY_MS_MAX

#: Reservations a request while filling, and requests of one portion.
_BATCH, _PORTION = 1_000, 16
#: A probe waits no longer than this for its answer, then another is sent.
_PROBE_MS: Final = 200
_HANGS_S: Final = 2.0
_PROBES_S: Final = 60.0
#: How long a killed host may take to be replaced; then for shards to move to the new one.
_REPLACED_S: Final = 30.0
_MOVES_S: Final = 3.0


class Crowd:
    """Open reservations in a running product, and what was said about them."""

    def __init__(self, product: Product, demand: Demand, options: Options) -> None:
        self._address = product.address
        self._options = options
        self._orders = Orders("open", demand.baskets())
        self._skus = _sku_of_each_shard(demand.skus(), product.setup.shards)
        self._probes = 0
        self.stock = dict.fromkeys(demand.skus(), PLENTY)
        self.told = Told()

    async def opened(self) -> "Crowd":
        """Stock is there, nobody has come yet."""
        await fill(self._address, self.stock)
        return self

    async def come(self, count: int) -> float:
        """Make ``count`` reservations through the batch door. → reservations a second."""
        began = perf_counter()
        for first in range(0, count, _BATCH * _PORTION):
            self._options.say(f"{first:,} of {count:,} open reservations")
            numbers = range(first, min(first + _BATCH * _PORTION, count))
            await self._portion(list(numbers))
        return count / (perf_counter() - began)

    async def _portion(self, numbers: list[int]) -> None:
        """Some of them; those that a busy product put off again, twenty times at most."""
        for _ in range(20):
            slices = [numbers[at : at + _BATCH] for at in range(0, len(numbers), _BATCH)]
            requests = [self._orders.batch(slice_) for slice_ in slices]
            answers = await ask(self._address, requests, connections=4)
            tally, again = Tally(), []
            for slice_, (status, body) in zip(slices, answers, strict=True):
                statuses = element_statuses(body) if status == 200 else [status] * len(slice_)
                for number, one in zip(slice_, statuses, strict=True):
                    if kind_of(one) == "ok":
                        tally.add(number, one)
                    else:
                        again.append(number)
            self.told.note(self._orders, tally)
            if not again:
                return
            numbers = again
            await asyncio.sleep(0.1)
        raise CannotStart(f"{len(numbers)} reservations were refused while filling")

    async def back(self, since: float, what: str) -> dict[int, float]:
        """Shard → seconds from ``since``, when ``what`` happened, to its first 201.

        Raises ``CannotStart`` after 60.
        """
        shards = list(self._skus)
        probes = (self._first(shard, since, what) for shard in shards)
        seconds = await asyncio.gather(*probes, return_exceptions=True)
        for result in seconds:  # Not before all have ended: each notes what it was told.
            if isinstance(result, BaseException):
                raise result
        return dict(zip(shards, cast("list[float]", seconds), strict=True))

    async def _first(self, shard: int, since: float, what: str) -> float:
        """Probe one shard until it takes a reservation."""
        self._probes += 1
        orders = Orders(f"p{self._probes:03d}", [((self._skus[shard], 1),)])
        tally, number = Tally(), 0
        try:
            while perf_counter() - since < _PROBES_S:
                probe = orders.request(number).replace(
                    b"\r\n", b"\r\nX-Deadline-Ms: %d\r\n" % _PROBE_MS, 1
                )
                ((status, _),) = await _probe(self._address, probe)
                tally.add(number, status)
                if status == 201:
                    return perf_counter() - since
                number += 1
                await asyncio.sleep(0.01)
        finally:
            self.told.note(orders, tally)
        raise CannotStart(
            f"shard {shard} did not take a reservation within {_PROBES_S:g} s after {what}"
        )

    def moved(self, address: Address) -> None:
        """The product was started again and listens elsewhere."""
        self._address = address


async def play_memory(scenario: Scenario, options: Options) -> Run:
    """What an open one-line reservation weighs in the store and in its owner."""
    run = Run()
    with Product(options.setup) as product:
        crowd = await Crowd(product, scenario.demand, options).opened()
        await crowd.back(perf_counter(), "filling")  # The first commit of each shard is behind it.
        store, owners = tree.store(product.pid), tree.hosts(product.pid)
        before = tree.resident_bytes(owners), tree.resident_bytes([store] if store else [])
        run.figures["rate_filling_per_s"] = await crowd.come(options.count)
        peak = tree.resident_bytes(owners)
        options.say("waiting until sent commits are forgotten")
        await asyncio.sleep(HISTORY_MS_MAX / 1000 + 1)
        for _ in range(3):  # An owner forgets when it commits.
            await crowd.back(perf_counter(), "waiting")
        after = tree.resident_bytes(owners), tree.resident_bytes([store] if store else [])
        options.say("audit")
        run.audit = await audit(product.address, crowd.told, crowd.stock)
    run.figures["owner_bytes"] = (after[0] - before[0]) / options.count
    run.figures["owner_peak_bytes"] = (peak - before[0]) / options.count
    if store:
        run.figures["store_bytes"] = (after[1] - before[1]) / options.count
    return run


async def play_recovery(scenario: Scenario, options: Options) -> Run:
    """Kill one host, then all, then start the whole product again on the same data.

    What does not come back is a finding; the restart and its audit follow all the same.
    """
    run = Run()
    data = tempfile.mkdtemp(prefix="bench-tidegate-")
    try:
        with Product(options.setup, data) as product:
            crowd = await Crowd(product, scenario.demand, options).opened()
            run.figures["rate_filling_per_s"] = await crowd.come(options.count)
            with _noted(run):
                await _kill_hosts(product.pid, crowd, options, run)
        options.say("starting everything again")
        run.audit = Audit(store_audit_clean=False, findings=["no audit: it did not start again"])
        with _noted(run):
            run.audit = await _restart(options, data, crowd, run)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return run


@contextmanager
def _noted(run: Run) -> Iterator[None]:
    """What goes wrong from now on was measured: it is a finding, not a failure to start."""
    try:
        yield
    except CannotStart as fault:
        run.findings.append(str(fault))


async def _kill_hosts(pid: int, crowd: Crowd, options: Options, run: Run) -> None:
    """One, and when it has been replaced, all."""
    victims = tree.hosts(pid)
    options.say("killing one host")
    run.figures["one_host_s"] = await _kill(victims[:1], crowd, run, "one host")
    options.say("waiting for its replacement")
    await _replaced(pid, len(victims))
    options.say("killing all hosts")
    run.figures["all_hosts_s"] = await _kill(tree.hosts(pid), crowd, run, "all hosts")


async def _restart(options: Options, data: str, crowd: Crowd, run: Run) -> Audit:
    """Start the product on what is stored; from exec to the first 201 on every shard."""
    began = perf_counter()
    with Product(options.setup, data) as product:
        crowd.moved(product.address)
        run.figures["restart_ready_s"] = product.ready_s
        with _noted(run):
            back = await crowd.back(began, "a restart")
            run.figures["restart_first_201_s"] = max(back.values())
        options.say("audit")
        return await audit(product.address, crowd.told, crowd.stock)


async def play_startup(scenario: Scenario, options: Options) -> Run:
    """From exec to ready, on an empty store."""
    run = Run()
    options.say("starting the product")
    with Product(options.setup) as product:
        run.figures["ready_s"] = product.ready_s
    return run


async def _kill(pids: Sequence[int], crowd: Crowd, run: Run, what: str) -> float:
    """SIGKILL; → seconds until every shard has taken a reservation again."""
    if not pids:
        raise CannotStart(f"there was no shard host any more before killing {what}")
    killed_at = perf_counter()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    back = await crowd.back(killed_at, f"killing {what}")
    run.details[f"shard → first 201 after killing {what} (s)"] = {
        str(shard): round(seconds, 3) for shard, seconds in back.items()
    }
    return max(back.values())


async def _replaced(pid: int, count: int) -> None:
    """Wait until there are as many hosts as before, and the moves to the new one are over."""
    deadline = perf_counter() + _REPLACED_S
    while len(tree.hosts(pid)) < count:
        if perf_counter() > deadline:
            raise CannotStart(f"a killed host was not replaced within {_REPLACED_S:g} s")
        await asyncio.sleep(0.2)
    await asyncio.sleep(_MOVES_S)


async def _probe(address: Address, probe: bytes) -> list[tuple[int, bytes]]:
    """One request on a connection of its own; the gateway may be away, or hang."""
    try:
        async with asyncio.timeout(_HANGS_S):
            return await ask(address, [probe], connections=1)
    except OSError:  # TimeoutError is one.
        return [(503, b"")]


def _sku_of_each_shard(skus: Sequence[str], shards: int) -> dict[int, str]:
    """One SKU for each shard that has any."""
    found: dict[int, str] = {}
    for sku in skus:
        found.setdefault(shard_of(sku, shards), sku)
    return dict(sorted(found.items()))
