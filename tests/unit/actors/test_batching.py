"""Batches that make themselves, against a line that answers when the test says."""

import asyncio
import time
from asyncio import Future
from collections.abc import Callable, Coroutine
from typing import Any

import msgpack

from actors.batching import Entry, HostQueue
from actors.lane import LineLost
from engine import commands
from engine.commands import Command, Reply
from engine.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    BATCHES_IN_FLIGHT,
    GATHER_MAX,
    GATHER_MIN,
    GATHER_QUIET_TURNS,
    GATHER_SHARE,
    GATHER_TURNS_MAX,
    QUEUE_COMMANDS_MAX,
    SECOND_BATCH_MIN,
)
from engine.outcome import Outcome


class ManualLine:
    """A line whose answers the test gives."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[Any], Future[bytes]]] = []
        self.lost = False
        self._sending = asyncio.Event()

    def call(self, payload: bytes) -> "Future[bytes]":
        future: Future[bytes] = asyncio.get_running_loop().create_future()
        self.sent.append((msgpack.unpackb(payload), future))
        self._sending.set()
        return future

    def close(self) -> None:
        self.lost = True
        for _, future in self.sent:
            if not future.done():
                future.set_exception(LineLost("closed"))

    async def sending(self, count: int) -> None:
        """Wait until so many batches have been sent."""
        while len(self.sent) < count:
            self._sending.clear()
            async with asyncio.timeout(5):
                await self._sending.wait()

    def commands(self, at: int) -> list[Command]:
        return list(self.sent[at][0][1::2])

    def answer(self, at: int, outcome: Outcome = Outcome.OK) -> None:
        asked, future = self.sent[at]
        future.set_result(msgpack.packb([[outcome, n] for n in range(len(asked) // 2)]))


class Caller:
    """A queue over a manual line, and what has been answered."""

    def __init__(self) -> None:
        self.line = ManualLine()
        self.told: dict[str, Reply] = {}
        self.returned: list[Entry] = []
        self.queue = HostQueue("host-0", Entry.answer, self.returned.append)
        self.queue.attach(self.line)

    def ask(self, key: str, command: Command | None = None, seconds: float = 5.0) -> bool:
        deadline_at = asyncio.get_running_loop().time() + seconds

        def done(reply: Reply) -> None:
            assert key not in self.told, "answered twice"
            self.told[key] = reply

        asked = command or commands.read(key)
        packed, finishes = commands.pack_command(asked), asked[0] in commands.FINISHING
        return self.queue.add(Entry(0, packed, finishes, deadline_at, done))


def on_loop(test: Callable[[Caller], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            await test(Caller())

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def turns(count: int = 3) -> None:
    """Let callbacks run."""
    for _ in range(count):
        await asyncio.sleep(0)


@on_loop
async def test_what_comes_in_one_turn_joins_one_batch(caller: Caller) -> None:
    """And what comes while one is on its way joins the next."""
    for turn in range(3):
        for n in range(2):
            caller.ask(f"{turn}-{n}")
        await turns()
    assert [len(asked) // 2 for asked, _ in caller.line.sent] == [2]
    caller.line.answer(0)
    await turns()
    assert [command[1] for command in caller.line.commands(1)] == ["1-0", "1-1", "2-0", "2-1"]
    assert caller.told == {f"0-{n}": [Outcome.OK, n] for n in range(2)}


@on_loop
async def test_a_batch_waits_for_most_of_the_callers_of_the_last_one(caller: Caller) -> None:
    """They come back one by one: a batch for each would cost more than it brings."""
    for n in range(GATHER_MIN * 2):
        caller.ask(f"first-{n}")
    await turns()
    caller.line.answer(0)
    await turns()
    goal = int(GATHER_MIN * 2 * GATHER_SHARE)
    for n in range(goal - 1):
        caller.ask(f"again-{n}")
        await turns(GATHER_QUIET_TURNS - 1)
    assert len(caller.line.sent) == 1
    caller.ask("the last one needed")
    assert len(caller.line.commands(1)) == goal


@on_loop
async def test_nobody_waits_long_for_callers_that_do_not_come_back(caller: Caller) -> None:
    """Two of many are served when a few turns of the loop have brought nobody else."""
    for n in range(GATHER_MIN * 2):
        caller.ask(f"first-{n}")
    await turns()
    caller.line.answer(0)
    await turns()
    caller.ask("one")
    caller.ask("two")
    await caller.line.sending(2)
    assert [command[1] for command in caller.line.commands(1)] == ["one", "two"]


@on_loop
async def test_nobody_waits_long_for_callers_that_come_too_slowly(caller: Caller) -> None:
    """One now and then does not hold up the others for ever."""
    for n in range(GATHER_MAX):
        caller.ask(f"first-{n}")
    await turns()
    caller.line.answer(0)
    await turns()
    asked = 0
    while len(caller.line.sent) == 1:
        caller.ask(f"again-{asked}")
        asked += 1
        await turns(GATHER_QUIET_TURNS - 1)
    assert asked <= GATHER_TURNS_MAX // (GATHER_QUIET_TURNS - 1) + 1


@on_loop
async def test_a_second_batch_is_sent_only_when_it_is_large(caller: Caller) -> None:
    """Its decision then hides the commit of the first; a third never is."""
    caller.ask("first")
    await turns()
    for n in range(SECOND_BATCH_MIN - 1):
        caller.ask(f"second-{n}")
    await turns()
    assert len(caller.line.sent) == 1
    for n in range(BATCH_COMMANDS_MAX):
        caller.ask(f"third-{n}")
    await turns()
    assert len(caller.line.sent) == BATCHES_IN_FLIGHT


@on_loop
async def test_what_finishes_goes_first(caller: Caller) -> None:
    """A confirm does not wait behind new reservations."""
    caller.ask("before")
    await turns()
    caller.ask("new")
    caller.ask("paid", commands.confirm("paid"))
    caller.line.answer(0)
    await turns()
    assert [command[1] for command in caller.line.commands(1)] == ["paid", "new"]


@on_loop
async def test_a_full_queue_refuses_what_begins_and_takes_what_finishes(caller: Caller) -> None:
    """Overload is refused early."""
    caller.queue.line = None
    assert all(caller.ask(f"k{n}") for n in range(QUEUE_COMMANDS_MAX))
    assert not caller.ask("too much")
    assert caller.ask("paid", commands.confirm("paid"))


@on_loop
async def test_batches_are_bounded_in_commands_and_bytes(caller: Caller) -> None:
    """What does not fit goes with the next, in its order."""
    caller.ask("on its way")
    await turns()
    caller.queue.line = None
    keys = [f"k{n:04}" for n in range(BATCH_COMMANDS_MAX + 5)]
    for key in keys:
        caller.ask(key)
    caller.queue.line = caller.line
    caller.line.answer(0)
    await turns()
    assert len(caller.line.commands(1)) == BATCH_COMMANDS_MAX
    caller.line.answer(1)
    await caller.line.sending(3)
    caller.line.answer(2)
    await turns()
    assert set(caller.told) == {"on its way", *keys}


@on_loop
async def test_large_commands_travel_in_their_order(caller: Caller) -> None:
    """As many together as a batch has room for."""
    large = "x" * (BATCH_BYTES_MAX // 3)
    for n in range(5):
        caller.ask(f"large-{n}", [commands.Op.READ, f"large-{n}", large])
    order = []
    for at in range(3):
        await caller.line.sending(at + 1)
        order += [command[1] for command in caller.line.commands(at)]
        caller.line.answer(at)
    assert order == [f"large-{n}" for n in range(5)]


@on_loop
async def test_one_command_larger_than_a_batch_travels_alone(caller: Caller) -> None:
    """A bound on batches is none on commands."""
    huge = "x" * (2 * BATCH_BYTES_MAX)
    caller.ask("huge", [commands.Op.READ, "huge", huge])
    caller.ask("small")
    await turns()
    caller.line.answer(0)
    await turns()
    assert [len(asked) // 2 for asked, _ in caller.line.sent] == [1, 1]


@on_loop
async def test_deadlines_say_what_is_known(caller: Caller) -> None:
    """On its way: unknown. Not sent yet: nothing was done. A late answer is no answer."""
    caller.ask("sent", seconds=1)
    await turns()
    caller.ask("waiting", seconds=1)
    caller.ask("patient", seconds=60)
    now = asyncio.get_running_loop().time()
    caller.queue.drop_late(now)
    assert not caller.told
    caller.queue.drop_late(now + 2)
    assert {key: reply[0] for key, reply in caller.told.items()} == {
        "sent": Outcome.LOST, "waiting": Outcome.UNAVAILABLE,
    }  # fmt: skip
    caller.line.answer(0)
    await turns()
    assert caller.told["sent"][0] == Outcome.LOST
    assert [command[1] for command in caller.line.commands(1)] == ["patient"]


@on_loop
async def test_an_answer_that_the_loop_was_too_busy_to_read_is_late(caller: Caller) -> None:
    """Whether or not anybody has looked at the clock in between."""
    caller.ask("late", seconds=0.01)
    await turns()
    caller.line.answer(0)
    time.sleep(0.02)  # noqa: ASYNC251 - the loop is to be held up.
    await turns()
    assert caller.told["late"][0] == Outcome.LOST


@on_loop
async def test_a_broken_line_returns_everything_and_tells_what_is_in_doubt(
    caller: Caller,
) -> None:
    """What was on its way may have been done; what waited was not."""
    caller.ask("sent")
    await turns()
    caller.ask("waiting")
    caller.queue.close()
    await turns()
    doubts = {
        msgpack.unpackb(entry.packed)[1]: (entry.in_doubt, entry.running_at)
        for entry in caller.returned
    }
    assert doubts == {"sent": (True, "host-0"), "waiting": (False, None)}
    assert not caller.told


@on_loop
async def test_who_may_have_been_served_never_hears_that_nothing_was_done(caller: Caller) -> None:
    """Whoever says so later."""
    caller.ask("k1")
    await turns()
    caller.queue.close()
    await turns()
    entry = caller.returned[0]
    entry.answer([Outcome.UNAVAILABLE, 200])
    entry.answer([Outcome.OK])
    assert caller.told == {"k1": [Outcome.LOST, 200]}
