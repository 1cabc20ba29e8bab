"""The owner of one shard: decides batches, commits them in order, answers after acceptance.

At most one commit is on the wire and one batch is decided behind it; batch n + 1 is sent after
the answer to n has been read. No answer leaves before its batch is accepted by the store: a batch
without effects sends a check instead, so that a stale owner cannot say no either.
"""

import asyncio
import contextlib
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Final

import structlog

from actors.deciding import decide_jobs
from actors.history import History, place_in, was_accepted
from actors.jobs import Batch, Job
from actors.telemetry import Telemetry
from engine.commands import FINISHING, Reply
from engine.effects import Effects, Sealed
from engine.errors import StoreLost, StoreRefused
from engine.ledger import Ledger
from engine.limits import (
    COMMIT_COMMANDS_MAX,
    COMMIT_SILENCE_MS,
    HINT_MS,
    QUEUE_COMMANDS_MAX,
    RETRY_AFTER_MS,
    STORE_RETRY_MS,
)
from engine.outcome import Outcome
from engine.record import Durability
from engine.store.protocol import Acquired, Right, ShardStore

log = structlog.get_logger()

#: The store wrote nothing and may do so later.
_LATER: Final = frozenset({
    "OOM", "MISCONF", "LOADING", "READONLY", "NOREPLICAS", "BUSY", "MOVED", "CLUSTERDOWN",
    "TRYAGAIN", "ERR", "NOPERM",
})  # fmt: skip
_RETRY_PAUSE_S: Final = 0.02


class Phase(Enum):
    """What an owner does with commands."""

    RECOVERING = "recovering"  # They wait.
    SERVING = "serving"
    MOVING = "moving"  # They are turned away: another host will own the shard.
    GONE = "unowned"


