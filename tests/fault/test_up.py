"""``tidegate up`` leaves nothing behind, however it ends."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from bench.processes import Child, module

_GONE_S: Final = 10.0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Child]:
    """A starting ``tidegate up``."""
    data = str(tmp_path / "data")
    arguments = module("gateway.cli", "up", "--port", "0", "--data", data, "--actors", "2")
    with Child(arguments) as child:
        yield child


def tree(child: Child) -> list[psutil.Process]:
    """All that it runs."""
    return list(psutil.Process(child.pid).children(recursive=True))


def still_there(processes: list[psutil.Process]) -> list[str]:
    """Those that live on; somebody's unread exit code is no life."""
    names = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                names.append(" ".join(process.cmdline())[:120])
        except psutil.NoSuchProcess:
            continue
    return names


def all_gone(processes: list[psutil.Process]) -> None:
    """Within ten seconds."""
    until = time.monotonic() + _GONE_S
    while still_there(processes) and time.monotonic() < until:
        time.sleep(0.05)
    assert still_there(processes) == []


def grown(child: Child, enough: Callable[[list[psutil.Process]], bool]) -> list[psutil.Process]:
    """The tree, as soon as there is enough of it."""
    until = time.monotonic() + 60
    while not enough(tree(child)):
        assert time.monotonic() < until, "it does not start"
        time.sleep(0.02)
    return tree(child)


def test_killed_it_takes_everything_with_it(up: Child) -> None:
    """SIGKILL: store, Ray, hosts and workers notice by themselves."""
    up.ready_line()
    processes = tree(up)
    assert len(processes) >= 5, still_there(processes)
    os.kill(up.pid, signal.SIGKILL)
    up.process.wait(_GONE_S)
    all_gone(processes)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_told_to_end_it_ends_well(up: Child, tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, nothing left but the data and what the hosts have logged."""
    up.ready_line()
    processes = tree(up)
    os.kill(up.pid, number)
    assert up.process.wait(30) == 0, up.tail()
    all_gone(processes)
    log = (tmp_path / "data" / "hosts.log").read_text().splitlines()
    served = {line["host"] for line in map(json.loads, log) if line["event"] == "serving"}
    assert served == {"host-0", "host-1"}


def test_told_to_end_while_it_starts(up: Child) -> None:
    """The same, when Ray is half there."""
    processes = grown(
        up, lambda tree: any("gcs_server" in " ".join(still_there([p])) for p in tree)
    )
    os.kill(up.pid, signal.SIGTERM)
    assert up.process.wait(60) == 0, up.tail()
    all_gone(processes)
