"""Stock that lies unevenly, and lanes over which it may be moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from solver.planning.rebalancing import Lanes, Stocks


def stocks(
    stock: Sequence[Sequence[int]], steps: Sequence[Sequence[Sequence[tuple[int, int]]]],
    *, keep: int = 0, volume: Sequence[int] | None = None,
) -> Stocks:  # fmt: skip
    """SKUs x nodes; each node's steps are (room, worth)."""
    both = np.array(steps, np.int64)
    lying = np.array(stock, np.int64)
    return Stocks(
        skus=tuple(f"sku-{row}" for row in range(len(lying))),
        nodes=tuple(f"node-{row}" for row in range(lying.shape[1])),
        stock=lying, keep=np.full_like(lying, keep),
        room=both[..., 0], worth=both[..., 1],
        volume=np.array(volume or [1] * len(lying), np.int64),
    )  # fmt: skip


def lanes(pairs: Sequence[tuple[int, int]], **changed: Any) -> Lanes:
    """Lanes alike, 10 cents a unit, without trucks."""
    given = {"unit": 10, "truck": 0, "load": 0, "trucks": 0, "risk": 0} | changed
    origin, target = (np.array([pair[end] for pair in pairs], np.int64) for end in (0, 1))
    columns = {
        name: np.broadcast_to(np.array(value, np.int64), len(pairs)).copy()
        for name, value in given.items()
    }
    return Lanes(origin=origin, target=target, **columns)


BOTH_WAYS = lanes([(0, 1), (1, 0)])
#: Node 0 has ten and sells four of them; node 1 has none and could sell five.
LOPSIDED = stocks([[10, 0]], [[[(4, 100), (6, 5)], [(5, 80), (5, 5)]]])
