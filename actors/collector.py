"""The garbage collector in processes that answer requests: rare, and never over old objects.

What a batch leaves behind is freed by reference counts; the default thresholds make the collector
walk it every 700 objects all the same, which costs two fifths of an owner's time under load.
"""

import gc
from typing import Final

_THRESHOLDS: Final = (100_000, 50, 100)


def calm_collector() -> None:
    """Leave alone what exists now, and collect what comes two orders of magnitude more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
