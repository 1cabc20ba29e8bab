"""One import: rows in portions over a few connections, refused ones to a file of their own."""

import asyncio
import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from gateway.importing import rows
from gateway.importing.kinds import Kind, WrongRow, name_of, reference_of
from gateway.pipe import Unreachable
from gateway.sending import LoadRefused, Sender

#: Connections. A second one brings more rows, and makes everybody else wait half as long again.
_PIPES: Final = 1
#: Told after each portion: rows done, of how many if that is known.
Progress = Callable[[int], None]


@dataclass(slots=True)
class Imported:
    """What an import did."""

    rows: int = 0
    refused: int = 0
    repeated: bool = True  # All of it was there already.
    seconds: float = 0.0
    refusals: str | None = None  # The file with refused rows, lines and reasons.


class _Told(msgspec.Struct):
    repeated: bool = False
    results: list[Any] = []


#: (number of the portion, lines, rows)
Portion = tuple[int, list[int], list[dict[str, Any]]]


async def run(
    url: str, path: Path, kind: Kind, reference: str | None, report: Path, progress: Progress
) -> Imported:
    """Import a file. Raises Unreadable, Unreachable or LoadRefused; then a re-run goes on."""
    began_at = monotonic()
    with path.open("rb") as file:
        name = reference or name_of(file_digest(file, "blake2b").digest())
    done = Imported()
    with ExitStack() as stack:
        refusals = _Refusals(report, done, stack)
        portions = _portions(path, kind, refusals)

        async def work() -> None:
            sender = Sender(url)
            try:
                for number, lines, part in portions:
                    sent = kind.request(part, reference_of(name, number))
                    (body,) = await sender.settle([sent])
                    _take(body, lines, part, done, refusals)
                    done.rows += len(part)
                    progress(done.rows)
            finally:
                sender.close()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_PIPES):
                    group.create_task(work())
        except* (Unreachable, LoadRefused, rows.Unreadable) as failed:
            raise failed.exceptions[0] from None
    done.seconds = monotonic() - began_at
    return done


def _portions(path: Path, kind: Kind, refusals: "_Refusals") -> Iterator[Portion]:
    """Rows that can be sent, so many at a time; numbered by their place in the file."""
    number, lines, part, seen = 0, list[int](), list[dict[str, Any]](), set[Any]()
    for line, row in rows.read(path):
        try:
            checked = kind.checked(row)
        except WrongRow as wrong:
            refusals.add(line, row, str(wrong))
            continue
        at = (checked.get("sku"), checked.get("node"), checked.get("zone"))
        if len(part) == kind.portion or at in seen:
            yield number, lines, part
            number, lines, part, seen = number + 1, [], [], set()
        lines.append(line)
        part.append(checked)
        seen.add(at)
    if part:
        yield number, lines, part


def _take(
    body: bytes,
    lines: list[int],
    part: list[dict[str, Any]],
    done: Imported,
    refusals: "_Refusals",
) -> None:
    told = msgspec.json.decode(body, type=_Told)
    done.repeated = done.repeated and told.repeated
    for line, row, result in zip(lines, part, told.results, strict=False):
        if result["status"] >= 400:
            refusals.add(line, row, f"{result['body']['title']}: {result['body']['detail']}")


class _Refusals:
    """Refused rows, written where somebody can mend them and import the file again."""

    def __init__(self, report: Path, done: Imported, stack: ExitStack) -> None:
        self._report = report
        self._done = done
        self._stack = stack
        self._writer: Any = None

    def add(self, line: int, row: dict[str, Any], reason: str) -> None:
        """One row that was not taken."""
        if self._writer is None:
            file = self._stack.enter_context(self._report.open("w", encoding="utf-8", newline=""))
            self._writer = csv.writer(file)
            self._writer.writerow(("line", "reason", "row"))
            self._done.refusals = str(self._report)
        self._done.refused += 1
        self._writer.writerow((line, reason, msgspec.json.encode(row).decode()))
