"""What ``tidegate up`` looks at before it starts anything."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors.waves.agenda import Automatic
from gateway import up
from gateway.cli_output import ExitCode, Stop
from gateway.settings import Settings
from gateway.worker import HOST, bind, must_be_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another gateway serves, ready to share it as workers do."""
    with bind(0) as sock:
        sock.listen()
        yield sock.getsockname()[1]


def test_a_port_in_use_is_refused_before_anything_starts(
    taken: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the other program would share it."""
    monkeypatch.setattr(uvloop, "run", lambda _work: pytest.fail("it was started"))
    monkeypatch.setattr(up, "configure", lambda: None)
    with pytest.raises(Stop) as stop:
        up.run(Settings(port=taken, data=tmp_path))
    assert stop.value.code is ExitCode.NO_START
    assert stop.value.next_step.startswith(f"port {taken} is in use: ")
    assert stop.value.next_step.endswith("; choose another with --port")


def test_hosts_are_told_what_up_was_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The options that concern them."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(up, "RayHost", lambda *_, **named: told.update(named))
    cluster = up.Cluster(
        Settings(
            port=8080, data=tmp_path, window_hours=48, wave_every_seconds=60,
            wave_every_orders=500, repair=True,
        ),
        asyncio.Event(),
    )  # fmt: skip
    cluster._host("host-0", "unix:///none")
    cluster._temp.rmdir()
    assert told == {
        "window_ms": 48 * 3_600_000, "log": tmp_path / "hosts.log",
        "waves": Automatic(every_s=60, every_orders=500, repairs=True),
    }  # fmt: skip


def test_a_port_whose_callers_have_just_gone_is_free() -> None:
    """A restart need not wait for connections that the kernel still remembers."""
    with bind(0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        with socket.create_connection((HOST, port)):
            sock.accept()[0].close()  # The server ends first: its side waits on.
    must_be_free(port)
    must_be_free(0)
