"""The same script call without a web layer: 50 connections, one call in flight on each.

The client is as lean as the HTTP one, so that it is the store that limits; where
``redis-benchmark`` is installed its rate is taken too, and the better of the two counts.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, cast

from bench.baselines.store import EVENTS, RESERVATIONS, STOCK, Store
from bench.orders import Basket

CONNECTIONS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLua:
    """Reservations a second by both clients; None: not installed."""

    own_per_s: float
    redis_benchmark_per_s: float | None

    @property
    def best_per_s(self) -> float:
        """What the store is taken to be able to do."""
        return max(self.own_per_s, self.redis_benchmark_per_s or 0.0)


class _Caller(asyncio.Protocol):
    """Sends the next call when it has the reply of the last; replies here end in one read."""

    def __init__(self, next_call: Callable[[], bytes], replied: Callable[[bytes], bool]) -> None:
        self._next_call = next_call
        self._replied = replied

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._fd = transport.get_extra_info("socket").fileno()
        os.write(self._fd, self._next_call())

    def data_received(self, data: bytes) -> None:
        if self._replied(data):
            os.write(self._fd, self._next_call())
        else:
            self._transport.close()


async def run(store: Store, sha: str, baskets: list[Basket], seconds: float) -> RawLua:
    """Measure for ``seconds`` with each client."""
    own = await _own(store, sha, baskets, seconds)
    return RawLua(own_per_s=own, redis_benchmark_per_s=_redis_benchmark(store, sha, own * seconds))


async def _own(store: Store, sha: str, baskets: list[Basket], seconds: float) -> float:
    """Successful calls a second by our client."""
    parts = [_call(sha, basket) for basket in baskets]
    count = held = 0
    ends = perf_counter() + 3_600

    def next_call() -> bytes:
        nonlocal count
        count += 1
        head, tail = parts[count % len(parts)]
        return b"%s%016d%s" % (head, count, tail)

    def replied(data: bytes) -> bool:
        nonlocal held
        if data.startswith(b"*2\r\n:1"):
            held += 1
        return perf_counter() < ends

    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_unix_connection(lambda: _Caller(next_call, replied), store.socket)
    await asyncio.sleep(min(0.5, seconds / 4))
    begins, before = perf_counter(), held
    await asyncio.sleep(seconds)
    ends = perf_counter()
    rate = (held - before) / (ends - begins)
    await asyncio.sleep(0.1)
    return rate


def _redis_benchmark(store: Store, sha: str, count: float) -> float | None:
    """Reservations a second by Redis' own tool; one SKU, random keys of up to nine digits."""
    tool = shutil.which("redis-benchmark")
    if tool is None:
        return None
    before = store.held()
    calls = max(1000, int(count))
    lines = '{"lines":[{"sku":"sku-00000","quantity":1}],"hold_seconds":3600}'
    done = subprocess.run(
        [
            *(tool, "-s", store.socket, "-c", str(CONNECTIONS), "-n", str(calls)),
            *("-r", "1000000000", "-q", "EVALSHA", sha, "3", STOCK, RESERVATIONS, EVENTS),
            *("__rand_int__", lines, "sku-00000", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    rates = re.findall(r"([\d.]+) requests per second", done.stdout)
    # A key drawn twice holds nothing: only what is new counts.
    return float(rates[-1]) * (store.held() - before) / calls if rates else None


def _call(sha: str, basket: Basket) -> tuple[bytes, bytes]:
    """The bytes before and after a key of 16 characters."""
    lines = ",".join(f'{{"sku":"{sku}","quantity":{units}}}' for sku, units in basket)
    text = f'{{"lines":[{lines}],"hold_seconds":3600}}'
    wanted = [str(part) for line in basket for part in line]
    before = ["EVALSHA", sha, "3", STOCK, RESERVATIONS, EVENTS]
    after = [text, *wanted]
    count = len(before) + 1 + len(after)
    head = f"*{count}\r\n" + "".join(_bulk(part) for part in before) + "$16\r\n"
    return head.encode(), ("\r\n" + "".join(_bulk(part) for part in after)).encode()


def _bulk(text: str) -> str:
    return f"${len(text)}\r\n{text}\r\n"
