"""Every example of the documentation, run in order against an empty engine."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.e2e.engine_in_process import in_process

DOCUMENTS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```http\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HOURS = re.compile(r"\{([+-][0-9.]+)\}")
_ID = re.compile(r"\{((?:order|wait)-[0-9]+)\}")


class Example(NamedTuple):
    """A request, and the status and problem it is answered."""

    line: str
    body: str
    status: int
    problem: str


def examples(text: str) -> Iterator[Example]:
    for block in _BLOCK.findall(text):
        line, body = "", ""
        for row in block.splitlines():
            if row.startswith("→"):
                _, status, *problem = row.split()
                yield Example(line, body, int(status), " ".join(problem))
                line, body = "", ""
            elif not line:
                line = row
            else:
                body += row


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """An engine of its own, empty."""
    for running in in_process():
        with httpx.Client(base_url=running.url, timeout=10) as client:
            yield client


def rest(http: httpx.Client) -> None:
    """Return once no wave runs: a reader waits for one before he asks for another, or its plan."""
    until = time.monotonic() + 60
    while any(wave["finished_at"] is None for wave in http.get("/v1/waves").json()["waves"]):
        assert time.monotonic() < until
        time.sleep(0.05)


def instant(match: re.Match[str]) -> str:
    return (datetime.now(UTC) + timedelta(hours=float(match[1]))).isoformat()


@pytest.mark.parametrize(("document", "least"), [("warehouse.md", 30), ("waves.md", 12)])
def test_the_examples_are_answered_as_they_say(
    http: httpx.Client, document: str, least: int
) -> None:
    ids: dict[str, str] = {}
    count = 0
    for example in examples((DOCUMENTS / document).read_text(encoding="utf-8")):
        line = _ID.sub(lambda match: ids[match[1]], example.line)
        method, path, *header = line.split(" ", 2)
        headers = dict([header[0].split(": ", 1)]) if header else {}
        body = _ID.sub(lambda match: ids[match[1]], _HOURS.sub(instant, example.body))
        headers["Content-Type"] = "application/json"
        if example.status == 202 or path.endswith("/problem"):
            rest(http)
        answer = http.request(method, path, content=body, headers=headers)
        assert answer.status_code == example.status, (example.line, answer.text)
        if example.problem:
            assert answer.json()["type"] == f"/problems/{example.problem}"
        if path in ("/v1/reservations", "/v1/waiting") and answer.status_code == 201:
            ids[answer.json()["key"]] = answer.json()["id"]
        count += 1
    assert count > least
