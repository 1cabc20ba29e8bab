"""Requests that may be repeated, sent over one connection until each of them is accepted."""

import asyncio
from typing import Final

import msgspec

from gateway.pipe import Answer, Pipe, Unreachable, open_pipe

#: Tries of one request; with the waits that gateways ask for they last about half a minute.
TRIES_MAX: Final = 12
WAIT_MS_MAX: Final = 5_000


class LoadRefused(Exception):
    """The gateway refused what no repeat will change; the text is its own."""


class NotReady(LoadRefused):
    """The gateway took nothing for as long as it was asked; what comes next would fare alike."""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    retryable: bool = False
    retry_after_ms: int = 200


class Sender:
    """Sends blocks over one pipe, which it opens again when it breaks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pipe: Pipe | None = None

    async def settle(self, block: list[bytes]) -> list[bytes]:
        """Bodies of the accepted answers. Raises Unreachable, LoadRefused or NotReady."""
        bodies: list[bytes] = []
        for attempt in range(1, TRIES_MAX + 1):
            try:
                answers = await self._exchange(block)
            except Unreachable:
                if attempt == TRIES_MAX:
                    raise
                self.close()
                wait_ms = 200 * attempt
            else:
                block, wait_ms = _left(block, answers, bodies)
            if not block:
                return bodies
            await asyncio.sleep(min(wait_ms, WAIT_MS_MAX) / 1000)
        message = f"the gateway was not ready for it {TRIES_MAX} times: see `tidegate status`"
        raise NotReady(message)

    def close(self) -> None:
        """Close the connection; the next block opens another."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    async def _exchange(self, block: list[bytes]) -> list[Answer]:
        if self._pipe is None:
            self._pipe = await open_pipe(self._url)
        return await self._pipe.exchange(block)


def _left(
    block: list[bytes], answers: list[Answer], bodies: list[bytes]
) -> tuple[list[bytes], int]:
    """The requests to send again and when, in ms; bodies of accepted ones go to ``bodies``."""
    again: list[bytes] = []
    wait_ms = 0
    for sent, (status, body) in zip(block, answers, strict=True):
        if status < 400:
            bodies.append(body)
            continue
        problem = _problem_of(body)
        if not problem.retryable:
            first_line = sent.split(b" HTTP/", 1)[0].decode()
            message = f"{first_line}: {status} {problem.title}: {problem.detail}"
            raise LoadRefused(message)
        again.append(sent)
        wait_ms = max(wait_ms, problem.retry_after_ms)
    return again, wait_ms


def _problem_of(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return _Problem(title="no problem document", detail=body[:200].decode(errors="replace"))
