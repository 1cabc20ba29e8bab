"""A wave that has been planned, with what is needed to look at it."""

import dataclasses

from solver.plan import Plan
from solver.problem import Floats, Ints, Problem


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A problem and its plan; the orders' ids are those that callers know.

    `origin` (L): the node that each line stood on, even if nothing may leave from it any more, or
    -1; `latitude`, `longitude` (N): degrees, NaN where nobody has said.
    """

    problem: Problem
    plan: Plan
    origin: Ints
    latitude: Floats
    longitude: Floats
