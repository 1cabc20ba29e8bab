"""The pages that people look at, in a browser: no complaint, and painted what they are for."""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from bench.audit import Audit
from bench.page import page
from gateway.contract import OPERATIONS
from gateway.contract.waves import WAVES
from gateway.problems import KINDS
from gateway.svg import COLOURS
from gateway.waves.page import page_of
from tests.browser import Browser, Colour
from tests.cases import swapped
from tests.e2e.engine_in_process import InProcess
from tests.unit.bench.reports import report_of

_CLEAN: Final = "#009e73"
_FAILED: Final = "#cc3311"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """One for all of them."""
    return Browser(tmp_path_factory.mktemp("browser"))


def of(colours: Counter[Colour], name: str) -> int:
    """Pixels of a colour."""
    return colours[int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)]


def ink(colours: Counter[Colour]) -> int:
    """Pixels that are nearly black: text."""
    return sum(count for colour, count in colours.items() if max(colour) < 0x40)


def test_what_goes_wrong_in_a_page_is_heard(browser: Browser, tmp_path: Path) -> None:
    """The other tests would be worth nothing otherwise."""
    path = tmp_path / "wrong.html"
    path.write_text("<!doctype html><title>x</title><body><script>nobody()</script>")
    dom, console = browser.dom(path.as_uri())
    assert "<body>" in dom
    assert any("nobody is not defined" in line for line in console)
    colours, _ = browser.painted(path.as_uri())
    assert ink(colours) == 0


def test_a_report_is_painted_with_its_plots(browser: Browser, tmp_path: Path) -> None:
    """Two lines over time, latencies, bars, the verdict in green, and text."""
    path = tmp_path / "report.html"
    path.write_text(page(report_of(Audit(acknowledged=32))))
    colours, console = browser.painted(path.as_uri())
    assert console == []
    assert of(colours, COLOURS[0]) > 5_000, "the bar of the product and its lines"
    assert of(colours, COLOURS[1]) > 500, "a second line"
    assert of(colours, COLOURS[5]) > 500, "the bar of a rival"
    assert of(colours, _CLEAN) > 500, "the verdict"
    assert of(colours, _FAILED) == 0
    assert ink(colours) > 5_000, "text"
    dom, _ = browser.dom(path.as_uri())
    assert dom.count("<svg") == 3


def test_a_failed_audit_is_painted_red_and_nothing_fast_with_it(
    browser: Browser, tmp_path: Path
) -> None:
    """No plot, no bar."""
    path = tmp_path / "failed.html"
    path.write_text(page(report_of(Audit(acknowledged=32, acknowledged_missing=1))))
    colours, console = browser.painted(path.as_uri())
    assert console == []
    assert of(colours, _FAILED) > 500
    assert of(colours, COLOURS[0]) == of(colours, _CLEAN) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_wave_is_painted_on_light_and_on_dark(
    browser: Browser, tmp_path: Path, dark: bool
) -> None:
    """Bars of both colours, the map's arrows and a full node; text that stands out."""
    path = tmp_path / "wave.html"
    path.write_text(page_of(WAVES[0].answers[202].example, swapped()))
    colours, console = browser.painted(path.as_uri(), dark=dark)
    assert console == []
    assert of(colours, COLOURS[0]) > 5_000, "before, and units"
    assert of(colours, COLOURS[1]) > 1_500, "after"
    ground, _ = colours.most_common(1)[0]
    assert (max(ground) < 0x40) == dark
    light = sum(count for colour, count in colours.items() if min(colour) > 0xC0)
    assert (light if dark else ink(colours)) > 3_000, "text"


def test_the_description_of_the_api_is_painted(browser: Browser, running: InProcess) -> None:
    """Its policy lets its own style through; every operation and problem is there."""
    url = f"{running.url}/docs"
    dom, console = browser.dom(url)
    assert console == []
    assert dom.count("<h2><code>") == len(OPERATIONS)
    assert all(f'href="/problems/{name}"' in dom for name in KINDS)
    colours, console = browser.painted(url)
    assert console == []
    assert ink(colours) > 5_000
    assert len(colours) > 10, "examples stand on a ground of their own"


@pytest.mark.parametrize("name", ["sold-out", "durability-not-met"])
def test_a_problem_is_explained_on_a_page(browser: Browser, running: InProcess, name: str) -> None:
    """Where its type leads to."""
    dom, console = browser.dom(f"{running.url}/problems/{name}")
    assert console == []
    assert KINDS[name].title in dom
    assert KINDS[name].help.split(".")[0] in dom
