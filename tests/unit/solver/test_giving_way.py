"""A solver that gives way takes its session with it, and nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solver.giving_way import NICENESS

_AUTOGROUP = Path("/proc/self/autogroup")
_TOLD = """
import os
from pathlib import Path
from solver.giving_way import give_way

give_way()
group = Path("/proc/self/autogroup")
assert os.sched_getscheduler(0) == os.SCHED_IDLE
print(os.nice(0), os.getsid(0) == os.getpid(), *group.read_text().split()[-1:])
"""

pytestmark = pytest.mark.skipif(
    not _AUTOGROUP.exists(), reason="this system shares processors by niceness alone"
)


def told(*, process_group: int | None) -> list[str]:
    """Its niceness, whether its session is its own, and its session's niceness."""
    words = [sys.executable, "-c", _TOLD]
    ran = subprocess.run(
        words, capture_output=True, text=True, check=True, process_group=process_group
    )
    return ran.stdout.split()


def nicer() -> str:
    """By so much nicer than this process."""
    return str(min(19, os.nice(0) + NICENESS))


def test_it_is_nice_to_other_sessions_too() -> None:
    """In a session of its own, which is nice as a whole."""
    assert told(process_group=None) == [nicer(), "True", str(NICENESS)]


def test_it_slows_no_session_that_is_not_its_own() -> None:
    """As from a shell, where it leads a group and cannot leave."""
    before = _AUTOGROUP.read_text()  # Nothing where no session was opened since the system's start.
    assert told(process_group=0) == [nicer(), "False", *before.split()[-1:]]
    assert _AUTOGROUP.read_text() == before
