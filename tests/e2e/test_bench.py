"""The bench against the product as its users start it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.catalogue import AVAILABILITY, CORE, FLASH_SALE

pytestmark = pytest.mark.slow


def _played(*arguments: str) -> dict[str, Any]:
    """The report on standard output of a run that was fine, or void on a busy machine."""
    command = [sys.executable, "-m", "bench", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if report["void"] else 0), done.stderr
    assert report["audit"]["clean"], report["audit"]
    assert report["audit"]["acknowledged"] > 0
    return report


@pytest.mark.parametrize("kind", ["poisson", "spike"])
def test_a_flash_sale_is_measured_audited_and_shown(tmp_path: Path, kind: str) -> None:
    page = tmp_path / "page.html"
    report = _played(
        *("flash-sale", "--seconds", "0.5", "--no-baselines", "--durability", "everysec"),
        *("--arrivals", kind, "--html", str(page)),
    )
    steps = {step["name"]: step for step in report["steps"]}
    for connections in FLASH_SALE.connections:
        assert steps[f"{connections} connections"]["counts"]["ok"] > 0
    assert steps["open loop"]["counts"]["ok"] > 0
    assert steps["open loop, payments"]["counts"]["ok"] > 0
    assert report["audit"]["acknowledged_payments"] > 0
    assert report["environment"]["order"] == "no baselines"
    assert report["environment"]["arrivals"] == kind
    text = page.read_text()
    assert text.count("<svg") >= 2
    assert not re.search(r'(src|href)="|@import|url\(', text)


def test_the_core_is_measured_against_the_raw_script() -> None:
    report = _played("core", "--seconds", "0.2")
    figures = report["figures"]
    assert figures["raw_lua_per_s"]["median"] > 0
    assert {target.figure for target in CORE.targets} <= figures.keys()
    assert "baselines before and after the product" in report["details"]


def test_reads_are_measured_while_stock_is_sold() -> None:
    report = _played(
        "availability", "--seconds", "0.5", "--no-baselines", "--durability", "everysec"
    )
    assert report["audit"]["clean"]
    figures = report["figures"]
    assert {target.figure for target in AVAILABILITY.targets} <= figures.keys()
    assert figures["rate_64_per_s"]["median"] > 0
    assert figures["sales_per_s"]["median"] > 0
