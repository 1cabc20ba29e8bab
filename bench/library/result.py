"""What came of one file: figures, and what is wrong with them."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One file's problem solved, `name` in tables; costs in the file's own unit.

    `objective` is the evaluator's, None without an answer; `bound` ours, that no answer is below;
    `closed` says that the integer program's solver claims the optimum; `published` is None where
    no table tells it. `broken` names rules that the answer breaks. Differences up to the share
    `tolerance` of the published value are none.
    """

    file: str
    name: str
    sizes: str
    objective: float | None
    bound: float
    closed: bool
    seconds: float
    published: float | None
    broken: tuple[str, ...] = ()
    tolerance: float = 0.0

    @property
    def difference(self) -> float | None:
        """The objective less the published optimum; None where one of them is not known."""
        if self.objective is None or self.published is None:
            return None
        return self.objective - self.published

    @property
    def proof(self) -> str:
        """Who says that nothing is better: our bound, the solver, or nobody."""
        if self.objective is None:
            return "none"
        if self.objective - self.bound <= max(1e-9, self.tolerance) * abs(self.objective):
            return "bound"
        return "solver" if self.closed else "open"

    @property
    def wrong(self) -> list[str]:
        """Why this is not fine, in words; empty where it is."""
        found = [*self.broken]
        far = self.difference
        allowed = self.tolerance * abs(self.published or 0.0)
        if far is not None and far > allowed:
            found.append(f"{far:,.3f} above the published optimum")
        if far is not None and far < -allowed:
            found.append(f"{-far:,.3f} below the published optimum: is it this file's?")
        best = self.objective if self.published is None else self.published
        if best is not None and self.bound > best + max(1e-9, self.tolerance) * abs(best):
            found.append(f"the bound {self.bound:,.3f} is above {best:,.3f}")
        return found

    def report(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("difference", "proof", "wrong")}
        return dataclasses.asdict(self) | told
