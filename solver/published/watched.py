"""Programs solved in a process of their own, which is ended when it takes longer than it may.

A time limit is only a wish to a solver that is deep in its presolve. Whoever asks keeps the best
that he has, and goes on with it when the process had to be ended.
"""

import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Final, Self

from solver import mip
from solver.errors import SolverFault
from solver.mip import Engine, Floats, Limits, Program, Solution

#: What a solver may take beyond its limit, to stop and to answer.
_GRACE_S: Final = 1.0
#: A process that has loaded its libraries by then; more is a machine that cannot be worked on.
_START_S: Final = 60.0

_Asked = tuple[Program, Limits, Engine, Floats | None]


def _serve(asked: Connection) -> None:
    """Solve what comes, until nobody is there to ask."""
    # Ctrl-C reaches this process too; whoever asks ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked.send(None)
    while True:
        try:
            program, limits, engine, hint = asked.recv()
        except EOFError:
            return
        try:
            asked.send(mip.solve(program, limits, engine=engine, hint=hint))
        except SolverFault as fault:
            asked.send(fault)


class Watched:
    """One process that solves programs one after another; it starts when this is entered.

    The first question waits until it has loaded its libraries, and so does the one behind a
    process that was ended: that wait is not part of any limit.
    """

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far,), daemon=True)
        self._process.start()
        far.close()
        self._ready = False

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._line.close()

    @property
    def pid(self) -> int:
        """The process that solves now; another one after one was ended or died."""
        assert self._process.pid is not None
        return self._process.pid

    def wait(self) -> None:
        """Return when the process can be asked. Raises `SolverFault` when it cannot start."""
        if not self._ready:
            if not self._line.poll(_START_S):
                message = f"the solver's process has not started within {_START_S:g} s"
                raise SolverFault(message)
            self._hear()
            self._ready = True

    def solve(
        self,
        program: Program,
        limits: Limits,
        *,
        engine: Engine = Engine.HIGHS,
        hint: Floats | None = None,
    ) -> Solution | None:
        """As `mip.solve`, and None as well where the process had to be ended.

        It is ended a second after `limits.seconds`. Raises `SolverFault` as `mip.solve` does, and
        where the process died.
        """
        self.wait()
        until = time.monotonic() + limits.seconds + _GRACE_S
        asked: _Asked = (program, limits, engine, hint)
        try:
            self._line.send(asked)
        except BrokenPipeError:
            # It is gone already: hearing it says so.
            return self._hear()
        if not self._line.poll(max(0.0, until - time.monotonic())):
            self._end()
            self._start()
            return None
        return self._hear()

    def _hear(self) -> Solution | None:
        try:
            answer = self._line.recv()
        except (EOFError, ConnectionResetError) as gone:
            self._process.join()
            code = self._process.exitcode
            self._end()
            self._start()
            message = f"the solver's process ended by itself, with exit code {code}"
            raise SolverFault(message) from gone
        if isinstance(answer, SolverFault):
            raise answer
        assert answer is None or isinstance(answer, Solution)
        return answer
