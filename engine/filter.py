"""A Bloom filter of the keys that have taken a SKU: a few bits a key, no false negatives.

With m = 10 bits a key and k = 3 probes the share of false hits is (1 - exp(-k/10))^k = 1.7 %
(Bloom 1970); each costs one call to the owner, nothing more.
"""

from hashlib import blake2b
from typing import Final

BITS_PER_KEY: Final = 10
_BITS_MIN: Final = 64


class Filter:
    """Membership with rare false hits."""

    __slots__ = ("_bits", "_size")

    def __init__(self, bits: bytearray) -> None:
        self._bits = bits
        self._size = len(bits) * 8

    @classmethod
    def of_room(cls, count: int) -> "Filter":
        """An empty filter with room for ``count`` keys."""
        return cls(bytearray(max(_BITS_MIN, count * BITS_PER_KEY) // 8 + 1))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Filter":
        """What ``to_bytes`` gave."""
        return cls(bytearray(data))

    def to_bytes(self) -> bytes:
        """The bits, to be sent."""
        return bytes(self._bits)

    def _probes(self, key: str) -> tuple[int, ...]:
        # Double hashing: three probes out of two independent halves (Kirsch, Mitzenmacher 2006).
        value = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
        first, second, size = value >> 32, value & 0xFFFFFFFF | 1, self._size
        return first % size, (first + second) % size, (first + 2 * second) % size

    def add(self, key: str) -> None:
        """From now on ``key in self``."""
        for probe in self._probes(key):
            self._bits[probe >> 3] |= 1 << (probe & 7)

    def __contains__(self, key: str) -> bool:
        bits = self._bits
        return all(bits[probe >> 3] >> (probe & 7) & 1 for probe in self._probes(key))
