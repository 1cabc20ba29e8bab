"""Giving way to whoever sells on the same machine.

Linux with ``sched_autogroup_enabled`` (most have it) first shares the processors among sessions and
only then, by niceness, among the processes of one: a nice process in a session with nothing else to
do gets as much as any other session. So a session of its own is made nice as a whole, see
sched(7), "The autogroup feature".
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
    if os.getsid(0) != os.getpid():
        try:
            os.setsid()
        except PermissionError:  # Started by hand from a shell, whose session is not ours to slow.
            return
    with contextlib.suppress(OSError):  # Another system, or one that shares by niceness alone.
        _AUTOGROUP.write_text(str(NICENESS))
