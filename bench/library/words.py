"""A file of numbers read word by word, so that an error can say where it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.figures import UsageError
from solver.published.generalised_assignment import COST_MOST

#: Of a whole number, zeros at its front among them.
_DIGITS: Final = 20


class Words:
    """The words of a file, in order. Every error is a `UsageError` that names file and line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            message = f"{path}: {error}; give a text file of numbers"
            raise UsageError(message) from error
        self._words = _numbered(text)
        self.line = 1

    def whole(self, what: str, least: int = 0) -> int:
        """The next word as a whole number; `what` it should be, for errors."""
        word = self.word(what)
        # No word of a hundred digits is made a number only to be refused.
        if not (word.isdigit() and len(word) <= _DIGITS and least <= int(word) <= COST_MOST):
            message = f"{what} is {word!r}; give a whole number from {least} to {COST_MOST}"
            raise self.wrong(message)
        return int(word)

    def number(self, what: str) -> float:
        """The next word as a number from 0."""
        return self.as_number(self.word(what), what)

    def as_number(self, word: str, what: str) -> float:
        """A word that was read, as a number from 0."""
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 0.0 <= value < float("inf"):
            raise self.wrong(f"{what} is {word!r}; give a number from 0")
        return value

    def word(self, what: str) -> str:
        """The next word as it stands."""
        try:
            self.line, word = next(self._words)
        except StopIteration:
            message = f"the file ends where {what} should be; give the whole of it"
            raise self.wrong(message) from None
        return word

    def end(self) -> None:
        """Nothing comes any more."""
        for line, word in self._words:
            self.line = line
            message = f"{word!r} is one too many; give one problem a file, sizes first"
            raise self.wrong(message)

    def wrong(self, message: str) -> UsageError:
        """An error at the word that was read last."""
        return UsageError(f"{self.path}, line {self.line}: {message}")


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    return ((line, word) for line, row in enumerate(text.splitlines(), 1) for word in row.split())
