"""Giving way to whoever sells on the same machine.

Linux with ``sched_autogroup_enabled`` (most have it) first shares the processors among sessions and
only then among the processes of one: a nice process in a session with nothing else to do gets as
much as any other session. So a session of its own is made nice as a whole, see sched(7), "The
autogroup feature". ``SCHED_IDLE`` lets whoever wakes up have the processor at once. And all of it
stays on one processor: on the others nobody has to make it leave. Beside a solver on both of two
cores a sale lost up to a third of its rate.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

#: As nice as can be: what others leave of a processor is enough, for they never use all of it.
NICENESS: Final = 19
_AUTOGROUP: Final = Path("/proc/self/autogroup")
_THREADS: Final = Path("/proc/self/task")


def give_way() -> None:
    """Leave the processors to others as far as the system lets us say so; cannot be taken back."""
    os.nice(NICENESS)
    if not hasattr(os, "SCHED_IDLE"):
        return  # Not Linux: niceness is all there is.
    one = {max(os.sched_getaffinity(0))}
    # Libraries that are loaded may have begun threads, and on Linux each is asked for itself.
    for thread in map(int, os.listdir(_THREADS)):
        os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setaffinity(thread, one)
    if os.getsid(0) != os.getpid():
        try:
            os.setsid()
        except PermissionError:  # Started by hand from a shell, whose session is not ours to slow.
            return
    with contextlib.suppress(OSError):  # A kernel that shares among processes alone.
        _AUTOGROUP.write_text(str(NICENESS))
