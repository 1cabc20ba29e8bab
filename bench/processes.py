"""Child processes: started, awaited until ready, ended by their own id."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import IO

#: How long a server may take to say that it is ready.
READY_S = 60.0
#: How long it may take to end after SIGTERM before it is killed.
_END_S = 20.0
#: How long, after that, what it started may keep its standard output open.
_READ_S = 1.0
#: What is shown of its standard error when it fails.
_LAST_LINES = 12


class CannotStart(Exception):
    """Something a run needs is missing or does not start; the message says what to do."""


class Child:
    """A process of ours, in a group of its own. Ends when the ``with`` block does."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        user: str | None = None,
    ) -> None:
        # Open as long as the child runs: what it said is wanted when it fails.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._tail = ""
        self._ready = ""
        self._spoken = threading.Event()  # It has said that it is ready, or will never.
        self._name = " ".join(arguments[:4])
        self.process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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

    def ready_line(self) -> str:
        """Wait for the line on standard output that begins with ``ready``.

        Raises ``CannotStart`` with the end of its standard error if it ends or keeps silent.
        """
        self._spoken.wait(READY_S)
        if self._ready:
            return self._ready
        self.stop()
        raise CannotStart(f"{self._name}: not ready\n{self.tail()}")

    def port(self) -> int:
        """Wait for ``ready http://127.0.0.1:PORT``."""
        return int(self.ready_line().rsplit(":", 1)[1])

    def stop(self) -> int:
        """End it and what it started: politely, then not. → its exit code."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        code = self.process.wait()
        self._reader.join(_READ_S)
        self._tail = self.tail()
        self._errors.close()
        return code

    def tail(self) -> str:
        """The last lines of its standard error."""
        if self._errors.closed:
            return self._tail
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        """SIGTERM goes to the process alone: it ends its own children in order."""
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            return

    def _read(self) -> None:
        """Read standard output to its end, so that the child never waits for us."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if not self._ready and line.startswith("ready"):
                    self._ready = line.strip()
                    self._spoken.set()
        self._spoken.set()


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules."""
    return [sys.executable, "-m", name, *arguments]
