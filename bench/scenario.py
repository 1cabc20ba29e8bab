"""The questions a run can answer, and what the answer has to be."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bench.audit import Audit
from bench.orders import Demand
from bench.product import Setup
from bench.tally import Measure

#: More than any run can sell.
PLENTY: Final = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound on one figure."""

    figure: str
    words: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float) -> bool:
        """Whether a measured value keeps it."""
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller of a run chooses."""

    setup: Setup = field(default_factory=Setup)
    seconds: float | None = None  # Of each step; None: as the scenario says.
    seed: int = 1
    runs: int = 1
    arrivals: str | None = None  # None: as the scenario says.
    baselines: bool = True
    count: int = 1_000_000  # Open reservations of ``memory`` and ``recovery``.
    say: Callable[[str], None] = lambda _: None  # Progress, a line a step.


def with_options(setup: Setup, *options: str) -> Setup:
    """The same with further options of ``tidegate up``, before those that the caller gave."""
    return replace(setup, options=(*options, *setup.options))


@dataclass(slots=True, kw_only=True)
class Run:
    """What one run came to."""

    figures: dict[str, float] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    audit: Audit | None = None  # None: nothing was promised to anybody.
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)  # What went wrong with the product.
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def void(self) -> list[str]:
        """Why speeds of this run must not be believed."""
        return [f"{measure.name}: {measure.void}" for measure in self.measures if measure.void]

    def measure(self, name: str) -> Measure | None:
        """A step's measure, if that step was run."""
        return next((measure for measure in self.measures if measure.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A frozen description; ``play`` knows how to run it."""

    name: str
    question: str
    play: Callable[["Scenario", Options], Awaitable[Run]]
    demand: Demand = field(default_factory=lambda: Demand(sku_count=10_000))
    connections: tuple[int, ...] = (64, 256, 1000)  # Closed loops, one after the other.
    baselines: tuple[str, ...] = ()
    headline: str = ""  # The step whose latencies are p50_ms … max_ms.
    warmup_s: float = 0.5
    steady_s: float = 4.0
    open_share: float = 0.0  # Open loop at this share of the ceiling; 0: none.
    arrivals: str = "poisson"  # Of the open loop, one of ``arrivals.KINDS``.
    confirm_share: float = 0.0  # Of the open loop's buyers who pay at once.
    batch: int = 1  # Reservations a request at the batch door.
    targets: tuple[Target, ...] = ()
    strict: bool = False  # A missed target is a finding, and the run not fine.

    def seconds(self, options: Options) -> float:
        """Length of one step."""
        return self.steady_s if options.seconds is None else options.seconds

    def arrivals_of(self, options: Options) -> str:
        """How buyers of the open loop come."""
        return options.arrivals or self.arrivals
