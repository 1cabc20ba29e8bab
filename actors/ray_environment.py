"""What Ray must find in the environment when it is imported: it reads it once."""

import os
import secrets
from typing import Final

#: What Ray reads from the environment before it starts. Loopback only: its ports run code for
#: whoever reaches them. The rest keeps its own measuring from costing us a core.
_ENVIRONMENT: Final = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    # Its default of 15 would let any other process of the machine go before the owners.
    "RAY_worker_niceness": "0",
}


def prepare_environment() -> None:
    """Set what must stand before ray is imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
