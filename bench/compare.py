"""Two reports side by side: what differs by more than the runs of each differ among themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, UsageError
from bench.report import Document, figures_of, number

#: Differs between any two runs, and says nothing about the machine; of the disk see below.
_MAY_DIFFER: Final = frozenset({"commit", "load_average", "order", "fsync_p50_ms"})
#: What every report has.
MEMBERS: Final = frozenset({"scenario", "finished_at", "runs", "seconds", "environment", "void"})
#: Two measurements of one disk are this far apart at most.
_FSYNC_TIMES_MAX: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure in two reports."""

    name: str
    before: Figure
    after: Figure
    repeated: bool  # At least one of both stands on several runs.

    @property
    def ratio(self) -> float | None:
        """After through before; None from nothing."""
        return self.after.median / self.before.median if self.before.median else None

    @property
    def verdict(self) -> str:
        """Whether the least and the greatest values of both overlap: ``within`` the spread."""
        if self.before.low <= self.after.high and self.after.low <= self.before.high:
            return "within"
        return "beyond" if self.repeated else "unknown"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "figure": self.name,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "ratio": self.ratio,
            "spread": self.verdict,
        }


def compare(before: Document, after: Document) -> Document:
    """Figures that both reports have, and warnings. Raises ``UsageError`` for unlike scenarios."""
    if before.get("scenario") != after.get("scenario"):
        raise UsageError(
            f"these answer different questions: {before.get('scenario')} and "
            f"{after.get('scenario')}; compare two reports of one scenario"
        )
    return {
        "scenario": before["scenario"],
        "before": _origin(before),
        "after": _origin(after),
        "warnings": warnings(before, after),
        "changes": [change.as_dict() for change in changes(before, after)],
    }


def changes(before: Document, after: Document) -> list[Change]:
    """Figures that both reports have, by name."""
    old, new = figures_of(before), figures_of(after)
    repeated = max(before["runs"], after["runs"]) > 1
    return [
        Change(name=name, before=old[name], after=new[name], repeated=repeated)
        for name in sorted(old.keys() & new.keys())
    ]


def warnings(before: Document, after: Document) -> list[str]:
    """Why the two should not be compared, or only with care."""
    found = []
    for name, report in (("before", before), ("after", after)):
        if "figures" not in report:
            found.append(f"{name} has no speed because its audit failed; run it again")
        found += [f"{name} is void: {reason}" for reason in report["void"]]
    old = before["environment"] | {"seconds": before["seconds"]}
    new = after["environment"] | {"seconds": after["seconds"]}
    found += [f"{difference}: not the same conditions" for difference in _differences(old, new)]
    disks = old.get("fsync_p50_ms"), new.get("fsync_p50_ms")
    if all(disks) and max(disks) > _FSYNC_TIMES_MAX * min(disks):
        found.append(f"the disk took {disks[0]} ms an append before and {disks[1]} ms after")
    return found


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Members that are not the same in both; of packages only those that changed."""
    found = []
    for name in sorted((old.keys() | new.keys()) - _MAY_DIFFER):
        was, now = old.get(name), new.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += _differences(was, now, f"{name}.")
        elif was != now:
            found.append(f"{prefix}{name} was {was} and is {now}")
    return found


def show_changes(comparison: Document, console: Console) -> None:
    """Print two reports side by side."""
    for text in comparison["warnings"]:
        console.print(f"warning: {text}", style="yellow", markup=False)
    table = Table("figure", "before", "after", "after / before", "spread", box=SIMPLE_HEAD)
    for column in table.columns[1:-1]:
        column.justify, column.no_wrap = "right", True
    for change in comparison["changes"]:
        medians = (number(change[side]["median"]) for side in ("before", "after"))
        ratio = "" if change["ratio"] is None else f"{change['ratio']:.2f}"
        style = "dim" if change["spread"] == "within" else ""
        table.add_row(change["figure"], *medians, ratio, change["spread"], style=style)
    console.print(table)
    if any(change["spread"] == "unknown" for change in comparison["changes"]):
        console.print("spread unknown: both stand on one run; measure with --runs 5", style="dim")


def _origin(report: Document) -> Document:
    """Which report it is."""
    commit = report["environment"].get("commit")
    return {"finished_at": report["finished_at"], "runs": report["runs"], "commit": commit}
