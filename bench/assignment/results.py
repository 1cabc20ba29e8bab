"""What contests come to together: medians, and everything as JSON."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from bench.assignment.contest import Contest
from bench.assignment.outage import Contest as Outages

Contests = Sequence[Contest] | Sequence[Outages]


def medians(contests: Contests) -> dict[str, float]:
    """Each figure's median over the instances."""
    each = [contest.figures() for contest in contests]
    return {name: statistics.median(one[name] for one in each) for name in each[0]}


def document(scenario: str, contests: Contests) -> dict[str, Any]:
    """All figures as JSON; money in cents."""
    return {
        "scenario": scenario,
        "medians": medians(contests),
        "instances": [
            {**dataclasses.asdict(one), "figures": one.figures(), "best_rule": one.best_rule.name}
            for one in contests
        ],
    }
