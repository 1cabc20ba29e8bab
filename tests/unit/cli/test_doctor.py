"""What the doctor sees, on this machine and on one that is not well."""

import asyncio
import fcntl
import json
import resource
import sys
from importlib import metadata
from pathlib import Path

import pytest

from gateway import cli_checks
from gateway.cli import main
from gateway.cli_checks import Check, State


def test_the_embedded_store_passes_its_smoke_test() -> None:
    check = asyncio.run(cli_checks.store_works("embedded"))
    assert check.state is State.GOOD
    assert "WAITAOF" in check.detail


def test_a_store_that_nobody_serves_names_the_others() -> None:
    check = asyncio.run(cli_checks.store_works("redis://127.0.0.1:1"))
    assert check.state is State.BAD
    assert "--store embedded" in check.remedy


def test_a_missing_system_store_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    check = asyncio.run(cli_checks.store_works("system"))
    assert check.state is State.BAD
    assert "--store embedded" in check.remedy


def test_a_data_folder_in_use_is_a_warning(tmp_path: Path) -> None:
    assert cli_checks.data_folder(tmp_path).state is State.GOOD
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli_checks.data_folder(tmp_path).state is State.WARNING


def test_a_data_folder_that_cannot_be_made_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = cli_checks.data_folder(tmp_path / "file" / "below")
    assert check.state is State.BAD
    assert "--data" in check.remedy


def test_the_disk_is_measured_in_the_data_folder(tmp_path: Path) -> None:
    assert "fsync of 4 kB: median" in cli_checks.disk(tmp_path).detail
    assert list(tmp_path.iterdir()) == []


def test_a_slow_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_checks, "_fsync_ms", lambda _descriptor: 30.0)
    assert cli_checks.disk(tmp_path).state is State.WARNING


def test_a_low_limit_of_open_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    check = cli_checks.open_files()
    assert check.state is State.WARNING
    assert "ulimit -n 4096" in check.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [("RAY_ADDRESS", "10.0.0.7:6379"), ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")],
)
def test_an_environment_that_opens_ray_to_others_is_bad(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    check = cli_checks.ray_environment()
    assert check.state is State.BAD
    assert check.remedy == f"unset {name}"


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["msgpack>=1.1", "no-such-package[x]>=2; python_version > '3'", "y; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda _name: required)
    check = cli_checks.packages()
    assert check.state is State.BAD
    assert check.detail == "missing: no-such-package"


def test_orphans_of_ray_are_named_but_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [(7, "raylet", 1), (8, "raylet", 99), (9, "python", 1)]
    monkeypatch.setattr(cli_checks, "_processes", lambda: iter(running))
    check = cli_checks.leftovers()
    assert (check.state, check.detail) == (State.WARNING, "Ray processes without a parent: 7")


@pytest.mark.parametrize(("state", "code"), [(State.GOOD, 0), (State.WARNING, 0), (State.BAD, 1)])
def test_only_what_prevents_a_start_fails_the_doctor(
    state: State,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Check(name="disk", state=state, detail="as it is", remedy="do something [now]")
    monkeypatch.setattr(cli_checks, "all_checks", lambda _data, _store: iter([found]))
    monkeypatch.setattr(sys, "argv", ["tidegate", "doctor", "--json"])
    assert main() == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ok"] is (code == 0)
    assert ("do something [now]" in captured.err) is (code == 1)
