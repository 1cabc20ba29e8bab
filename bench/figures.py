"""Runs → figures: medians with their spread, and bounds given on the command line."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.scenario import Run, Scenario

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_CONDITION: Final = re.compile(r"^\s*([a-z0-9_]+)\s*(>=|<=|>|<)\s*(-?[0-9.]+(?:e-?\d+)?)\s*\Z")


class UsageError(Exception):
    """The command line cannot mean anything; the message says what it could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure over all runs."""

    median: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"median": self.median, "min": self.low, "max": self.high}


@dataclass(frozen=True, slots=True)
class FailIf:
    """A condition that must not hold, such as ``p99_ms>25``."""

    figure: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> "FailIf":
        """Raises ``UsageError`` where it is no condition."""
        match = _CONDITION.match(text)
        if match is None:
            raise UsageError(f"--fail-if {text!r}: write it like 'p99_ms>25' or 'errors>0'")
        try:
            return cls(match[1], match[2], float(match[3]))
        except ValueError:
            raise UsageError(f"--fail-if {text!r}: {match[3]} is no number") from None

    def holds(self, figures: Mapping[str, Figure]) -> bool:
        """Whether it does. Raises ``UsageError`` for a figure that the run does not have."""
        if self.figure not in figures:
            known = ", ".join(sorted(figures))
            raise UsageError(f"--fail-if {self}: no such figure; there are {known}")
        return _COMPARE[self.comparison](figures[self.figure].median, self.bound)

    def __str__(self) -> str:
        return f"{self.figure}{self.comparison}{self.bound:g}"


def summarise(scenario: Scenario, runs: Sequence[Run]) -> dict[str, Figure]:
    """Median, least and greatest of each figure; the headline step's under short names too."""
    every = [{**run.figures, **_headline(scenario, run)} for run in runs]
    names = sorted({name for figures in every for name in figures})
    result = {}
    for name in names:
        values = [figures[name] for figures in every if name in figures]
        result[name] = Figure(median=median(values), low=min(values), high=max(values))
    return result


def _headline(scenario: Scenario, run: Run) -> dict[str, float]:
    """``p50_ms`` … ``max_ms``, ``rate_per_s``, ``shed_share`` of the step that matters most."""
    step = run.measure(scenario.headline)
    if step is None:
        return {}
    answers = sum(step.counts.values()) or 1
    figures = {f"{name}_ms": value for name, value in step.latency_ms.items()}
    figures["rate_per_s"] = step.rate_per_s
    figures["shed_share"] = step.counts["shed"] / answers
    figures["error_share"] = step.failures / answers
    return figures
