"""Plans side by side, for people."""

from collections.abc import Iterable, Sequence

from rich.table import Table


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Names to the left, under the first of `heads`; figures to the right."""
    made = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        made.add_column(head, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def named(name: str, broken: Sequence[str]) -> str:
    """`name`, with a warning where the checker found something `broken`."""
    return name + (" (does not hold!)" if broken else "")
