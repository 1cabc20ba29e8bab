"""Logs: one JSON object a line, of every process of ours.

Gateways and ``tidegate up`` write to standard error; standard output belongs to the commands.
Hosts write to a file: what Ray keeps of their standard error goes when Ray does.
"""

import logging
import sys
from pathlib import Path
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

from engine.errors import CannotStart

#: In the folder that was given as --data.
HOSTS_LOG: Final = "hosts.log"
#: A log that is longer when a start finds it becomes ``hosts.log.1``: weeks of quiet, or the
#: warnings of hosts that wait for a store overnight.
_BYTES_MAX: Final = 64 * 1024 * 1024


def configure(file: TextIO | None = None, **always: str) -> None:
    """Log to ``file``, or to standard error; ``always`` stands on each line."""

    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.update(always)
        return event

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Each line is one write: to the end of a file, if several processes share it.
        logger_factory=structlog.WriteLoggerFactory(file or sys.stderr),
        cache_logger_on_first_use=True,
    )


def hosts_log(folder: Path) -> Path:
    """Where the hosts of this run log to; what earlier runs left is kept within bounds.

    Raises ``CannotStart`` where nothing can be written.
    """
    path = folder.resolve() / HOSTS_LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _BYTES_MAX:
            path.replace(path.with_name(f"{HOSTS_LOG}.1"))
        path.touch()
    except OSError as error:
        raise CannotStart(f"cannot write {path}: {error.strerror}; choose other --data") from error
    return path
