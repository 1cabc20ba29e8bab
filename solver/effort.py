"""How long a search may take, and how it says where it stands."""

import dataclasses
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True)
class Effort:
    """How long to search: `seconds` of wall time, or until the plan is `gap` above the bound.

    `blocks` ends the search after so many integer programs; a run that ends by `blocks` or by
    `gap` long before the clock would gives the same plan for the same problem and `seed`.
    `workers` processes share the parts of a large wave.
    """

    seconds: float = 15.0
    gap: float = 0.001
    seed: int = 1
    blocks: int = 1_000
    workers: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Where a search stands: `cost` of its plan and `bound`, cents, `seconds` after its start."""

    seconds: float
    stage: str
    cost: float
    bound: float


@dataclasses.dataclass(slots=True)
class Clock:
    """When a search began, when it must end, and who is told of its steps."""

    effort: Effort
    watch: Callable[[Step], None] | None = None
    started: float = dataclasses.field(default_factory=time.monotonic)

    def within(self, seconds: float, seed: int) -> "Clock":
        """A clock that ends after `seconds` from now, or with this one; it tells the same watch."""
        end = self.passed + min(seconds, self.left)
        effort = dataclasses.replace(self.effort, seconds=end, seed=seed)
        return Clock(effort, self.watch, self.started)

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.effort.seconds - self.passed

    def tell(self, stage: str, cost: float, bound: float) -> None:
        """Say where the search stands."""
        if self.watch is not None:
            self.watch(Step(self.passed, stage, cost, max(0.0, bound)))
