"""One step of a plan: an order or a transfer that somebody may carry out, once."""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from math import ceil
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What would be ordered or moved, and whether a person has to say yes first.

    `cents` is what is spent: the goods of an order, the carriage of a transfer with its part of
    the truck. `why` are the figures behind it, for people.
    """

    id: str
    kind: Literal["order", "transfer"]
    sku: str
    from_node: str | None
    node: str
    quantity: int
    cents: int
    available_on: date
    needs_approval: bool
    why: dict[str, Any]

    @property
    def path(self) -> str:
        """Where the engine takes it."""
        return "/v1/supplies" if self.kind == "order" else "/v1/transfers"

    @property
    def body(self) -> dict[str, Any]:
        """What the engine is told: the same for the same plan, whenever it is carried out."""
        common = {"id": self.id, "sku": self.sku, "quantity": self.quantity,
                  "available_at": f"{self.available_on.isoformat()}T00:00:00Z"}  # fmt: skip
        if self.kind == "order":
            return common | {"kind": "purchase_order", "node": self.node}
        return common | {"from_node": self.from_node, "to_node": self.node}

    @property
    def row(self) -> dict[str, Any]:
        """The step as a JSON object."""
        return {
            "id": self.id,
            "kind": self.kind,
            "sku": self.sku,
            "from_node": self.from_node,
            "node": self.node,
            "quantity": self.quantity,
            "cents": self.cents,
            "available_on": self.available_on.isoformat(),
            "needs_approval": self.needs_approval,
            "why": self.why,
        }


def id_of(on: date, kind: str, *places: str) -> str:
    """The id of a step: one a day for each place, so that a repeat is told apart from a second.

    A plan made anew on the same day with other figures has the same ids and other quantities:
    the engine refuses it, instead of ordering twice.
    """
    digest = blake2b("\n".join((kind, on.isoformat(), *places)).encode(), digest_size=6)
    return f"plan-{on:%Y%m%d}-{digest.hexdigest()}"


def after(on: date, days: float) -> date:
    """The day on which what takes so many days is there, whole days only."""
    return on + timedelta(days=ceil(days))
