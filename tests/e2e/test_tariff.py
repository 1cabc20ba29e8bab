"""Lanes from coordinates: written to a file that can be imported as it is."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway import cli_tariff
from gateway.cli_output import Stop
from gateway.importing import run as importing
from gateway.importing.kinds import KINDS
from tests.e2e.engine_in_process import InProcess

Fresh = Callable[[str], str]


def test_lanes_are_written_and_can_be_imported(
    running: InProcess, fresh: Fresh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vienna, nowhere, zone = fresh("vienna"), fresh("nowhere"), fresh("graz")
    with httpx.Client(base_url=running.url) as http:
        place = {"kind": "store", "latitude": 48.21, "longitude": 16.37}
        assert http.put(f"/v1/nodes/{vienna}", json=place).status_code == 200
        assert http.put(f"/v1/nodes/{nowhere}", json={"kind": "store"}).status_code == 200
    zones, out = tmp_path / "zones.csv", tmp_path / "lanes.csv"
    zones.write_text(f"zone,latitude,longitude\n{zone},47.07,15.44\n")
    assert cli_tariff.tariff(zones, out, url=running.url, as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["lanes"] == told["nodes"]
    assert told["nodes_without_place"] >= 1
    # 145 km: two hundreds begun, and 5.8 hours on the road of ten a day, behind half a day.
    assert f"{vienna},{zone},274,45,17.8" in out.read_text()
    done = asyncio.run(
        importing.run(running.url, out, KINDS["lanes"], None, tmp_path / "no.csv", lambda _: None)
    )
    assert (done.rows, done.refused) == (told["lanes"], 0)


@pytest.mark.parametrize(("text", "named"), [
    ("zone,latitude\na,1\n", "line 2: longitude is missing"),
    ("zone,latitude,longitude\na,north,3\n", "line 2: could not convert"),
    ("zone,latitude,longitude\na,91,3\n", "line 2: latitude 91.0 is not between -90 and 90"),
    ("zone,latitude,longitude\n", "has no rows"),
])  # fmt: skip
def test_what_is_wrong_with_a_file_is_named(
    running: InProcess, tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "zones.csv"
    path.write_text(text)
    with pytest.raises(Stop, match=named):
        cli_tariff.tariff(path, tmp_path / "lanes.csv", url=running.url)
    assert not (tmp_path / "lanes.csv").exists()
