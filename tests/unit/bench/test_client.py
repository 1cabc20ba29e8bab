"""The client: answers in pieces, lost connections, and a generator that says when it is late."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from bench.arrivals import constant
from bench.client import LOST, ask, request
from bench.load import Address, Open, open_loop
from bench.orders import Orders

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


async def _serve(
    pieces: list[bytes], *, then_close: bool = False, connected: Callable[[], object] = object
) -> asyncio.Server:
    """Answers every request with these pieces, a moment apart; says when a client connects."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if then_close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def _answers(pieces: list[bytes], *, then_close: bool = False) -> list[tuple[int, bytes]]:
    async def run() -> list[tuple[int, bytes]]:
        server = await _serve(pieces, then_close=then_close)
        async with server:
            address: Address = server.sockets[0].getsockname()
            return await ask(address, [request("GET", "/")] * 3, connections=1)

    return asyncio.run(run())


def test_an_answer_may_come_in_pieces() -> None:
    pieces = [ANSWER[at : at + 7] for at in range(0, len(ANSWER), 7)]
    assert _answers(pieces) == [(201, b"{}")] * 3


def test_a_header_may_be_spelt_in_small_letters() -> None:
    assert _answers([ANSWER.replace(b"Content-Length", b"content-length")]) == [(201, b"{}")] * 3


def test_an_interim_answer_is_passed_over() -> None:
    assert _answers([b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER]) == [(201, b"{}")] * 3


def test_a_lost_connection_is_an_unknown_answer_and_is_opened_again() -> None:
    assert _answers([], then_close=True) == [(LOST, b"")] * 3


def test_request_bytes_say_what_they_carry() -> None:
    assert request("PUT", "/v1/skus/a", b"{}", "X-Deadline-Ms: 5\r\n") == (
        b"PUT /v1/skus/a HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Deadline-Ms: 5\r\nContent-Length: 2"
        b"\r\n\r\n{}"
    )


def test_a_run_whose_generator_falls_behind_is_void() -> None:
    async def run() -> str | None:
        def starve() -> None:
            # From the first connection on: whatever a start takes is over by then.
            asyncio.get_running_loop().call_later(0.5, _block, 0.3)

        server = await _serve([ANSWER], connected=starve)
        async with server:
            address: Address = server.sockets[0].getsockname()
            plan = Open(name="late", connections=2, times=constant(1_000, 1.0), warmup_s=0.0)
            opened = await open_loop(address, plan, Orders("late", [(("a", 1),)]))
            return opened.measure.void

    assert "generator lag" in (asyncio.run(run()) or "")


def _block(seconds: float) -> None:
    """Hold the loop, as a starved generator would be."""
    ends = perf_counter() + seconds
    while perf_counter() < ends:
        pass
