"""The waves of an engine: one at a time, the last ones remembered by the host of ``net``.

A wave dies with its host. Nothing of it has to be finished by anybody: see ``wave``. Every host has
a desk: what its shards see that orders should be planned anew for, it tells the one of ``net``.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, Protocol

import structlog

from actors.feed import Hosts
from actors.lane import LineLost
from actors.waves.agenda import REPAIRS, Agenda, Automatic, Due
from actors.waves.explain import explained
from actors.waves.gathering import CannotGather, Shards
from actors.waves.noticing import Noticing
from actors.waves.pricing import Prices
from actors.waves.touching import Touching
from actors.waves.wave import Done, Report, WaveFailed, run
from actors.waves.what_if import WhatIf
from engine.ledger import Ledger

log = structlog.get_logger()

#: Waves remembered; of the last of them also what became of each order.
_KEPT: Final = 50
_KEPT_WHOLE: Final = 3
#: Bytes of a wave's file in one answer: a frame may have four times as many.
_PIECE: Final = 16 * 1024 * 1024

#: What makes a request the same again.
_ASKED: Final = (
    "scope", "max_seconds", "dry_run", "closed_nodes", "touching",
    "capacity_percent", "days_faster", "merge_orders",
)  # fmt: skip

#: Why a wave ended that nobody has cancelled.
LEFT: Final = "the net shard has moved to another host; run it again"
#: How often it is looked what has happened, and whether a wave is due.
_LOOK_S: Final = 0.25
_TELL_S: Final = 5.0
#: How long a wave may plan that nobody has asked for: over all orders, and a repair.
_SECONDS, _REPAIR_SECONDS = 15, 10

Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[Any]"]


class Peers(Shards, Hosts, Protocol):
    """The way to shards and hosts."""


class Desk:
    """Answers what is asked about waves; ``start`` runs work in the background.

    ``owned`` gives the ledgers of the host's shards, of so many and ``net`` behind them.
    """

    def __init__(
        self,
        start: Start,
        automatic: Automatic,
        shards: int,
        owned: Callable[[], Iterable[Ledger]],
    ) -> None:
        self._start = start
        self.prices = Prices(start)
        self._net = shards
        self._owned = owned
        self.noticing = Noticing(automatic, shards) if automatic.wanted else None
        self._automatic = automatic
        self._agenda: Agenda | None = None  # Of the host of ``net`` alone.
        self._told_to: str | None = None
        self._looking: asyncio.Task[Any] | None = None
        self._client: Peers | None = None
        self._reports: dict[str, Report] = {}
        self._done: dict[str, Done] = {}
        self._running: asyncio.Task[Done | None] | None = None
        self._number = 0

    def begin(self, client: Peers) -> None:
        """Waves need the way to all shards."""
        self._client = client
        self.prices.begin(client)
        if self.noticing is not None:
            self._looking = self._start(self._look(client, self.noticing))

    async def stop(self) -> None:
        """End what is running; its process has ended when this returns."""
        await self.prices.stop()
        if self._looking is not None:
            self._looking.cancel()
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])

    def leave(self) -> None:
        """``net`` is another host's: the wave ends, or there would soon be two."""
        running = self._busy()
        if running is not None and self._running is not None:
            running.reason = LEFT
            self._running.cancel()

    def told(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is asked of waves, by ``do``.

        ``begin``, ``read``, ``list``, ``cancel``, ``explain`` an order, part of a ``file``; or
        ``hear`` news.
        """
        match asked["do"]:
            case "begin":
                return self._begin(asked)
            case "hear":
                return {"heard": self._hear(asked["confirmed"], asked["touched"])}
            case "list":
                return {"waves": [_shown(report) for report in self._reports.values()]}
            case "cancel":
                return self._cancel(asked["name"])
            case "explain":
                done = self._done.get(asked["name"])
                order = None if done is None else explained(done, asked["shard"], asked["key"])
                return {"known": asked["name"] in self._reports, "order": order}
            case "file":
                return self._file(asked["name"], asked["after"])
            case _:
                report = self._reports.get(asked["name"])
                return {"wave": None if report is None else _shown(report)}

    def _begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = self._reports.get(asked["name"] or "")
        if known is not None:
            same = all(_shown(known)[member] == asked[member] for member in _ASKED)
            return {"wave": _shown(known), "same": same}
        if (busy := self._busy()) is not None:
            return {"wave": None, "running": _shown(busy)}
        report = Report(
            name=asked["name"] or self._new_name(),
            scope=asked["scope"],
            max_seconds=asked["max_seconds"],
            dry_run=asked["dry_run"],
            closed_nodes=tuple(asked["closed_nodes"]),
            touching=Touching.told(asked["touching"]),
            trigger="request",
            what_if=WhatIf.told(asked),
            merge_orders=asked["merge_orders"],
            started_at=_now_ms(),
        )
        self._run(report)
        return {"wave": _shown(report), "same": True}

    def _busy(self) -> Report | None:
        return next((one for one in self._reports.values() if one.finished_at is None), None)

    def _new_name(self) -> str:
        self._number += 1
        while f"w-{self._number}" in self._reports:
            self._number += 1
        return f"w-{self._number}"

    def _run(self, report: Report) -> None:
        self._reports[report.name] = report
        for old in list(self._reports)[:-_KEPT]:
            del self._reports[old]
        assert self._client is not None
        if self._agenda is not None and not report.dry_run:
            self._agenda.began(report.touching, time.monotonic())
        self._running = asyncio.ensure_future(run(self._client, report))
        self._start(self._finish(report, self._running))

    async def _finish(self, report: Report, running: "asyncio.Task[Done | None]") -> None:
        try:
            done = await running
            report.state = "done"
            if report.moved and report.refused_moves:
                self._again(report)  # Places that were taken then may be free now.
            if done is not None:
                self._done[report.name] = done
                for old in list(self._done)[:-_KEPT_WHOLE]:
                    del self._done[old]
                if not report.dry_run and report.touching is None:
                    self.prices.after_wave()
        except WaveFailed as failed:
            report.state, report.reason = "failed", str(failed)
            if isinstance(failed.__cause__, CannotGather):
                self._again(report)
        except asyncio.CancelledError:
            report.state, report.reason = "failed", report.reason or "cancelled"
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
                trigger=report.trigger,
                state=report.state,
                orders=report.orders,
                moved=report.moved,
                refused=dict(report.refusals),
            )

    def _file(self, name: str, after: int) -> dict[str, Any]:
        """The wave, how many bytes its file has, None without a plan, and the next of them."""
        report, done = self._reports.get(name), self._done.get(name)
        return {
            "wave": None if report is None else _shown(report),
            "size": None if done is None else len(done.file),
            "piece": b"" if done is None else done.file[after : after + _PIECE],
        }

    def _cancel(self, name: str) -> dict[str, Any]:
        report = self._reports.get(name)
        if report is not None and report.finished_at is None and self._running is not None:
            self._running.cancel()
        return {"wave": None if report is None else _shown(report)}

    # Waves that begin by themselves

    async def _look(self, client: Peers, noticing: Noticing) -> None:
        """Tell the desk of ``net`` what was noticed; there, begin what is due."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._look_once(client, noticing)
            except Exception:
                log.exception("looking for what is due failed")

    async def _look_once(self, client: Peers, noticing: Noticing) -> None:
        owners = client.map.owners
        owner = owners[self._net] if self._net < len(owners) else None
        if owner != self._told_to:
            # A new one knows nothing: what was told to the last may never have been done.
            self._told_to = owner
            for ledger in self._owned():
                noticing.loaded(ledger)
        if all(ledger.shard != self._net for ledger in self._owned()):
            self._agenda = None
        elif self._agenda is None:
            self._agenda = Agenda(self._automatic)
        if owner is not None:
            await self._tell(client, noticing, owner)
        if self._agenda is not None and self._busy() is None:
            due = self._agenda.due(time.monotonic())
            if due is not None:
                self._begin_due(due)

    async def _tell(self, client: Peers, noticing: Noticing, owner: str) -> None:
        confirmed, touched = noticing.take()
        if not confirmed and not touched:
            return
        heard = self._hear(confirmed, touched)
        if not heard:
            asked = {"m": "wave", "do": "hear", "confirmed": confirmed, "touched": touched}
            try:
                heard = (await client.control(owner, asked, _TELL_S))["heard"]
            except LineLost as lost:
                log.info("news for waves wait", host=owner, reason=str(lost))
        if not heard:
            noticing.put_back(confirmed, touched)

    def _hear(self, confirmed: int, touched: Iterable[Sequence[str]]) -> bool:
        """Whether this is the desk of ``net``, which has heard it then."""
        if self._agenda is None:
            return False
        rows = [(kind, node, sku) for kind, node, sku in touched]
        self._agenda.hear(confirmed, rows, time.monotonic())
        return True

    def _again(self, report: Report) -> None:
        """A repair has not come to its end."""
        if self._agenda is not None:
            due = Due(report.trigger, report.touching, report.closed_nodes)
            self._agenda.again(due, time.monotonic())

    def _begin_due(self, due: Due) -> None:
        report = Report(
            name=self._new_name(),
            scope="confirmed",
            max_seconds=_REPAIR_SECONDS if due.trigger in REPAIRS else _SECONDS,
            dry_run=False,
            closed_nodes=due.closed_nodes,
            touching=due.touching,
            trigger=due.trigger,
            started_at=_now_ms(),
        )
        log.info("wave begins by itself", wave=report.name, trigger=due.trigger)
        self._run(report)


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
        "capacity_percent": report.what_if.capacity_percent,
        "days_faster": report.what_if.days_faster,
        "merge_orders": report.merge_orders,
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
