"""Which orders a narrowed wave is about: those that are touched, and their neighbours."""

from dataclasses import dataclass, field
from typing import Any, Final

from engine.backings import units_left
from engine.ids import reservation_id
from engine.record import Reservation

#: Orders planned anew, unless more are touched. What a neighbour can give up is mostly found among
#: the first; and so many are planned well within a repair's seconds.
FREE_MAX: Final = 1_500
#: Names of one kind that a wave is narrowed to; beyond that it may as well look at everything.
TOUCHED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """An open order as its home has it; ``pieces``: its lines elsewhere, as each shard has them."""

    shard: int
    key: str
    record: bytes
    reservation: Reservation
    pieces: dict[int, "Order"] = field(default_factory=dict)

    @classmethod
    def read(cls, shard: int, key: str, record: bytes) -> "Order":
        """The order that a record is of."""
        return cls(shard, key, record, Reservation(record))

    @property
    def id(self) -> str:
        """The reservation's id as callers know it."""
        return reservation_id(self.shard, self.key)

    def at(self, shard: int) -> "Order | None":
        """Its record on one of its shards: its own, or a piece."""
        return self if shard == self.shard else self.pieces.get(shard)


@dataclass(frozen=True, slots=True)
class Touching:
    """What a narrowed wave is to look at, by names.

    An order is touched if units of one of ``skus`` stand for it on one of ``nodes``, where no names
    mean any; or if it is one of ``reservations`` (ids).
    """

    nodes: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()

    @classmethod
    def told(cls, asked: dict[str, list[str]] | None) -> "Touching | None":
        """As it travels, see ``shown``; None is a wave that is not narrowed."""
        if asked is None:
            return None
        return cls(**{name: tuple(names) for name, names in asked.items()})

    def shown(self) -> dict[str, Any]:
        """Lists by member."""
        return {
            "nodes": list(self.nodes),
            "skus": list(self.skus),
            "reservations": list(self.reservations),
        }


def chosen(
    orders: list[Order], touching: Touching
) -> tuple[list[Order], list[Order], frozenset[str]]:
    """Orders to be planned anew, those that stay, and the ids of those that are touched.

    Anew: all that are touched and, up to ``FREE_MAX`` in all, others that share SKUs with them,
    those that share most first. Both keep the order they came in.
    """
    stands = [set(units_left(order.reservation)) for order in orders]
    nodes, skus = frozenset(touching.nodes), frozenset(touching.skus)
    named = frozenset(touching.reservations)
    hit = [
        at
        for at, order in enumerate(orders)
        if order.id in named
        or (
            (nodes or skus)
            and any(
                (not nodes or node in nodes) and (not skus or sku in skus)
                for sku, node in stands[at]
            )
        )
    ]
    wanted = {sku for at in hit for sku, _ in stands[at]}
    free = set(hit)
    shared = [len(wanted.intersection(sku for sku, _ in places)) for places in stands]
    near = [at for at, count in enumerate(shared) if count and at not in free]
    near.sort(key=lambda at: -shared[at])
    free.update(near[: max(0, FREE_MAX - len(hit))])
    return (
        [order for at, order in enumerate(orders) if at in free],
        [order for at, order in enumerate(orders) if at not in free],
        frozenset(orders[at].id for at in hit),
    )