class ShardOwner:
    """One shard, as long as its right lasts."""

    def __init__(
        self,
        ledger: Ledger,
        store: ShardStore,
        right: Right,
        *,
        on_lost: Callable[[], None],
        on_gone: "Callable[[ShardOwner], None]",
        on_reload: "Callable[[ShardOwner], None]",
        on_accepted: Callable[[int, Effects], None] | None = None,
    ) -> None:
        self.ledger = ledger
        self.right = right
        self.phase = Phase.RECOVERING
        self.serving_since = 0.0  # On the monotonic clock.
        self.telemetry = Telemetry()
        self.paused = False  # An audit looks at the books.
        self.audits = asyncio.Lock()  # One at a time.
        self.suspended = False  # The store was lost: nothing is decided or sent until ``resume``.
        self.oversold = ""  # The backing for which the store's guard has refused a batch.
        self._store = store
        self._on_lost = on_lost
        self._on_gone = on_gone
        self._on_reload = on_reload
        self._on_accepted = on_accepted
        self._waiting: deque[Job] = deque()
        self.queued = 0
        self._batches: list[Batch] = []
        self._recalling = False
        self._history = History()
        self._taken_back = 0  # How often batches were: what was asked of the store is void then.
        self._full_until = 0.0  # On the monotonic clock: the store has no memory for more.
        self._clock_base = 0.0
        self._store_id = ""
        self._idle: list[Future[None]] = []
        self._copying: set[asyncio.Task[None]] = set()
        self.accepted_seq, self.accepted_head = 0, b""

    # Time

    def start_clock(self, acquired: Acquired) -> None:
        """Shard time goes on from the store's clock, never back behind the last commit."""
        self._store_id = acquired.store_id
        self._clock_base = max(acquired.clock_ms, acquired.now_ms) - acquired.answered_at_s * 1000

    def now_ms(self) -> int:
        """Shard time."""
        return int(self._clock_base + time.monotonic() * 1000)

    # Commands in

    def submit(self, job: Job) -> None:
        """Decide a job's commands, or refuse them early."""
        if self.phase in (Phase.GONE, Phase.MOVING):
            job.refuse(Outcome.NOT_OWNER)
            return
        if self.queued >= QUEUE_COMMANDS_MAX and not _finishes(job):
            job.refuse(Outcome.OVERLOADED)
            return
        self._waiting.append(job)
        self.queued += len(job.commands)
        self.pump()

    def serve(self) -> None:
        """Recovery is over."""
        self.accepted_seq, self.accepted_head = self.ledger.seq, self.ledger.head
        self.phase = Phase.SERVING
        self.serving_since = time.monotonic()
        self.pump()

    def pump(self) -> None:
        """Decide what waits, as far as the commits on their way allow."""
        while (
            self._waiting
            and self.phase is Phase.SERVING
            and len(self._batches) < 2
            and not self._recalling
            and not self.paused
            and not self.suspended
        ):
            jobs: list[Job] = []
            room = COMMIT_COMMANDS_MAX
            while self._waiting and (not jobs or len(self._waiting[0].commands) <= room):
                job = self._waiting.popleft()
                jobs.append(job)
                room -= len(job.commands)
                self.queued -= len(job.commands)
            fields = self.ledger.to_recall([c for job in jobs for c in job.commands])
            if fields:
                self._recalling = True
                recall = asyncio.ensure_future(self._recall(fields))
                recall.add_done_callback(partial(self._recalled, jobs, self._taken_back))
            else:
                self._decide(jobs)

    async def _recall(self, fields: Iterable[str]) -> dict[str, bytes | None]:
        """Ended records the batch may ask for."""
        by_hour: dict[int, list[str]] = {}
        for field in fields:
            for hour in self.ledger.hours_of(field, self.now_ms()):
                by_hour.setdefault(hour, []).append(field)
        found = await self._store.recall(self.ledger.shard, by_hour)
        return {field: found.get(field) for field in fields}

    def _recalled(
        self, jobs: list[Job], taken_back: int, recall: "Future[dict[str, bytes | None]]"
    ) -> None:
        self._recalling = False
        if self.phase is not Phase.SERVING or recall.cancelled():
            for job in jobs:
                job.refuse(Outcome.NOT_OWNER)
            return
        if recall.exception() is not None:
            for job in jobs:
                job.refuse(Outcome.UNAVAILABLE)
        elif self.paused or self.suspended or taken_back != self._taken_back:
            # Since it was asked: later, with the others.
            self._waiting.extendleft(reversed(jobs))
            self.queued += sum(len(job.commands) for job in jobs)
        else:
            self.ledger.recalled = recall.result()
            self._decide(jobs)
            self.ledger.recalled = {}
        self.pump()

    def _decide(self, jobs: list[Job]) -> None:
        started = time.monotonic()
        now_ms = self.now_ms()
        ledger = self.ledger
        replies = decide_jobs(ledger, jobs, now_ms, full=started < self._full_until)
        batch = Batch(jobs, replies, ledger.seal(), ledger.refused(), time.monotonic())
        self.telemetry.decided(jobs, started, batch.decided_at)
        self._batches.append(batch)
        if len(self._batches) == 1:
            self._send(batch)

    # Commits out

    def _send(self, batch: Batch) -> None:
        if self.suspended:
            return  # ``resume`` sends what is left.
        batch.sent += 1
        batch.sent_at = time.monotonic()
        if batch.sealed is None:
            future = self._store.check(self.right, self.accepted_seq, self.accepted_head)
        else:
            future = self._store.commit(self.right, batch.sealed)
        future.add_done_callback(partial(self._answered, batch, batch.sent))

    def _answered(self, batch: Batch, sending: int, future: "Future[None]") -> None:
        current = bool(self._batches) and self._batches[0] is batch and batch.sent == sending
        if not current or self.suspended or self.phase is Phase.GONE:
            return  # Settled in another way, or about to be.
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            self._accept(batch)
        elif isinstance(error, StoreRefused) and error.code == "FENCED":
            self.step_down(fenced=True)
        elif isinstance(error, StoreRefused) and error.code == "OVERSELL":
            log.error("the store's guard refused a batch", shard=self.right.shard, at=error.detail)
            self.telemetry.oversell_alarms += 1
            self.oversold = error.detail
            self._reload()
        elif isinstance(error, StoreRefused) and error.code in _LATER:
            self._send_later(batch, error)
        else:
            self._on_lost()

    def _accept(self, batch: Batch) -> None:
        self._batches.pop(0)
        if batch.sealed is not None:
            self._remember(batch.sealed)
        self.telemetry.committed(batch)
        self._answer(batch)
        self._go_on()

    def _answer(self, batch: Batch) -> None:
        """Answer an accepted batch; what it promises waits for the copies the level asks for."""
        promises = batch.promises() if self.ledger.level >= Durability.REPLICATED else []
        if promises:
            waiting = asyncio.ensure_future(self._answer_when_copied(batch, promises))
            self._copying.add(waiting)
            waiting.add_done_callback(self._copying.discard)
        else:
            batch.answer()

    async def _answer_when_copied(
        self, batch: Batch, promises: list[tuple[list[Reply], int]]
    ) -> None:
        """Fewer copies than the level asks for: done, and said to be weaker.

        Refusals and reads beside it promise nothing: they are what they are.
        """
        try:
            enough = await self._store.copies()
        except (StoreLost, StoreRefused):
            enough = False
        if not enough:
            for replies, at in promises:
                replies[at] = [Outcome.WEAKER, RETRY_AFTER_MS, replies[at]]
        batch.answer()

    def _remember(self, sealed: Sealed) -> None:
        self.ledger.accepted(sealed)
        self.accepted_seq, self.accepted_head = sealed.seq, sealed.hash_after
        if self._on_accepted is not None:
            self._on_accepted(self.right.shard, sealed.effects)
        self._history.keep(sealed)

    def _go_on(self) -> None:
        if self._batches:
            self._send(self._batches[0])
        self.pump()
        if not self._batches:
            self._nothing_is_on_its_way()

    def _nothing_is_on_its_way(self) -> None:
        idle, self._idle = self._idle, []
        for future in idle:
            if not future.done():
                future.set_result(None)

    def _send_later(self, batch: Batch, error: StoreRefused) -> None:
        """The store wrote nothing: try the same bytes again for a while, then take them back."""
        if time.monotonic() - batch.decided_at < STORE_RETRY_MS / 1000:
            asyncio.get_running_loop().call_later(_RETRY_PAUSE_S, self._send_again, batch)
            return
        log.warning("the store refuses commits", shard=self.right.shard, reason=str(error))
        for taken in reversed(self._batches):
            if taken.sealed is not None:
                self.ledger.take_back(taken.sealed)
        refused, self._batches = self._batches, []
        self._taken_back += 1
        if error.code == "OOM":
            self._full_until = time.monotonic() + STORE_RETRY_MS / 1000
        for taken in refused:
            taken.refuse(Outcome.UNAVAILABLE)
        self._go_on()

    def _send_again(self, batch: Batch) -> None:
        if self._batches and self._batches[0] is batch and self.phase is not Phase.GONE:
            self._send(batch)

    def watch(self) -> None:
        """Give the store up as lost where it has not answered a commit for too long."""
        if self.suspended or not self._batches or not self._batches[0].sent_at:
            return
        if time.monotonic() - self._batches[0].sent_at > COMMIT_SILENCE_MS / 1000:
            log.error("the store does not answer", shard=self.right.shard)
            self._on_lost()

    # Ends and new beginnings

    async def drained(self) -> None:
        """Wait until no commit is on its way."""
        if self._batches:
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(future)
            await future

    async def move_out(self) -> None:
        """Orderly end: finish what was decided, turn the rest away, give the right back."""
        self.phase = Phase.MOVING
        self._turn_away(Outcome.NOT_OWNER)
        await self.drained()
        self.phase = Phase.GONE
        # Fenced meanwhile, or the store is away: the next owner's right ends ours all the same.
        with contextlib.suppress(StoreRefused, StoreLost):
            await self._store.release(self.right)

    def step_down(self, *, fenced: bool = False) -> None:
        """Another owner rules: drop everything, answer nobody as if it were still ours.

        ``fenced``: the store has refused the batch that was sent last.
        """
        log.warning("fenced: another owner rules", shard=self.right.shard, epoch=self.right.epoch)
        self.phase = Phase.GONE
        batches, self._batches = self._batches, []
        for batch in batches:
            undone = batch.sealed is None or batch.sent <= (1 if fenced else 0)
            batch.refuse(Outcome.NOT_OWNER if undone else Outcome.IN_DOUBT)
        self._turn_away(Outcome.NOT_OWNER)
        self._nothing_is_on_its_way()
        self._on_gone(self)

    def _turn_away(self, outcome: Outcome) -> None:
        waiting, self._waiting = self._waiting, deque()
        self.queued = 0
        for job in waiting:
            job.refuse(outcome)

    def _reload(self) -> None:
        """The copy cannot be trusted: callers try again with the owner that is loaded anew."""
        self.phase = Phase.GONE
        batches, self._batches = self._batches, []
        for batch in batches:
            batch.refuse(Outcome.IN_DOUBT)
        self._turn_away(Outcome.IN_DOUBT)
        self._nothing_is_on_its_way()
        self._on_reload(self)

    async def resume(self, right: Right, acquired: Acquired) -> None:
        """Go on over a new connection and a new right, wherever the store's history stands.

        At one of our own commits, answered or on its way: what is behind it is sent again, the
        same bytes in the same order. Anything else, or a store of another name (a backup was
        restored on purpose): the copy is dropped and loaded anew.
        """
        self.right = right
        chain = self._history.chain()
        chain += [batch.sealed for batch in self._batches if batch.sealed is not None]
        applied = place_in(chain, acquired, (self.accepted_seq, self.accepted_head))
        if applied is None or acquired.store_id != self._store_id:
            log.error("the store has another history", shard=right.shard, seq=acquired.seq)
            self._reload()
            return
        base = self.now_ms()
        self.start_clock(acquired)
        self._clock_base += max(0, base - self.now_ms())
        # Hints end by shard time; where it has jumped, they must not end before their time.
        await asyncio.sleep(min(self.now_ms() - base, HINT_MS) / 1000)
        for sealed in chain[applied:]:
            if was_accepted(sealed):
                await self._store.commit(right, sealed)
        reached = {id(sealed) for sealed in chain[:applied]}
        while self._batches and id(self._batches[0].sealed) in reached:
            batch = self._batches.pop(0)
            assert batch.sealed is not None
            self._remember(batch.sealed)
            self._answer(batch)
        self.suspended = False
        self._go_on()


def _finishes(job: Job) -> bool:
    return all(command[0] in FINISHING for command in job.commands)
