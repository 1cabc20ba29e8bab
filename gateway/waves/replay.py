"""A wave planned again by the same code, and what it means where the plans differ."""

import dataclasses

from solver.case import Case
from solver.effort import Effort
from solver.problem import NOWHERE
from solver.solve import VERSION, solve


@dataclasses.dataclass(frozen=True, slots=True)
class Replayed:
    """The wave with its new plan; `fine` unless it had to be the recorded one and is not."""

    case: Case
    verdict: str
    fine: bool


def replayed(case: Case, seconds: float, seed: int | None = None) -> Replayed:
    """Plan the problem of `case` again, from its own seed unless another is given.

    A search that ends by its gap is the same every time; one that ends by the clock depends on
    the machine, and so does whether the plans are alike. Lines that stood on no node and have none
    are not compared: what waits for a supply may be left waiting after the search.
    """
    recorded = case.plan
    effort = Effort(seconds=seconds, seed=recorded.seed if seed is None else seed)
    plan = solve(case.problem, effort)
    again = dataclasses.replace(case, plan=plan)
    waits = (case.origin == NOWHERE) & (recorded.line_dock == NOWHERE)
    changed = int(((plan.line_dock != recorded.line_dock) & ~waits).sum())
    if not changed:
        return Replayed(again, "the same plan", fine=True)
    verdict = f"another plan: {changed:,} of {len(plan.line_dock):,} lines leave from elsewhere"
    if effort.seed != recorded.seed:
        return Replayed(again, f"{verdict}, as another seed may", fine=True)
    if recorded.version != VERSION:
        return Replayed(again, f"{verdict}, by {VERSION} instead of {recorded.version}", fine=True)
    if max(plan.gap, recorded.gap) > effort.gap:
        return Replayed(again, f"{verdict}, as a search that the clock ends may", fine=True)
    return Replayed(again, f"{verdict}, though both ended by their gap", fine=False)
