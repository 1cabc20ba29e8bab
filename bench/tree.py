"""Processes, seen from outside: which are owners, which is the store, is anybody else busy."""

import psutil

from bench.processes import CannotStart


def busy_share(seconds: float = 1.0) -> float:
    """Share of all cores that this machine uses while we do nothing but wait."""
    return float(psutil.cpu_percent(interval=seconds)) / 100


def hosts(pid: int) -> list[int]:
    """Process ids of the shard hosts below ``pid``, in the order of their start."""
    return [child.pid for child in _descendants(pid) if "ShardHost" in _command(child)]


def store(pid: int) -> int | None:
    """Process id of the store below ``pid``; None where it is somebody else's."""
    servers = ("valkey-server", "redis-server")
    found = [child.pid for child in _descendants(pid)
             if any(name in _command(child) for name in servers)]  # fmt: skip
    return found[0] if found else None


def worker_arguments(pid: int) -> tuple[str, str | None]:
    """What a gateway worker below ``pid`` was told: the supervisor's socket, Ray's address."""
    for child in _descendants(pid):
        command = _words(child)
        if "gateway.worker" in command:
            control, _, *ray = command[command.index("gateway.worker") + 1 :]
            return control, ray[0] if ray else None
    raise CannotStart("no gateway worker runs")


def resident_bytes(pids: list[int]) -> int:
    """Memory that these processes hold."""
    return sum(int(psutil.Process(pid).memory_info().rss) for pid in pids)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess as gone:
        raise CannotStart("the product has ended by itself") from gone
    return sorted(children, key=lambda child: child.create_time())


def _command(process: psutil.Process) -> str:
    return " ".join(_words(process))


def _words(process: psutil.Process) -> list[str]:
    """Its command line; empty where it has just ended."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []
