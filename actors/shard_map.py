"""Which host owns which shard: versioned, made by the supervisor alone, cached by everybody."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ShardMap:
    """SKU → shard is fixed; shard → host is what this says.

    Host names are incarnations: a restarted host has a new name.
    """

    version: int = 0
    #: By shard; None while nobody owns it.
    owners: tuple[str | None, ...] = ()
    #: Where each host serves its lane.
    addresses: dict[str, str] = field(default_factory=dict)

    def packed(self) -> list[Any]:
        """As plain values."""
        return [self.version, list(self.owners), self.addresses]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "ShardMap":
        """What ``packed`` gave."""
        version, owners, addresses = packed
        return cls(version, tuple(owners), addresses)
