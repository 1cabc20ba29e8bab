"""Channels, campaigns and counts as anybody would note them: plain sums, no counters kept."""

from dataclasses import dataclass, field


@dataclass
class Taken:
    """What one reservation has: units by node, and on whose account."""

    share: str | None
    customer: str | None
    units: dict[str, int]
    state: str = "held"  # held, confirmed, shipped

    def total(self) -> int:
        """Units at all nodes."""
        return sum(self.units.values())


@dataclass
class Right:
    """What a channel or campaign may have."""

    exclusive: int
    cap: int | None = None
    limit: int | None = None
    is_open: bool = True


@dataclass
class SellingModel:
    """One SKU at a few nodes."""

    on_hand: dict[str, int]
    taken: dict[str, Taken] = field(default_factory=dict)
    rights: dict[str, Right] = field(default_factory=dict)
    moves: list[tuple[str, int, int]] = field(default_factory=list)  # node, at_ms, units

    def promised(self, node: str, state: str) -> int:
        """Units of a node that are held or confirmed."""
        return sum(at.units.get(node, 0) for at in self.taken.values() if at.state == state)

    def free(self, node: str) -> int:
        """Units of a node that nobody was promised; below 0: a shortfall."""
        promised = self.promised(node, "held") + self.promised(node, "confirmed")
        return self.on_hand[node] - promised

    def taken_by(self, share: str, state: str | None = None) -> int:
        """Units that a share has, or has had."""
        return sum(
            at.total()
            for at in self.taken.values()
            if at.share == share and state in (None, at.state)
        )

    def left(self, share: str) -> int:
        """Units that wait for a share."""
        right = self.rights.get(share)
        if right is None or not right.is_open:
            return 0
        return max(0, right.exclusive - self.taken_by(share))

    def everything(self) -> int:
        """Units that are there for somebody."""
        return sum(max(0, self.free(node)) for node in self.on_hand)

    def is_enough(self) -> bool:
        """Whether every right can be met: else who gets how much is not said here."""
        return sum(map(self.left, self.rights)) <= self.everything()

    def sellable(self, share: str | None) -> int:
        """Units for whoever draws on a share, where ``is_enough``."""
        if share is not None and share.startswith("m:"):
            return self.left(share)
        return self.everything() - sum(self.left(name) for name in self.rights if name != share)

    def refusal(self, share: str | None, customer: str | None, units: int) -> str:
        """Why a request is refused before anybody looks at what is there; empty: it is not."""
        right = self.rights.get(share or "")
        if right is None:
            return "UNKNOWN_CAMPAIGN" if (share or "").startswith("m:") else ""
        if not right.is_open:
            return "CAMPAIGN_NOT_OPEN"
        if right.limit is not None:
            if customer is None:
                return "INVALID"
            mine = [at for at in self.taken.values() if at.customer == customer]
            if sum(at.total() for at in mine if at.share == share) + units > right.limit:
                return "OVER_LIMIT"
        declared = right.exclusive if (share or "").startswith("m:") else right.cap
        over = declared is not None and self.taken_by(share or "") + units > declared
        return "OVER_QUOTA" if over else ""

    def counted(self, node: str, units: int, as_of_ms: int | None) -> int:
        """What is there by a count, and by what has moved since."""
        if as_of_ms is None:
            return units
        since = [n for at, at_ms, n in self.moves if at == node and at_ms > as_of_ms]
        return max(0, units + sum(since))
