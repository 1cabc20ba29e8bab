"""What buyers ask for: the bytes of request number n, and what was in it, from a seed."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

import numpy as np

from bench.client import request

#: (sku, units) of each line of one order.
Basket: TypeAlias = tuple[tuple[str, int], ...]

#: Longer than any run: nothing may expire while its books are being compared.
HOLD_SECONDS: Final = 3_600
#: Different baskets made ahead; later requests go round.
_CHOICES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who wants what: a share of buyers wants one SKU, the others follow Zipf's law."""

    sku_count: int
    hot_share: float = 0.5
    zipf_exponent: float = 1.1
    seed: int = 1

    def skus(self) -> list[str]:
        """All SKUs; the hot one first."""
        return [f"sku-{number:05d}" for number in range(self.sku_count)]

    def seeded(self, seed: int) -> Self:
        """The same demand with other draws."""
        return replace(self, seed=seed)

    def baskets(self) -> list[Basket]:
        """One-unit orders in the order in which they come."""
        skus = self.skus()
        if self.sku_count == 1 or self.hot_share >= 1:
            return [((skus[0], 1),)]
        generator = np.random.default_rng(self.seed)
        weights = np.arange(1, self.sku_count, dtype=np.float64) ** -self.zipf_exponent
        ranks = generator.choice(self.sku_count - 1, _CHOICES, p=weights / weights.sum()) + 1
        ranks[generator.random(_CHOICES) < self.hot_share] = 0
        return [((skus[rank], 1),) for rank in ranks.tolist()]


class Orders:
    """Numbered orders with keys of 16 characters; each number always means the same request."""

    def __init__(
        self,
        prefix: str,
        baskets: Sequence[Basket],
        members: Callable[[Basket], Mapping[str, object]] = lambda _: {},
    ) -> None:
        """``prefix``: four characters that no other orders on the same store share.

        ``members``: what a request says beside its lines.
        """
        assert len(prefix) == 4, prefix
        self._prefix = prefix
        self.baskets = baskets
        bodies = [_body(basket, members(basket)) for basket in baskets]
        self._parts = [_split_request(prefix, body) for body in bodies]
        self._elements = [b'",' + body[1:] for body in bodies]

    def key(self, number: int) -> str:
        """The idempotency key."""
        return f"{self._prefix}{number:012d}"

    def basket(self, number: int) -> Basket:
        """What is asked for."""
        return self.baskets[number % len(self.baskets)]

    def request(self, number: int) -> bytes:
        """The request's bytes: made when sent, for half a microsecond."""
        head, tail = self._parts[number % len(self._parts)]
        return b"%s%012d%s" % (head, number, tail)

    def batch(self, numbers: Iterable[int]) -> bytes:
        """The same orders as one request at the batch door."""
        prefix, tails = self._prefix.encode(), self._elements
        elements = [
            b'{"id":"%s%012d%s' % (prefix, number, tails[number % len(tails)]) for number in numbers
        ]
        body = b'{"reservations":[%s]}' % b",".join(elements)
        return request("POST", "/v1/reservations:batch", body)

    def batches(self, size: int) -> Callable[[int], bytes]:
        """Request number → that batch of ``size`` orders."""
        return lambda number: self.batch(range(number * size, number * size + size))


def confirm(reservation: bytes) -> bytes:
    """The request that pays for a reservation."""
    return b"POST /v1/reservations/%s/confirm HTTP/1.1\r\nHost: 127.0.0.1\r\n" % reservation + (
        b"Content-Length: 0\r\n\r\n"
    )


def _split_request(prefix: str, body: bytes) -> tuple[bytes, bytes]:
    """What stands before the number in the key, and what after it."""
    headers = f"Content-Type: application/json\r\nIdempotency-Key: {prefix}{{}}\r\n"
    whole = request("POST", "/v1/reservations", body, headers)
    head, tail = whole.split(b"{}\r\n", 1)
    return head, b"\r\n" + tail


def _body(basket: Basket, members: Mapping[str, object]) -> bytes:
    """The JSON of one order, its key left out."""
    lines = [{"sku": sku, "quantity": units} for sku, units in basket]
    body = {"lines": lines, "hold_seconds": HOLD_SECONDS, **members}
    return json.dumps(body, separators=(",", ":")).encode()
