"""A stream sends each message once, whatever happens to those it reads from."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.lane import LineLost
from gateway import streams
from gateway.streams import Portion, TooSlow


async def sent(first: Portion, *then: Portion | Exception) -> list[bytes]:
    """What a reader gets until there is nothing more to read and the worker ends."""
    stop = asyncio.Event()
    coming = iter(then)
    asked: list[str] = []

    async def read(cursor: str) -> Portion:
        asked.append(cursor)
        step = next(coming, None)
        if step is None:
            stop.set()
            return Portion([], cursor, more=False)
        if isinstance(step, Exception):
            raise step
        return step

    body: AsyncIterator[bytes] = streams._messages(first, read, stop)
    return [one async for one in body]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_S", 0.001)


def test_what_was_sent_is_not_sent_again_while_a_shard_has_no_owner() -> None:
    first, second = Portion([b"1"], "a", more=True), Portion([b"2"], "b", more=True)
    lost = [LineLost("gone"), TimeoutError(), LineLost("gone")]
    assert asyncio.run(sent(first, *lost, second)) == [b"1", b"2"]


def test_a_reader_behind_what_is_kept_is_left() -> None:
    first = Portion([b"1"], "a", more=False)
    assert asyncio.run(sent(first, TooSlow(), Portion([b"2"], "b", more=False))) == [b"1"]
    assert streams._open == 0


def test_a_message_is_one_of_the_standard() -> None:
    assert streams.message("c", "k", b"{}") == b"id: c\nevent: k\ndata: {}\n\n"
    assert streams.message(None, "k", b"{}") == b"event: k\ndata: {}\n\n"
