"""Pages as a browser shows them: Chromium without a window, its console, and what it paints."""

import os
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

Colour = tuple[int, int, int]

_SIZE: Final = (900, 1_250)
_SHOWN_S: Final = 60
#: Nothing of it leaves this machine, whatever it would like to look up.
_ARGUMENTS: Final = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr", f"--window-size={_SIZE[0]},{_SIZE[1]}",
)  # fmt: skip


class Browser:
    """Chromium with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        self._program = _program_or_skip()
        self._folder = folder

    def dom(self, url: str) -> tuple[str, list[str]]:
        """The document as the browser has understood it, and what its console says."""
        return self._run("--dump-dom", url)

    def painted(self, url: str, *, dark: bool = False) -> tuple[Counter[Colour], list[str]]:
        """How many pixels of each colour it paints, and what its console says.

        ``dark``: as who likes a dark ground sees it.
        """
        picture = self._folder / "page.png"
        liked = ["--blink-settings=preferredColorScheme=0"] if dark else []
        _, console = self._run(f"--screenshot={picture}", url, *liked)
        return _colours(picture.read_bytes()), console

    def _run(self, what: str, url: str, *more: str) -> tuple[str, list[str]]:
        arguments = [*_ARGUMENTS, *more, f"--user-data-dir={self._folder / 'profile'}"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # It refuses to have one as root.
        ran = subprocess.run(
            [self._program, *arguments, what, url],
            capture_output=True, text=True, timeout=_SHOWN_S, check=True,
        )  # fmt: skip
        return ran.stdout, [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]


def _program_or_skip() -> str:
    """Where it is missing a laptop skips, and CI fails."""
    program = shutil.which("chromium")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("no chromium on the PATH")
    assert program is not None, "no chromium on the PATH"
    return program


def _colours(png: bytes) -> Counter[Colour]:
    """The pixels of an 8 bit RGB picture, counted (PNG, W3C 2003, section 9)."""
    width, height, data, at = 0, 0, b"", 8
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", body)
            assert form == [8, 2, 0, 0, 0], form
        elif kind == b"IDAT":
            data += body
        at += 12 + size
    assert (width, height) == _SIZE
    rows, line = zlib.decompress(data), 1 + 3 * width
    before, seen = bytes(3 * width), Counter[Colour]()
    for row in range(height):
        start = row * line
        before = _unfiltered(rows[start], rows[start + 1 : start + line], before)
        seen.update(zip(before[::3], before[1::3], before[2::3], strict=True))
    return seen


def _unfiltered(kind: int, row: bytes, above: bytes) -> bytes:
    """A row of pixels from the differences that are stored of it."""
    if kind == 0 or (kind == 2 and not any(row)):
        return row if kind == 0 else above
    out = bytearray(row)
    for at, value in enumerate(row):
        left = out[at - 3] if at >= 3 else 0
        up, corner = above[at], above[at - 3] if at >= 3 else 0
        guess = (0, left, up, (left + up) // 2, _nearest(left, up, corner))[kind]
        out[at] = (value + guess) & 0xFF
    return bytes(out)


def _nearest(left: int, up: int, corner: int) -> int:
    """Paeth's predictor."""
    straight = left + up - corner
    return min((left, up, corner), key=lambda value: abs(straight - value))
