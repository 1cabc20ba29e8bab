"""Lines of JSON, in a file that several hosts share and that outlives them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from actors import logs
from engine.errors import CannotStart


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_hosts_log_to_one_file_each_under_its_name(tmp_path: Path) -> None:
    path = logs.hosts_log(tmp_path / "data")
    for host in ("host-0", "host-1"):
        with path.open("a") as file:
            logs.configure(file, host=host)
            structlog.get_logger().error("books differ", at="A|n")
    first, second = map(json.loads, path.read_text().splitlines())
    assert first.pop("timestamp") <= second["timestamp"]
    assert first == {"event": "books differ", "level": "error", "at": "A|n", "host": "host-0"}
    assert second["host"] == "host-1"


def test_without_a_file_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().warning("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "here"


def test_a_start_keeps_the_log_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_BYTES_MAX", 10)
    path = logs.hosts_log(tmp_path)
    path.write_text("x" * 11)
    assert logs.hosts_log(tmp_path) == path
    assert path.read_text() == ""
    assert path.with_name("hosts.log.1").read_text() == "x" * 11
    path.write_text("y" * 10)
    assert logs.hosts_log(tmp_path).read_text() == "y" * 10


def test_a_folder_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="choose other --data"):
        logs.hosts_log(tmp_path / "file" / "data")
