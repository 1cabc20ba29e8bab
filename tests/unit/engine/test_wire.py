"""Small calls of one turn of the loop go out together; what was not sent is lost like the rest."""

import asyncio
from typing import Any

import pytest

from engine.errors import StoreLost
from engine.store.wire import Wire


class Transport(asyncio.Transport):
    """Keeps what is written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> None:
        self.pieces.append(data)


def test_the_calls_of_one_turn_are_one_piece_and_answered_in_order() -> None:
    asyncio.run(_one_piece())


async def _one_piece() -> None:
    wire, transport = Wire(), Transport()
    wire.connection_made(transport)
    first, second = wire.call("PING", "1"), wire.call("PING", "2")
    assert not transport.pieces
    await asyncio.sleep(0)
    third = wire.call("PING", "3")
    await asyncio.sleep(0)
    ping = b"*2\r\n$4\r\nPING\r\n$1\r\n%d\r\n"
    assert transport.pieces == [ping % 1 + ping % 2, ping % 3]
    wire.data_received(b"$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n")
    assert [await first, await second, await third] == [b"1", b"2", b"3"]


def test_a_large_call_goes_at_once_behind_those_before_it() -> None:
    """Whoever decides on meanwhile does not hold it up."""
    asyncio.run(_at_once())


async def _at_once() -> None:
    wire, transport = Wire(), Transport()
    wire.connection_made(transport)
    wire.call("PING", "1")
    wire.call("PING", "x" * 4_096)
    (piece,) = transport.pieces
    assert piece.startswith(b"*2\r\n$4\r\nPING\r\n$1\r\n1\r\n*2\r\n")
    wire.call("PING", "2")
    assert len(transport.pieces) == 1
    await asyncio.sleep(0)
    assert len(transport.pieces) == 2


def test_a_call_is_lost_where_the_line_breaks_before_it_was_sent() -> None:
    asyncio.run(_lost())


async def _lost() -> None:
    wire, transport = Wire(), Transport()
    wire.connection_made(transport)
    call = wire.call("PING")
    wire.connection_lost(None)
    with pytest.raises(StoreLost):
        await call
    await asyncio.sleep(0)
    assert not transport.pieces
