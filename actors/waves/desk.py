"""The waves of an engine: one at a time, the last ones remembered by the host of ``net``.

A wave dies with its host. Nothing of it has to be finished by anybody: see ``wave``.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from actors.waves.explain import explained
from actors.waves.gathering import Shards
from actors.waves.pricing import Prices
from actors.waves.touching import Touching
from actors.waves.wave import Done, Report, WaveFailed, run

log = structlog.get_logger()

#: Waves remembered; of the last of them also what became of each order.
_KEPT: Final = 50
_KEPT_WHOLE: Final = 3

#: What makes a request the same again.
_ASKED: Final = ("scope", "max_seconds", "dry_run", "closed_nodes", "touching")

Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[Any]"]


class Desk:
    """Answers what is asked about waves; ``start`` runs work in the background."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.prices = Prices(start)
        self._client: Shards | None = None
        self._reports: dict[str, Report] = {}
        self._done: dict[str, Done] = {}
        self._running: asyncio.Task[Done | None] | None = None
        self._number = 0

    def begin(self, client: Shards) -> None:
        """Waves need the way to all shards."""
        self._client = client
        self.prices.begin(client)

    async def stop(self) -> None:
        """End what is running; its process has ended when this returns."""
        await self.prices.stop()
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])

    def told(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``begin``, ``read``, ``list``, ``cancel`` or ``explain`` an order of a wave."""
        match asked["do"]:
            case "begin":
                return self._begin(asked)
            case "list":
                return {"waves": [_shown(report) for report in self._reports.values()]}
            case "cancel":
                return self._cancel(asked["name"])
            case "explain":
                done = self._done.get(asked["name"])
                order = None if done is None else explained(done, asked["shard"], asked["key"])
                return {"known": asked["name"] in self._reports, "order": order}
            case _:
                report = self._reports.get(asked["name"])
                return {"wave": None if report is None else _shown(report)}

    def _begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = self._reports.get(asked["name"] or "")
        if known is not None:
            same = all(_shown(known)[member] == asked[member] for member in _ASKED)
            return {"wave": _shown(known), "same": same}
        running = next((one for one in self._reports.values() if one.finished_at is None), None)
        if running is not None:
            return {"wave": None, "running": _shown(running)}
        self._number += 1
        while f"w-{self._number}" in self._reports:
            self._number += 1
        report = Report(
            name=asked["name"] or f"w-{self._number}",
            scope=asked["scope"],
            max_seconds=asked["max_seconds"],
            dry_run=asked["dry_run"],
            closed_nodes=tuple(asked["closed_nodes"]),
            touching=Touching.told(asked["touching"]),
            trigger="request",
            started_at=_now_ms(),
        )
        self._reports[report.name] = report
        for old in list(self._reports)[:-_KEPT]:
            del self._reports[old]
        assert self._client is not None
        self._running = asyncio.ensure_future(run(self._client, report))
        self._start(self._finish(report, self._running))
        return {"wave": _shown(report), "same": True}

    async def _finish(self, report: Report, running: "asyncio.Task[Done | None]") -> None:
        try:
            done = await running
            report.state = "done"
            if done is not None:
                self._done[report.name] = done
                for old in list(self._done)[:-_KEPT_WHOLE]:
                    del self._done[old]
                if not report.dry_run:
                    self.prices.after_wave()
        except WaveFailed as failed:
            report.state, report.reason = "failed", str(failed)
        except asyncio.CancelledError:
            report.state, report.reason = "failed", "cancelled"
            if not running.cancelled():
                raise
        except BaseException:
            report.state, report.reason = "failed", "a defect; the log has it"
            raise
        finally:
            report.finished_at = _now_ms()
            log.info(
                "wave over",
                wave=report.name,
                state=report.state,
                orders=report.orders,
                moved=report.moved,
                refused=report.refused_moves,
            )

    def _cancel(self, name: str) -> dict[str, Any]:
        report = self._reports.get(name)
        if report is not None and report.finished_at is None and self._running is not None:
            self._running.cancel()
        return {"wave": None if report is None else _shown(report)}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _shown(report: Report) -> dict[str, Any]:
    """A report as it travels."""
    return {
        "name": report.name,
        "state": report.state,
        "scope": report.scope,
        "max_seconds": report.max_seconds,
        "dry_run": report.dry_run,
        "closed_nodes": list(report.closed_nodes),
        "touching": None if report.touching is None else report.touching.shown(),
        "trigger": report.trigger,
        "orders": report.orders,
        "lines_without_place": report.lines_without_place,
        "cost_before": report.cost_before,
        "cost_after": report.cost_after,
        "bound": report.bound,
        "gap": report.gap,
        "moved": report.moved,
        "refused_moves": report.refused_moves,
        "hit_orders": report.hit_orders,
        "saved_cents": report.saved_cents,
        "late_days_before": report.late_days_before,
        "late_days_after": report.late_days_after,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "reason": report.reason,
        "steps": report.steps,
    }
