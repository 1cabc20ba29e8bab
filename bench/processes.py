"""Child processes: started, awaited until ready, ended by their own id."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO

#: How long a server may take to say that it is ready.
READY_S = 60.0
#: How long it may take to end after SIGTERM before it is killed.
_END_S = 20.0


class CannotStart(Exception):
    """Something a run needs is missing or does not start; the message says what to do."""


class Child:
    """A process of ours, in a group of its own. Ends when the ``with`` block does."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        # Kept open as long as the child: what it said is wanted when it fails.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._name = " ".join(arguments[:4])
        self.process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            text=True,
        )

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def ready_line(self, timeout_s: float = READY_S) -> str:
        """Wait for the line on standard output that begins with ``ready``.

        Raises ``CannotStart`` with the end of its standard error if it ends or keeps silent.
        """
        assert self.process.stdout is not None
        found: list[str] = []
        waiting = threading.Thread(target=self._find_ready, args=(found,), daemon=True)
        waiting.start()
        waiting.join(timeout_s)
        if found:
            return found[0]
        self.stop()
        raise CannotStart(f"{self._name}: not ready\n{self.tail()}")

    def port(self, timeout_s: float = READY_S) -> int:
        """Wait for ``ready http://127.0.0.1:PORT``."""
        return int(self.ready_line(timeout_s).rsplit(":", 1)[1])

    def stop(self) -> int:
        """End it and what it started: politely, then not. → its exit code."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        return self.process.wait()

    def tail(self, count: int = 12) -> str:
        """The last lines of its standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-count:])

    def _signal(self, number: signal.Signals) -> None:
        """SIGTERM goes to the process alone: it ends its own children in order."""
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            return

    def _find_ready(self, found: list[str]) -> None:
        """Read standard output to its end, so that the child never waits for us."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not found and line.startswith("ready"):
                found.append(line.strip())
                return


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules."""
    return [sys.executable, "-m", name, *arguments]
