"""What every command does alike: exit codes, one JSON document, one last line that helps."""

import json
import sys
from enum import IntEnum
from typing import Any

from rich.console import Console, RenderableType


class ExitCode(IntEnum):
    """What a command's end means to a script."""

    FINE = 0
    NOT_FINE = 1  # Done, and the answer is bad: audit not clean, check failed.
    USAGE = 2
    NO_START = 3  # Cannot reach or start what it needs.


class Stop(Exception):
    """Ends a command. ``next_step`` is one line that says what to do next."""

    def __init__(self, code: ExitCode, next_step: str) -> None:
        super().__init__(next_step)
        self.code = code
        self.next_step = next_step


def errors() -> Console:
    """Standard error: progress, remarks and the last line. Made anew, so that tests can read it."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say_next(next_step: str) -> None:
    """The last line of a command that did not end well."""
    errors().print("tidegate: " + " ".join(next_step.split()), markup=False)


def show(document: Any, table: RenderableType, *, as_json: bool) -> None:
    """Answer on standard output: exactly one JSON document, or a table for people."""
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        Console(highlight=False).print(table)
