"""Giving way to whoever sells on the same machine.

Linux with ``sched_autogroup_enabled`` (most have it) first shares the processors among sessions and
only then among the processes of one: a nice process in a session with nothing else to do gets as
much as any other session. So a session of its own is made nice as a whole, see sched(7), "The
autogroup feature". ``SCHED_IDLE`` lets whoever wakes up have the processor at once.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

#: A tenth of a processor that others want too: less, and a wave would not end in a busy hour.
NICENESS: Final = 10
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def give_way() -> None:
    """Leave the processors to others as far as the system lets us say so; cannot be taken back."""
    os.nice(NICENESS)
    if not hasattr(os, "SCHED_IDLE"):
        return  # Not Linux: niceness is all there is.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) != os.getpid():
        try:
            os.setsid()
        except PermissionError:  # Started by hand from a shell, whose session is not ours to slow.
            return
    with contextlib.suppress(OSError):  # A kernel that shares among processes alone.
        _AUTOGROUP.write_text(str(NICENESS))
