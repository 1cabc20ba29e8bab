"""Giving way to whoever sells on the same machine.

Linux with ``sched_autogroup_enabled`` (most have it) first shares the processors among sessions and
only then among the processes of one: a nice process in a session with nothing else to do gets as
much as any other session. So a session of its own is made nice as a whole, see sched(7), "The
autogroup feature". ``SCHED_IDLE`` lets whoever wakes up have the processor at once, and one
processor of several is disturbed rather than all in turn.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

#: The last to be served: about one and a half per cent of a processor that others want too.
NICENESS: Final = 19
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def give_way() -> None:
    """Leave the processors to others as far as the system lets us say so; cannot be taken back."""
    os.nice(NICENESS)
    if not hasattr(os, "SCHED_IDLE"):
        return  # Not Linux: niceness is all there is.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if os.getsid(0) != os.getpid():
        try:
            os.setsid()
        except PermissionError:  # Started by hand from a shell, whose session is not ours to slow.
            return
    with contextlib.suppress(OSError):  # A kernel that shares among processes alone.
        _AUTOGROUP.write_text(str(NICENESS))
