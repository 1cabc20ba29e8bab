"""Put the sample into a running gateway, over HTTP and nothing else.

Everything that is sent names a state or a reference, so the load may be repeated: blocks that
were lost on the way are simply sent again, and a second load within a day changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from time import monotonic
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from engine.limits import ADJUSTMENTS_MAX, DEADLINE_MS_MAX
from gateway.pipe import Unreachable, request
from gateway.sample.journey import POSITIONS_MAX, Article, Journey, Node, Stock
from gateway.sending import LoadRefused, Sender

#: (pipes, requests a block). The gateway serves one request of a pipe at a time, so pipes make
#: batches and blocks save turns of our loop. A node is told to every shard, so few at a time; an
#: adjustment is 10,000 rows of work already, and two of them keep both sides busy.
NODES_AT_ONCE: Final = (2, 8)
SKUS_AT_ONCE: Final = (32, 16)
ADJUSTMENTS_AT_ONCE: Final = (2, 1)
#: Told after each block: what is being loaded, how many are done, how many there are.
Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did. ``refused`` are rows of stock that the gateway did not take."""

    nodes: int
    skus: int
    positions: int
    units: int
    refused: int
    repeated: bool  # All stock was there already, by an earlier load.
    seconds: float


class _Row(msgspec.Struct):
    status: int


class _Adjusted(msgspec.Struct):
    repeated: bool
    results: list[_Row]


def _silent(_what: str, _done: int, _total: int) -> None:
    """The progress nobody looks at."""


async def load(
    url: str,
    journey: Journey,
    progress: Progress = _silent,
    positions_max: int = POSITIONS_MAX,
) -> Loaded:
    """Nodes, then SKUs, then stock of ``journey`` into the gateway at ``url``.

    Raises Unreachable if the gateway stays away, LoadRefused if it refuses.
    """
    began_at = monotonic()
    stock = journey.stock(positions_max)
    await _send(
        url, "nodes", map(_put_node, journey.nodes), len(journey.nodes), NODES_AT_ONCE, progress
    )
    await _send(
        url, "SKUs", map(_put_sku, journey.articles), len(journey.articles), SKUS_AT_ONCE, progress
    )
    blocks = [_adjustment(rows) for rows in _blocks(stock, ADJUSTMENTS_MAX)]
    answers = await _send(url, "stock", blocks, len(blocks), ADJUSTMENTS_AT_ONCE, progress)
    adjusted = [msgspec.json.decode(body, type=_Adjusted) for body in answers]
    return Loaded(
        nodes=len(journey.nodes),
        skus=len(journey.articles),
        positions=len(stock),
        units=sum(row.on_hand for row in stock),
        refused=sum(row.status >= 400 for block in adjusted for row in block.results),
        repeated=all(block.repeated for block in adjusted),
        seconds=monotonic() - began_at,
    )


def _put_node(node: Node) -> bytes:
    members = {"kind": node.kind, "name": node.name, "priority": node.priority}
    return _put(f"/v1/nodes/{quote(node.node)}", members)


def _put_sku(article: Article) -> bytes:
    members = {
        "name": article.name,
        "weight_grams": article.weight_grams,
        "category": article.category,
    }
    return _put(f"/v1/skus/{quote(article.sku)}", members)


def _put(path: str, members: dict[str, object]) -> bytes:
    return request("PUT", path, msgspec.json.encode(members), deadline_ms=DEADLINE_MS_MAX)


def _adjustment(rows: Sequence[Stock]) -> bytes:
    """Counts, not additions: harmless even when the reference is forgotten already."""
    adjustments = [{"sku": row.sku, "node": row.node, "on_hand": row.on_hand} for row in rows]
    content = msgspec.json.encode(adjustments)
    body = {
        "reference": f"journey-{blake2b(content, digest_size=12).hexdigest()}",
        "adjustments": msgspec.Raw(content),
    }
    path = "/v1/stock/adjustments"
    return request("POST", path, msgspec.json.encode(body), deadline_ms=DEADLINE_MS_MAX)


def _blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while block := list(islice(iterator, size)):
        yield block


async def _send(
    url: str,
    what: str,
    requests: Iterable[bytes],
    total: int,
    at_once: tuple[int, int],
    progress: Progress,
) -> list[bytes]:
    """The bodies of the answers, in order of completion, once every request was accepted."""
    pipes, block_size = at_once
    blocks = _blocks(requests, block_size)
    bodies: list[bytes] = []

    async def work() -> None:
        sender = Sender(url)
        try:
            for block in blocks:
                bodies.extend(await sender.settle(block))
                progress(what, len(bodies), total)
        finally:
            sender.close()

    progress(what, 0, total)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(pipes):
                group.create_task(work())
    except* (Unreachable, LoadRefused) as failed:
        raise failed.exceptions[0] from None
    return bodies
