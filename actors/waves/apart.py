"""The solver in a process of its own, which gives way to whoever sells and can be ended."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

#: Beyond its seconds a solver may take so long to load and to write; then it is ended.
_GRACE_S: Final = 30.0


class SolverFailed(Exception):
    """The process came to nothing; the text says why."""


async def solved(
    problem: Path, result: Path, seconds: float, options: list[str], heard: Callable[[bytes], None]
) -> None:
    """Run ``python -m solver`` on a saved problem; every line it says is ``heard``.

    Raises ``SolverFailed``; a process that does not end in time, or whose asker is cancelled, is
    ended.
    """
    words = [sys.executable, "-m", "solver", str(problem), str(result), "--give-way"]
    child = await asyncio.create_subprocess_exec(
        *words, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds + _GRACE_S):
            _, said = await asyncio.gather(_follow(child, heard), _rest(child))
            code = await child.wait()
    except TimeoutError as late:
        raise SolverFailed("the solver did not end in time and was ended") from late
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code:
        log.error("a solver failed", said=said[-2_000:])
        raise SolverFailed(f"the solver ended with {code}")


async def _follow(child: asyncio.subprocess.Process, heard: Callable[[bytes], None]) -> None:
    assert child.stdout is not None
    async for line in child.stdout:
        heard(line)


async def _rest(child: asyncio.subprocess.Process) -> str:
    assert child.stderr is not None
    return (await child.stderr.read()).decode("utf-8", "replace")
